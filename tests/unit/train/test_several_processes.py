"""Several processes train as one does: real processes, started by torchrun, that talk by gloo."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.distributed.elastic.multiprocessing.errors import ChildFailedError, ProcessFailure
from wakee_common.errors import ConfigurationError, UnavailableError
from wakee_train import launching
from wakee_train.backbone import make_model
from wakee_train.launching import number_of_processes
from wakee_train.ranks import Ranks
from wakee_train.records import TrainingSettings
from wakee_train.settings import ProcessSettings
from wakee_train.weights import load_weights

from .conftest import PASSING, SMALL, World

# Its norms are over channels, not over the batch: all of it learns, and shares of a batch are as good as the whole.
WITHOUT_BATCH_NORM = {"backbone": "test_convnext", "learning_rate": 0.001}
FLOATS = {"rtol": 1e-3, "atol": 1e-4}
"""What the order of sums may change over a few steps of AdamW."""


@pytest.fixture
def faces(world: World) -> World:
    world.add_faces(range(60))
    return world


def with_processes(world: World, count: int) -> World:
    world.environment["WAKEE_TRAINING_PROCESSES"] = str(count)
    return world


def trained(world: World, count: int, splits: str, run_id: str = "", **flags: Any) -> tuple[Any, Any]:
    """The weights and the record of a training."""
    result = with_processes(world, count).train(run_id or f"by-{count}", splits, **flags)
    weights = load_weights(world.read(result["weights_uri"]))
    return weights, world.read_json(result["training_uri"])


def start(world: World, splits: str, **flags: Any) -> subprocess.Popen[str]:
    """Two processes under a stage of its own, as in a pod."""
    passing = (*PASSING, "PYTHONPATH")
    environment = {name: os.environ[name] for name in passing if name in os.environ}
    given = {**SMALL, **WITHOUT_BATCH_NORM, "epochs": 6, "batch_size": 8, "splits": splits, **flags}
    return subprocess.Popen(
        [
            str(Path(sys.executable).with_name("wakee-train")),
            "fine-tune",
            *(f"--{flag.replace('_', '-')}={value}" for flag, value in given.items()),
        ],
        env=environment | with_processes(world, 2).variables("fine-tune", "stopped"),
        stderr=subprocess.PIPE,
        text=True,
    )


def workers(stage: int) -> dict[str, int]:
    """Process id of each rank below a stage."""
    children = Path(f"/proc/{stage}/task/{stage}/children").read_text().split()
    variables = {int(pid): Path(f"/proc/{pid}/environ").read_text().split("\0") for pid in children}
    return {v[5:]: pid for pid, values in variables.items() for v in values if v.startswith("RANK=")}


def outcome(world: World) -> dict[str, Any]:
    return dict(json.loads(world.store.get_bytes(world.store.uri("runs/model_retrain/stopped/fine_tune/result.json"))))


@pytest.mark.parametrize(
    "flags",
    [WITHOUT_BATCH_NORM, {"freeze_epochs": 2}, {**WITHOUT_BATCH_NORM, "freeze_epochs": 1}],
    ids=["all learns", "frozen", "first frozen"],
)
def test_two_processes_train_the_weights_of_one(faces, flags):
    splits = faces.prepare()["splits_uri"]
    (one, alone), (two, together) = (trained(faces, count, splits, **flags) for count in (1, 2))

    assert together["device"].startswith("2 x CPU")
    assert one.keys() == two.keys()
    for name, weights in one.items():
        torch.testing.assert_close(two[name], weights, **FLOATS, msg=lambda text, name=name: f"{name}: {text}")
    for before, after in zip(alone["history"], together["history"], strict=True):
        assert after["train_loss"] == pytest.approx(before["train_loss"], rel=1e-4)
        assert after["learning_rate"] == before["learning_rate"]


def test_with_batch_norm_on_cpus_losses_are_close(faces):
    """Each process normalises its own share, so weights are not equal."""
    splits = faces.prepare()["splits_uri"]
    (_, alone), (_, together) = (trained(faces, count, splits) for count in (1, 2))

    first = [record["history"][0]["train_loss"] for record in (alone, together)]
    assert first[1] == pytest.approx(first[0], rel=0.25)


def test_sigterm_leaves_a_checkpoint_from_which_one_process_goes_on(faces, wait_until: Callable[..., None]):
    splits = faces.prepare()["splits_uri"]
    flags = {**WITHOUT_BATCH_NORM, "epochs": 6, "batch_size": 8}
    whole, _ = trained(faces, 1, splits, **flags)
    process = start(faces, splits)
    checkpoint = faces.store.uri("runs/model_retrain/stopped/fine_tune/checkpoint.pt")
    wait_until(lambda: faces.store.exists(checkpoint), what="a checkpoint")
    started = list(workers(process.pid).values())
    process.send_signal(signal.SIGTERM)
    _, log = process.communicate(timeout=60)

    assert process.returncode == 1, log
    assert outcome(faces)["error"] == "InterruptedStageError", log
    assert "a checkpoint follows this step" in log
    assert len(started) == 2
    assert not any(Path(f"/proc/{pid}").exists() for pid in started)
    resumed, _ = trained(faces, 1, splits, "stopped", **flags)
    for name, weights in whole.items():
        torch.testing.assert_close(resumed[name], weights, **FLOATS)


@pytest.mark.parametrize("rank", ["0", "1"])
def test_a_killed_process_is_named_in_one_line_and_two_go_on(faces, wait_until: Callable[..., None], rank):
    splits = faces.prepare()["splits_uri"]
    process = start(faces, splits)
    checkpoint = faces.store.uri("runs/model_retrain/stopped/fine_tune/checkpoint.pt")
    wait_until(lambda: faces.store.exists(checkpoint), what="a checkpoint")
    os.kill(workers(process.pid)[rank], signal.SIGKILL)
    _, log = process.communicate(timeout=60)

    assert process.returncode == 1, log
    assert outcome(faces)["cause"].startswith(f"training process {rank} of 0 to 1 was killed by SIGKILL"), log
    again = with_processes(faces, 2).train("stopped", splits, **WITHOUT_BATCH_NORM, epochs=6, batch_size=8)
    assert again["resumed"] is True
    assert again["epochs_run"] == 6


def test_an_error_in_a_process_is_the_stage_s_error(faces):
    refused = with_processes(faces, 2).train(backbone="resnet_9000", exit_code=2)

    assert refused["error"] == "BadInputError"
    assert refused["cause"].startswith("timm knows no backbone 'resnet_9000'")


@pytest.mark.parametrize("size", [2, 3, 5, 6, 7, 16, 33])
@pytest.mark.parametrize("count", [1, 2, 3, 4])
def test_shares_cover_a_batch_once_in_parts_as_many_everywhere(count, size):
    ranks = [Ranks(rank, count) for rank in range(count)]
    shares = [r.share(size) for r in ranks]
    lengths = [s.stop - s.start for s in shares]

    assert all(lengths) if size < 2 * count else sum(lengths) == size
    assert min(lengths) >= 2
    assert max(lengths) - min(lengths) <= 1
    for micro_batch in (1, 2, 5, 64):
        parts = {r.parts(size, micro_batch) for r in ranks}
        assert len(parts) == 1
        assert 1 <= parts.pop() <= min(lengths)


def test_the_number_of_processes_follows_the_gpus(monkeypatch):
    settings = ProcessSettings(processes=0)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 4)

    assert number_of_processes(settings, 32) == 4
    assert number_of_processes(settings, 6) == 3
    assert number_of_processes(ProcessSettings(processes=1), 32) == 1
    with pytest.raises(ConfigurationError, match="there are 4 GPUs"):
        number_of_processes(ProcessSettings(processes=5), 32)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    assert number_of_processes(settings, 32) == 1


def failure(rank: int, exitcode: int, message: str, at: int) -> ProcessFailure:
    made = ProcessFailure(rank, 1, exitcode, "no file")
    recorded = {"message": message, "extraInfo": {"timestamp": str(at)}}  # as torch's `record` leaves it
    made.message, made.timestamp = recorded if exitcode > 0 else message, at  # type: ignore[assignment]
    return made


def job(micro_batch: int) -> Any:
    return launching.Job.model_construct(
        settings=TrainingSettings.model_construct(batch_size=16),
        micro_batch=micro_batch,
    )


@pytest.mark.parametrize(("micro_batch", "smaller"), [(16, 4), (5, 3), (2, 1)])
def test_too_little_memory_starts_again_with_smaller_parts(micro_batch, smaller):
    error = ChildFailedError("worker", {0: failure(0, 1, "OutOfMemoryError: no room", 1)})

    assert launching._smaller(job(micro_batch), 2, error.failures[0], error) == smaller


def test_too_little_memory_for_one_picture_fails():
    error = ChildFailedError("worker", {0: failure(0, 1, "OutOfMemoryError: no room", 1)})

    with pytest.raises(UnavailableError, match="training process 0 of 0 to 1 failed: OutOfMemoryError"):
        launching._smaller(job(1), 2, error.failures[0], error)


@pytest.mark.parametrize(
    ("failures", "rank"),
    [
        ([(1, "RuntimeError: Connection closed by peer", 5), (-9, "", 6)], 1),
        ([(-15, "", 6), (1, "BadInputError: the loss is nan", 5)], 1),
        ([(-9, "", 40), (1, "ValueError: a bug", 5)], 1),
    ],
    ids=["killed", "known", "hung and ended by the launcher"],
)
def test_the_cause_is_the_process_that_failed_not_those_that_followed(failures, rank):
    given = {number: failure(number, *what) for number, what in enumerate(failures)}

    assert launching._root_cause(given).local_rank == rank


def test_statistics_over_all_processes_leave_the_weights_names_and_outputs():
    """The conversion for GPUs; how it trains there is not tested here."""
    model = make_model("test_efficientnet", 32).eval()
    pictures = torch.rand(2, 3, 224, 224)
    before, names = model(pictures), list(model.state_dict())
    model.backbone = Ranks(0, 2).synchronised(model.backbone, torch.device("cuda"))

    assert any(isinstance(module, torch.nn.SyncBatchNorm) for module in model.modules())
    assert list(model.state_dict()) == names
    torch.testing.assert_close(model(pictures), before)
