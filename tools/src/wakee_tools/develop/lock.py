"""Lock the requirements of every image and of the development tools, with hashes."""

import os
import tempfile
from pathlib import Path

from wakee_tools.develop.environments import find_links
from wakee_tools.paths import PYTHON_VERSION, REPO
from wakee_tools.shell import call

COMMON = "images/common/pyproject.toml"
DEV = ("tools/requirements.in", "tools/pyproject.toml", COMMON)
OWN = [word for name in ("contract", "common", "tools") for word in ("--unsafe-package", f"wakee-{name}")]
"""Our own packages, which are not on any index."""
STAGES = ("drift", "health", "sandbox")
TRAIN = (COMMON, "images/train/pyproject.toml")
CPU_TORCH = "torch==2.13.0+cpu"


def lock() -> None:
    """Resolve all requirements again. Pinned versions that still fit are kept."""
    _compile("images/airflow/requirements.lock", "images/airflow/requirements.in")
    _compile("images/sbom/requirements.lock", "images/sbom/requirements.in")
    _compile("tools/requirements.lock", *DEV)
    for name in STAGES:
        _lock_stage(name)
    _lock_train()


def _lock_stage(name: str) -> None:
    overrides = f"images/{name}/overrides.txt"
    options = ["--override", overrides] if (REPO / overrides).exists() else []
    _compile(f"images/{name}/requirements.lock", COMMON, f"images/{name}/pyproject.toml", *options)


def _lock_train() -> None:
    """Lock two variants of torch: the CPU wheel, found by pip's settings, and the CUDA wheel on the index."""
    _compile("images/train/requirements-cuda.lock", *TRAIN)
    with tempfile.TemporaryDirectory() as folder:
        override = Path(folder) / "torch.txt"
        override.write_text(f"{CPU_TORCH}\n")
        links = os.environ.get("PIP_FIND_LINKS") or find_links()
        _compile("images/train/requirements.lock", *TRAIN, "--override", str(override), UV_FIND_LINKS=links)


def _compile(lock_file: str, *sources: str, **variables: str) -> None:
    options = ("-q", "--generate-hashes", "--python-version", PYTHON_VERSION, "--no-header", *OWN)
    call("uv", "pip", "compile", *options, *sources, "-o", lock_file, cwd=REPO, env=os.environ | variables)
