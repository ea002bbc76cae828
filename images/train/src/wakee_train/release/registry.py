"""MLflow: runs that are logged once, and registered versions that aliases point to."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from wakee_common.errors import ConfigurationError, UnavailableError, WakeeError, one_line
from wakee_contract.model import RUN_TAG, VERSION_TAG

from wakee_train.settings import TrackingSettings

if TYPE_CHECKING:
    from mlflow.entities import Run
    from mlflow.entities.model_registry import ModelVersion

logger = logging.getLogger(__name__)


class Registry:
    """The experiment and the registered model of these settings."""

    def __init__(self, settings: TrackingSettings) -> None:
        from mlflow import MlflowClient

        self.model, self._experiment = settings.model, settings.experiment
        self.client = MlflowClient(settings.uri, settings.uri)

    def experiment_id(self) -> str:
        """The experiment, made where it is missing."""
        with translated():
            found = self.client.get_experiment_by_name(self._experiment)
            return found.experiment_id if found else self.client.create_experiment(self._experiment)

    def find_run(self, experiment_id: str, key: str) -> "Run | None":
        """The run of a DAG run, if it was begun."""
        with translated():
            runs = self.client.search_runs([experiment_id], f"tags.`{RUN_TAG}` = '{_quoted(key)}'", max_results=1)
            return runs[0] if runs else None

    def find_version(self, version: str) -> "ModelVersion | None":
        """The registered version of this name, if any."""
        with translated():
            query = f"name = '{self.model}' AND tags.`{VERSION_TAG}` = '{_quoted(version)}'"
            found = self.client.search_model_versions(query)
            return found[0] if found else None

    def ensure_version(self, version: str, source: str, run_id: str, tags: dict[str, str]) -> "ModelVersion":
        """Register a version, once."""
        self._ensure_model()
        if (found := self.find_version(version)) is not None:
            return found
        with translated():
            return self.client.create_model_version(self.model, source, run_id, tags={VERSION_TAG: version, **tags})

    def alias_version(self, alias: str) -> "ModelVersion | None":
        """What an alias points to."""
        from mlflow.exceptions import RestException

        with translated():
            try:
                return self.client.get_model_version_by_alias(self.model, alias)
            except RestException as error:
                if error.error_code in ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"):
                    return None
                raise

    def point(self, alias: str, version: "ModelVersion") -> bool:
        """Let an alias point to a version; returns whether it did not before."""
        current = self.alias_version(alias)
        if current is not None and current.version == version.version:
            return False
        with translated():
            self.client.set_registered_model_alias(self.model, alias, version.version)
        logger.info("alias %s: version %s (%s)", alias, version.version, version.tags.get(VERSION_TAG))
        return True

    def unpoint(self, alias: str, version: "ModelVersion") -> None:
        """Remove an alias where it points to this version."""
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
    """Turn MLflow's errors into ours."""
    from mlflow.exceptions import MlflowException
    from requests.exceptions import RequestException

    try:
        yield
    except WakeeError:
        raise
    except MlflowException as error:
        cause = one_line(error)
        if error.get_http_status_code() in (401, 403):  # type: ignore[no-untyped-call]
            raise ConfigurationError(
                f"MLflow refuses us: check MLFLOW_TRACKING_URI and its credentials: {cause}"
            ) from error
        raise UnavailableError(f"MLflow fails: {cause}") from error
    except (RequestException, OSError) as error:
        raise UnavailableError(f"MLflow cannot be reached: {one_line(error)}") from error


def _quoted(text: str) -> str:
    return text.replace("'", "")
