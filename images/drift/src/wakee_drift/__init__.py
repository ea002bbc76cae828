"""Drift detection: daily comparison of the model's predictions with people's corrections.

The environment variables are set here, before Evidently, matplotlib or Arrow is imported: no telemetry, a cache folder
that is writable on a read-only root file system, and an allocator that releases memory (Arrow's own keeps tens of
megabytes).
"""

import os
import tempfile

os.environ.setdefault("DO_NOT_TRACK", "1")
os.environ.setdefault("ARROW_DEFAULT_MEMORY_POOL", "system")
os.environ.setdefault("MPLCONFIGDIR", f"{tempfile.gettempdir()}/matplotlib")
