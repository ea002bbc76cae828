"""Drift detection: what the model predicted against what people corrected it to, day by day.

Set here, before Evidently, matplotlib or Arrow is imported anywhere: no telemetry, a cache where a read-only root
file system still lets us write, and an allocator that gives memory back (Arrow's own keeps tens of megabytes).
"""

import os
import tempfile

os.environ.setdefault("DO_NOT_TRACK", "1")
os.environ.setdefault("ARROW_DEFAULT_MEMORY_POOL", "system")
os.environ.setdefault("MPLCONFIGDIR", f"{tempfile.gettempdir()}/matplotlib")
