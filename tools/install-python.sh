#!/bin/sh
# Install Python where a bare Debian or Ubuntu lacks it. All the rest is installed by tools/bootstrap.py.
set -eu
if ! command -v apt-get >/dev/null || [ "$(id -u)" != 0 ]; then
    echo "error: Cannot start: python3 is missing. Install Python 3.11, or run this as root on Debian 12." >&2
    exit 1
fi
echo "==> installing python3 python3-venv" >&2
export DEBIAN_FRONTEND=noninteractive
dpkg --configure -a # what an interrupted run left half done
apt-get update -qq
apt-get install -qq -y --no-install-recommends python3 python3-venv >/dev/null
