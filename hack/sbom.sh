#!/usr/bin/env bash
# sbom.sh [FOLDER [NAME...]]: what each image holds, as CycloneDX 1.6, from the lock file it is built from: every Python
# package with version and hashes. Our own packages and the Debian packages of the base image are not in it.
source "$(dirname "$0")/lib.sh"

CYCLONEDX=cyclonedx-bom==7.5.0
folder=${1:-$REPO/reports/sbom}
mkdir -p "$folder"

# bill NAME IMAGE LOCK
bill() {
    local project=()
    [[ ! -f $REPO/images/$2/pyproject.toml ]] || project=(--pyproject "$REPO/images/$2/pyproject.toml")
    uv tool run -q --from $CYCLONEDX cyclonedx-py requirements "$REPO/images/$2/$3" "${project[@]}" --mc-type application \
        --spec-version 1.6 --output-format JSON --output-reproducible --output-file "$folder/$1.json" 2>"$STATE/sbom.log" ||
        { cat "$STATE/sbom.log" >&2 && fail "no bill of materials for $1"; }
    say "$1: $(python3 -c 'import json, sys; print(len(json.load(open(sys.argv[1]))["components"]))' "$folder/$1.json") packages"
}

names=("${@:2}")
((${#names[@]})) || names=(airflow drift health sandbox train train-cpu)
for name in "${names[@]}"; do
    case $name in
        train) bill train train requirements-cuda.lock ;;
        train-cpu) bill train-cpu train requirements.lock ;;
        *) bill "$name" "$name" requirements.lock ;;
    esac
done
say "written to $folder"
