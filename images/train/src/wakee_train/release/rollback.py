"""`rollback`: restore an earlier production version in Hub, registry and database, together.

Each of the three is changed only if necessary, so a retry after a crash ends in the same state.
"""

import hashlib
import logging
from dataclasses import dataclass

from psycopg2.extensions import connection as Connection  # noqa: N812 - a class, despite its lower-case name
from psycopg2.extensions import cursor as Cursor  # noqa: N812 - a class, despite its lower-case name
from wakee_common.database import reading, transact
from wakee_common.errors import BadInputError
from wakee_common.files import workspace
from wakee_common.hub import ModelHub
from wakee_common.settings import DatabaseSettings, RunContext
from wakee_common.storage import MissingObjectError, ObjectStore
from wakee_common.uris import R2Uri
from wakee_contract.model import CHAMPION, MAIN, VERSION_TAG

from wakee_train.records import Record, read_record, write_record
from wakee_train.release.model_versions import check_writable
from wakee_train.release.promotions import Cause, make_production
from wakee_train.release.registry import Registry
from wakee_train.results import RollbackResult
from wakee_train.settings import HubSettings, TrackingSettings
from wakee_train.versions import run_key

logger = logging.getLogger(__name__)

Row = tuple[str, str | None]
"""A version's name and its commit."""

PREVIOUS = "previous"
RECORD = "target.json"
DEPLOYED = "SELECT version_name, hf_commit FROM model_versions WHERE (deployed_at IS NOT NULL OR is_production)"
KNOWN = "SELECT version_name, hf_commit FROM model_versions WHERE version_name = %s"
MOST_LISTED = 10
CURRENT = f"{DEPLOYED} AND is_production"
NAMED = f"{DEPLOYED} AND version_name = %s"
OLDER = f"{DEPLOYED} AND id < (SELECT id FROM model_versions WHERE is_production)"
OLDER_NAMED = f"{OLDER} AND version_name = %s"
BEFORE_CURRENT = f"{OLDER} ORDER BY deployed_at DESC, id DESC LIMIT 1"
"""The older version that was deployed last. By the deployment time, a version that was rolled back comes earlier."""
BEFORE_OURS = (
    f"{DEPLOYED} AND hf_commit IS NULL"
    " AND NOT EXISTS (SELECT FROM model_versions ours WHERE ours.hf_commit IS NOT NULL AND ours.id < model_versions.id)"
    " ORDER BY is_production IS TRUE DESC, deployed_at DESC, id DESC LIMIT 1"
)
"""The last row before our first version. Such rows name no commit; main's history shows the files of the last one."""


class Target(Record):
    """The target of a rollback run. It is stored first, so that a retry of `previous` does not go further back.

    Attributes:
        asked: The version parameter of the run.
        version: The version to restore.
        commit: The commit with its files.
        replaced: The version that was in production.
    """

    asked: str
    version: str
    commit: str
    replaced: str | None


@dataclass(frozen=True)
class Found:
    """A version, its commit (None if it is older than our first version), and the version that it replaces."""

    version: str
    commit: str | None
    replaced: str | None


def roll_back(
    store: ObjectStore,
    context: RunContext,
    database: DatabaseSettings,
    hub_settings: HubSettings,
    tracking_settings: TrackingSettings,
    asked: str,
) -> RollbackResult:
    """Restore an earlier version in all three places.

    Raises:
        BadInputError: the version does not exist, was never in production, has no predecessor, or its files are
            unknown.
    """
    with workspace() as scratch:
        hub = ModelHub(hub_settings, scratch)
        target = _target(store, context.folder(store.root), database, hub, asked)
        logger.info("rollback from %s to %s", target.replaced or "nothing", target.version)
        registry = Registry(tracking_settings)
        _check_places(hub, registry, database, run_key(context))
        commit, new_commit = _restore_main(hub, context, target)
    alias_moved, warning = _move_alias(registry, target)
    cause = Cause.of(context, "rollback", f"rollback to {asked} was requested")
    replaced = transact(database, lambda cursor: make_production(cursor, target.version, cause))
    done = [
        f"Hub main: {'restored by' if new_commit else 'already at the version,'} commit {commit}",
        warning or f"registry: {CHAMPION} {'moved' if alias_moved else 'already at the version'}",
        f"is_production: {f'moved from {replaced}' if replaced else 'already set'}",
    ]
    for line in done:
        logger.log(logging.WARNING if line == warning else logging.INFO, "%s", line)
    return RollbackResult(
        version=target.version,
        replaced=target.replaced,
        commit=commit,
        new_commit=new_commit,
        alias_moved=alias_moved,
        production_moved=replaced is not None,
        done=done,
        warning=warning,
    )


def _check_places(hub: ModelHub, registry: Registry, database: DatabaseSettings, key: str) -> None:
    """Check that all three places are writable, before the first of them is changed."""
    hub.check_writable()
    registry.check_model(key)
    check_writable(database, None)


