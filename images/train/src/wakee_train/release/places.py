"""The version in production according to each place: the Hub's main, the registry, and `model_versions`."""

import re
from dataclasses import dataclass
from pathlib import Path

from wakee_common.database import reading
from wakee_common.errors import ConfigurationError
from wakee_common.hub import Head, ModelHub
from wakee_common.settings import DatabaseSettings
from wakee_contract.model import CHAMPION, MAIN, ONNX, VERSION_TAG

from wakee_train.release.registry import Registry
from wakee_train.settings import Targets

ROLLBACK_TITLE = re.compile(r"(?P<version>.+): rollback [0-9a-f]{8}")
IN_PRODUCTION = "SELECT version_name, hf_commit, mlflow_run_id FROM model_versions WHERE is_production"
COUNTS = "SELECT EXISTS (SELECT FROM model_versions), EXISTS (SELECT FROM model_versions WHERE version_name = %s)"
UNKNOWN = "a model of unknown version"


@dataclass(frozen=True)
class Row:
    """The row of the version in production.

    Attributes:
        version: Its name.
        is_ours: Whether a retraining of this pipeline wrote it. Other rows are older than the pipeline.
        was_logged: Whether it names a run in MLflow.
    """

    version: str
    is_ours: bool
    was_logged: bool


@dataclass(frozen=True)
class Places:
    """The state of the three places.

    Attributes:
        repository: The Hub repository's name.
        head: State of its main; None if the repository is not visible to the token.
        version: The version on main; None without a model, or if its version is unknown.
        champion: The version that the registry's alias points to: its tag, or else its number; None for none.
        champion_is_ours: Whether that version has our tag.
        is_registered: Whether the version on main is in the registry.
        row: The row in production, if any.
        has_rows: Whether the table has any row.
        is_recorded: Whether the table has a row, in production or not, for the version on main.
    """

    repository: str
    head: Head | None
    version: str | None
    champion: str | None
    champion_is_ours: bool
    is_registered: bool
    row: Row | None
    has_rows: bool
    is_recorded: bool

    @property
    def has_model(self) -> bool:
        """Whether main holds a model that production can serve."""
        return self.head is not None and ONNX in self.head.files

    @property
    def recorded(self) -> set[str]:
        """The versions in production according to registry and table."""
        return {name for name in (self.champion, self.row and self.row.version) if name}

    @property
    def registry_agrees(self) -> bool:
        """Whether the alias points to main's version, or is unset because that version was never registered."""
        never_logged = self.row is not None and not self.row.was_logged
        unknown = self.champion is None and not self.is_registered and never_logged
        return self.champion == self.version or unknown

    @property
    def agree(self) -> bool:
        """Whether all three places name the same version."""
        if not self.has_model:
            return not self.recorded
        if self.version is None:  # a model from before our first version, or one that somebody uploaded
            return not self.champion_is_ours and self.row is not None and not self.row.is_ours
        return self.row is not None and self.row.version == self.version and self.registry_agrees

    def described(self) -> str:
        """Describe the three places for a message."""
        shown = "holds" if self.head else "is not visible to HF_TOKEN, so it holds"
        held = (self.version or UNKNOWN) if self.has_model else "no model"
        row = self.row.version if self.row else ("no row in production" if self.has_rows else "no rows")
        return (
            f"the Hub's {self.repository} {shown} {held} on {MAIN}, the registry's alias {CHAMPION} points to "
            f"{self.champion or 'nothing'}, and the table model_versions has {row}"
        )


def read_places(targets: Targets, registry: Registry, scratch: Path) -> Places:
    """Read the state of all three places.

    Raises:
        WakeeError: one of them does not respond, or denies access.
    """
    hub = ModelHub(targets.hub, scratch)
    head = hub.visible_main()
    version = main_version(hub, head) if head else None
    pointed = registry.alias_version(CHAMPION)
    tag = pointed.tags.get(VERSION_TAG) if pointed else None
    row, has_rows, is_recorded = _read_table(targets.database, version)
    return Places(
        repository=hub.repository,
        head=head,
        version=version,
        champion=str(tag or f"number {pointed.version}") if pointed else None,
        champion_is_ours=bool(tag),
        is_registered=version is not None and registry.find_version(version) is not None,
        row=row,
        has_rows=has_rows,
        is_recorded=is_recorded,
    )


def main_version(hub: ModelHub, head: Head) -> str | None:
    """The version on main, from `config.json`, or from the title of a rollback to a version older than the pipeline."""
    if (version := hub.version(head)) is not None:
        return version
    title = ROLLBACK_TITLE.fullmatch(hub.title(head.commit))
    return title["version"] if title else None


def _read_table(database: DatabaseSettings, version: str | None) -> tuple[Row | None, bool, bool]:
    with reading(database) as connection, connection.cursor() as cursor:
        cursor.execute(COUNTS, (version,))
        [(has_rows, is_recorded)] = cursor.fetchall()
        cursor.execute(IN_PRODUCTION)
        found = cursor.fetchall()
    if len(found) > 1:
        names = ", ".join(str(name) for name, *_ in found)
        raise ConfigurationError(f"model_versions has several rows in production ({names}). Run `wakee-db upgrade`")
    rows = [Row(str(name), commit is not None, run_id is not None) for name, commit, run_id in found]
    return (rows[0] if rows else None), bool(has_rows), bool(is_recorded)
