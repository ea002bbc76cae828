"""MLflow: runs, logged once, and registered versions with aliases."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from typing import TYPE_CHECKING

from wakee_common.errors import ConfigurationError, UnavailableError, WakeeError, one_line
from wakee_common.refusals import MLFLOW, refusal
from wakee_contract.model import CHECKED_TAG, RUN_TAG, VERSION_TAG

from wakee_train.settings import TrackingSettings

if TYPE_CHECKING:
    from mlflow.entities import Experiment, Run
    from mlflow.entities.model_registry import ModelVersion
    from mlflow.exceptions import MlflowException

logger = logging.getLogger(__name__)

DELETED = "deleted"
"""MLflow's lifecycle stage of deleted experiments. They keep their names."""
DENIED = (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN)


class Registry:
    """The experiment and the registered model named in the settings."""

    def __init__(self, settings: TrackingSettings) -> None:
        from mlflow import MlflowClient

        self.model, self._experiment = settings.model, settings.experiment
        self.client = MlflowClient(settings.uri, settings.uri)

    def experiment_id(self) -> str:
        """Return the experiment's id. Creates the experiment if it does not exist.

        Raises:
            ConfigurationError: the experiment is deleted.
        """
        if (found := self._find_experiment()) is None:
            with translated():
                return str(self.client.create_experiment(self._experiment))
        if found.lifecycle_stage == DELETED:
            raise ConfigurationError(
                f"Cannot log to the MLflow experiment {self._experiment!r} (id {found.experiment_id}): it is deleted. "
                f"Restore it (`mlflow experiments restore --experiment-id {found.experiment_id}`, or trigger "
                "model_retrain with restore_deleted_experiment), or set MLFLOW_EXPERIMENT_NAME to another name"
            )
        return str(found.experiment_id)

    def restore_experiment(self) -> bool:
        """Restore the experiment if it is deleted. Returns whether it was."""
        found = self._find_experiment()
        if found is None or found.lifecycle_stage != DELETED:
            return False
        with translated():
            self.client.restore_experiment(found.experiment_id)
        logger.warning("restored the deleted MLflow experiment %r", self._experiment)
        return True

    def _find_experiment(self) -> "Experiment | None":
        with translated():
            return self.client.get_experiment_by_name(self._experiment)

    def check_writable(self, key: str) -> str:
        """Write a tag to the experiment and to the registered model. Creates each if it does not exist.

        Args:
            key: The DAG run, which becomes the tag's value.

        Returns:
            The experiment's id.

        Raises:
            ConfigurationError: the experiment is deleted, or MLflow denies access.
        """
        experiment_id = self.experiment_id()
        self._ensure_model()
        with translated():
            self.client.set_experiment_tag(experiment_id, CHECKED_TAG, key)
        self.check_model(key)
        return experiment_id

    def check_model(self, key: str) -> None:
        """Write a tag to the registered model, if it exists. Raises as `check_writable`."""
        from mlflow.exceptions import RestException

        with translated():
            try:
                self.client.set_registered_model_tag(self.model, CHECKED_TAG, key)
            except RestException as error:
                if error.error_code != "RESOURCE_DOES_NOT_EXIST":
                    raise

    def ensure_run(self, experiment_id: str, key: str, version: str) -> "Run":
        """Return the MLflow run of a DAG run. Creates it if it does not exist."""
        if (found := self.find_run(experiment_id, key)) is not None:
            return found
        with translated():
            tags = {RUN_TAG: key, VERSION_TAG: version}
            return self.client.create_run(experiment_id, tags=tags, run_name=version)

    def set_tags(self, run_id: str, tags: dict[str, str]) -> None:
        """Set tags of a run in one request."""
        from mlflow.entities import RunTag

        with translated():
            self.client.log_batch(run_id, tags=[RunTag(name, value) for name, value in tags.items()])

    def check_artifacts(self, run_id: str, key: str) -> None:
        """Write a file to a run's artifacts. The artifact store may be on another server than MLflow's database."""
        with translated():
            self.client.log_text(run_id, f"{key}\n", "run.txt")

    def find_run(self, experiment_id: str, key: str) -> "Run | None":
        """Find the MLflow run of a DAG run, if it exists."""
        with translated():
            runs = self.client.search_runs([experiment_id], f"tags.`{RUN_TAG}` = '{_quoted(key)}'", max_results=1)
            return runs[0] if runs else None

    def find_version(self, version: str) -> "ModelVersion | None":
        """Find the registered version with this name, if it exists."""
        with translated():
            query = f"name = '{self.model}' AND tags.`{VERSION_TAG}` = '{_quoted(version)}'"
            found = self.client.search_model_versions(query)
            return found[0] if found else None

    def ensure_version(self, version: str, source: str, run_id: str, tags: dict[str, str]) -> "ModelVersion":
        """Register a version, unless it is registered already."""
        self._ensure_model()
        if (found := self.find_version(version)) is not None:
            return found
        with translated():
            return self.client.create_model_version(self.model, source, run_id, tags={VERSION_TAG: version, **tags})

    def alias_version(self, alias: str) -> "ModelVersion | None":
        """The version that an alias points to, if any."""
        from mlflow.exceptions import RestException

        with translated():
            try:
                return self.client.get_model_version_by_alias(self.model, alias)
            except RestException as error:
                if error.error_code in ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"):
                    return None
                raise

    def point(self, alias: str, version: "ModelVersion") -> bool:
        """Set an alias to a version. Returns whether this changed it."""
        current = self.alias_version(alias)
        if current is not None and current.version == version.version:
            return False
        with translated():
            self.client.set_registered_model_alias(self.model, alias, version.version)
        logger.info("alias %s: version %s (%s)", alias, version.version, version.tags.get(VERSION_TAG))
        return True

    def unpoint(self, alias: str, version: "ModelVersion") -> None:
        """Remove an alias if it points to this version."""
        current = self.alias_version(alias)
        if current is not None and current.version == version.version:
            with translated():
                self.client.delete_registered_model_alias(self.model, alias)

    def _ensure_model(self) -> None:
        from mlflow.exceptions import RestException

        with translated():
            try:
                self.client.create_registered_model(self.model)
            except RestException as error:
                if error.error_code != "RESOURCE_ALREADY_EXISTS":
                    raise


@contextmanager
def translated() -> Iterator[None]:
    """Convert MLflow's errors to ours."""
    from mlflow.exceptions import MlflowException
    from requests.exceptions import RequestException

    try:
        yield
    except WakeeError:
        raise
    except MlflowException as error:
        raise _refusal(error) from error
    except (RequestException, OSError) as error:
        raise UnavailableError(f"MLflow cannot be reached: {one_line(error)}") from error


def _refusal(error: "MlflowException") -> WakeeError:
    status = error.get_http_status_code()  # type: ignore[no-untyped-call]
    return refusal(MLFLOW, str(int(status)) if status in DENIED else str(error.error_code), one_line(error))


def _quoted(text: str) -> str:
    return text.replace("'", "")
