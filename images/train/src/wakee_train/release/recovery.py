"""Complete a change of production that reached only the Hub: apply it to registry and table, or raise an error.

Main is changed first, so registry and table follow it. What they lack is written from the records in R2 of the
version's own run. If R2 shows that an entry was written before and it is missing now, the change was not interrupted:
the settings name another registry or database, and nothing is written.
"""

import json
import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from wakee_common.database import transact
from wakee_common.errors import ConfigurationError, UnavailableError, WakeeError
from wakee_common.hub import ModelHub
from wakee_common.settings import RunContext
from wakee_common.storage import MissingObjectError, ObjectStore
from wakee_common.uris import R2Uri
from wakee_contract.model import CHALLENGER, CHAMPION, publication

from wakee_train.records import Evaluation, read_record, write_record
from wakee_train.release.model_versions import update
from wakee_train.release.places import Places
from wakee_train.release.promotions import Cause, make_production
from wakee_train.release.publication import DRIFT_REPORT, GIT_COMMIT, IMAGE, RUN, publication_record
from wakee_train.release.registry import Registry
from wakee_train.release.tracking import track
from wakee_train.settings import Targets
from wakee_train.versions import EVALUATION, EXPORT, PUBLICATION, run_key, stage_folder

logger = logging.getLogger(__name__)

LOG, UPDATE = "log_to_mlflow", "update_model_versions"
WRITES = {
    LOG: "the registry (MLFLOW_TRACKING_URI, MLFLOW_MODEL_NAME)",
    UPDATE: "the table model_versions (NEON_DATABASE_URL)",
}


@dataclass(frozen=True)
class Origin:
    """The run that made a version, according to the `config.json` of its commit."""

    run: RunContext
    drift_report_id: int | None


def finish(
    store: ObjectStore, context: RunContext, targets: Targets, registry: Registry, places: Places, scratch: Path
) -> str:
    """Set registry and table to the version on main. Returns a description of the changes.

    Raises:
        ConfigurationError: a missing entry was written before, or R2 lacks the records to write it.
        UnavailableError: a place does not respond. A retry may help.
    """
    if places.head is None or places.version is None:
        raise AssertionError("main does not contain one of our versions")
    hub, version = ModelHub(targets.hub, scratch), places.version
    origin = origin_of(hub.config(places.head.commit), context)
    try:
        if lacking(store, places, origin):
            _write_records(store, targets, hub, version, origin)
        _move(registry, targets, version, Cause.of(context, "recovery", f"Hub main already contained {version}"))
    except UnavailableError:
        raise
    except WakeeError as error:
        raise ConfigurationError(
            f"Cannot bring production to one version: {places.described()}: {error}. {_remedy(origin)}"
        ) from error
    done = f"completed the promotion of {version}, which was on the Hub only"
    logger.warning("%s. Before, %s", done, places.described())
    return done


def origin_of(config: dict[str, Any], context: RunContext) -> Origin | None:
    """Read the run that made a version from its `config.json`; None if it names none."""
    lineage = config.get("lineage")
    if not isinstance(lineage, dict):
        return None
    dag_id, slash, run_id = str(lineage.get(RUN, "")).partition("/")
    if not slash:
        return None
    report = str(lineage.get(DRIFT_REPORT, ""))
    made_by = {"image": str(lineage.get(IMAGE, "")), "git_commit": str(lineage.get(GIT_COMMIT, ""))}
    run = context.model_copy(update={"dag_id": dag_id, "run_id": run_id, **made_by})
    return Origin(run, int(report) if report.isdecimal() else None)


def lacking(store: ObjectStore, places: Places, origin: Origin | None) -> list[str]:
    """The stages that have not written main's version to their place.

    Raises:
        ConfigurationError: a stage has written it, but it is missing there.
    """
    missing = [] if places.is_registered or origin is None else [LOG]
    missing += [] if places.is_recorded else [UPDATE]
    for stage in missing:
        if origin and _succeeded(store, stage_folder(origin.run, stage, store.root)):
            raise ConfigurationError(
                f"{stage} of {run_key(origin.run)} wrote {places.version} to {WRITES[stage]}, but it is missing there"
            )
    return missing


def _succeeded(store: ObjectStore, folder: R2Uri) -> bool:
    try:
        result = json.loads(store.get_bytes(folder / "result.json"))
    except (MissingObjectError, ValueError):
        return False
    return isinstance(result, dict) and result.get("status") == "success"


def _write_records(store: ObjectStore, targets: Targets, hub: ModelHub, version: str, origin: Origin | None) -> None:
    """Do the remaining work of `log-to-mlflow` and `update-model-versions` of the version's run."""
    if origin is None:
        raise ConfigurationError(
            f"there is no record of the run that made {version}, and model_versions has no row for it"
        )
    published = _publication(store, hub, version, origin)
    log, row = (origin.run.model_copy(update={"task_id": stage}) for stage in (LOG, UPDATE))
    tracked = track(store, log, targets.tracking, targets.hub, published)
    update(store, row, targets.database, targets.hub, R2Uri.parse(tracked.tracking_uri))


def _publication(store: ObjectStore, hub: ModelHub, version: str, origin: Origin) -> R2Uri:
    """The record of the version's publication, recreated from the Hub if its stage ended before writing it."""
    uri = stage_folder(origin.run, "upload_to_hub", store.root) / PUBLICATION
    if store.exists(uri):
        return uri
    evaluation_uri = stage_folder(origin.run, "evaluate", store.root) / EVALUATION
    export_uri = stage_folder(origin.run, "export_onnx", store.root) / EXPORT
    evaluation = read_record(store, evaluation_uri, Evaluation)
    commit = hub.find_commit(*publication(version, promoted=True))
    if commit is None or not evaluation.decision.promote:
        raise ConfigurationError(f"{run_key(origin.run)} did not promote {version}")
    hub.ensure_tag(version, commit)
    record = publication_record(hub, evaluation, (evaluation_uri, export_uri), commit, origin.drift_report_id)
    return write_record(store, uri, record)


def _move(registry: Registry, targets: Targets, version: str, cause: Cause) -> None:
    """Set the alias to the version, or remove it if the version was never registered. Put its row into production."""
    registered, before = registry.find_version(version), registry.alias_version(CHAMPION)
    if registered is not None:
        registry.point(CHAMPION, registered)
        registry.unpoint(CHALLENGER, registered)
    elif before is not None:
        registry.unpoint(CHAMPION, before)
    transact(targets.database, lambda cursor: make_production(cursor, version, cause))


def _remedy(origin: Origin | None) -> str:
    again = f", or clear {LOG} and {UPDATE} of {run_key(origin.run)}, which write it again" if origin else ""
    return f"Correct the settings. If they are right, put production back with model_rollback{again}"
