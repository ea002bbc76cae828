"""Checks of every place that a promotion is written to: it exists, is writable, and agrees on what is in production.

The first stage runs them before anything is computed. Publishing, hours later, repeats them before the first step that
cannot be undone. Missing resources are created. Anything that would prevent the promotion raises an error.
"""

import logging
from pathlib import Path

from wakee_common.errors import ConfigurationError, UnavailableError
from wakee_common.files import workspace
from wakee_common.hub import ModelHub
from wakee_common.settings import RunContext
from wakee_common.storage import ObjectStore
from wakee_common.uris import R2Uri

from wakee_train.release.model_versions import check_writable
from wakee_train.release.places import Places, read_places
from wakee_train.release.recovery import finish
from wakee_train.release.registry import Registry
from wakee_train.results import TargetsResult
from wakee_train.settings import Targets
from wakee_train.versions import run_key

logger = logging.getLogger(__name__)

PROBE = "writable.txt"
ADD_ROW = (
    "INSERT INTO model_versions (version_name, model_type, framework, is_production, deployed_at)"
    " VALUES ('NAME', 'MODEL', 'pytorch', true, now())"
)


def check_targets(
    store: ObjectStore,
    context: RunContext,
    targets: Targets,
    *,
    drift_report_id: int | None = None,
    restore_experiment: bool = False,
    publishing: str = "",
) -> TargetsResult:
    """Check that bucket, database, registry and Hub are writable, and agree on what is in production.

    A change of production that reached only the Hub is completed first (`recovery`).

    Args:
        store: The bucket.
        context: This process. Its folder must be writable.
        targets: The other places.
        drift_report_id: The drift report that the version's row will name.
        restore_experiment: Whether to restore a deleted MLflow experiment.
        publishing: The version that is being published. Partial results of a failed attempt are not a contradiction.

    Raises:
        ConfigurationError: a place is missing, deleted, hidden or not writable, or contradicts another.
        BadInputError: the drift report does not exist.
        UnavailableError: a place does not respond.
    """
    check_bucket(store, context.folder(store.root))
    check_writable(targets.database, drift_report_id)
    registry = Registry(targets.tracking)
    restored = restore_experiment and registry.restore_experiment()
    with workspace() as scratch:
        hub = ModelHub(targets.hub, scratch)
        hub.check_token()
        places = read_places(targets, registry, scratch)
        if places.head is not None:
            hub.check_writable()
        done = reconcile(store, context, targets, registry, places, scratch, publishing)
        made = _make_repository(hub, places, private=targets.hub.private)
    experiment_id = registry.check_writable(run_key(context))
    logger.info("all targets exist and are writable. In production: %s", places.version or "none of our versions")
    return TargetsResult(
        repository=hub.repository,
        repository_made=made,
        production=places.version,
        experiment_id=experiment_id,
        experiment_restored=restored,
        finished=done,
    )


def look_at_targets(
    store: ObjectStore, context: RunContext, targets: Targets, drift_report_id: int | None = None
) -> TargetsResult:
    """Report what is in production, and change nothing outside the run's own folder.

    Raises:
        ConfigurationError: a place is missing, hidden or not ours.
        BadInputError: there is no such drift report.
        UnavailableError: a place does not answer.
    """
    check_bucket(store, context.folder(store.root))
    check_writable(targets.database, drift_report_id)
    with workspace() as scratch:
        places = read_places(targets, Registry(targets.tracking), scratch)
    if not places.agree:
        logger.warning("Hub, registry and database do not agree on the version in production: %s", places.described())
    logger.info(
        "publish is off: nothing will be published. In production: %s", places.version or "none of our versions"
    )
    return TargetsResult(
        repository=places.repository,
        repository_made=False,
        production=places.version,
        experiment_id="",
        experiment_restored=False,
        finished=None,
    )


def _make_repository(hub: ModelHub, places: Places, *, private: bool) -> bool:
    """Create the repository if it is not visible. Only this shows whether it is missing or hidden."""
    if places.head is not None:
        return False
    made = hub.ensure_repository(private=private)
    hub.check_writable()
    return made


def check_bucket(store: ObjectStore, folder: R2Uri) -> None:
    """Write an object to the stage's folder and read it back.

    Raises:
        ConfigurationError: the bucket is missing, or permission is missing.
        UnavailableError: the content read differs from the content written.
    """
    uri, content = folder / PROBE, b"This folder is writable.\n"
    store.put_bytes(uri, content, "text/plain")
    if store.get_bytes(uri) != content:
        raise UnavailableError(f"R2 returned other bytes than were written to {uri}. Check R2_ENDPOINT_URL")


def reconcile(
    store: ObjectStore,
    context: RunContext,
    targets: Targets,
    registry: Registry,
    places: Places,
    scratch: Path,
    publishing: str = "",
) -> str | None:
    """Make the places agree on what is in production. Returns a description of the changes, or None without any.

    Raises:
        ConfigurationError: they contradict each other, and only an operator can decide which one is right.
    """
    if places.agree or (publishing and publishing in (places.version, *_only(places.recorded))):
        return None
    if places.has_model and places.version is not None:
        return finish(store, context, targets, registry, places, scratch)
    raise ConfigurationError(f"Cannot determine the version in production: {places.described()}. {_remedy(places)}")


def _only(names: set[str]) -> list[str]:
    return list(names) if len(names) == 1 else []


def _remedy(places: Places) -> str:
    """The remedy for an operator if main holds none of our versions and the other places contradict it."""
    if places.head is None:
        return "Check HF_MODEL_REPO, and that HF_TOKEN may read and write it"
    again = f"clear upload_to_hub of the run that made {' or '.join(sorted(places.recorded))}, which publishes it again"
    if not places.has_model:
        return f"Check HF_MODEL_REPO, MLFLOW_TRACKING_URI and NEON_DATABASE_URL. If they are right, {again}"
    if places.recorded:
        return (
            "Put the recorded version back with model_rollback. To keep the model on main instead, give it the row in "
            f"production and remove the alias: {ADD_ROW}"
        )
    return f"Check NEON_DATABASE_URL. If it is right, add a row for the model on main, for later rollbacks: {ADD_ROW}"
