"""The installation that `make up` leaves."""

from support.cluster import airflow, kubernetes, model_in_production, query, retraining_paused, seed, store
from support.production import hub, production

__all__ = [
    "airflow",
    "hub",
    "kubernetes",
    "model_in_production",
    "production",
    "query",
    "retraining_paused",
    "seed",
    "store",
]
