"""The installation that `make up` leaves on the cluster built from Debian's packages."""

from support.cluster import airflow, kubernetes, model_in_production, query, retraining_paused, seed

__all__ = ["airflow", "kubernetes", "model_in_production", "query", "retraining_paused", "seed"]
