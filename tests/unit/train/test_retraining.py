"""The whole way: from annotations to a version that the Hub, MLflow and the database agree on, and back.

All tests share three retrainings, which take long: `story.py`. So they stay in one file, which one worker runs.
"""

import hashlib
import io
import json
import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from PIL import Image
from wakee_common.embeddings import FeatureModel, unpack_embeddings
from wakee_common.pictures import prepare
from wakee_contract.emotions import EMOTIONS
from wakee_train.data.splits import RULE_BY_PEOPLE
from wakee_train.release.mlflow_model import EXAMPLE, SERVING_EXAMPLE
from wakee_train.training.backbone import make_model, normalised
from wakee_train.training.weights import load_pickled, load_weights

from support.sandbox import PROGRAM, inherited_variables

from .environment import Environment, face
from .story import BETTER, FIRST, MARGIN, UI, WORSE, Story, three_retrainings

LOAD = Path(__file__).with_name("load_registered_model.py")


@pytest.fixture(scope="module")
def story(
    make_environment: Callable[[Path], Environment], mlflow_url: str, tmp_path_factory: pytest.TempPathFactory
) -> Story:
    return three_retrainings(make_environment(tmp_path_factory.mktemp("story")))


def test_first_version_is_promoted(story):
    assert story.first["evaluate"]["promote"] is True
    (reason,) = story.first["evaluate"]["reasons"]
    assert reason.startswith("there is no champion yet, compared with predicting the median: MAE ")
    assert story.first["update"]["is_production"] is True
    assert story.version("first").startswith("v20260401-")


def test_better_version_starts_from_the_champion_and_beats_it_by_the_margin(story):
    evaluated = story.better["evaluate"]

    assert story.better["tune"]["started_from"] == f"{story.repository}@{story.first['publish']['commit']}"
    assert evaluated["promote"] is True
    assert evaluated["champion_mae"] - evaluated["mae"] >= MARGIN
    assert evaluated["champion_mae"] == pytest.approx(story.first["evaluate"]["mae"], abs=1e-4)
    assert evaluated["champion_version"] == story.version("first")


def test_worse_version_is_kept_and_not_promoted(story):
    evaluated, published = story.worse["evaluate"], story.worse["publish"]

    assert evaluated["promote"] is False
    assert evaluated["mae"] > evaluated["champion_mae"]
    assert (published["promoted"], published["branch"]) == (False, f"candidate/{story.version('worse')}")
    assert story.worse["track"]["alias"] == "challenger"
    assert story.worse["update"]["is_production"] is False
    assert "model.onnx" in story.hub.list_repo_files(story.repository, revision=published["branch"])


def test_all_places_agree_on_the_production_version(story):
    assert set(story.production().values()) == {story.version("better")}


def test_hub_holds_one_commit_per_version(story):
    main = [commit.title for commit in story.hub.list_repo_commits(story.repository)]
    tags = {tag.name: tag.target_commit for tag in story.hub.list_repo_refs(story.repository).tags}

    assert main == [f"{story.version('better')}: promoted", f"{story.version('first')}: promoted", "initial commit"]
    assert tags == {story.version(which): getattr(story, which)["publish"]["commit"] for which in ("first", "better")}


def test_hub_holds_all_files(story):
    files = set(story.hub.list_repo_files(story.repository))

    assert {"model.onnx", "model.safetensors", "pytorch_model.bin", "config.json", "README.md", "metrics.json"} < files
    assert {"figures/gate.png", "figures/mae.png", "figures/confusion.png", "figures/confusion_champion.png"} < files


