#!/usr/bin/env bash
# venv.sh NAME...: a virtual environment .venvs/NAME with exactly the image's lock, the tests' tools and, editable,
# our own packages. Made again only when one of those changed. NAME is an image, or "dev".
source "$(dirname "$0")/lib.sh"
"$REPO/hack/tools.sh"

# uv does not read pip's settings; these are the ones that a closed network needs.
pip_setting() { "$CACHE/uv-venv/bin/pip" config get "global.$1" 2>/dev/null || true; }
UV_FIND_LINKS=${PIP_FIND_LINKS:-$(pip_setting find-links)}
# Compiled as in the images: a command starts in half the time, also where Python is told not to write bytecode.
export UV_FIND_LINKS UV_LINK_MODE=hardlink UV_COMPILE_BYTECODE=1

# The train image's lock for the torch that this machine can get, and where its wheel is.
choose_torch() {
    local variant links
    read -r variant links < <(cd "$REPO/hack" && python3 -m containers.torch_source)
    [[ $variant == cpu ]] || lock=images/train/requirements-cuda.lock
    [[ -z $links ]] || export UV_FIND_LINKS=${links// /,}
}

make_venv() {
    local name=$1 venv=$REPO/.venvs/$1 lock packages=() stamp extra=()
    case $name in
        dev) lock=hack/requirements.lock packages=(images/contract images/common) ;;
        airflow) lock=images/airflow/requirements.lock packages=(images/contract) ;;
        *) lock="images/$name/requirements.lock" packages=(images/contract images/common "images/$name") ;;
    esac
    [[ $name != train ]] || choose_torch
    # What only the tests of one image need.
    [[ ! -f $REPO/tests/unit/$name/requirements.txt ]] || extra=("tests/unit/$name/requirements.txt")
    stamp=$(cd "$REPO" && cat "$lock" tests/requirements.txt "${extra[@]}" "${packages[@]/%//pyproject.toml}" hack/venv.sh | sha256sum)
    [[ $(cat "$venv/.stamp" 2>/dev/null) != "$stamp" ]] || return 0
    say "virtual environment .venvs/$name"
    cd "$REPO"
    uv venv -q --clear --python python3.11 "$venv"
    uv pip install -q --python "$venv" --require-hashes --no-deps -r "$lock"
    uv pip install -q --python "$venv" -r tests/requirements.txt "${extra[@]/#/-r}"
    ((!${#packages[@]})) || uv pip install -q --python "$venv" --no-deps "${packages[@]/#/-e}"
    echo "$stamp" >"$venv/.stamp"
}

for name in "$@"; do make_venv "$name"; done
