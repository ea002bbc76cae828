"""The version in production, read from the four places that must agree: Hub, registry, database, API."""

from collections.abc import Callable
from dataclasses import dataclass

import httpx
import pytest

from support.waiting import wait_for
from wakee_tools.airflow.client import Airflow
from wakee_tools.airflow.sandbox import environment

REPOSITORY = "wakee/emotions"
HUB, MLFLOW, API = "http://localhost:8081", "http://localhost:5000", "http://localhost:8000"
ALIAS = f"{MLFLOW}/api/2.0/mlflow/registered-models/alias"
CHAMPION = {"name": "wakee-emotions", "alias": "champion"}


@dataclass(frozen=True)
class Production:
    """The version in production according to each place."""

    hub: str
    registry: str
    database: str
    api: str

    @property
    def agreed(self) -> bool:
        return len({self.hub, self.registry, self.database, self.api}) == 1


@pytest.fixture(scope="session")
def hub():
    """A client for the Hub double."""
    token = environment("secrets.env")["HF_TOKEN"]
    with httpx.Client(base_url=HUB, headers={"Authorization": f"Bearer {token}"}, timeout=30) as client:
        yield client


@pytest.fixture(scope="module")
def nothing_in_production(hub, query) -> None:
    """Delete the repository and the production state in registry and table, so that all agree on no version."""
    namespace, name = REPOSITORY.split("/")
    hub.request("DELETE", "/api/repos/delete", json={"type": "model", "organization": namespace, "name": name})
    httpx.request("DELETE", ALIAS, json=CHAMPION)
    query("UPDATE model_versions SET is_production = false")


@pytest.fixture(scope="session")
def production(hub, query) -> Callable[[], Production]:
    """A function that reads the version in production."""

    def read() -> Production:
        (row,) = query("SELECT version_name FROM model_versions WHERE is_production")
        answer = httpx.get(ALIAS, params=CHAMPION).raise_for_status().json()
        tags = {tag["key"]: tag["value"] for tag in answer["model_version"]["tags"]}
        return Production(version_at("main"), tags["wakee.version"], row["version_name"], version_at(served()))

    def version_at(revision: str) -> str:
        return str(hub.get(f"/{REPOSITORY}/resolve/{revision}/config.json").raise_for_status().json()["version"])

    def served() -> str:
        """The commit whose model the API serves, after it has polled for a new one."""
        main = hub.get(f"/api/models/{REPOSITORY}/revision/main").raise_for_status().json()["sha"]
        wait_for(lambda: httpx.get(f"{API}/health").json()["model_revision"] == main, 30, "the API serves main")
        return main

    return read


def registered(version: str) -> list[str]:
    """The numbers of one of our versions in the registry."""
    address = f"{MLFLOW}/api/2.0/mlflow/model-versions/search"
    wanted = {"filter": f"name = 'wakee-emotions' AND tags.`wakee.version` = '{version}'"}
    found = httpx.get(address, params=wanted).raise_for_status().json().get("model_versions", [])
    return [entry["version"] for entry in found]


def publication(airflow: Airflow, run_id: str) -> dict[str, object]:
    """The results of a retraining's last stages."""
    made = {"upload_to_hub": "commit", "log_to_mlflow": "mlflow_run_id", "update_model_versions": "model_version_id"}
    return {task_id: airflow.result("model_retrain", run_id, task_id)[key] for task_id, key in made.items()}
