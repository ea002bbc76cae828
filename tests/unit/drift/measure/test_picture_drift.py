"""The window's pictures against the training pictures, from the table and the bucket to the report."""

import functools
import io
import json

import numpy as np
import pytest
from PIL import Image, ImageEnhance, ImageFilter
from wakee_common.embeddings import Embeddings, pack_embeddings
from wakee_common.picture_statistics import measure_picture
from wakee_common.pictures import prepare
from wakee_drift.measure import picture_drift
from wakee_drift.measure.picture_comparison import described
from wakee_drift.records import PictureDrift

PEOPLE, PICTURES_EACH = 20, 2
ADDRESS, EMBEDDINGS, FEATURES = (f"runs/r/evaluate/{n}" for n in ("training_sample.json", "embeddings.npz", "f.onnx"))


@functools.cache
def photo(person: int, number: int, size: tuple[int, int] = (320, 240)) -> Image.Image:
    """A picture of a person: soft shapes about a brightness of their own."""
    habit, now = np.random.default_rng((1, person)), np.random.default_rng((2, person, number))
    shapes = habit.uniform(-60, 60, (6, 8, 3)) + now.uniform(-25, 25, (6, 8, 3))
    middle = habit.normal(130, 15) + now.normal(0, 8)
    smooth = Image.fromarray((middle + shapes).clip(0, 255).astype(np.uint8)).resize(size, Image.Resampling.BICUBIC)
    grain = now.normal(0, habit.uniform(6, 9), (size[1], size[0], 1))
    return Image.fromarray((np.asarray(smooth) + grain).clip(0, 255).astype(np.uint8))


def file_of(image: Image.Image) -> bytes:
    file = io.BytesIO()
    image.save(file, "JPEG", quality=90)
    return file.getvalue()


@functools.cache
def training_rows(picture: bool) -> list[dict]:
    rows = []
    for person in range(PEOPLE):
        for number in range(PICTURES_EACH):
            image, width, height = prepare(file_of(photo(person, number)))
            statistics = list(measure_picture(np.asarray(image), width, height)) if picture else None
            rows.append({"person": person, "split": "test", "labels": [1, 1, 1, 1], "picture": statistics})
    return rows


def put_version(annotations, store, *, features: bytes | None = None, picture: bool = True) -> None:
    rows = training_rows(picture)
    document = {"layout": 1, "version": "v7", "dataset_id": "d", "pictures": len(rows), "rows": rows}
    if features is not None:
        uris = {"model_uri": str(store.uri(FEATURES)), "embeddings_uri": str(store.uri(EMBEDDINGS))}
        document |= {"features": uris}
        store.put_bytes(store.uri(FEATURES), features)
        store.put_bytes(store.uri(EMBEDDINGS), pack_embeddings(embeddings()))
    store.put_bytes(store.uri(ADDRESS), json.dumps(document).encode())
    statement = "INSERT INTO model_versions (version_name, is_production, lineage) VALUES ('v7', true, %s) RETURNING id"
    annotations.execute(statement, (json.dumps({"reference": str(store.uri(ADDRESS))}),))


@functools.cache
def embeddings() -> Embeddings:
    """What `MEANS` says of the training pictures."""
    cells = [
        np.asarray(prepare(file_of(photo(person, number))).image)[16:240, 16:240].mean(axis=(0, 1)) / 255
        for person in range(PEOPLE)
        for number in range(PICTURES_EACH)
    ]
    normalised = (np.array(cells) - (0.485, 0.456, 0.406)) / (0.229, 0.224, 0.225)
    return Embeddings(normalised.astype(np.float32), np.repeat(np.arange(PEOPLE), PICTURES_EACH))


