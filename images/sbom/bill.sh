#!/bin/sh
# bill.sh FOLDER LOCK FILE: what a lock file of an image's folder pins, as CycloneDX 1.6: every Python package with version
# and hashes. Needs cyclonedx-py on the PATH: requirements.lock, beside this script, pins it.
set -eu
lock=$1/$2 file=$3 project=$1/pyproject.toml
set --
[ ! -f "$project" ] || set -- --pyproject "$project" --mc-type application
exec cyclonedx-py requirements "$lock" "$@" --spec-version 1.6 --output-format JSON --output-reproducible --output-file "$file"