def _target(store: ObjectStore, folder: R2Uri, database: DatabaseSettings, hub: ModelHub, asked: str) -> Target:
    try:
        target = read_record(store, folder / RECORD, Target)
    except MissingObjectError:
        pass
    else:
        if target.asked == asked:
            return target
    head = hub.visible_main()  # if main is hidden, restoring it fails before anything is changed
    on_main = hub.version(head) if head else None
    with reading(database) as connection:
        found = find_target(connection, asked, on_main)
    commit = found.commit or hub.commit_before_versions()
    if commit is None:
        raise BadInputError(
            f"Cannot roll back to {found.version}: its commit is unknown, and main had no model before our first one"
        )
    target = Target(asked=asked, version=found.version, commit=commit, replaced=found.replaced)
    write_record(store, folder / RECORD, target)
    return target


def find_target(connection: Connection, asked: str, on_main: str | None) -> Found:
    """Find the version to restore.

    Args:
        connection: The database.
        asked: A version's name, or `previous`.
        on_main: The version on the Hub's main, if it is one of ours.

    Raises:
        BadInputError: as `roll_back`.
    """
    with connection.cursor() as cursor:
        current = _row(cursor, CURRENT)
        found = _previous(cursor, current, on_main) if asked == PREVIOUS else _row(cursor, NAMED, asked)
        before_ours = _row(cursor, BEFORE_OURS)
        others = _names(cursor, MOST_LISTED)
        known = asked == PREVIOUS or _row(cursor, KNOWN, asked) is not None
    if found is None:
        raise BadInputError(f"Cannot roll back: {_why_nothing(asked, others, known=known)}")
    if not found[1] and found != before_ours:
        raise BadInputError(f"Cannot roll back to {found[0]}: its commit on the Hub is not recorded")
    replaced = on_main if found == current or current is None else current[0]
    return Found(*found, replaced)


def _why_nothing(asked: str, others: list[str], *, known: bool) -> str:
    if asked == PREVIOUS:
        return "no version was in production before the current one"
    what = f"version {asked!r} has never been in production" if known else f"there is no version {asked!r}"
    return f"{what}. Versions that were in production: {', '.join(others) or 'none'}"


def _names(cursor: Cursor, most: int) -> list[str]:
    """The newest versions that were in production, at most `most`."""
    cursor.execute(f"{DEPLOYED} ORDER BY is_production IS TRUE DESC, deployed_at DESC NULLS LAST, id DESC LIMIT {most}")
    return [str(name) for name, _ in cursor.fetchall()]


def _previous(cursor: Cursor, current: Row | None, on_main: str | None) -> Row | None:
    """Resolve `previous`: the version before the one in production, or the latter if the Hub is ahead of the database.

    The Hub is ahead if a promotion reached only the Hub. It is behind if a rollback did; this run then completes it.
    """
    if current and on_main and on_main != current[0] and not _row(cursor, OLDER_NAMED, on_main):
        return current
    return _row(cursor, BEFORE_CURRENT)


def _row(cursor: Cursor, query: str, *values: str) -> Row | None:
    cursor.execute(query, values or None)
    found: Row | None = cursor.fetchone()
    return found


def _restore_main(hub: ModelHub, context: RunContext, target: Target) -> tuple[str, bool]:
    """Restore the files of the target's commit on main. Returns main's commit, and whether it is new."""
    from huggingface_hub import CommitOperationAdd, CommitOperationDelete

    head = hub.main()
    present, wanted = hub.files(head.commit), hub.files(target.commit)
    version = hub.version(head)
    if version == target.version or present == wanted:
        return head.commit, False
    operations: list[CommitOperationAdd | CommitOperationDelete] = [
        CommitOperationAdd(path_in_repo=path, path_or_fileobj=hub.download(path, target.commit))
        for path, digest in wanted.items()
        if present.get(path) != digest
    ]
    operations += [CommitOperationDelete(path_in_repo=path) for path in sorted(present.keys() - wanted.keys())]
    key = hashlib.sha256(run_key(context).encode()).hexdigest()[:8]
    title = f"{target.version}: rollback {key}"
    why = f"Replaces {version or head.commit}. Requested by {run_key(context)}."
    return hub.commit(MAIN, title, why, operations, head.commit), True


def _move_alias(registry: Registry, target: Target) -> tuple[bool, str | None]:
    """Set the alias to the target. If the target is not in the registry, remove the alias and return a warning.

    Returns:
        Whether the alias changed, and the warning if any.
    """
    version = registry.find_version(target.version)
    if version is not None:
        return registry.point(CHAMPION, version), None
    if replaced := registry.alias_version(CHAMPION):
        registry.unpoint(CHAMPION, replaced)
    return replaced is not None, (
        f"registry: {CHAMPION} was removed: no version of {registry.model} has the tag {VERSION_TAG}={target.version}"
    )