@pytest.fixture(scope="module")
def downloaded(story: Story, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    cache = tmp_path_factory.mktemp("cache")
    return lambda name: Path(story.hub.hf_hub_download(story.repository, name, cache_dir=cache))


def test_int8_variant_is_on_the_hub_in_the_version_that_has_one_only(story):
    exported, revision = story.first["export"], story.first["publish"]["commit"]
    path = story.hub.hf_hub_download(story.repository, "model_int8.onnx", revision=revision)
    card = Path(story.hub.hf_hub_download(story.repository, "README.md", revision=revision)).read_text()

    assert exported["int8"].startswith("kept: 1.00 ms per picture instead of 2.00 ms")
    assert Path(path).read_bytes() == story.environment.read(exported["int8_uri"])
    assert "`model_int8.onnx` is the same model in int8 arithmetic" in card
    assert story.better["export"]["int8"] is None
    assert "model_int8.onnx" not in story.hub.list_repo_files(story.repository)


def test_a_published_version_is_never_another_model(story):
    again = story.environment.train(FIRST, story.first["split"]["splits_uri"], epochs=1, seed=7)
    try:
        refused = story.environment.stage("evaluate", FIRST, exit_code=2, training=again["training_uri"])
    finally:
        restored = story.environment.train(FIRST, story.first["split"]["splits_uri"], epochs=1)

    assert "with other weights. Trigger a new run" in refused["cause"]
    assert restored["weights_sha256"] == story.first["tune"]["weights_sha256"]


def test_model_card_says_what_matters(story, downloaded):
    card = downloaded("README.md").read_text()

    assert f"<{UI}/#/models/{story.model}>" in card
    tracked = story.better["track"]
    assert f"| MLflow run | <{UI}/#/experiments/{tracked['experiment_id']}/runs/{tracked['mlflow_run_id']}> |" in card
    assert "**Status:** production (promoted). MAE " in card
    for text in ("Intended use", story.version("better"), story.better["split"]["dataset_id"], "wakee/train:test"):
        assert text in card
    assert f"{story.better['evaluate']['champion_mae']:.4f}" in card
    assert f"{story.better['evaluate']['mae']:.4f}" in card
    assert "Labels of the data set that say little about the pictures: 0 pictures with no slider moved; " in card
    split = story.better["split"]
    assert f"| test | {split['samples']['test']} | {split['people']['test']} | 0 | " in card


def test_models_of_a_new_installation_have_not_seen_the_test_people(story, downloaded):
    """The second one starts from the first one's weights."""
    assert json.loads(downloaded("config.json").read_text())["split_rule"] == RULE_BY_PEOPLE
    assert story.better["evaluate"]["notes"] == []


def test_onnx_from_the_hub_gives_the_answers_of_pytorch(story, downloaded):
    """Pictures go the API's way: resized to 256, the centre of 224 cropped."""
    pictures = [Image.open(io.BytesIO(face(identity)[0])).convert("RGB") for identity in range(900, 905)]
    crops = [picture.resize((256, 256), Image.Resampling.BILINEAR).crop((16, 16, 240, 240)) for picture in pictures]
    batch = normalised(torch.from_numpy(np.stack([np.asarray(crop) for crop in crops])))
    model = make_model("test_efficientnet", 112)
    model.backbone.load_state_dict(load_weights(downloaded("model.safetensors").read_bytes()))

    session = onnxruntime.InferenceSession(downloaded("model.onnx"))
    (answers,) = session.run(["output"], {"input": batch.numpy()})

    with torch.inference_mode():
        expected = model.eval()(batch).numpy()
    assert answers.shape == (5, 4)
    assert np.abs(answers - expected).max() < 1e-4


def test_onnx_keeps_the_contract(downloaded):
    graph = onnx.load(downloaded("model.onnx")).graph

    def shape(value: Any) -> list[Any]:
        dimensions = value.type.tensor_type.shape.dim
        return [dimension.dim_param or dimension.dim_value for dimension in dimensions]

    assert [(value.name, shape(value)[1:]) for value in graph.input] == [("input", [3, 224, 224])]
    assert [(value.name, shape(value)[1:]) for value in graph.output] == [("output", [4])]
    assert isinstance(shape(graph.input[0])[0], str)


def test_both_weight_files_hold_the_same(downloaded):
    safe, pickled = (
        load_weights(downloaded("model.safetensors").read_bytes()),
        load_pickled(downloaded("pytorch_model.bin")),
    )

    assert safe.keys() == pickled.keys()
    assert all(torch.equal(safe[name], pickled[name]) for name in safe)


def test_mlflow_holds_parameters_curves_metrics_figures_and_data(story):
    run = story.mlflow.get_run(story.better["track"]["mlflow_run_id"])

    assert run.info.status == "FINISHED"
    assert run.data.params["backbone"] == "test_efficientnet"
    assert run.data.tags["wakee.hf_commit"] == story.better["publish"]["commit"]
    assert run.data.metrics["test_mae"] == pytest.approx(story.better["evaluate"]["mae"], abs=1e-6)
    assert len(story.mlflow.get_metric_history(run.info.run_id, "validation_mae")) == story.better["tune"]["epochs_run"]
    for emotion in EMOTIONS:
        history = story.mlflow.get_metric_history(run.info.run_id, f"validation_mae_{emotion}")
        assert len(history) == story.better["tune"]["epochs_run"]
        assert abs(run.data.metrics[f"test_bias_{emotion}"]) <= run.data.metrics[f"test_mae_{emotion}"]
        assert run.data.metrics[f"test_calibration_error_{emotion}"] <= run.data.metrics[f"test_mae_{emotion}"]
    assert run.inputs.dataset_inputs[0].dataset.digest == story.better["split"]["dataset_id"]
    assert "figures/mae.png" in [file.path for file in story.mlflow.list_artifacts(run.info.run_id, "figures")]
    files = {file.path for file in story.mlflow.list_artifacts(run.info.run_id, "model")}
    assert files == {f"model/{name}" for name in ("MLmodel", "model.onnx", EXAMPLE, SERVING_EXAMPLE)}


def test_registered_champion_loads_with_mlflow_and_answers_as_the_one_on_the_hub(story, downloaded, tmp_path):
    """By both of MLflow's ways, with the sandbox's whole MLflow: the image's own has no pandas, which they need."""
    pictures = np.random.default_rng(0).normal(size=(2, 3, 224, 224)).astype(np.float32)
    np.save(tmp_path / "pictures.npy", pictures)
    (expected,) = onnxruntime.InferenceSession(downloaded("model.onnx")).run(["output"], {"input": pictures})
    uris = {"MLFLOW_TRACKING_URI": story.environment.variables["MLFLOW_TRACKING_URI"], "PYTHONWARNINGS": "ignore"}

    command = [PROGRAM.with_name("python"), LOAD, f"models:/{story.model}@champion", tmp_path]
    subprocess.run(command, env=inherited_variables() | uris, check=True, timeout=60)

    for flavour in ("onnx", "pyfunc"):
        np.testing.assert_allclose(np.load(tmp_path / f"{flavour}.npy"), expected, atol=1e-5)


def test_row_holds_metrics_counts_and_lineage(story):
    columns = "model_type, n_samples_train, n_samples_val, n_samples_test, triggered_by_drift_report_id, lineage"
    [(kind, train, validation, test, report, lineage)] = story.environment.execute(
        f"SELECT {columns} FROM model_versions WHERE version_name = %s", (story.version("first"),)
    )

    assert (kind, {"train": train, "validation": validation, "test": test}) == (
        "test_efficientnet",
        story.first["split"]["samples"],
    )
    assert report == lineage["drift_report_id"] == 1
    assert lineage["reference"].endswith("/evaluate/training_sample.json")
    assert lineage["dataset"]["id"] == story.first["split"]["dataset_id"]
    assert lineage["hub"]["commit"] == story.first["publish"]["commit"]
    assert lineage["mlflow"]["mlflow_run_id"] == story.first["track"]["mlflow_run_id"]
    assert lineage["onnx"]["sha256"] == story.first["export"]["onnx_sha256"]
    assert (lineage["image"], lineage["git_commit"][:4]) == ("wakee/train:test", "0123")


def test_recorded_onnx_is_the_one_on_the_hub(story, downloaded):
    assert hashlib.sha256(downloaded("model.onnx").read_bytes()).hexdigest() == story.better["export"]["onnx_sha256"]


def test_every_stage_run_again_leaves_the_same_state(story):
    before = story.state()

    for run_id, which in ((FIRST, "first"), (BETTER, "better"), (WORSE, "worse")):
        told = getattr(story, which)
        is_first = which == "first"
        results = story.environment.after_training(run_id, told["tune"], None, 1 if is_first else None, int8=is_first)
        assert results["publish"]["new_commit"] is False
        assert results["track"]["new_run"] is False
        assert results["publish"]["commit"] == told["publish"]["commit"]

    assert story.state() == before


def test_finished_training_is_not_repeated(story):
    before = story.environment.read(story.better["tune"]["weights_uri"])

    again = story.environment.train(BETTER, story.better["split"]["splits_uri"], start="auto", epochs=8)

    assert again["weights_sha256"] == story.better["tune"]["weights_sha256"]
    assert story.environment.read(again["weights_uri"]) == before


PRIVATE = ("second_look.html", "embeddings.npz", "features.onnx")
"""Files of `evaluate` that no other place may get: they show people's faces, or describe them."""


def published_files(story: Story, which: str, folder: Path) -> dict[str, bytes]:
    """The content of all files of a version on the Hub and in MLflow, by their paths below `folder`."""
    results = getattr(story, which)
    story.hub.snapshot_download(
        story.repository, revision=results["publish"]["commit"], local_dir=folder / "hub", cache_dir=folder / "cache"
    )
    (folder / "mlflow").mkdir()
    story.mlflow.download_artifacts(results["track"]["mlflow_run_id"], "", str(folder / "mlflow"))
    paths = [path for place in ("hub", "mlflow") for path in (folder / place).rglob("*") if path.is_file()]
    return {str(path.relative_to(folder)): path.read_bytes() for path in paths}


@pytest.mark.parametrize("which", ["better", "worse"])
def test_faces_and_what_describes_them_stay_in_the_bucket(story, tmp_path, which):
    evaluated = getattr(story, which)["evaluate"]
    folder = evaluated["second_look_uri"].rpartition("/")[0]
    private = {name: story.environment.read(f"{folder}/{name}") for name in PRIVATE}
    thumbnails = set(re.findall(rb"base64,([^\"]+)", private["second_look.html"]))

    published = published_files(story, which, tmp_path)

    assert 0 < len(thumbnails) <= 40
    assert {"hub/model.onnx", "mlflow/model/model.onnx", "mlflow/evaluation.json"} <= published.keys()
    assert not [path for path in published if path.endswith(PRIVATE)]
    digests = {hashlib.sha256(content).hexdigest() for content in private.values()}
    for path, content in published.items():
        assert hashlib.sha256(content).hexdigest() not in digests, path
        assert b"second_look" not in content, path
        assert b"data:image" not in content, path
        assert not [shown for shown in thumbnails if shown in content], path


def test_drift_detection_gets_the_properties_of_pictures_and_the_embeddings(story):
    [(lineage,)] = story.environment.execute(
        "SELECT lineage FROM model_versions WHERE version_name = %s", (story.version("better"),)
    )
    sample = story.environment.read_json(lineage["reference"])
    embeddings = unpack_embeddings(story.environment.read(sample["features"]["embeddings_uri"]), "embeddings")
    held_out = [row for row in sample["rows"] if row["split"] != "train"]

    assert all(row["picture"][3:] == [256, 256] and 0 < row["picture"][0] < 1 for row in sample["rows"])
    assert set(embeddings.people.tolist()) <= {row["person"] for row in held_out}
    assert len(embeddings.people) == len(held_out)
    model = FeatureModel(story.environment.read(sample["features"]["model_uri"]))
    name = f"face-{0:05d}.jpg"
    pixels = np.asarray(prepare(story.environment.store.get_bytes(story.environment.store.uri(name))).image)
    assert model(pixels[None]).shape == (1, embeddings.vectors.shape[1])


def test_unchanged_data_set_is_reused(story):
    fetched = story.environment.stage("fetch-training-data", "another-run", min_samples=10)

    assert fetched["reused"] is True
    assert fetched["dataset_id"] == story.first["split"]["dataset_id"]


def test_results_are_small(story):
    for results in (story.first, story.better, story.worse):
        assert max(len(json.dumps(result)) for result in results.values()) < 4096


def test_metrics_per_emotion_are_reported(story):
    assert list(story.better["evaluate"]["mae_per_emotion"]) == list(EMOTIONS)


def test_rollback_puts_all_places_back_and_can_be_repeated(story):
    before, first = story.state(), story.version("first")
    try:
        done = story.environment.stage("rollback", "rollback-1", version="previous")
        state = story.state()
        again = story.environment.stage("rollback", "rollback-1", version="previous")

        assert set(story.production().values()) == {first}
        assert (done["version"], done["replaced"]) == (first, story.version("better"))
        assert (done["new_commit"], done["alias_moved"], done["production_moved"]) == (True, True, True)
        assert (again["new_commit"], again["alias_moved"], again["production_moved"]) == (False, False, False)
        assert story.state() == state
        restored = story.hub.list_repo_tree(story.repository, recursive=True)
        original = story.hub.list_repo_tree(story.repository, recursive=True, revision=first)
        assert {f.path: f.blob_id for f in restored if hasattr(f, "blob_id")} == {
            f.path: f.blob_id for f in original if hasattr(f, "blob_id")
        }
        late = story.environment.after_training(BETTER, story.better["tune"])
        assert late["update"]["is_production"] is False, "a late retry must not undo the rollback"
        assert set(story.production().values()) == {first}
    finally:
        story.environment.stage("rollback", "rollback-2", version=story.version("better"))
    assert set(story.production().values()) == {story.version("better")}
    assert story.state()["tags"] == before["tags"]


def test_rollback_to_a_candidate_is_refused(story):
    refused = story.environment.stage("rollback", "rollback-3", exit_code=2, version=story.version("worse"))

    assert "has never been in production" in refused["cause"]
