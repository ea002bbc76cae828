"""Several processes train as one does: real processes, started by torchrun, that talk by gloo.

What is started here has a session of its own, as in a pod, so that no signal of it reaches the tests.
"""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.distributed.elastic.multiprocessing.errors import ChildFailedError, ProcessFailure
from wakee_common.errors import BadInputError, ConfigurationError, UnavailableError
from wakee_train.records import TrainingSettings
from wakee_train.settings import ProcessSettings
from wakee_train.training import launching
from wakee_train.training.backbone import make_model
from wakee_train.training.launching import number_of_processes
from wakee_train.training.process_group import ProcessGroup
from wakee_train.training.weights import load_weights

from support.sandbox import inherited_variables
from support.stages import options
from support.waiting import wait_for

from ..environment import SMALL, Environment
from . import two_processes
from .two_processes import CASES, WITHOUT_BATCH_NORM

FLOATS = {"rtol": 1e-3, "atol": 1e-4}
"""What the order of sums may change over a few steps of AdamW."""
FLAGS = {**WITHOUT_BATCH_NORM, "epochs": 8, "batch_size": 8}
FOLDER = "runs/model_retrain/together/fine_tune"
CHECKPOINT = f"{FOLDER}/checkpoint.pt"
CRAMPED = """
import os
if os.environ.get("RANK") == "1":
    import torch
    from wakee_train.training.trainer import Trainer
    enough = Trainer._part
    def part(self, pixels, *others):
        if len(pixels) > 2:
            raise torch.OutOfMemoryError("no room")
        return enough(self, pixels, *others)
    Trainer._part = part
"""


