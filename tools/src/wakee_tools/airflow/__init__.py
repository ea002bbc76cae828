"""What people and tests do with a running installation: a thin client of Airflow's REST API, and the demo."""
