"""`rollback`: put Hub, registry and database back to an earlier production version, together.

Each of the three is changed only where it is not as it should be, so a retry after a crash ends in the same state.
"""

import hashlib
import logging
import tempfile
from pathlib import Path

from psycopg2.extensions import connection as Connection  # noqa: N812 - a type, whatever its case
from wakee_common.database import reading, transact
from wakee_common.errors import BadInputError
from wakee_common.settings import DatabaseSettings, RunContext
from wakee_common.storage import MissingObjectError, ObjectStore
from wakee_common.uris import R2Uri

from wakee_train.hub import MAIN, ModelHub
from wakee_train.model_versions import make_production
from wakee_train.records import Record, read_record, write_record
from wakee_train.registry import CHAMPION, VERSION_TAG, Registry
from wakee_train.results import RollbackResult
from wakee_train.settings import HubSettings, TrackingSettings

logger = logging.getLogger(__name__)

PREVIOUS = "previous"
RECORD = "target.json"
ONCE_DEPLOYED = "SELECT version_name, hf_commit FROM model_versions WHERE version_name = %s AND deployed_at IS NOT NULL"
BEFORE_CURRENT = (
    "SELECT version_name, hf_commit FROM model_versions WHERE deployed_at IS NOT NULL AND hf_commit IS NOT NULL"
    " AND id < (SELECT id FROM model_versions WHERE is_production) ORDER BY deployed_at DESC, id DESC LIMIT 1"
)
"""Of the older versions the one that was deployed last: one that was itself rolled back is older by that."""
CURRENT = "SELECT version_name FROM model_versions WHERE is_production"


class Target(Record):
    """What a rollback run goes back to; written first, so that a retry of `previous` does not go further back."""

    asked: str
    version: str
    commit: str
    replaced: str | None


def roll_back(
    store: ObjectStore,
    context: RunContext,
    database: DatabaseSettings,
    hub_settings: HubSettings,
    tracking_settings: TrackingSettings,
    asked: str,
) -> RollbackResult:
    """Make an earlier version production everywhere.

    Raises:
        BadInputError: no such version, or it never was in production, or there is none before the present one.
    """
    target = _target(store, context.folder(store.bucket), database, asked)
    logger.info("rollback from %s to %s", target.replaced or "nothing", target.version)
    with tempfile.TemporaryDirectory(prefix="wakee-train-") as name:
        commit, new_commit = _restore_main(ModelHub(hub_settings, Path(name)), context, target)
    alias_moved, said = _move_alias(Registry(tracking_settings), target)
    replaced = transact(database, lambda cursor: make_production(cursor, target.version))
    done = [
        f"Hub main: {'restored by' if new_commit else 'already at the version,'} commit {commit}",
        said,
        f"is_production: {f'moved from {replaced}' if replaced else 'already set'}",
    ]
    for line in done:
        logger.info("%s", line)
    return RollbackResult(
        version=target.version,
        replaced=target.replaced,
        commit=commit,
        new_commit=new_commit,
        alias_moved=alias_moved,
        production_moved=replaced is not None,
        done=done,
    )


def _target(store: ObjectStore, folder: R2Uri, database: DatabaseSettings, asked: str) -> Target:
    try:
        target = read_record(store, folder / RECORD, Target)
    except MissingObjectError:
        pass
    else:
        if target.asked == asked:
            return target
    with reading(database) as connection:
        target = find_target(connection, asked)
    write_record(store, folder / RECORD, target)
    return target


def find_target(connection: Connection, asked: str) -> Target:
    """The version to go back to. Raises as `roll_back`."""
    with connection.cursor() as cursor:
        cursor.execute(CURRENT)
        current = cursor.fetchone()
        cursor.execute(BEFORE_CURRENT if asked == PREVIOUS else ONCE_DEPLOYED, None if asked == PREVIOUS else (asked,))
        found = cursor.fetchone()
    if found is None:
        what = (
            "no version was in production before the present one"
            if asked == PREVIOUS
            else f"{asked} never was in production"
        )
        raise BadInputError(f"nothing to go back to: {what}")
    if not found[1]:
        raise BadInputError(f"{found[0]} has no commit on the Hub on record")
    return Target(asked=asked, version=found[0], commit=found[1], replaced=current[0] if current else None)


def _restore_main(hub: ModelHub, context: RunContext, target: Target) -> tuple[str, bool]:
    """Make main's files those of the target's commit; returns main's commit, and whether it is new."""
    from huggingface_hub import CommitOperationAdd, CommitOperationDelete

    head = hub.head()
    if head is None:
        raise BadInputError(f"{hub.repository} is not on the Hub")
    if head.version == target.version:
        return head.commit, False
    wanted = hub.files(target.commit)
    operations: list[CommitOperationAdd | CommitOperationDelete] = [
        CommitOperationAdd(path_in_repo=path, path_or_fileobj=hub.download(path, target.commit)) for path in wanted
    ]
    operations += [CommitOperationDelete(path_in_repo=path) for path in sorted({*head.files} - {*wanted})]
    key = hashlib.sha256(f"{context.dag_id}/{context.run_id}".encode()).hexdigest()[:8]
    title = f"{target.version}: rollback {key}"
    why = f"Replaces {head.version or head.commit}; asked for by {context.dag_id}/{context.run_id}."
    return hub.commit(MAIN, title, why, operations, head.commit), True


def _move_alias(registry: Registry, target: Target) -> tuple[bool, str]:
    version = registry.find_version(target.version)
    if version is None:
        return False, f"registry: {registry.model} has no version tagged {VERSION_TAG}={target.version}"
    moved = registry.point(CHAMPION, version)
    return moved, f"registry: {CHAMPION} {'moved to' if moved else 'already at'} version {version.version}"
