"""Which choices of a fine-tuning lower the error: each choice alone against none, over several seeds.

    .venvs/train/bin/python benchmarks/training_choices.py                 # 5 seeds, about 30 minutes on 2 cores
    .venvs/train/bin/python benchmarks/training_choices.py --quick         # 2 seeds of few pictures, to try it out
    .venvs/train/bin/python benchmarks/training_choices.py --publish       # also write docs/benchmarks.md

Every seed has its own people, pictures and labels from the sandbox's generators, drawn without any service. People are
split as `split-dataset` does it, first with the earlier half of the time, then with all of it. A champion is trained
from random weights on the earlier half. Each variant then starts from the champion and trains on the whole, with one
choice of `wakee_train.training.recipe` changed against none.

What is compared: the mean absolute error (MAE, 0 to 3) on the validation split, which also selects the epoch, and on
`unseen` people, who select nothing. Choosing between more candidates lowers the validation MAE by definition (epoch 0,
interpolation), so that the unseen people decide there. The test split is only shown for none and all of the choices.

A difference is that of the same seed, so its standard error contains no difference between seeds. Negative is better.

Resumable: data, champions and results lie in .build/training_choices. What is there is not made again; delete the
folder to start anew. Each result is a line of runs.jsonl with the commit whose code it measured.
"""

import json
import statistics
import sys
import time
from argparse import Namespace
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import machine
import numpy as np
import torch
from document import publish
from harness import REPO, options_of

for image in ("contract", "common", "sandbox", "train"):  # the sandbox is not installed beside the trainer
    sys.path.insert(0, str(REPO / "images" / image / "src"))

from training_data import Data, load_data  # noqa: E402
from wakee_train.data.shards import SplitPixels  # noqa: E402
from wakee_train.records import TrainingSettings  # noqa: E402
from wakee_train.training.backbone import EmotionRegressor, make_model  # noqa: E402
from wakee_train.training.heads import centre_heads  # noqa: E402
from wakee_train.training.interpolation import interpolated, mixture  # noqa: E402
from wakee_train.training.prediction import predict  # noqa: E402
from wakee_train.training.recipe import Recipe  # noqa: E402
from wakee_train.training.trainer import Trainer  # noqa: E402
from wakee_train.training.weights import State  # noqa: E402

FOLDER = REPO / ".build" / "training_choices"
BACKBONE, IMAGE_SIZE, BATCH_SIZE, RATE = "test_efficientnet", 64, 16, 0.005
CHAMPION_EPOCHS, EPOCHS = 25, 4
ALPHAS = (0.0, 0.25, 0.5, 0.75, 1.0)
CPU, THREADS = torch.device("cpu"), 1
NONE = Recipe(alphas=(1.0,))
RECENT = "weight by recency"
VARIANTS: dict[str, Recipe] = {
    "none": NONE,
    "learning rate / 3": replace(NONE, champion_rate=1 / 3),
    "learning rate / 10": replace(NONE, champion_rate=1 / 10),
    "layer decay 0.85": replace(NONE, layer_decay=0.85),
    "even batches": replace(NONE, even_batches=True),
    "crop scale 0.85 to 1.1": replace(NONE, scales=(0.85, 1.1)),
    "blur": replace(NONE, blur=0.2),
    "JPEG compression": replace(NONE, compression=0.3),
    RECENT: NONE,
}
MIXED = ("none",)
"""Variants of which the mixtures with the champion are measured, too."""


class RecencyTrainer(Trainer):
    """Weighs each picture: the fifth column of the labels is its weight."""

    def _part(self, pixels: torch.Tensor, labels: torch.Tensor, light: torch.Tensor, weight: float) -> float:
        from torch.nn.functional import smooth_l1_loss
        from wakee_train.training.augmentation import relit
        from wakee_train.training.backbone import normalised

        levels = self.model(relit(normalised(pixels), light).contiguous(memory_format=torch.channels_last))
        each = smooth_l1_loss(levels, labels[:, :4], reduction="none").mean(1) * labels[:, 4]
        loss = each.mean() * weight
        loss.backward()  # type: ignore[no-untyped-call]
        return float(loss.detach())


