"""Drift detection: what the model predicted against what people corrected it to, day by day.

Set here, before Evidently or matplotlib is imported anywhere: no telemetry, and a cache where a read-only root
file system still lets us write.
"""

import os
import tempfile

os.environ.setdefault("DO_NOT_TRACK", "1")
os.environ.setdefault("MPLCONFIGDIR", f"{tempfile.gettempdir()}/matplotlib")
