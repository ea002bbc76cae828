"""Which choices of a fine-tuning lower the error: each choice alone against none, over several seeds.

    .venvs/train/bin/python benchmarks/training_choices.py                 # 5 seeds, 5 to 30 minutes
    .venvs/train/bin/python benchmarks/training_choices.py --quick         # 2 seeds of few pictures, to try it out
    .venvs/train/bin/python benchmarks/training_choices.py --repetitions 10 --publish

Every seed has its own people, pictures and labels from the sandbox's generators, drawn without any service. People are
split as `split-dataset` does it, first with the earlier half of the time, then with all of it. A champion is trained
from random weights on the earlier half. Each variant then starts from the champion and trains on the whole.

`none` is a training as from any other weights. `epoch 0` and `interpolation` choose on validation between its weights,
the champion's, and mixtures of both, which needs no training of their own. `even batches` have nearly the
same size; without them the last one of an epoch is smaller. The other variants change a setting. Commit 9f40709 has
further ones behind switches: layer-wise learning rates, crops of another scale, blur, JPEG compression, weights by
recency. They were measured with its version of this script and then removed.

What is compared: the mean absolute error (MAE, 0 to 3) on the validation split, which also selects the epoch, and on
people of whom no picture is in any split. A choice between more candidates lowers the validation MAE by definition
(epoch 0, interpolation), so that the unseen people decide there. A choice is kept if it lowers the MAE on validation by
more than one standard error, and does not raise it on unseen people.

Differences are between variants of the same seed, so that their standard error contains no difference between seeds.
Negative is better.

Resumable: data, champions and results lie in .build/training_choices. What is there is not made again; delete the
folder to start anew. Each result is a line of runs.jsonl with the commit whose code it measured. Results of choices
that the code no longer has stay in the table.
"""

import json
import statistics
import sys
import time
from argparse import Namespace
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import machine
import numpy as np
import torch
from document import Goal, publish
from harness import REPO, options_of

sys.path.append(str(REPO / "images" / "sandbox" / "src"))  # not installed beside the trainer

from training_data import Data, load_data
from wakee_train.data.shards import training_batches
from wakee_train.records import TrainingSettings
from wakee_train.training.backbone import EmotionRegressor, make_model
from wakee_train.training.heads import centre_heads
from wakee_train.training.interpolation import ALPHAS, interpolated, mixture
from wakee_train.training.prediction import predict
from wakee_train.training.trainer import Trainer
from wakee_train.training.weights import State

FOLDER = REPO / ".build" / "training_choices"
BACKBONE, IMAGE_SIZE, BATCH_SIZE, RATE = "test_efficientnet", 64, 16, 0.005
CHAMPION_EPOCHS, EPOCHS = 25, 4
CPU, THREADS = torch.device("cpu"), 1
CHAMPION, TRAINED = 0.0, 1.0
CANDIDATES = (CHAMPION, *ALPHAS, TRAINED)
SPLITS = ("validation", "unseen", "test")
NONE, EVEN, ALL = "none", "even batches", "all kept"
VARIANTS: dict[str, dict[str, float]] = {
    NONE: {},
    EVEN: {},
    "learning rate / 3": {"learning_rate": RATE / 3},
    "learning rate / 10": {"learning_rate": RATE / 10},
    ALL: {},
}
"""Changes of the settings."""


class Unmixed(Trainer):
    """Ends with the weights of the best epoch."""

    def _choose_mixture(self, should_stop: Callable[[], bool]) -> bool:
        return True


def settings(seed: int, epochs: int, variant: str = NONE) -> TrainingSettings:
    """The parameters of `fine-tune`: small, and without an early end."""
    usual = TrainingSettings(
        backbone=BACKBONE,
        image_size=IMAGE_SIZE,
        epochs=epochs,
        learning_rate=RATE,
        batch_size=BATCH_SIZE,
        freeze_epochs=0,
        seed=seed,
        start="hub",
        patience=epochs,
        weight_decay=0.01,
        precision="fp32",
    )
    return usual.model_copy(update=VARIANTS[variant])


def champion(data: Data, seed: int, path: Path) -> State:
    """The champion's weights: trained on the earlier half of the time, or read from the file."""
    if not path.exists():
        torch.manual_seed(seed)
        model = make_model(BACKBONE, IMAGE_SIZE)
        centre_heads(model, data.early_train.labels)
        trainer = Trainer(model, settings(seed, CHAMPION_EPOCHS), data.early_train, data.early_validation, CPU)
        trainer.run(lambda: False, lambda: None)
        torch.save(trainer.best, path)
    state: State = torch.load(path, weights_only=True)
    return state


def fine_tune(data: Data, start: State, seed: int, variant: str) -> Trainer:
    """Train a variant from the champion."""
    torch.manual_seed(seed)
    model = make_model(BACKBONE, IMAGE_SIZE)
    model.backbone.load_state_dict(start)
    given = settings(seed, EPOCHS, variant)
    trainer = Unmixed(model, given, data.train, data.validation, CPU, from_champion=True)
    if variant not in (EVEN, ALL):
        trainer._slices = training_batches(len(data.train), BATCH_SIZE)  # a smaller last batch
    trainer.run(lambda: False, lambda: None)
    return trainer


def measure(data: Data, start: State, seed: int, variant: str) -> dict[str, Any]:
    """Train a variant, and measure it, and, of none and all, the mixtures with the champion, on three splits."""
    begun = time.monotonic()
    trainer = fine_tune(data, start, seed, variant)
    seconds = time.monotonic() - begun
    alphas = CANDIDATES if variant in (NONE, ALL) else (TRAINED,)
    return {
        "variant": variant,
        "seed": seed,
        "epoch": trainer.progress.best_epoch,
        "maes": {str(alpha): _maes(data, _model(trainer, data, start, alpha)) for alpha in alphas},
        "seconds": round(seconds, 1),
        "commit": machine.commit(),
    }


