"""The object `datasets/people.json` in the bucket: the split of each person, for all data sets."""

from typing import NamedTuple

from wakee_common.errors import BadInputError
from wakee_common.storage import MissingObjectError, ObjectStore
from wakee_common.uris import R2Uri

from wakee_train.data.duplicates import DUPLICATES_RULE
from wakee_train.data.records import Assignment, Manifest
from wakee_train.records import parse_record, read_record

FOLDER = "datasets/"
KEY = f"{FOLDER}people.json"
SPLITS = "splits-by-people-1.json"
"""File name of a data set's splits, beside its manifest. Each split rule has its own file name."""


class StoredAssignment(NamedTuple):
    """The stored assignment and the ETag of its object; the ETag is None if there is no object yet."""

    assignment: Assignment
    etag: str | None


def read_people(store: ObjectStore, manifest: Manifest) -> StoredAssignment:
    """Read the stored assignment, or initialize a new one.

    Args:
        store: The bucket.
        manifest: The data set to split. The old rule may have split its rows.

    Raises:
        BadInputError: the file is missing or damaged, although data sets were split by it.
    """
    uri = store.root / KEY
    try:
        content, etag = store.get_version(uri)
    except MissingObjectError:
        return StoredAssignment(_beginning(store, manifest), None)
    return StoredAssignment(parse_record(content, uri, Assignment), etag)


def write_people(store: ObjectStore, before: StoredAssignment, assignment: Assignment) -> None:
    """Replace the stored assignment, unless nothing changed.

    Raises:
        UnavailableError: another process has changed the file since it was read.
    """
    if before.etag is None or assignment != before.assignment:
        store.replace(store.root / KEY, assignment.model_dump_json().encode(), "application/json", before.etag)


def _beginning(store: ObjectStore, manifest: Manifest) -> Assignment:
    keys = list(store.list_keys((store.root / FOLDER).key))
    if any(key.endswith(f"/{SPLITS}") for key in keys):
        raise BadInputError(
            f"{store.root / KEY} is missing, but data sets were split by it. Without it, people of the test split "
            "could get into the training split. Restore it, or start over with an empty Hub repository and without "
            f"{FOLDER}*/{SPLITS}"
        )
    manifests = (store.uri(key) for key in keys if key.endswith("/manifest.json"))
    if not any(_split_by_name(store, uri) for uri in manifests):
        return Assignment()
    return Assignment(adopted_until=max((sample.facts.row for sample in manifest.samples), default=0))


def _split_by_name(store: ObjectStore, manifest_uri: R2Uri) -> bool:
    """Whether a data set was split by the old rule."""
    return read_record(store, manifest_uri, Manifest).duplicates_rule != DUPLICATES_RULE
