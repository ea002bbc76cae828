"""The data set: what gets in, what is quarantined, when it is reused."""

import io
import struct
import zlib
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from wakee_common.errors import BadInputError
from wakee_common.pictures import UnusablePictureError, as_the_api_does
from wakee_common.uris import R2Uri
from wakee_train.data.pictures import prepare, unpack
from wakee_train.data.records import Manifest
from wakee_train.data.shards import load_splits, pack, unpack_shard

from ..environment import Environment, face

GOOD = (0.0, 1.0, 2.0, 3.0)


def encoded(size: tuple[int, int], kind: str = "JPEG", mode: str = "RGB", seed: int = 0) -> bytes:
    chance = np.random.default_rng(seed)
    pixels = chance.integers(0, 256, (size[1] // 8 + 1, size[0] // 8 + 1, 3), np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).resize(size).convert(mode).save(file, kind)
    return file.getvalue()


def bomb() -> bytes:
    """A small PNG file that says it is 60000 x 60000 pixels."""

    def chunk(name: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))

    header = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")


@pytest.mark.parametrize(
    ("size", "kind", "mode"),
    [
        pytest.param((640, 480), "JPEG", "RGB", id="camera"),
        pytest.param((256, 256), "PNG", "RGB", id="as-it-is"),
        pytest.param((31, 77), "PNG", "RGBA", id="small-with-alpha"),
        pytest.param((300, 200), "JPEG", "L", id="grey"),
        pytest.param((500, 500), "PNG", "P", id="palette"),
        pytest.param((500, 400), "JPEG", "CMYK", id="cmyk"),
        pytest.param((300, 300), "WEBP", "RGB", id="webp"),
    ],
)
def test_stored_pixels_are_those_of_the_api(size, kind, mode):
    """The API's preprocessing, as `reference/domain.md` has it, on the original picture."""
    content = encoded(size, kind, mode)
    picture = Image.open(io.BytesIO(content)).convert("RGB").resize((256, 256), Image.Resampling.BILINEAR)
    crop = np.asarray(picture.crop((16, 16, 240, 240)), np.float32) / 255
    expected = ((crop - (0.485, 0.456, 0.406)) / (0.229, 0.224, 0.225)).transpose(2, 0, 1)

    found = as_the_api_does(unpack(prepare(content))[None])[0]

    assert found.shape == (3, 224, 224)
    assert np.abs(found - expected).max() < 1e-6


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        pytest.param(b"", "not_an_image", id="empty"),
        pytest.param(b"<html>not found</html>", "not_an_image", id="page"),
        pytest.param(bytes(range(256)) * 20, "not_an_image", id="noise"),
        pytest.param(encoded((300, 300))[:2000], "truncated", id="half-a-jpeg"),
        pytest.param(encoded((300, 300), "PNG")[:2000], "truncated", id="half-a-png"),
        pytest.param(bomb(), "too_large", id="bomb"),
    ],
)
def test_unusable_pictures_are_refused(content, reason):
    with pytest.raises(UnusablePictureError) as error:
        prepare(content)

    assert error.value.reason == reason


def add_all_defects(environment: Environment) -> None:
    environment.add_faces(range(40))
    environment.add_picture("nan.jpg", face(100)[0], (float("nan"), 1, 1, 1))
    environment.add_picture("null.jpg", face(101)[0], (None, 1, 1, 1))
    environment.add_picture("range.jpg", face(102)[0], (1, 1, 7.5, 1))
    environment.add_picture("gone.jpg", None, GOOD)
    environment.add_picture("text.jpg", b"no picture", GOOD)
    environment.add_picture("half.jpg", face(103)[0][:1500], GOOD)
    environment.add_picture("bomb.png", bomb(), GOOD)
    environment.add_picture("twice.jpg", face(0)[0], GOOD)
    environment.add_picture("again-6.jpg", face(1)[0], GOOD)
    environment.add_picture("unseen.jpg", face(104)[0], GOOD, validated=False)


DEFECTS = {
    "nan.jpg": "label_not_finite",
    "null.jpg": "label_missing",
    "range.jpg": "label_out_of_range",
    "gone.jpg": "missing_object",
    "text.jpg": "not_an_image",
    "half.jpg": "truncated",
    "bomb.png": "too_large",
    "twice.jpg": "duplicate",
    "again-6.jpg": "duplicate",
}


def test_defects_are_counted_and_listed(environment):
    add_all_defects(environment)

    fetched = environment.stage("fetch-training-data", min_samples=10, max_bad_share=0.2)

    quarantine = environment.read_json(fetched["quarantine_uri"])["rows"]
    assert fetched["samples"] == 40
    assert fetched["excluded"] == Counter(DEFECTS.values())
    assert {row["name"]: row["reason"] for row in quarantine} == DEFECTS


def test_too_many_defects_stop_the_run(environment):
    add_all_defects(environment)

    refused = environment.stage("fetch-training-data", exit_code=2, min_samples=10, max_bad_share=0.1)

    assert "7 of 49 annotations (14.3%) are unusable, more than 10.0%" in refused["cause"]
    listed = environment.read_json(refused["cause"].rpartition("Each is listed in ")[2])
    assert len(listed["rows"]) == 9  # with the duplicates, which are not defects


