"""A retraining with `publish` off does everything up to the ONNX file, and changes nothing outside its own folder."""

from typing import Any

import pytest

from .environment import FEW_PICTURES, SMALL, Environment
from .places import Places

REHEARSAL = "rehearsal"
OFF = {"no-publish": True}


def outside(environment: Environment) -> dict[str, Any]:
    """All that others can see: bucket, tables, Hub and MLflow, but for the rehearsal's own folder."""
    places, store = Places(environment), environment.store
    own = tuple(f"{folder}runs/model_retrain/{REHEARSAL}" for folder in ("", "private/"))
    keys = [key for key in store.list_keys("") if not key.startswith(own)]
    experiment = places.mlflow.get_experiment_by_name(places.model)
    assert experiment is not None
    runs = places.mlflow.search_runs([experiment.experiment_id])
    refs = places.hub.list_repo_refs(places.repository)
    return {
        "objects": {key: store.get_version(store.uri(key))[1] for key in keys},
        "rows": environment.execute("SELECT to_jsonb(v) FROM model_versions v ORDER BY id"),
        "promotions": environment.execute("SELECT to_jsonb(p) FROM promotions p ORDER BY id"),
        "refs": {ref.name: ref.target_commit for ref in (*refs.branches, *refs.tags)},
        "tags": (experiment.tags, places.mlflow.get_registered_model(places.model).tags),
        "runs": {run.info.run_id: run.info.status for run in runs},
    }


def rehearse(environment: Environment) -> dict[str, dict[str, Any]]:
    checked = environment.stage("check-targets", REHEARSAL, **OFF)
    fetched = environment.stage("fetch-training-data", REHEARSAL, min_samples=10, **OFF)
    split = environment.stage("split-dataset", REHEARSAL, manifest=fetched["manifest_uri"], **OFF)
    tuned = environment.stage("fine-tune", REHEARSAL, splits=split["splits_uri"], **SMALL | {"epochs": 1})
    judged = environment.stage("evaluate", REHEARSAL, training=tuned["training_uri"], **FEW_PICTURES, **OFF)
    exported = environment.stage("export-onnx", REHEARSAL, evaluation=judged["evaluation_uri"], parity_samples=4, **OFF)
    return {"check": checked, "fetch": fetched, "split": split, "evaluate": judged, "export": exported}


@pytest.fixture
def retrained(environment: Environment) -> Environment:
    """A model in production, and more annotations since."""
    environment.add_faces(range(60))
    environment.retrain("first", epochs=1)
    environment.add_faces(range(60, 90))
    return environment


def test_a_rehearsal_changes_nothing_outside_its_folder(retrained):
    before = outside(retrained)

    rehearsed = rehearse(retrained)

    assert outside(retrained) == before
    assert rehearsed["check"]["production"]
    assert rehearsed["fetch"]["samples"] == 90
    folder = f"runs/model_retrain/{REHEARSAL}/"
    assert all(folder in rehearsed[stage][uri] for stage, uri in (("fetch", "manifest_uri"), ("split", "splits_uri")))
    assert rehearsed["evaluate"]["champion_version"] == rehearsed["check"]["production"]
    assert rehearsed["export"]["status"] == "not_published"
    assert retrained.read(rehearsed["export"]["onnx_uri"])


def test_a_rehearsal_on_known_data_uses_what_is_there(environment):
    environment.add_faces(range(60))
    shared = environment.prepare("first")

    fetched = environment.stage("fetch-training-data", REHEARSAL, min_samples=10, **OFF)
    split = environment.stage("split-dataset", REHEARSAL, manifest=fetched["manifest_uri"], **OFF)

    assert fetched["reused"] is True
    assert split["splits_uri"] == shared["splits_uri"]