def put_window(annotations, store, change=lambda image: image, validated=True, prefix="w") -> None:
    """Pictures of the same people, on other days; `change` is what the camera did."""
    for person in range(PEOPLE):
        own, levels = f"{prefix}{person}-", [[1, 1, 1, 1]] * PICTURES_EACH
        for number in range(PICTURES_EACH):
            store.put_bytes(store.uri(f"{own}{number}.jpg"), file_of(change(photo(person, 100 + number))))
        annotations.add(levels, levels, prefix=own, user_id=f"u{person}", is_validated=validated)


def darker(image: Image.Image) -> Image.Image:
    return ImageEnhance.Brightness(image).enhance(0.7)


CHANGES = {
    "nothing": (lambda image: image, set()),
    "darker": (darker, {"brightness", "contrast"}),
    "out of focus": (lambda image: image.filter(ImageFilter.GaussianBlur(6)), {"sharpness"}),
    "another camera": (lambda image: image.resize((640, 480)), {"width", "height"}),
}


@pytest.mark.parametrize(("change", "expected"), CHANGES.values(), ids=CHANGES)
def test_what_the_camera_did_is_found(annotations, pipeline, pod, change, expected):
    put_version(annotations, pod.store)
    put_window(annotations, pod.store, change)

    found = pipeline.calculate_with_pictures(pipeline.fetch())

    drifted = {name for name, column in found["pictures"]["columns"].items() if column["drifted"]}
    assert expected <= drifted
    assert bool(drifted) is bool(expected)
    assert found["pictures"]["pictures"] == PEOPLE * PICTURES_EACH
    assert found["pictures"]["skipped_columns"] == {"embedding": picture_drift.NO_EMBEDDINGS}
    line = found["result"]["pictures"]
    assert line.startswith("against the training pictures of v7: ")
    assert all(f"{name} (median " in line for name in drifted)


@pytest.fixture(scope="module")
def means() -> bytes:
    """A model whose features are the means of red, green and blue."""
    import base64

    return base64.b64decode(MEANS)


@pytest.mark.parametrize(
    ("change", "drifted"), [(CHANGES["nothing"][0], False), (darker, True)], ids=["same", "darker"]
)
def test_embeddings_are_compared(annotations, pipeline, pod, means, change, drifted):
    put_version(annotations, pod.store, features=means)
    put_window(annotations, pod.store, change)

    found = pipeline.calculate_with_pictures(pipeline.fetch())["pictures"]

    assert found["skipped_columns"] == {}
    assert found["columns"]["embedding"]["drifted"] is drifted


def test_rows_without_annotation_count(annotations, pipeline, pod):
    """Half of the window, which nobody annotated, is dark."""
    put_version(annotations, pod.store)
    put_window(annotations, pod.store)
    put_window(annotations, pod.store, darker, validated=False, prefix="nobody")

    fetched = pipeline.fetch()
    found = pipeline.calculate_with_pictures(fetched)["pictures"]

    assert (fetched["rows"], fetched["pictures"]) == (40, 80)
    assert found["pictures"] == 80
    assert found["columns"]["brightness"]["drifted"]


