"""Code shared by the DAG files. Imports nothing heavier than Airflow, and no stage code."""
