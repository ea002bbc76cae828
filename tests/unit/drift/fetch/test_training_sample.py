"""The training data of the version in production on its way from the bucket into the report."""

import json

import numpy as np
import pytest
from wakee_common.uris import R2Uri
from wakee_drift.fetch.training_sample import hand_on_training_sample

from ..conftest import LAST_MONTH

ADDRESS = "runs/model_retrain/r/evaluate/training_sample.json"


def document(shift=0.0, **changes):
    levels = (np.random.default_rng(8).uniform(0.5, 2.5, (300, 4)) + shift).clip(0, 3).tolist()
    rows = [
        {
            "person": index,
            "split": "test" if index % 2 else "train",
            "labels": row,
            "predictions": row if index % 2 else None,
        }
        for index, row in enumerate(levels)
    ]
    whole = {"layout": 1, "version": "v7", "dataset_id": "d", "pictures": 300, "rows": rows}
    return json.dumps(whole | changes).encode()


def in_production(annotations, address, version="v7"):
    lineage = json.dumps({"reference": address})
    statement = "INSERT INTO model_versions (version_name, is_production, lineage) VALUES (%s, true, %s)"
    annotations.execute(statement + " RETURNING id", (version, lineage))


def loaded(annotations, pipeline, pod, content):
    if content is not None:
        pod.store.put_bytes(pod.store.uri(ADDRESS), content)
    in_production(annotations, str(pod.store.uri(ADDRESS)))
    annotations.add_drawn(120, 0.05)
    annotations.add_drawn(100, 0.05, seed=1, at=LAST_MONTH, prefix="old")
    return pipeline.load(pipeline.fetch())


def metrics_of(pipeline, pod, load):
    calculated = pipeline.calculate(load)
    return calculated, json.loads(pod.read(calculated["metrics_uri"]))


def test_the_window_is_compared_with_both_references(annotations, pipeline, pod):
    load = loaded(annotations, pipeline, pod, document(shift=-0.9))

    calculated, metrics = metrics_of(pipeline, pod, load)
    report = pipeline.report(load, calculated)

    training, rolling = metrics["distribution"], metrics["distribution_rolling"]
    assert (training["status"], training["against"]) == ("compared", "the training data of v7")
    assert all(column["drifted"] for column in training["columns"].values())
    assert (rolling["status"], rolling["against"]) == ("compared", "the 28 days before")
    assert not any(column["drifted"] for column in rolling["columns"].values())
    page = pod.read(report["html_uri"]).decode()
    assert "against the training data of v7" in page
    assert "against the 28 days before" in page
    numbers = json.loads(pod.read(report["json_uri"]))
    assert [each["against"] for each in numbers["distributions"]] == [training["against"], rolling["against"]]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        pytest.param(None, "training_sample.json", id="missing"),
        pytest.param(b'{"layout": 1, "rows": [', "is not a training sample of layout 1", id="damaged"),
        pytest.param(document(layout=2), "is not a training sample of layout 1: layout", id="other-layout"),
    ],
)
def test_a_sample_that_cannot_be_used_is_one_warning(pod, caplog, content, reason):
    if content is not None:
        pod.store.put_bytes(pod.store.uri(ADDRESS), content)
    folder = pod.store.uri("runs/d/r/load_predictions/")

    uri = hand_on_training_sample(pod.store, folder, "v7", str(pod.store.uri(ADDRESS)))

    [warning] = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert reason in warning
    handed_on = json.loads(pod.read(str(uri)))
    assert (handed_on["version"], handed_on["sample"]) == ("v7", None)
    assert reason in handed_on["reason"]


def test_without_a_usable_sample_the_reference_window_is_left(annotations, pipeline, pod):
    load = loaded(annotations, pipeline, pod, None)

    _, metrics = metrics_of(pipeline, pod, load)

    assert metrics["distribution"]["status"] == "skipped"
    assert "training_sample.json" in metrics["distribution"]["reason"]
    assert metrics["distribution_rolling"]["status"] == "compared"


def test_without_a_version_in_production_the_reason_is_given(annotations, pipeline, pod):
    annotations.add_drawn(20, 0.1)
    load = pipeline.load(pipeline.fetch())

    _, metrics = metrics_of(pipeline, pod, load)

    assert metrics["distribution"]["reason"] == "no version is in production"


def test_a_handed_on_file_that_is_gone_stops_nothing(annotations, pipeline, pod):
    load = loaded(annotations, pipeline, pod, document())
    pod.store.delete(R2Uri.parse(load["training_sample_uri"]))

    _, metrics = metrics_of(pipeline, pod, load)

    assert metrics["distribution"]["status"] == "skipped"
