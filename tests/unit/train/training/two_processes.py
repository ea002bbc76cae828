"""What `test_several_processes` trains: alone in its own process, or, by torchrun, in several (OUT_FOLDER)."""

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch
from wakee_common.errors import BadInputError
from wakee_train.data.shards import SplitPixels
from wakee_train.records import TrainingSettings
from wakee_train.training.backbone import make_model
from wakee_train.training.process_group import ProcessGroup, joined
from wakee_train.training.trainer import Trainer

# Its norms are over channels, not over the batch: all of it learns, and shares of a batch are as good as the whole.
WITHOUT_BATCH_NORM = {"backbone": "test_convnext", "learning_rate": 0.001}
CASES: dict[str, dict[str, Any]] = {
    "all learns": WITHOUT_BATCH_NORM,
    "frozen": {"freeze_epochs": 2},
    "first frozen": {**WITHOUT_BATCH_NORM, "freeze_epochs": 1},
    "accumulated": {**WITHOUT_BATCH_NORM, "micro_batch": 3},
    "from a champion": {**WITHOUT_BATCH_NORM, "from_champion": True},
    "batch norm": {},
}
ROWS = 35  # batches of 11 and 12, so that shares are not equal


def pixels(rows: int, seed: int) -> SplitPixels:
    chance = np.random.default_rng(seed)
    pictures = chance.integers(0, 256, (rows, 256, 256, 3), np.uint8)
    return SplitPixels([str(row) for row in range(rows)], pictures, chance.uniform(0, 3, (rows, 4)).astype(np.float32))


def trainer(
    processes: ProcessGroup, rows: int = ROWS, micro_batch: int = 16, from_champion: bool = False, **changes: Any
) -> Trainer:
    given = {"backbone": "test_efficientnet", "image_size": 32, "epochs": 2, "learning_rate": 0.005, "batch_size": 16}
    fixed = {"freeze_epochs": 0, "seed": 3, "start": "random", "patience": 5, "weight_decay": 0.01, "precision": "auto"}
    settings = TrainingSettings.model_validate({**fixed, **given, **changes})
    torch.manual_seed(processes.rank)  # the others' own weights must not matter
    model = make_model(settings.backbone, settings.image_size)
    splits = pixels(rows, 1), pixels(6, 2)
    made = Trainer(model, settings, *splits, torch.device("cpu"), processes, from_champion=from_champion)
    made.progress.micro_batch = micro_batch
    return made


def trained(processes: ProcessGroup, **changes: Any) -> tuple[dict[str, torch.Tensor], list[dict[str, Any]], int]:
    """The best weights, the history and how many checkpoints were written."""
    saved: list[int] = []
    learner = trainer(processes, **changes)
    learner.run(lambda: False, lambda: saved.append(1))
    return learner.best, learner.progress.history, len(saved)


def stopped(processes: ProcessGroup) -> tuple[bool, int, int]:
    """The last process alone is told to stop in its third step."""
    asked: list[int] = []
    learner = trainer(processes, rows=64, **WITHOUT_BATCH_NORM)

    def told() -> bool:
        asked.append(1)
        return processes.rank == processes.count - 1 and len(asked) == 3

    return learner.run(told, lambda: None), learner.progress.epoch, learner.progress.step


def stopped_validating(processes: ProcessGroup) -> tuple[bool, int, int]:
    """The first process, which alone validates, is told to stop when all steps of an epoch are done."""
    learner = trainer(processes, rows=64, **WITHOUT_BATCH_NORM)
    whole = learner.run(lambda: processes.first and learner.progress.step == learner.steps_per_epoch, lambda: None)
    return whole, learner.progress.epoch, learner.progress.step


def spoilt(processes: ProcessGroup) -> str:
    """The last process alone computes a loss that is no number."""
    learner = trainer(processes)
    if processes.rank == processes.count - 1:
        learner.train.labels[:] = np.nan
    try:
        learner.run(lambda: False, lambda: None)
    except BadInputError as error:
        return str(error)
    return ""


def main(folder: Path) -> None:
    torch.set_num_threads(1)
    with joined() as (processes, _):
        done = {name: trained(processes, **changes) for name, changes in CASES.items()}
        torch.save(done, folder / f"trained-{processes.rank}.pt")
        told = {"stopped": stopped(processes), "validating": stopped_validating(processes), "spoilt": spoilt(processes)}
        (folder / f"told-{processes.rank}.json").write_text(json.dumps(told))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
