"""What people and tests do with a running installation: a thin client of Airflow's REST API, and the demo."""

import sys
from pathlib import Path

# Modules of dags/wakee that need no Airflow are used here as well.
sys.path.append(str(Path(__file__).resolve().parents[2] / "dags"))
