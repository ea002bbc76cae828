"""Retraining: from annotations and pictures to a promoted model version, and rollback.

The variables are set here, before any of these libraries is imported: no telemetry, caches in a folder that is writable
on a read-only root file system, and plain LFS uploads to any Hub but the public one (only that one supports Xet).
"""

import os
import tempfile

from wakee_contract.model import PUBLIC_HUB

os.environ.setdefault("DO_NOT_TRACK", "1")
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
os.environ.setdefault("GIT_PYTHON_REFRESH", "quiet")
os.environ.setdefault("MPLCONFIGDIR", f"{tempfile.gettempdir()}/matplotlib")
os.environ.setdefault("HF_HOME", f"{tempfile.gettempdir()}/huggingface")
os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
if os.environ.get("HF_ENDPOINT", PUBLIC_HUB).rstrip("/") != PUBLIC_HUB:
    os.environ.setdefault("HF_HUB_DISABLE_XET", "1")
