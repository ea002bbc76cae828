#!/usr/bin/env bash
# Build the five Kubernetes binaries from Debian's source package, once, into the cache.
# A stand-in for kind where no Docker engine runs; never for production.
source "$(dirname "$0")/lib.sh"

VERSION=1.20.2
BIN=$CACHE/kubernetes-$VERSION
COMPONENTS=(kube-apiserver kube-controller-manager kube-scheduler kubelet kube-proxy)

# The machine's own package sources, turned into source-package entries of a private apt configuration.
source_package_apt() {
    local etc=$1/sources lists=$1/lists
    mkdir -p "$etc" "$lists/partial"
    local file
    for file in /etc/apt/sources.list /etc/apt/sources.list.d/*; do
        [[ -f $file ]] || continue
        case $file in
            *.sources) grep -q 'archive-keyring' "$file" && sed 's/^Types:.*/Types: deb-src/' "$file" >"$etc/$(basename "$file")" ;;
            *.list) grep -E '^deb .*debian' "$file" | sed 's/^deb /deb-src /' >"$etc/$(basename "$file")" ;;
        esac || true
    done
    printf '%s\n' "Dir::Etc::sourcelist \"/dev/null\";" "Dir::Etc::sourceparts \"$etc\";" "Dir::State::lists \"$lists\";" >"$1/apt.conf"
}

build() {
    local work=$1
    source_package_apt "$work"
    export APT_CONFIG=$work/apt.conf
    cd "$work"
    apt-get update -qq
    apt-get source -qq kubernetes
    cd kubernetes-*"$VERSION" || fail "Debian has no source of Kubernetes $VERSION here (Debian 12 does)"
    # 1.0.1 crashes kube-apiserver under Go 1.19 on pretty-printed JSON.
    rm -rf vendor/github.com/modern-go/reflect2
    cp -r /usr/share/gocode/src/github.com/modern-go/reflect2 vendor/github.com/modern-go/
    make WHAT="${COMPONENTS[*]/#/cmd/}" KUBE_GIT_VERSION=v$VERSION KUBE_GIT_TREE_STATE=clean \
        KUBE_GIT_COMMIT=debian GOFLAGS="-mod=vendor -tags=providerless,dockerless" # no cloud's SDK, no dockershim
}

all_built() {
    local component
    for component in "${COMPONENTS[@]}"; do [[ -x $BIN/$component ]] || return 1; done
}
! all_built || exit 0

install_packages golang-go golang-github-modern-go-reflect2-dev jq rsync make dpkg-dev
work=$(mktemp -d "$CACHE/build.XXXXXX")
trap 'rm -rf "$work"' EXIT
say "building Kubernetes $VERSION from Debian's source: about 6 minutes on 2 cores (log: $STATE/kubernetes-build.log)"
(build "$work") >"$STATE/kubernetes-build.log" 2>&1 || { tail -n 20 "$STATE/kubernetes-build.log" >&2 && fail "Kubernetes build"; }
mkdir -p "$BIN"
for component in "${COMPONENTS[@]}"; do
    install -m 755 "$work"/kubernetes-*/_output/bin/"$component" "$BIN/"
done
