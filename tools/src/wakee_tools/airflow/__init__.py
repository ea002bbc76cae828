"""Operations on a running installation: a thin client of Airflow's REST API, and the demo."""
