"""The URLs of the local cluster's web pages."""

PAGES = {
    "Airflow": "http://localhost:8080 (user airflow, password airflow)",
    "MLflow": "http://localhost:5000",
    "Hub": "http://localhost:8081",
    "API": "http://localhost:8000/health",
    "Mail": "http://localhost:8025/messages (the alerts that were sent)",
}
