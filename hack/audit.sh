#!/usr/bin/env bash
# audit.sh: known vulnerabilities of everything that the lock files pin. For a schedule (nightly CI). Exit code 0: none known;
# 1: some are; 3: could not be asked. SERVICE is pip-audit's: pypi or osv.
source "$(dirname "$0")/lib.sh"

PIP_AUDIT=pip-audit==2.10.1
SERVICE=${SERVICE:-pypi}
LOCKS=("$REPO"/images/{airflow,drift,health,sandbox,sbom}/requirements.lock "$REPO"/images/train/requirements-cuda.lock "$REPO"/hack/requirements.lock)
ANSWERS=$(mktemp -d)
trap 'rm -rf "$ANSWERS"' EXIT

audit() {
    uv tool run -q --from $PIP_AUDIT pip-audit --vulnerability-service "$SERVICE" --progress-spinner off --format json \
        --timeout 10 "$@" 2>"$ANSWERS/log"
}

# A mirror that knows packages but no vulnerabilities would let everything pass, so ask for one that everybody knows.
echo "jinja2==2.10" >"$ANSWERS/known.txt"
answer=$(audit --no-deps --disable-pip -r "$ANSWERS/known.txt") || true
grep -q '"id"' <<<"$answer" || {
    tail -n 2 "$ANSWERS/log" >&2
    printf '\033[1;31merror:\033[0m %s\n' "the vulnerability service ($SERVICE) does not answer from here: nothing was audited" >&2
    exit 3
}

status=0
for lock in "${LOCKS[@]}"; do
    audit --require-hashes --no-deps --disable-pip -r "$lock" >"$ANSWERS/answer.json" || status=1
    python3 - "${lock#"$REPO"/}" "$ANSWERS/answer.json" <<'PY'
import json, sys

lock, answer = sys.argv[1:]
packages = json.load(open(answer))["dependencies"]
print(f"{lock}: {len(packages)} packages, {sum('skip_reason' in p for p in packages)} not known to the service")
for package in packages:
    for found in package.get("vulns", []):
        fixed = ", ".join(found["fix_versions"]) or "no version yet"
        print(f"  {package['name']} {package['version']}: {found['id']}, fixed in {fixed}")
PY
done
exit $status
