"""The installation that `make up` leaves."""

import pytest

from support.cluster import airflow, kubernetes, model_in_production, query, retraining_paused, seed, store
from support.production import hub, production

pytest.register_assert_rewrite("support.health")

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
