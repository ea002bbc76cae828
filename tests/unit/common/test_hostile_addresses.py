"""Addresses from flags and tables never lead out of the bucket, and never stop more than their own row."""

import contextlib

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from wakee_common.errors import BadInputError
from wakee_common.storage import ObjectStore
from wakee_common.uris import R2Uri

OUTSIDE = {
    "another-bucket": R2Uri("other-bucket", "key"),
    "up": R2Uri("wakee-test", "../other-bucket/key"),
    "up-in-the-middle": R2Uri("wakee-test", "a/../../other-bucket/key"),
    "here": R2Uri("wakee-test", "./key"),
    "too-long": R2Uri("wakee-test", "😀" * 257),
    "half-an-emoji": R2Uri("wakee-test", "\ud83d"),
}
METHODS = {
    "get_bytes": lambda store, uri, path: store.get_bytes(uri),
    "get_file": lambda store, uri, path: store.get_file(uri, path),
    "head": lambda store, uri, path: store.head(uri),
    "exists": lambda store, uri, path: store.exists(uri),
    "link": lambda store, uri, path: store.link(uri),
    "put_bytes": lambda store, uri, path: store.put_bytes(uri, b""),
    "delete": lambda store, uri, path: store.delete(uri),
}


@pytest.mark.parametrize("method", METHODS.values(), ids=METHODS)
@pytest.mark.parametrize("uri", OUTSIDE.values(), ids=OUTSIDE)
def test_no_method_leaves_the_bucket(make_r2_settings, tmp_path, method, uri):
    """The server is dead: whoever asked it would say something else."""
    store = ObjectStore(make_r2_settings(endpoint_url="http://127.0.0.1:9", attempts=1))

    with pytest.raises(BadInputError) as error:
        method(store, uri, tmp_path / "copy")

    assert len(str(error.value).splitlines()) == 1


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(key=st.text(st.characters(blacklist_categories=["Cs"], blacklist_characters="\0"), max_size=500))
def test_any_key_that_a_table_can_hold_is_found_missing_or_refused(store, key):
    """`emotion_labels.s3_path` is anybody's text of up to 500 characters."""
    with contextlib.suppress(BadInputError):
        assert store.exists(store.uri(key)) is False
    folder, slash, _ = key.rpartition("/")
    assert list(store.list_folder(f"{folder}{slash}")) == []


@given(text=st.one_of(st.text(), st.text().map("r2://{}".format), st.text().map("r2://wakee-test/{}".format)))
def test_a_text_is_an_address_or_bad_input(text):
    with contextlib.suppress(BadInputError):
        uri = R2Uri.parse(text)
        assert str(uri) == text
        assert ".." not in uri.key.split("/")