def test_unreadable_pictures_are_counted_and_fail_nothing(annotations, pipeline, pod):
    put_version(annotations, pod.store)
    put_window(annotations, pod.store)
    content = file_of(photo(1, 1, (1024, 1024)))
    for name, stored in (("gone", None), ("half", content[: len(content) // 2]), ("text", b"no picture")):
        if stored is not None:
            pod.store.put_bytes(pod.store.uri(f"{name}.jpg"), stored)
        annotations.add([[1, 1, 1, 1]], [[1, 1, 1, 1]], img_name=f"{name}.jpg", s3_path=f"{name}.jpg")
    annotations.add([[1, 1, 1, 1]], [[1, 1, 1, 1]], img_name="up", s3_path="a/../../up")

    found = pipeline.calculate_with_pictures(pipeline.fetch())

    unreadable = {"forbidden_key": 1, "missing_object": 1, "not_an_image": 1, "truncated": 1}
    assert found["pictures"]["unreadable"] == unreadable
    assert found["pictures"]["status"] == "compared"
    assert found["result"]["pictures"].endswith(
        "; unreadable: forbidden_key 1, missing_object 1, not_an_image 1, truncated 1"
    )


def test_the_sample_is_bounded_and_the_same_every_time(annotations, pipeline, pod):
    put_version(annotations, pod.store)
    put_window(annotations, pod.store)

    first, second = (pipeline.fetch(picture_sample=35) for _ in range(2))

    assert first["pictures"] == 35
    assert pipeline.calculate_with_pictures(first)["pictures"]["pictures"] == 35
    assert pod.read(first["pictures_uri"]) == pod.read(second["pictures_uri"])


def skipped(annotations, pipeline, pod, **fetch_flags):
    put_window(annotations, pod.store)
    found = pipeline.calculate_with_pictures(pipeline.fetch(**fetch_flags))
    assert found["pictures"]["status"] == "skipped"
    assert found["result"]["status"] == "success"
    assert found["result"]["pictures"] == f"not compared: {found['pictures']['reason']}"
    return found["pictures"]["reason"]


def test_zero_switches_it_off(annotations, pipeline, pod):
    put_version(annotations, pod.store)

    assert "picture_sample is 0" in skipped(annotations, pipeline, pod, picture_sample=0)


def test_an_older_version_is_not_compared(annotations, pipeline, pod):
    put_version(annotations, pod.store, picture=False)

    reason = skipped(annotations, pipeline, pod)

    assert reason == (f"0 training pictures with these values, fewer than 30; {picture_drift.NO_EMBEDDINGS}")


def test_without_a_version_nothing_is_compared(annotations, pipeline, pod):
    assert skipped(annotations, pipeline, pod) == "no version is in production"


@pytest.mark.parametrize("broken", [FEATURES, EMBEDDINGS])
def test_damaged_features_leave_the_properties(annotations, pipeline, pod, means, broken):
    put_version(annotations, pod.store, features=means)
    put_window(annotations, pod.store, darker)
    pod.store.put_bytes(pod.store.uri(broken), b"damaged")

    found = pipeline.calculate_with_pictures(pipeline.fetch())["pictures"]

    assert found["columns"]["brightness"]["drifted"]
    assert "embedding" in found["skipped_columns"]


def test_any_error_is_a_reason(annotations, pipeline, pod, monkeypatch):
    put_version(annotations, pod.store)
    monkeypatch.setattr(picture_drift, "measure_sample", lambda *_: 1 / 0)

    assert skipped(annotations, pipeline, pod) == "ZeroDivisionError: division by zero"


def test_the_report_shows_it(annotations, run_stages, pod):
    put_version(annotations, pod.store)
    put_window(annotations, pod.store, darker)

    results = run_stages()

    line = results["calculate"]["pictures"]
    assert f"<th>Camera</th><td>{line}</td>" in pod.read(results["report"]["html_uri"]).decode()
    assert json.loads(pod.read(results["report"]["json_uri"]))["pictures"]["columns"]["brightness"]["drifted"]
    [(document,)] = annotations.execute("SELECT report_json FROM drift_reports")
    assert document["pictures"]["columns"]["brightness"]["drifted"]
    assert results["save"]["retrain"] is False


def test_a_skipped_comparison_is_described():
    drift = PictureDrift(status="skipped", reason="it is gone", unreadable={"truncated": 2})

    assert described(drift) == "not compared: it is gone; unreadable: truncated 2"


MEANS = """
CAk6cgokCgVpbnB1dBIIZmVhdHVyZXMiEUdsb2JhbEF2ZXJhZ2VQb29sEgFnWiIKBWlucHV0EhkKFwgBEhMKAxIBbgoCCAMKAwjgAQoDCOABYi
MKCGZlYXR1cmVzEhcKFQgBEhEKAxIBbgoCCAMKAggBCgIIAUIECgAQEg==
"""
"""`features.onnx` as base64: input -> GlobalAveragePool -> features. This environment cannot write ONNX files."""
