"""The installation that `make up` leaves."""

from support.cluster import airflow, kubernetes, model_in_production, query, retraining_paused, seed, store

__all__ = ["airflow", "kubernetes", "model_in_production", "query", "retraining_paused", "seed", "store"]
