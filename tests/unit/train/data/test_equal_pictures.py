"""Equal pictures are known by their bytes: whatever their names, their ETags, and how they were uploaded."""

import hashlib
import io
import json
from typing import Any

import numpy as np
import pytest
from boto3.s3.transfer import TransferConfig
from PIL import Image
from wakee_common.storage import ObjectStore
from wakee_common.uris import R2Uri
from wakee_contract.tables import LABELS
from wakee_train.data.pictures import PREPROCESSING
from wakee_train.data.records import Manifest

from ..environment import Environment, face
from .test_dataset import GOOD

FIRST, SECOND, THIRD = "a.jpg", "b.jpg", "c.jpg"
PAGE = b"<html><body>502 Bad Gateway</body></html>"
PART = 5 << 20
"""Bytes; the least that S3 allows."""
NO_NUMBER = (float("nan"), 1, 1, 1)


@pytest.fixture(scope="module")
def large() -> bytes:
    """A picture of about 10 MB, which nearly every client uploads in parts."""
    pixels = np.random.default_rng(0).integers(0, 256, (1900, 1800, 3), np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG", compress_level=0)
    return file.getvalue()


def add_in_parts(environment: Environment, name: str, content: bytes, labels: Any = GOOD, **row: Any) -> str:
    """Annotate a picture and upload it in parts; returns its ETag."""
    environment.add_picture(name, None, labels, **row)
    parts = TransferConfig(multipart_threshold=PART, multipart_chunksize=PART)
    environment.store._client.upload_fileobj(io.BytesIO(content), environment.store.bucket, name, Config=parts)
    return str(environment.store.head(environment.store.uri(name))["ETag"])


def add_whole(environment: Environment, name: str, content: bytes, labels: Any = GOOD, **row: Any) -> str:
    """Annotate a picture and upload it whole; returns its ETag."""
    environment.add_picture(name, content, labels, **row)
    return str(environment.store.head(environment.store.uri(name))["ETag"])


def fetch(environment: Environment, run_id: str = "run-1", exit_code: int = 0, **flags: Any) -> dict[str, Any]:
    given = {"min_samples": 1, "max_bad_share": 1, **flags}
    return environment.stage("fetch-training-data", run_id, exit_code, **given)


def left_out(environment: Environment, fetched: dict[str, Any]) -> dict[str, str]:
    """The reason of each row that is not in the data set."""
    return {row["name"]: row["reason"] for row in environment.read_json(fetched["quarantine_uri"])["rows"]}


def manifest_of(environment: Environment, fetched: dict[str, Any]) -> Manifest:
    return Manifest.model_validate_json(environment.read(fetched["manifest_uri"]))


def test_a_picture_uploaded_in_parts_and_whole_is_used_once_of_a_person(environment, large):
    etags = (
        add_in_parts(environment, FIRST, large, user="anna"),
        add_whole(environment, SECOND, large, user="anna"),
        add_whole(environment, THIRD, large, user="ben"),
    )

    fetched = fetch(environment)

    assert etags[0] != etags[1]
    manifest = manifest_of(environment, fetched)
    assert [sample.name for sample in manifest.samples] == [FIRST, THIRD]
    assert [shared.names for shared in manifest.shared] == [[FIRST, THIRD]]
    assert left_out(environment, fetched) == {SECOND: "duplicate"}


def test_a_picture_of_people_in_several_splits_is_in_none(environment, large):
    """A row with unusable labels still says who has the picture."""
    for person in range(12):
        environment.add_picture(f"own-{person}.jpg", *face(person), user=f"user-{person}")
    for person in range(12):
        add_whole(environment, f"card-{person}.jpg", large, GOOD if person else NO_NUMBER, user=f"user-{person}")

    split = environment.stage("split-dataset", manifest=fetch(environment)["manifest_uri"])

    assert split["left_out"] == {"in_several_splits": 11}
    assert sum(split["samples"].values()) == sum(split["people"].values()) == 12


@pytest.mark.parametrize(
    "names",
    [
        pytest.param([f"page-{at}.jpg" for at in (1, 2, 3, 7, 8, 9, 10, 11, 15, 16, 17, 19)], id="of-one-split"),
        pytest.param([f"page-{at}.jpg" for at in range(12)], id="of-several-splits"),
    ],
)
def test_each_row_of_a_broken_file_counts_as_bad_whatever_its_name(environment, names):
    environment.add_faces(range(28))
    for name in names:
        environment.add_picture(name, PAGE, GOOD)

    refused = fetch(environment, exit_code=2, max_bad_share=0.29)

    assert "12 of 40 annotations (30.0%) are unusable, more than 29.0%: not_an_image 12" in refused["cause"]


def test_two_rows_of_one_object_are_read_once(environment, monkeypatch):
    environment.add_faces(range(2))
    environment.add_picture("again.jpg", None, GOOD)
    environment.execute("UPDATE emotion_labels SET s3_path = 'face-00000.jpg' WHERE img_name = 'again.jpg'")
    read = watched(monkeypatch)

    fetched = fetch(environment)

    assert sorted(key for key in read if key.endswith(".jpg")) == ["face-00000.jpg", "face-00001.jpg"]
    assert left_out(environment, fetched) == {"again.jpg": "duplicate"}


def watched(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The keys that are read from now on."""
    read, get = list[str](), ObjectStore.get_bytes

    def get_bytes(store: ObjectStore, uri: R2Uri) -> bytes:
        read.append(uri.key)
        return get(store, uri)

    monkeypatch.setattr(ObjectStore, "get_bytes", get_bytes)
    return read


def test_a_data_set_that_is_made_is_reused_without_reading_a_picture(environment, monkeypatch):
    environment.add_faces(range(12))
    fetch(environment, "first")
    read = watched(monkeypatch)

    again = fetch(environment, "again")

    assert again["reused"] is True
    assert [key for key in read if key.endswith(".jpg")] == []


def test_a_data_set_whose_pictures_were_known_by_their_etags_is_made_anew(environment):
    """Its name was a digest with the rule of that time, so that nobody takes it for one of today."""
    environment.add_faces(range(12))
    rows = environment.execute(f"SELECT img_name, s3_path, {', '.join(LABELS)} FROM emotion_labels ORDER BY id")
    digest = hashlib.sha256(f"{PREPROCESSING} one-of-a-split-none-of-several".encode())
    for name, key, *labels in rows:
        etag = environment.store.head(environment.store.uri(key))["ETag"].strip('"')
        digest.update(json.dumps([name, key, *map(repr, labels), etag]).encode() + b"\n")
    old = Manifest(dataset_id=digest.hexdigest()[:16], preprocessing=PREPROCESSING, shards=[], samples=[], excluded={})
    uri = environment.store.uri(f"datasets/{old.dataset_id}/manifest.json")
    environment.store.put_bytes(uri, old.model_dump_json().encode())

    fetched = fetch(environment)

    assert fetched["reused"] is False
    assert fetched["dataset_id"] != old.dataset_id
