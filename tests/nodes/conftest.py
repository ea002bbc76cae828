"""The installation of `make up` on a kind cluster with several nodes (KIND_NODES=3)."""

import pytest

from support.cluster import airflow, kubernetes, model_in_production, query, seed
from support.nodes import nodes_of_stages, workers
from support.outcomes import all_agree, no_orphans, observed, pytest_terminal_summary
from support.production import hub, production

__all__ = [
    "airflow",
    "all_agree",
    "hub",
    "kubernetes",
    "model_in_production",
    "no_orphans",
    "observed",
    "production",
    "pytest_terminal_summary",
    "query",
    "seed",
]


@pytest.fixture(scope="session", autouse=True)
def two_workers(kubernetes) -> list[str]:
    """Names of two nodes that may be lost, because neither Airflow nor the sandbox runs there."""
    found = workers(kubernetes)
    assert len(found) >= 2, "set KIND_NODES=3, or run 'make test-nodes'"
    return found[:2]


@pytest.fixture(scope="session", autouse=True)
def stage_nodes(kubernetes) -> dict[str, set[str]]:
    """The nodes of all stage pods that ran during these tests, by task id."""
    seen: dict[str, set[str]] = {}
    nodes_of_stages(kubernetes, seen)
    return seen
