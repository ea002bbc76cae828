"""One small training, and for each test places of its own to publish it to."""

import dataclasses
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from huggingface_hub import CommitOperationAdd
from huggingface_hub.errors import RepositoryNotFoundError
from wakee_common.settings import RunContext
from wakee_common.uris import R2Uri
from wakee_contract.model import CHAMPION, VERSION_TAG
from wakee_train.records import Evaluation, Export, read_record, write_record
from wakee_train.versions import EVALUATION, EXPORT, stage_folder, version_name

from ..environment import FEW_PICTURES, Environment
from ..places import Places

MODEL = {"model.onnx": b"a graph"}


@dataclass
class Release(Places):
    """A trained model, and places of its own to publish it to.

    Attributes:
        environment: Its stages, run with the variables of these places.
        evaluation: What `evaluate` found for it, without a champion.
        export: What `export-onnx` made of it.
    """

    evaluation: Evaluation
    export: Export

    def with_variables(self, **variables: str) -> "Release":
        """The same with other variables of the stages."""
        changed = dataclasses.replace(self.environment, variables={**self.environment.variables, **variables})
        return dataclasses.replace(self, environment=changed)

    def check(self, run_id: str = "check", exit_code: int = 0, **flags: Any) -> dict[str, Any]:
        return self.environment.stage("check-targets", run_id, exit_code, **flags)

    def evaluate(self, run_id: str = "first", exit_code: int = 0) -> dict[str, Any]:
        return self.environment.stage(
            "evaluate", run_id, exit_code, training=self.evaluation.training_uri, **FEW_PICTURES
        )

    def judged(self, run_id: str = "first") -> dict[str, str]:
        """The flags of `upload-to-hub` after all stages before it; the slow ones leave what they left once."""
        self.check(run_id)
        store, run = self.environment.store, RunContext(dag_id="model_retrain", run_id=run_id)
        head = self.hub.model_info(self.repository).sha
        evaluation = self.evaluation.model_copy(update={"version": version_name(run), "champion_revision": head})
        evaluation_uri = stage_folder(run, "evaluate", store.root) / EVALUATION
        export_uri = stage_folder(run, "export_onnx", store.root) / EXPORT
        write_record(store, evaluation_uri, evaluation)
        write_record(store, export_uri, self.export)
        return {"evaluation": str(evaluation_uri), "export": str(export_uri)}

    def upload(self, run_id: str = "first", exit_code: int = 0, **flags: Any) -> dict[str, Any]:
        return self.environment.stage("upload-to-hub", run_id, exit_code, **flags)

    def log(self, published: dict[str, Any], run_id: str = "first", exit_code: int = 0) -> dict[str, Any]:
        uri = published["publication_uri"]
        return self.environment.stage("log-to-mlflow", run_id, exit_code, publication=uri)

    def record(self, tracked: dict[str, Any], run_id: str = "first") -> dict[str, Any]:
        return self.environment.stage("update-model-versions", run_id, tracking=tracked["tracking_uri"])

    def publish(self, run_id: str = "first") -> str:
        """All stages; returns the version, which is in production."""
        published = self.upload(run_id, **self.judged(run_id))
        self.record(self.log(published, run_id), run_id)
        return str(published["version"])

    def commit(self, title: str = "Upload model", **files: bytes) -> None:
        """What somebody uploads by hand."""
        self.hub.create_repo(self.repository, exist_ok=True)
        operations = [CommitOperationAdd(name, content) for name, content in (MODEL | files).items()]
        self.hub.create_commit(self.repository, operations, commit_message=title)

    def add_row(self, version: str, commit: str | None = None) -> None:
        """A row in production."""
        statement = "INSERT INTO model_versions (version_name, is_production, hf_commit) VALUES (%s, true, %s)"
        self.environment.execute(statement, (version, commit))

    def add_champion(self, version: str) -> None:
        """A registered version that the alias points to."""
        self.mlflow.create_registered_model(self.model)
        made = self.mlflow.create_model_version(self.model, "s3://bucket/model", tags={VERSION_TAG: version})
        self.mlflow.set_registered_model_alias(self.model, CHAMPION, made.version)

    def titles(self) -> list[str] | None:
        """The commits of main, newest first; None without a repository."""
        try:
            return [commit.title for commit in self.hub.list_repo_commits(self.repository)]
        except RepositoryNotFoundError:
            return None

    def production(self) -> tuple[str | None, str | None, str | None]:
        """What Hub, registry and table hold for the version in production."""
        titles = self.titles() or []
        hub = titles[0].partition(":")[0] if titles and ":" in titles[0] else None
        aliases = [model.aliases for model in self.mlflow.search_registered_models(f"name = '{self.model}'")]
        number = aliases[0].get(CHAMPION) if aliases else None
        version = self.mlflow.get_model_version(self.model, number) if number else None
        rows = self.environment.execute("SELECT version_name FROM model_versions WHERE is_production")
        return hub, version and version.tags[VERSION_TAG], rows[0][0] if rows else None


@pytest.fixture(scope="module")
def trained(
    make_environment: Callable[[Path], Environment], mlflow_url: str, tmp_path_factory: pytest.TempPathFactory
) -> Release:
    """A training of one epoch, evaluated without a champion, and exported."""
    environment = make_environment(tmp_path_factory.mktemp("trained"))
    environment.add_faces(range(60))
    training = {"training": environment.train("training", epochs=1)["training_uri"]}
    environment.stage("check-targets", "training")
    judged = {"evaluation": environment.stage("evaluate", "training", **training, **FEW_PICTURES)["evaluation_uri"]}
    evaluated = R2Uri.parse(judged["evaluation"])
    exported = R2Uri.parse(environment.stage("export-onnx", "training", **judged, parity_samples=4)["export_uri"])
    store = environment.store
    return Release(environment, read_record(store, evaluated, Evaluation), read_record(store, exported, Export))


@pytest.fixture
def release(trained: Release) -> Release:
    """The training, and places in which there is nothing yet."""
    name = f"release_{uuid.uuid4().hex[:12]}"
    trained.environment.execute("TRUNCATE model_versions, drift_reports RESTART IDENTITY")
    for key in list(trained.environment.store.list_keys("runs/model_retrain/")):
        if "/training/" not in key:
            trained.environment.store.delete(trained.environment.store.uri(key))
    names = {"HF_MODEL_REPO": f"wakee/{name}", "MLFLOW_EXPERIMENT_NAME": name, "MLFLOW_MODEL_NAME": name}
    return trained.with_variables(**names)
