#!/usr/bin/env bash
# promtool.sh ARGUMENTS...: Prometheus's own checker of rules, from Debian's package, installed when missing.
source "$(dirname "$0")/../../hack/lib.sh"
install_packages prometheus
exec promtool "$@"
