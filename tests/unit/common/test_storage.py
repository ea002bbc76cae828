"""The object store against a real S3 server."""

import os
import shutil
import subprocess
import sys

import pytest
from wakee_common.errors import BadInputError, ConfigurationError, UnavailableError
from wakee_common.storage import MissingObjectError, ObjectStore

from support.hostile_http import http, saying, served


@pytest.fixture
def payload(tmp_path):
    """A file larger than one part of an upload."""
    path = tmp_path / "payload"
    path.write_bytes(bytes(range(256)) * 40_000)
    return path


@pytest.mark.parametrize("key", ["plain.jpg", "a/b/c d.jpg", "smile-😀.jpg", "quote'\"&<>.jpg", "percent%20.jpg"])
def test_bytes_come_back_under_any_name(store, key):
    store.put_bytes(store.uri(key), b"picture")

    assert store.get_bytes(store.uri(key)) == b"picture"
    assert list(store.list_keys("")) == [key]


def test_a_large_file_comes_back_with_its_type(store, payload, tmp_path):
    uri = store.uri("payload")

    store.put_file(uri, payload, "image/png")

    assert store.get_file(uri, tmp_path / "copy").read_bytes() == payload.read_bytes()
    assert store.head(uri)["ContentType"] == "image/png"
    assert store.head(uri)["ContentLength"] == payload.stat().st_size


@pytest.mark.parametrize("body", [b"", b"<html>no such page</html>"], ids=["no body", "a page"])
@pytest.mark.parametrize(
    "read",
    [lambda store: store.get_bytes(store.uri("a")), lambda store: list(store.list_keys("a"))],
    ids=["an object", "a listing"],
)
def test_a_server_that_knows_no_s3_has_no_missing_objects(make_r2_settings, read, body):
    """It answers 404 to everything: nobody may conclude that the bucket is empty."""
    page = http(body, status="404 Not Found", kind="text/html")
    with (
        served(saying(page)) as web,
        pytest.raises(UnavailableError, match=r"is not an S3 server.*Check R2_ENDPOINT_URL"),
    ):
        read(ObjectStore(make_r2_settings(endpoint_url=web.url)))


def test_an_object_is_replaced_and_removed(store):
    uri = store.uri("a")
    store.put_bytes(uri, b"old")
    store.put_bytes(uri, b"new")
    assert store.get_bytes(uri) == b"new"

    store.delete(uri)
    store.delete(uri)

    assert not store.exists(uri)


def test_keys_are_listed_by_prefix_beyond_one_page(store):
    wanted = [f"many/{index:04}" for index in range(1003)]
    store.put_many([(key, b"") for key in [*wanted, "other"]], "text/plain")

    assert list(store.list_keys("many/")) == wanted


OPERATIONS = {
    "get_bytes": lambda store, path: store.get_bytes(store.uri("absent")),
    "get_file": lambda store, path: store.get_file(store.uri("absent"), path),
    "head": lambda store, path: store.head(store.uri("absent")),
    "put_bytes": lambda store, path: store.put_bytes(store.uri("absent"), b""),
    "put_file": lambda store, path: store.put_file(store.uri("absent"), path),
    "list_keys": lambda store, path: list(store.list_keys("absent")),
    "delete": lambda store, path: store.delete(store.uri("absent")),
    "fetch_many": lambda store, path: list(store.fetch_many(["absent"])),
    "put_many": lambda store, path: store.put_many([("absent", b"")], "text/plain"),
}
every_operation = pytest.mark.parametrize("operation", OPERATIONS.values(), ids=OPERATIONS)


@pytest.mark.parametrize("name", ["get_bytes", "get_file", "head"])
def test_a_missing_object(store, tmp_path, name):
    with pytest.raises(MissingObjectError, match="absent"):
        OPERATIONS[name](store, tmp_path / "copy")

    assert list(tmp_path.iterdir()) == []


@every_operation
@pytest.mark.parametrize(
    "wrong", [{"access_key_id": "nobody"}, {"secret_access_key": "guessed"}], ids=["access-key", "secret"]
)
def test_wrong_credentials(make_r2_settings, payload, operation, wrong):
    with pytest.raises(ConfigurationError, match="R2_ACCESS_KEY_ID"):
        operation(ObjectStore(make_r2_settings(**wrong)), payload)


def test_the_servers_own_words_are_in_the_message(make_r2_settings):
    words = "the bucket is in another jurisdiction"
    body = f"<Error><Code>AccessDenied</Code><Message>{words}</Message></Error>".encode()
    with served(saying(http(body, "403 Forbidden", "application/xml"))) as server:
        store = ObjectStore(make_r2_settings(endpoint_url=server.url, attempts=1))
        with pytest.raises(
            ConfigurationError,
            match=rf"\(AccessDenied: {words}\)\. .* R2_ENDPOINT_URL if the bucket has a jurisdiction$",
        ):
            store.get_bytes(store.uri("key"))


