"""Retraining: from annotations and pictures to a promoted model version, and back again.

Set here, before any of these libraries is imported anywhere: no telemetry, caches where a read-only root file system
still lets us write, and plain LFS uploads to a Hub that is not the public one (only that one knows Xet).
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
