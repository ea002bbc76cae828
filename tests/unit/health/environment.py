"""What the health check looks at, and its stages."""

import contextlib
import json
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import httpx
from wakee_health.cli import app

from support.sandbox import HUB_TOKEN
from support.stages import StageEnvironment
from support.waiting import wait_for

from .onnx_file import linear_model

REPOSITORY, REGISTERED = "wakee/emotions", "wakee-emotions"
VERSION = "v20260401-1a2b3c4d"
BUCKET = "wakee-health"
CHECKS = ("test_api", "test_database", "test_storage", "test_app_sourcing", "test_model_hub", "run_pytest_suite")


@dataclass(frozen=True)
class Environment(StageEnvironment):
    """Everything that the health check looks at: PostgreSQL, S3, Hub, MLflow, API and sourcing page."""

    app = app

    logs: list[str] = field(default_factory=list)
    """What each stage run so far has logged."""

    def url(self, name: str) -> str:
        return self.variables[name]

    def but(self, **variables: str) -> "Environment":
        """The same environment with other settings."""
        return replace(self, variables=self.variables | variables)

    def stage(self, name: str, exit_code: int = 0, run_id: str = "run-1", **flags: Any) -> dict[str, Any]:
        """Run a stage; returns what Airflow would get."""
        result, log = self.run_stage(name, run_id, exit_code, flags)
        self.logs.append(log)
        return result

    def cause(self, name: str, exit_code: int = 1, **flags: Any) -> str:
        """Run a stage that fails; returns its cause."""
        result = self.stage(name, exit_code, **flags)
        assert result["status"] == "failed"
        return str(result["cause"])

    def summary(self, checks: dict[str, Any], exit_code: int = 0, run_id: str = "run-1", **flags: Any) -> Any:
        return self.stage("generate-summary", exit_code, run_id, results=json.dumps(checks), **flags)

    @contextlib.contextmanager
    def fault(self, service: str, mode: str, seconds: float = 20) -> Iterator[None]:
        """A misbehaving service, for a while."""
        switch = f"{self.url(service)}/_fault"
        httpx.post(switch, json={"mode": mode, "seconds": seconds}).raise_for_status()
        try:
            yield
        finally:
            httpx.post(switch, json={"mode": "none"}).raise_for_status()

    def commit(self, files: dict[str, bytes]) -> None:
        """Commit to the Hub's main, and wait until the API serves it."""
        commit = self.push(files)
        wait_for(lambda: self.revision() == commit, 120, "the API serves the new model")

    def push(self, files: dict[str, bytes], repository: str = REPOSITORY) -> str:
        """Commit to the Hub's main."""
        from huggingface_hub import CommitOperationAdd, HfApi

        api = HfApi(endpoint=self.url("HF_ENDPOINT"), token=HUB_TOKEN)
        api.create_repo(repository, exist_ok=True)
        operations = [CommitOperationAdd(name, content) for name, content in files.items()]
        return str(api.create_commit(repository, operations, commit_message="new files").oid)

    def revision(self) -> str | None:
        revision: str | None = httpx.get(f"{self.url('WAKEE_API_URL')}/health").json()["model_revision"]
        return revision

    def register(self, version: str) -> None:
        """A new registered version with the alias champion."""
        with httpx.Client(base_url=f"{self.url('MLFLOW_TRACKING_URI')}/api/2.0/mlflow", timeout=60) as mlflow:
            mlflow.post("/registered-models/create", json={"name": REGISTERED})
            tags = [{"key": "wakee.version", "value": version}]
            run = mlflow.post("/runs/create", json={"experiment_id": "0"}).raise_for_status().json()["run"]["info"]
            source = {"source": f"{run['artifact_uri']}/model", "run_id": run["run_id"]}
            body = {"name": REGISTERED, "tags": tags, **source}
            made = mlflow.post("/model-versions/create", json=body).raise_for_status().json()["model_version"]
            alias = {"name": REGISTERED, "alias": "champion", "version": made["version"]}
            mlflow.post("/registered-models/alias", json=alias).raise_for_status()


def files(model: bytes = b"", version: str = VERSION) -> dict[str, bytes]:
    """What main holds."""
    return {
        "model.onnx": model or linear_model(),
        "model.safetensors": b"weights",
        "README.md": b"# Emotions",
        "config.json": json.dumps({"version": version}).encode(),
    }