def _model(trainer: Trainer, data: Data, start: State, alpha: float) -> EmotionRegressor:
    if alpha in (CHAMPION, TRAINED):
        trainer.average.backbone.load_state_dict(trainer.best if alpha else start)
        return trainer.average
    return mixture(trainer.average, interpolated(start, trainer.best, alpha), data.train, CPU, lambda: False)


def _maes(data: Data, model: EmotionRegressor) -> dict[str, float]:
    splits = {name: getattr(data, name) for name in SPLITS}
    return {
        name: round(float(np.abs(predict(model, split, CPU) - split.labels).mean()), 6)
        for name, split in splits.items()
    }


def run_all(options: Namespace, seeds: range, path: Path) -> None:
    """Measure what is not in the file yet, and append it."""
    done = {(row["variant"], row["seed"]) for row in read(path)}
    for seed in seeds:
        if wanted := [variant for variant in VARIANTS if (variant, seed) not in done]:
            folder = path.parent / f"seed-{seed}"
            data = load_data(folder, seed, rows=options.pictures, people=options.people)
            run_seed(data, seed, wanted, folder, path)


def run_seed(data: Data, seed: int, variants: Sequence[str], folder: Path, path: Path) -> None:
    """Measure variants on the data of a seed, and append each result to the file."""
    start = champion(data, seed, folder / "champion.pt")
    for variant in variants:
        row = measure(data, start, seed, variant)
        with path.open("a") as file:
            file.write(json.dumps(row) + "\n")
        mae = row["maes"][str(TRAINED)]["validation"]
        print(f"  seed {seed}, {variant}: {row['seconds']:.0f} s, validation MAE {mae}", file=sys.stderr, flush=True)


def read(path: Path) -> list[dict[str, Any]]:
    """The results so far."""
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


Errors = dict[int, dict[str, float]]
"""Seed -> split -> MAE."""


def errors(rows: Sequence[dict[str, Any]], variant: str, alphas: Sequence[float] = (TRAINED,)) -> Errors:
    """The MAE of a variant, of that mixture of these alphas which validation chooses."""
    found = {row["seed"]: [row["maes"][str(alpha)] for alpha in alphas] for row in rows if row["variant"] == variant}
    return {seed: min(maes, key=lambda mae: mae["validation"]) for seed, maes in found.items()}


def choices(rows: Sequence[dict[str, Any]]) -> Iterator[tuple[str, Errors]]:
    """The errors of every choice, those first that the code has."""
    yield "epoch 0", errors(rows, NONE, (CHAMPION, TRAINED))
    yield "interpolation", errors(rows, NONE, CANDIDATES)
    measured = list(dict.fromkeys(row["variant"] for row in rows))
    for variant in sorted(measured, key=lambda name: name not in VARIANTS):
        if variant not in (NONE, ALL):
            yield variant, errors(rows, variant)
    if ALL in measured:
        yield ALL, errors(rows, ALL, CANDIDATES)


def difference(some: Errors, base: Errors, split: str) -> tuple[float, float]:
    """Mean and standard error of the differences between two variants."""
    found = [some[seed][split] - base[seed][split] for seed in sorted(some.keys() & base.keys())]
    spread = statistics.stdev(found) if len(found) > 1 else float("nan")
    return statistics.mean(found), spread / len(found) ** 0.5


def table(rows: Sequence[dict[str, Any]]) -> str:
    """Each choice against none, with the differences of the MAE on validation and on unseen people."""
    base = errors(rows, NONE)
    lines = ["| choice | seeds | validation | unseen people |", "|---|---:|---:|---:|"]
    lines.append(f"| {NONE} | {len(base)} | {mean(base, 'validation'):.3f} | {mean(base, 'unseen'):.3f} |")
    for name, found in choices(rows):
        cells = [written(difference(found, base, split)) for split in ("validation", "unseen")]
        lines.append(f"| {name} | {len(found)} | {' | '.join(cells)} |")
    return "\n".join(lines)


def written(value: tuple[float, float]) -> str:
    """A difference with its standard error."""
    return f"{value[0]:+.3f} ± {value[1]:.3f}"


def mean(found: Errors, split: str) -> float:
    """The mean over the seeds."""
    return statistics.mean(maes[split] for maes in found.values())


def report(rows: Sequence[dict[str, Any]], *, write: bool) -> None:
    """Print the table, the test MAE before and after, and the goal; write them into the page if asked to."""
    after = errors(rows, ALL, CANDIDATES)
    before = {seed: maes for seed, maes in errors(rows, NONE).items() if seed in after}
    test = difference(after, before, "test")
    goal = Goal("test MAE of a fine-tuning with all choices kept, less that with none", "-", written(test), None)
    text = f"{table(rows)}\n\nDifferences: mean ± standard error. Test MAE of {len(after)} seeds: "
    text += f"{mean(before, 'test'):.3f} with none, {mean(after, 'test'):.3f} with all kept: {written(test)}."
    publish("training_choices", [goal], text, write=write, packages=["torch", "timm"])


def main() -> None:
    """Measure and report."""
    options = options_of(__doc__ or "", repetitions=5, pictures=500, people=40)
    torch.set_num_threads(THREADS)
    path = FOLDER / "runs.jsonl"
    if options.quick:
        options.pictures, options.people, path = 160, 16, FOLDER / "quick" / "runs.jsonl"
    path.parent.mkdir(parents=True, exist_ok=True)
    run_all(options, range(options.repetitions or (2 if options.quick else 5)), path)
    report(read(path), write=options.publish)


if __name__ == "__main__":
    main()