@pytest.mark.parametrize("name", [name for name in OPERATIONS if name != "delete"])
def test_a_missing_bucket(make_r2_settings, payload, name):
    with pytest.raises(ConfigurationError, match="R2_BUCKET_NAME"):
        OPERATIONS[name](ObjectStore(make_r2_settings(bucket="no-such-bucket")), payload)


@every_operation
def test_a_dead_server(make_r2_settings, payload, operation):
    dead = make_r2_settings(endpoint_url="http://127.0.0.1:9", attempts=1)

    with pytest.raises(UnavailableError, match="cannot be reached"):
        operation(ObjectStore(dead), payload)


@pytest.mark.parametrize("name", ["list_keys", "put_file", "put_many"])
def test_a_server_that_refuses_a_new_pod(r2_settings, refused_at_first, payload, name):
    late = refused_at_first(r2_settings.endpoint)

    OPERATIONS[name](ObjectStore(r2_settings.model_copy(update={"endpoint_url": late, "attempts": 1})), payload)


def test_a_key_that_s3_does_not_allow(store):
    with pytest.raises(BadInputError):
        store.get_bytes(store.uri(""))


def test_many_objects_come_in_the_order_asked_for(store):
    keys = [f"{index}.jpg" for index in range(200)]
    store.put_many([(key, key.encode()) for key in keys if key != "77.jpg"], "image/jpeg")

    found = list(store.fetch_many([*reversed(keys), ""]))

    assert [item.key for item in found] == [*reversed(keys), ""]
    assert [item.key for item in found if item.data is None] == ["77.jpg", ""]
    assert all(item.data == item.key.encode() for item in found if item.data is not None)
    assert all(isinstance(item.error, BadInputError) for item in found if item.data is None)


def test_a_fetch_can_be_left_early(store):
    store.put_many([(f"{index}", b"x") for index in range(100)], "text/plain")
    fetching = store.fetch_many(f"{index % 100}" for index in range(10_000))

    assert next(fetching).data == b"x"
    fetching.close()


PUT = """
from wakee_common.settings import R2Settings, load
from wakee_common.storage import ObjectStore
store = ObjectStore(load(R2Settings))
store.put_bytes(store.uri("clock"), b"x")
"""


@pytest.mark.usefixtures("pod")
@pytest.mark.parametrize("skew", ["+10m", "-10m"])
def test_a_clock_that_is_a_little_wrong_does_no_harm(store, skew):
    assert _under_another_clock(skew).returncode == 0
    assert store.get_bytes(store.uri("clock")) == b"x"


@pytest.mark.usefixtures("pod")
@pytest.mark.parametrize("skew", ["+2d", "-2d"])
def test_a_clock_that_is_days_off_is_named(skew):
    assert "this node's clock is wrong" in _under_another_clock(skew).stderr


def _under_another_clock(skew: str) -> subprocess.CompletedProcess[str]:
    program = shutil.which("faketime")
    assert program, "apt-get install faketime (`make test-unit` does)"
    command = [program, "-f", skew, sys.executable, "-c", PUT]
    return subprocess.run(command, env=dict(os.environ), capture_output=True, text=True, timeout=120)


@pytest.mark.parametrize("status", ["429 Too Many Requests", "503 Slow Down", "500 Internal Server Error"])
def test_a_server_that_asks_for_patience_gets_it(make_r2_settings, status):
    said = b"<Error><Code>SlowDown</Code><Message>Reduce your request rate.</Message></Error>"
    answers = iter([http(said, status, "application/xml")] * 2)

    def script(connection, stop):
        saying(next(answers, http(b"content", kind="application/octet-stream")))(connection, stop)

    with served(script) as server:
        store = ObjectStore(make_r2_settings(endpoint_url=server.url, attempts=4))
        assert store.get_bytes(store.uri("key")) == b"content"
        assert len(server.requests) == 3


def test_an_object_is_replaced_only_where_it_is_the_version_that_was_read(store: ObjectStore) -> None:
    uri = store.uri("versions/one.json")
    store.replace(uri, b"1", "application/json", None)
    content, etag = store.get_version(uri)
    store.replace(uri, b"2", "application/json", etag)

    for stale in (None, etag):
        with pytest.raises(UnavailableError, match="another process has changed it"):
            store.replace(uri, b"3", "application/json", stale)
    assert (content, store.get_bytes(uri)) == (b"1", b"2")