@pytest.fixture(scope="module")
def together(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[Any, Any]]:
    """What each of two processes came to: its trainings, and what it was told."""
    folder = tmp_path_factory.mktemp("together")
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node=2", "--local-addr=127.0.0.1"]
    torchrun += ["--rdzv-backend=c10d", "--rdzv-endpoint=127.0.0.1:0", two_processes.__file__, str(folder)]
    environment = os.environ | launching.ONE_NODE
    done = subprocess.run(
        torchrun, env=environment, capture_output=True, text=True, timeout=120, start_new_session=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return [
        (torch.load(folder / f"trained-{rank}.pt"), json.loads((folder / f"told-{rank}.json").read_text()))
        for rank in range(2)
    ]


@pytest.mark.parametrize("case", [name for name in CASES if name != "batch norm"])
def test_two_processes_train_the_weights_of_one(together, case):
    expected, alone, _ = two_processes.trained(ProcessGroup(), **CASES[case])
    weights, history, _ = together[0][0][case]

    assert weights.keys() == expected.keys()
    for name, tensor in expected.items():
        torch.testing.assert_close(weights[name], tensor, **FLOATS, msg=lambda text, name=name: f"{name}: {text}")
    for before, after in zip(alone, history, strict=True):
        assert after["train_loss"] == pytest.approx(before["train_loss"], rel=1e-4)
        assert after["learning_rate"] == before["learning_rate"]


def test_with_batch_norm_on_cpus_losses_are_close(together):
    """Each process normalises its own share, so weights are not equal."""
    _, alone, _ = two_processes.trained(ProcessGroup())

    assert together[0][0]["batch norm"][1][0]["train_loss"] == pytest.approx(alone[0]["train_loss"], rel=0.25)


def test_only_the_first_process_validates_and_saves(together):
    (first, _), (second, _) = together

    assert [saved for _, _, saved in first.values()] == [2] * len(CASES)
    assert [saved for _, _, saved in second.values()] == [0] * len(CASES)
    assert not any(best for best, _, _ in second.values())


def test_all_stop_after_the_step_in_which_one_was_told_to(together):
    assert [told["stopped"] for _, told in together] == [[False, 1, 3]] * 2


def test_all_stop_when_the_first_is_told_to_while_it_validates(together):
    assert [told["validating"] for _, told in together] == [[False, 1, 4]] * 2


def test_all_end_when_one_s_loss_is_no_number(together):
    causes = {told["spoilt"] for _, told in together}

    assert len(causes) == 1
    assert causes.pop().startswith("Training diverged: the loss is nan")


@pytest.fixture
def faces(environment: Environment) -> Environment:
    environment.add_faces(range(60))
    return environment


def start(environment: Environment, splits: str, python_path: str = "", **flags: Any) -> subprocess.Popen[str]:
    """`wakee-train fine-tune` with two processes."""
    given = {**SMALL, **FLAGS, "splits": splits, **flags}
    variables = environment.stage_variables("fine-tune", "together") | {
        "WAKEE_TRAINING_PROCESSES": "2",
        "PYTHONPATH": python_path,
    }
    return subprocess.Popen(
        [
            str(Path(sys.executable).with_name("wakee-train")),
            "fine-tune",
            *options(given),
        ],
        env=inherited_variables() | variables,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def workers(stage: int) -> dict[str, int]:
    """Process id of each rank below a stage."""
    children = Path(f"/proc/{stage}/task/{stage}/children").read_text().split()
    variables = {int(pid): Path(f"/proc/{pid}/environ").read_text().split("\0") for pid in children}
    return {v[5:]: pid for pid, values in variables.items() for v in values if v.startswith("RANK=")}


def outcome(environment: Environment) -> dict[str, Any]:
    return dict(json.loads(environment.store.get_bytes(environment.store.uri(f"{FOLDER}/result.json"))))


def ended(process: subprocess.Popen[str], exit_code: int) -> str:
    """The log of a stage that ended so."""
    _, log = process.communicate(timeout=120)
    assert process.returncode == exit_code, log
    return log


def killed(environment: Environment, splits: str, python_path: Path) -> str:
    """The log of a stage whose first process was killed after an epoch."""
    process = start(environment, splits, str(python_path))
    wait_for(lambda: environment.store.exists(environment.store.uri(CHECKPOINT)), 120, "a checkpoint", every=0.05)
    os.kill(workers(process.pid)["0"], signal.SIGKILL)
    return ended(process, 1)


def told_to_stop(environment: Environment, splits: str) -> str:
    """The log of a stage that got SIGTERM after one more epoch."""
    before = [stored.etag for stored in environment.store.list_folder(CHECKPOINT)]
    process = start(environment, splits)
    changed = lambda: [s.etag for s in environment.store.list_folder(CHECKPOINT)] != before  # noqa: E731
    wait_for(changed, 120, "another checkpoint", every=0.05)
    started = list(workers(process.pid).values())
    process.send_signal(signal.SIGTERM)
    log = ended(process, 1)
    assert len(started) == 2
    assert not any(Path(f"/proc/{pid}").exists() for pid in started)
    return log


def test_cramped_then_killed_then_stopped_then_alone_a_training_ends_as_one_that_went_through(faces, tmp_path):
    splits = faces.prepare()["splits_uri"]
    whole = faces.train("whole", splits, **FLAGS)
    (tmp_path / "sitecustomize.py").write_text(CRAMPED)

    log = killed(faces, splits, tmp_path)
    assert "out of memory: restarting from the checkpoint with 2 pictures at a time" in log
    assert outcome(faces)["cause"].startswith("training process 0 of 0 to 1 was killed by SIGKILL"), log
    log = told_to_stop(faces, splits)
    assert outcome(faces)["error"] == "InterruptedStageError", log
    assert "resumed at epoch" in log
    assert "2 x CPU" in log
    assert "writing a checkpoint after this step" in log
    resumed = faces.train("together", splits, **FLAGS)

    assert resumed["resumed"] is True
    assert (resumed["epochs_run"], resumed["best_epoch"]) == (whole["epochs_run"], whole["best_epoch"])
    expected = load_weights(faces.read(whole["weights_uri"]))
    for name, weights in load_weights(faces.read(resumed["weights_uri"])).items():
        torch.testing.assert_close(weights, expected[name], **FLOATS)


@pytest.mark.parametrize("size", [2, 3, 5, 6, 7, 16, 33])
@pytest.mark.parametrize("count", [1, 2, 3, 4])
def test_shares_cover_a_batch_once_in_parts_as_many_everywhere(count, size):
    groups = [ProcessGroup(rank, count) for rank in range(count)]
    shares = [r.share(size) for r in groups]
    lengths = [s.stop - s.start for s in shares]

    assert all(lengths) if size < 2 * count else sum(lengths) == size
    assert min(lengths) >= 2
    assert max(lengths) - min(lengths) <= 1
    for micro_batch in (1, 2, 5, 64):
        parts = {r.parts(size, micro_batch) for r in groups}
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


def test_an_error_in_a_process_is_the_stage_s_error():
    error = ChildFailedError("worker", {0: failure(0, 1, "BadInputError: the loss is nan", 1)})

    with pytest.raises(BadInputError, match=r"^the loss is nan$"):
        launching._smaller(job(16), 2, error.failures[0], error)


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
    model.backbone = ProcessGroup(0, 2).synchronised(model.backbone, torch.device("cuda"))

    assert any(isinstance(module, torch.nn.SyncBatchNorm) for module in model.modules())
    assert list(model.state_dict()) == names
    torch.testing.assert_close(model(pictures), before)
