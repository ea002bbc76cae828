"""Which version is in production, asked in the three places that must agree: Hub, registry, database."""

from collections.abc import Callable
from dataclasses import dataclass

import httpx
import pytest

from ops.sandbox import environment

REPOSITORY = "wakee/emotions"
HUB, MLFLOW = "http://localhost:8081", "http://localhost:5000"


@dataclass(frozen=True)
class Production:
    """Which version each place holds for the one in production."""

    hub: str
    registry: str
    database: str

    @property
    def agreed(self) -> bool:
        return len({self.hub, self.registry, self.database}) == 1


@pytest.fixture(scope="session")
def hub():
    """A client of the Hub double."""
    token = environment("secrets.env")["HF_TOKEN"]
    with httpx.Client(base_url=HUB, headers={"Authorization": f"Bearer {token}"}, timeout=30) as client:
        yield client


@pytest.fixture(scope="session")
def production(hub, query) -> Callable[[], Production]:
    """Read it now."""

    def read() -> Production:
        (row,) = query("SELECT version_name FROM model_versions WHERE is_production")
        address = f"{MLFLOW}/api/2.0/mlflow/registered-models/alias"
        answer = httpx.get(address, params={"name": "wakee-emotions", "alias": "champion"}).raise_for_status().json()
        tags = {tag["key"]: tag["value"] for tag in answer["model_version"]["tags"]}
        config = hub.get(f"/{REPOSITORY}/resolve/main/config.json").raise_for_status().json()
        return Production(config["version"], tags["wakee.version"], row["version_name"])

    return read
