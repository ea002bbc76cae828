#!/usr/bin/env bash
# sbom.sh [FOLDER [NAME...]]: the bill of materials that each image carries (/usr/share/doc/wakee/sbom.cdx.json), without
# building it. Our own packages and the Debian packages of the base image are not in it.
source "$(dirname "$0")/lib.sh"

folder=${1:-$REPO/reports/sbom}
mkdir -p "$folder"

# bill NAME IMAGE LOCK
bill() {
    uv run -q --no-project --isolated --python python3.11 --with-requirements "$REPO/images/sbom/requirements.lock" \
        "$REPO/images/sbom/bill.sh" "$REPO/images/$2" "$3" "$folder/$1.json" 2>"$STATE/sbom.log" ||
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
