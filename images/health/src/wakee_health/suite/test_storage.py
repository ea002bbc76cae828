"""R2 stores, overwrites and deletes objects."""

import os

import pytest
from wakee_common.storage import MissingObjectError, ObjectStore

from wakee_health.probes.storage import round_trip, temporary_object
from wakee_health.probes.timing import Stopwatch


@pytest.mark.parametrize(
    "size", [pytest.param(0, id="empty"), pytest.param(1 << 10, id="1-KB"), pytest.param(1 << 20, id="1-MB")]
)
def test_there_and_back(store: ObjectStore, size: int) -> None:
    """An object can be put, read unchanged, listed and deleted."""
    with temporary_object(store) as uri:
        round_trip(store, uri, os.urandom(size), Stopwatch())


def test_overwriting_leaves_the_new_one(store: ObjectStore) -> None:
    """A second put replaces the first."""
    with temporary_object(store) as uri:
        store.put_bytes(uri, b"first")
        store.put_bytes(uri, b"second")
        assert store.get_bytes(uri) == b"second"


def test_what_is_not_there_is_missing(store: ObjectStore) -> None:
    """A missing object raises `MissingObjectError`."""
    with temporary_object(store) as uri, pytest.raises(MissingObjectError):
        store.get_bytes(uri)