def test_too_few_samples_are_said(environment):
    environment.add_faces(range(12))

    assert environment.stage("fetch-training-data", min_samples=13)["status"] == "insufficient_data"
    assert environment.stage("fetch-training-data", min_samples=12)["status"] == "success"


def test_no_annotations_at_all(environment):
    assert environment.stage("fetch-training-data")["status"] == "insufficient_data"


def test_shards_and_manifest_hold_all_samples_in_order(environment):
    environment.add_faces(range(30))

    fetched = environment.stage("fetch-training-data", min_samples=10)

    manifest = Manifest.model_validate_json(environment.read(fetched["manifest_uri"]))
    folder = fetched["manifest_uri"].removesuffix("manifest.json")
    packed = [item for shard in manifest.shards for item in unpack_shard(environment.read(folder + shard.name))]
    assert [sample for sample, _ in packed] == manifest.samples
    assert [sample.labels for sample in manifest.samples] == [face(identity)[1] for identity in range(30)]
    assert all(picture == prepare(face(identity)[0]) for identity, (_, picture) in enumerate(packed))


def test_unchanged_data_are_reused_and_nothing_is_downloaded(environment):
    environment.add_faces(range(20))
    first = environment.stage("fetch-training-data", "a", min_samples=10)
    folder = first["manifest_uri"].removesuffix("manifest.json")
    before = {o.key: o.etag for o in environment.store.list_folder(folder.split("/", 3)[3])}

    second = environment.stage("fetch-training-data", "b", min_samples=10)

    assert (first["reused"], second["reused"]) == (False, True)
    assert second["dataset_id"] == first["dataset_id"]
    assert {o.key: o.etag for o in environment.store.list_folder(folder.split("/", 3)[3])} == before


@pytest.mark.parametrize("change", ["label", "picture", "row"])
def test_any_change_makes_another_data_set(environment, change):
    environment.add_faces(range(20))
    first = environment.stage("fetch-training-data", min_samples=10)

    if change == "label":
        environment.execute("UPDATE emotion_labels SET user_boredom = 1.2345 WHERE img_name = 'face-00003.jpg'")
    elif change == "picture":
        environment.store.put_bytes(environment.store.uri("face-00003.jpg"), face(500)[0])
    else:
        environment.add_faces(range(20, 21))

    second = environment.stage("fetch-training-data", min_samples=10)
    assert second["dataset_id"] != first["dataset_id"]
    assert second["reused"] is False


def test_annotations_after_the_moment_are_left_out(environment):
    environment.add_faces(range(20))
    environment.execute("UPDATE emotion_labels SET timestamp = '2026-04-01 10:00'")
    environment.execute("UPDATE emotion_labels SET timestamp = '2026-04-01 12:00' WHERE img_name = 'face-00003.jpg'")

    fetched = environment.stage("fetch-training-data", min_samples=10, until="2026-04-01T13:30:00+02:00")

    assert fetched["samples"] == 19


@pytest.mark.parametrize(
    ("flags", "cause"),
    [
        ({"until": "yesterday"}, "not an ISO 8601"),
        ({"until": "0001-01-01T00:00:00+02:00"}, "not an ISO 8601"),
        ({"drift_report_id": "x"}, "is not a valid id"),
        ({"drift_report_id": "9" * 5000}, "is not a valid id"),
        ({"drift_report_id": 10**30}, f"there is no drift report with the id {10**30}"),
        ({"drift_report_id": 77}, "there is no drift report with the id 77"),
    ],
    ids=["until", "until-before-the-year-1", "report-no-number", "report-endless", "report-huge", "report-unknown"],
)
def test_bad_flags_fail_for_good(environment, flags, cause):
    assert cause in environment.stage("fetch-training-data", exit_code=2, **flags)["cause"]


def test_splits_load_as_they_were_packed(environment, tmp_path: Path):
    environment.add_faces(range(40))
    splits_uri = R2Uri.parse(environment.prepare()["splits_uri"])

    splits, loaded = load_splits(environment.store, splits_uri, ("train", "test"), tmp_path)

    names = [set(splits.names[split]) for split in ("train", "validation", "test")]
    assert sum(map(len, names)) == len(set.union(*names)) == 40
    for split, pixels in loaded.items():
        assert pixels.names == splits.names[split]
        for index, name in enumerate(pixels.names):
            content, levels = face(int(name[5:10]))
            assert np.array_equal(pixels.pixels[index], unpack(prepare(content)))
            assert pixels.labels[index].tolist() == pytest.approx(levels)


def test_a_shard_that_is_another_one_is_named(environment, tmp_path: Path):
    environment.add_faces(range(40))
    splits_uri = R2Uri.parse(environment.prepare()["splits_uri"])
    manifest = R2Uri.parse(environment.read_json(str(splits_uri))["manifest_uri"])
    shard = environment.store.uri(manifest.key.replace("manifest.json", "shard-000000.tar"))
    samples = [
        (sample.model_copy(update={"labels": GOOD}), picture)
        for sample, picture in unpack_shard(environment.read(str(shard)))
    ]
    environment.store.put_bytes(shard, pack(0, samples))

    with pytest.raises(BadInputError, match=r"shard-000000\.tar differs from the shard in its manifest"):
        load_splits(environment.store, splits_uri, ("train",), tmp_path)
