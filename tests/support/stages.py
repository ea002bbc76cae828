"""Run stages in this process by their command line, in the environment of a pod."""

import json
import logging
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import urlsplit

import pytest
import typer
from typer.testing import CliRunner
from wakee_common import stage
from wakee_common.storage import ObjectStore
from wakee_common.uris import R2Uri

from support.postgres import execute

SECRETS = ("NEON_DATABASE_URL", "R2_ACCESS_KEY_ID", "R2_SECRET_ACCESS_KEY", "HF_TOKEN", "MLFLOW_TRACKING_TOKEN")


SHORTEST_SECRET = 4


def run_variables(dag_id: str, image: str) -> dict[str, str]:
    """The environment variables of a stage that identify its run and its code."""
    return {
        "WAKEE_DAG_ID": dag_id,
        "WAKEE_GIT_COMMIT": "0123456789abcdef0123456789abcdef01234567",
        "WAKEE_IMAGE": f"wakee/{image}:test",
    }


def options(flags: dict[str, Any]) -> list[str]:
    """Convert flags to a command line. `True` has no value, and a list repeats its flag."""
    given = []
    for flag, value in flags.items():
        values = value if isinstance(value, list) else [value]
        given += [f"--{flag.replace('_', '-')}" + ("" if v is True else f"={v}") for v in values]
    return given


def invoke(
    app: typer.Typer, name: str, flags: dict[str, Any], exit_code: int, variables: dict[str, str] | None = None
) -> str:
    """Run a stage that must end with this exit code. Returns its log."""
    outcome = CliRunner().invoke(app, [name, *options(flags)], env=variables)
    assert outcome.exit_code == exit_code, (outcome.output, outcome.exception)
    return outcome.output


@contextmanager
def pod_files(folder: Path) -> Iterator[tuple[Path, Path]]:
    """Provide an XCom file and a termination log to stages that run inside. Restores the loggers afterwards."""
    xcom, termination_log = folder / "xcom" / "return.json", folder / "termination-log"
    xcom.parent.mkdir()
    termination_log.touch()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(stage, "XCOM_FILE", xcom)
        patch.setattr(stage, "TERMINATION_LOG", termination_log)
        patch.setattr(logging.root, "handlers", logging.root.handlers[:])
        patch.setattr(logging.root, "level", logging.root.level)
        yield xcom, termination_log


@dataclass(frozen=True)
class StageEnvironment:
    """The services around the stages of an image, and methods to run these stages as Airflow does.

    Attributes:
        variables: Environment variables of the stages' pods.
        store: Their bucket.
        folder: A folder for files of the pods.
    """

    app: ClassVar[typer.Typer]
    """The image's command line."""

    variables: dict[str, str]
    store: ObjectStore
    folder: Path

    def execute(self, statement: str, values: Any = None) -> list[tuple[Any, ...]]:
        """Execute a statement in the database, and return the rows that it selects."""
        return execute(self.variables["NEON_DATABASE_URL"], statement, values)

    def read(self, uri: str) -> bytes:
        """Read an object of the bucket."""
        return self.store.get_bytes(R2Uri.parse(uri))

    def read_json(self, uri: str) -> Any:
        """Read a JSON file of the bucket."""
        return json.loads(self.read(uri))

    def stage_variables(self, name: str, run_id: str = "run-1") -> dict[str, str]:
        """The environment variables of a stage of a run."""
        return {**self.variables, "WAKEE_RUN_ID": run_id, "WAKEE_TASK_ID": name.replace("-", "_")}

    def run_stage(self, name: str, run_id: str, exit_code: int, flags: dict[str, Any]) -> tuple[dict[str, Any], str]:
        """Run a stage of a run. Returns the result for Airflow, and the log."""
        with pod_files(Path(tempfile.mkdtemp(dir=self.folder))) as (xcom, termination_log):
            log = invoke(self.app, name, flags, exit_code, self.stage_variables(name, run_id))
        result = dict(json.loads(xcom.read_text()))
        assert termination_log.read_text() == result.get("cause", "")
        assert not [secret for secret in self.secrets() if secret in log + xcom.read_text()]
        return result, log

    def secrets(self) -> list[str]:
        """The secrets among the environment variables. No stage may print or store one, whatever its input."""
        values = [self.variables.get(name, "").strip() for name in SECRETS]
        password = urlsplit(self.variables.get("NEON_DATABASE_URL", "")).password or ""
        return [value for value in [*values, password] if len(value) >= SHORTEST_SECRET]
