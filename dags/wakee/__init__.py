"""What the DAG files share. Imports nothing heavier than Airflow, and no stage code."""
