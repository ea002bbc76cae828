"""The installation that `make up` leaves."""

import contextlib
import json
import threading

import pytest
from kubernetes import client, watch
from kubernetes.client.exceptions import ApiException
from urllib3.exceptions import HTTPError

from support.cluster import airflow, kubernetes, model_in_production, query, retraining_paused, seed, store
from support.production import hub, nothing_in_production, production

pytest.register_assert_rewrite("support.health")

__all__ = [
    "airflow",
    "hub",
    "kubernetes",
    "model_in_production",
    "nothing_in_production",
    "production",
    "query",
    "retraining_paused",
    "seed",
    "store",
]


@pytest.fixture(scope="session")
def on_kind(kubernetes: client.CoreV1Api) -> None:
    """For what only kind has: Pod Security admission, enforced NetworkPolicies, the chart."""
    if not any(node.metadata.name.endswith("-control-plane") for node in kubernetes.list_node().items):
        pytest.skip("the Debian-built cluster enforces neither Pod Security nor NetworkPolicies, and has no chart")


@pytest.fixture(scope="session", autouse=True)
def stage_pods_seen(kubernetes: client.CoreV1Api) -> dict[str, str]:
    """The newest pod of each stage, as JSON by task id, of all that ran while these tests did: most are gone soon."""
    seen: dict[str, str] = {}

    def listen() -> None:
        stages = {"namespace": "wakee", "label_selector": "wakee.io/task-id"}
        while True:
            with contextlib.suppress(ApiException, HTTPError):  # the API server, too, is killed by some tests
                for event in watch.Watch().stream(kubernetes.list_namespaced_pod, timeout_seconds=60, **stages):
                    pod = event["raw_object"]
                    seen[pod["metadata"]["labels"]["wakee.io/task-id"]] = json.dumps(pod)

    threading.Thread(target=listen, daemon=True).start()
    return seen
