"""`fine-tune` as a stage: interrupted, resumed, and started from weights that are not as they should be."""

import hashlib
import io
import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from huggingface_hub import HfApi
from wakee_common.uris import R2Uri
from wakee_train.data.records import Splits
from wakee_train.records import TrainingSettings, read_record
from wakee_train.training.fine_tuning import training_fingerprint

from support.sandbox import HUB_TOKEN, inherited_variables
from support.stages import options
from support.waiting import wait_for

from ..environment import SMALL, Environment
from .small_trainings import settings

UNSET = {"freeze_epochs": 0, "seed": 0, "patience": 5, "weight_decay": 0.01, "precision": "auto"}
"""The command's defaults of what `SMALL` does not set."""


@pytest.fixture
def faces(environment: Environment) -> Environment:
    environment.add_faces(range(60))
    return environment


def start(environment: Environment, run_id: str, splits: str, **flags: Any) -> subprocess.Popen[str]:
    """`wakee-train fine-tune` as a process, as in a pod."""
    return subprocess.Popen(
        [
            str(Path(sys.executable).with_name("wakee-train")),
            "fine-tune",
            *options({"splits": splits, **SMALL, **flags}),
        ],
        env=inherited_variables() | environment.stage_variables("fine-tune", run_id),
        stderr=subprocess.PIPE,
        text=True,
    )


def test_sigterm_leaves_a_checkpoint_from_which_a_retry_ends_the_same(faces):
    splits = faces.prepare()["splits_uri"]
    whole = faces.train("whole", splits, epochs=5, batch_size=8)
    process = start(faces, "stopped", splits, epochs=5, batch_size=8)
    folder = "runs/model_retrain/stopped/fine_tune"
    wait_for(lambda: faces.store.exists(faces.store.uri(f"{folder}/checkpoint.pt")), 60, "a checkpoint", every=0.05)
    process.send_signal(signal.SIGTERM)
    _, log = process.communicate(timeout=60)
    record = json.loads(faces.store.get_bytes(faces.store.uri(f"{folder}/result.json")))

    resumed = faces.train("stopped", splits, epochs=5, batch_size=8)

    assert process.returncode == 1, log
    assert (record["status"], record["error"]) == ("failed", "InterruptedStageError")
    assert resumed["resumed"] is True
    assert resumed["weights_sha256"] == whole["weights_sha256"]
    assert not faces.store.exists(faces.store.uri(f"{folder}/checkpoint.pt"))


def test_a_checkpoint_of_other_settings_is_not_used(faces):
    file = io.BytesIO()
    torch.save({"fingerprint": "of another training"}, file)
    faces.store.put_bytes(faces.store.uri("runs/model_retrain/run-1/fine_tune/checkpoint.pt"), file.getvalue())

    assert faces.train(epochs=1)["resumed"] is False


def test_a_checkpoint_of_another_program_is_not_used(faces):
    file = io.BytesIO()
    splits = faces.prepare()["splits_uri"]
    stored = read_record(faces.store, R2Uri.parse(splits), Splits)
    given = TrainingSettings.model_validate({**UNSET, **SMALL, "epochs": 1})
    torch.save({"fingerprint": training_fingerprint(stored, given)}, file)
    faces.store.put_bytes(faces.store.uri("runs/model_retrain/run-1/fine_tune/checkpoint.pt"), file.getvalue())

    assert faces.train(splits=splits, epochs=1)["resumed"] is False


def test_the_result_compares_with_the_champion_and_names_epoch_and_alpha(faces):
    splits = faces.prepare()["splits_uri"]
    first = faces.train("first", splits, epochs=1)
    repository = faces.variables["HF_MODEL_REPO"]
    api = HfApi(endpoint=faces.variables["HF_ENDPOINT"], token=HUB_TOKEN)
    api.create_repo(repository)
    weights = faces.store.get_bytes(R2Uri.parse(first["weights_uri"]))
    api.upload_file(path_or_fileobj=weights, path_in_repo="model.safetensors", repo_id=repository)

    tuned = faces.train("second", splits, epochs=1, start="hub")

    assert tuned["started_from"].startswith(f"{repository}@")
    maes = tuned["validation_mae_per_alpha"]
    assert list(maes) == ["0", "0.25", "0.5", "0.75", "1"]
    assert maes["0"] == tuned["champion_validation_mae"] == pytest.approx(first["best_validation_mae"], abs=1e-5)
    assert tuned["best_validation_mae"] == min(maes.values()) == maes[f"{tuned['alpha']:g}"]
    assert tuned["best_epoch"] == (1 if tuned["alpha"] else 0)
    assert (first["alpha"], first["champion_validation_mae"], first["validation_mae_per_alpha"]) == (1, None, {})


def test_production_weights_that_are_not_there_are_named(faces):
    refused = faces.train(start="hub", exit_code=2)

    assert "does not exist on the Hub" in refused["cause"]
    assert "start=random" in refused["cause"]


def test_pretrained_weights_that_cannot_be_had_name_the_remedies(faces):
    """In a process of its own: timm reads the Hub's address when it is imported."""
    splits = faces.prepare()["splits_uri"]
    process = start(faces, "run-1", splits, start="imagenet")
    _, log = process.communicate(timeout=60)

    assert process.returncode == 2, log
    assert "the pretrained weights of test_efficientnet are not available" in log
    assert "start=random" in log


def test_weights_that_changed_are_not_evaluated(faces):
    tuned = faces.train(epochs=1)
    faces.store.put_bytes(R2Uri.parse(tuned["weights_uri"]), b"other weights")
    faces.stage("check-targets")  # makes the repository

    refused = faces.stage("evaluate", exit_code=2, training=tuned["training_uri"])

    assert "changed since the training ended" in refused["cause"]


@pytest.mark.parametrize("command", [[], ["fine-tune"], ["evaluate"], ["rollback"]], ids=lambda c: c[0] if c else "all")
def test_help_loads_nothing_heavy(command):
    program = "import sys; from wakee_train.cli import app\ntry: app(sys.argv[1:])\nfinally: print(sorted(sys.modules))"
    answer = subprocess.run(
        [sys.executable, "-c", program, *command, "--help"], capture_output=True, text=True, check=True
    )

    heavy = ("torch", "timm", "onnx", "onnxruntime", "mlflow", "huggingface_hub", "numpy", "boto3", "PIL")
    assert "Usage" in answer.stdout
    assert not [name for name in heavy if f"'{name}'" in answer.stdout]


def test_a_training_from_before_a_setting_existed_is_known_again():
    splits = Splits(dataset_id="0", manifest_uri="r2://b/m", rule="by name", statistics={}, names={})
    before = settings().model_dump(exclude={"loss", "deterministic"})

    assert TrainingSettings.model_validate(before).loss == "smooth_l1"
    text = f"0 by name {json.dumps(before, separators=(',', ':'))}"
    assert training_fingerprint(splits, settings()) == hashlib.sha256(text.encode()).hexdigest()
    assert training_fingerprint(splits, settings(loss="l1")) != training_fingerprint(splits, settings())