def settings(seed: int, epochs: int) -> TrainingSettings:
    """The parameters of `fine-tune`: small, and without an early end."""
    return TrainingSettings(
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


def champion(data: Data, seed: int, folder: Path) -> State:
    """The champion's weights: trained on the earlier half of the time, or read."""
    path = folder / "champion.pt"
    if not path.exists():
        torch.manual_seed(seed)
        model = make_model(BACKBONE, IMAGE_SIZE)
        centre_heads(model, data.early_train.labels)
        trainer = Trainer(
            model, settings(seed, CHAMPION_EPOCHS), data.early_train, data.early_validation, CPU, recipe=NONE
        )
        trainer.run(lambda: False, lambda: None)
        torch.save(trainer.best, path)
    state: State = torch.load(path, weights_only=True)
    return state


def fine_tune(data: Data, start: State, seed: int, variant: str) -> Trainer:
    """Train a variant from the champion."""
    torch.manual_seed(seed)
    model = make_model(BACKBONE, IMAGE_SIZE)
    model.backbone.load_state_dict(start)
    train, kind = data.train, Trainer
    if variant == RECENT:
        kind, train = RecencyTrainer, _weighted(data)
    trainer = kind(
        model, settings(seed, EPOCHS), train, data.validation, CPU, recipe=VARIANTS[variant], from_champion=True
    )
    trainer.run(lambda: False, lambda: None)
    return trainer


def _weighted(data: Data) -> SplitPixels:
    """The training split with a fifth column: a weight that halves within half of the time, 1 on average."""
    weights = 2.0 ** (2 * (data.moments - 1))
    labels = np.column_stack([data.train.labels, weights / weights.mean()]).astype(np.float32)
    return SplitPixels(data.train.names, data.train.pixels, labels)


def measure(data: Data, start: State, seed: int, variant: str) -> dict[str, Any]:
    """Train a variant; returns the MAE of each mixture with the champion on the three splits."""
    begun = time.monotonic()
    trainer = fine_tune(data, start, seed, variant)
    seconds = time.monotonic() - begun
    states = (start, trainer.best)
    alphas = ALPHAS if variant in MIXED else ALPHAS[-1:]
    maes = {str(alpha): _maes(data, _mixture(trainer, states, alpha, data.train)) for alpha in alphas}
    plain = {str(alpha): _maes(data, _plain(trainer, states, alpha)) for alpha in alphas[1:-1]}
    return {
        "variant": variant,
        "seed": seed,
        "epoch": trainer.progress.best_epoch,
        "maes": maes,
        "statistics_interpolated": plain,
        "seconds": round(seconds, 1),
        "commit": machine.commit(),
    }


def _mixture(trainer: Trainer, states: tuple[State, State], alpha: float, train: SplitPixels) -> EmotionRegressor:
    return mixture(trainer.average, states, alpha, train, CPU, lambda: False)


def _plain(trainer: Trainer, states: tuple[State, State], alpha: float) -> EmotionRegressor:
    """The mixture whose batch statistics are interpolated as the weights are."""
    trainer.average.backbone.load_state_dict(interpolated(*states, alpha))
    return trainer.average


def _maes(data: Data, model: EmotionRegressor) -> dict[str, float]:
    splits = {"validation": data.validation, "unseen": data.unseen, "test": data.test}
    return {
        name: round(float(np.abs(predict(model, split, CPU) - split.labels).mean()), 6)
        for name, split in splits.items()
    }


def run_all(options: Namespace, seeds: range, path: Path) -> None:
    """Measure what is not in the file yet, and append it."""
    done = {(row["variant"], row["seed"]) for row in read(path)}
    for seed in seeds:
        wanted = [variant for variant in VARIANTS if (variant, seed) not in done]
        if not wanted:
            continue
        folder = path.parent / f"seed-{seed}"
        data = load_data(folder, seed, rows=options.pictures, people=options.people)
        start = champion(data, seed, folder)
        for variant in wanted:
            row = measure(data, start, seed, variant)
            with path.open("a") as file:
                file.write(json.dumps(row) + "\n")
            found = row["maes"]["1.0"]["validation"]
            print(
                f"  seed {seed}, {variant}: {row['seconds']:.0f} s, validation MAE {found}", file=sys.stderr, flush=True
            )


def read(path: Path) -> list[dict[str, Any]]:
    """The results so far."""
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def error_of(row: dict[str, Any], alphas: Sequence[float], split: str) -> float:
    """The MAE on a split of the mixture that validation chooses among these."""
    chosen = min(alphas, key=lambda alpha: row["maes"][str(alpha)]["validation"])
    return float(row["maes"][str(chosen)][split])


Errors = dict[int, dict[str, float]]
"""Seed -> split -> MAE."""


def errors(rows: Sequence[dict[str, Any]], variant: str, alphas: Sequence[float] = (1.0,)) -> Errors:
    """The MAE per seed and split of a variant, with a choice among these mixtures."""
    splits = ("validation", "unseen", "test")
    return {
        row["seed"]: {split: error_of(row, alphas, split) for split in splits}
        for row in rows
        if row["variant"] == variant
    }


def difference(some: Errors, base: Errors, split: str) -> tuple[float, float]:
    """Mean and standard error of the paired differences."""
    found = [some[seed][split] - base[seed][split] for seed in sorted(some.keys() & base.keys())]
    spread = statistics.stdev(found) if len(found) > 1 else float("nan")
    return statistics.mean(found), spread / len(found) ** 0.5


def contestants(rows: Sequence[dict[str, Any]]) -> Iterator[tuple[str, Errors]]:
    """Every choice alone, with its errors."""
    yield "epoch 0", errors(rows, "none", (0.0, 1.0))
    yield "interpolation", errors(rows, "none", ALPHAS)
    for variant in VARIANTS:
        if variant != "none":
            yield variant, errors(rows, variant)


def table(rows: Sequence[dict[str, Any]]) -> str:
    """Each choice against none."""
    base = errors(rows, "none")
    lines = ["| choice | validation MAE | difference | unseen people |", "|---|---:|---:|---:|"]
    lines.append(f"| none | {_mean(base, 'validation'):.4f} | | |")
    for name, found in contestants(rows):
        cells = [
            f"{mean:+.4f} ± {error:.4f}"
            for mean, error in (difference(found, base, s) for s in ("validation", "unseen"))
        ]
        lines.append(f"| {name} | {_mean(found, 'validation'):.4f} | {cells[0]} | {cells[1]} |")
    return "\n".join(lines)


def _mean(found: Errors, split: str) -> float:
    return statistics.mean(one[split] for one in found.values())


def main() -> None:
    """Measure and report."""
    options = options_of(__doc__ or "", repetitions=5, pictures=500, people=40)
    torch.set_num_threads(THREADS)
    path = FOLDER / "runs.jsonl"
    if options.quick:
        options.pictures, options.people, path = 160, 16, FOLDER / "quick" / "runs.jsonl"
    path.parent.mkdir(parents=True, exist_ok=True)
    run_all(options, range(options.repetitions or (2 if options.quick else 5)), path)
    rows = read(path)
    publish("training_choices", [], table(rows), write=options.publish, packages=["torch", "timm"])


if __name__ == "__main__":
    main()
