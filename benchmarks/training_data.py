"""Pictures and labels of the sandbox's people as the splits of a training, without any service."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from wakee_sandbox.annotations import picture
from wakee_sandbox.habits import Habits
from wakee_sandbox.population import Options, Population, populate
from wakee_train.data.assignment import assign
from wakee_train.data.pictures import prepare, unpack
from wakee_train.data.records import Assignment, Facts, Sample
from wakee_train.data.shards import SplitPixels
from wakee_train.data.splits import TEST, TRAIN, VALIDATION

UNTIL, DAYS = datetime(2026, 1, 29), 28
BURST, UNEQUAL, PERSONAL_BIAS = 3.0, 0.5, 0.3
UNSEEN_PICTURES = 160
UNSEEN_SEED = 1_000


@dataclass(frozen=True)
class Data:
    """The splits of a seed.

    Attributes:
        early_train: Training pictures of the earlier half of the time.
        early_validation: Validation pictures of the earlier half.
        train: All training pictures.
        moments: When each of them was taken, as a share of the time, 0 to 1.
        validation: All validation pictures.
        test: All test pictures.
        unseen: Pictures of other people, who are in none of the splits.
    """

    early_train: SplitPixels
    early_validation: SplitPixels
    train: SplitPixels
    moments: NDArray[np.float64]
    validation: SplitPixels
    test: SplitPixels
    unseen: SplitPixels


def load_data(folder: Path, seed: int, *, rows: int, people: int) -> Data:
    """Draw the data of a seed, or read what was drawn before. `rows` pictures of `people` people are split."""
    known, unseen = _populated(seed, rows, people), _populated(UNSEEN_SEED + seed, UNSEEN_PICTURES, people)
    pixels = _drawn(known, folder / "known.npy")
    early, whole = _split(known)
    moments = np.arange(len(known.names)) / len(known.names)

    def members(splits: dict[str, str], split: str) -> list[int]:
        return [row for row, name in enumerate(known.names) if splits.get(name) == split]

    def chosen(splits: dict[str, str], split: str) -> SplitPixels:
        return _chosen(known, pixels, members(splits, split))

    return Data(
        chosen(early, TRAIN),
        chosen(early, VALIDATION),
        chosen(whole, TRAIN),
        moments[members(whole, TRAIN)],
        chosen(whole, VALIDATION),
        chosen(whole, TEST),
        _chosen(unseen, _drawn(unseen, folder / "unseen.npy"), range(len(unseen.names))),
    )


def _populated(seed: int, rows: int, people: int) -> Population:
    habits = Habits(people=people, burst=BURST, unequal=UNEQUAL, personal_bias=PERSONAL_BIAS)
    return populate(Options(UNTIL, rows=rows, days=DAYS, seed=seed, habits=habits))


def _drawn(population: Population, path: Path) -> NDArray[np.uint8]:
    """The pixels of all pictures, shape (N, 256, 256, 3), as a training reads them from the shards."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        drawn = [
            unpack(prepare(picture(tuple(map(float, levels)), visit.shot)))
            for levels, visit in zip(population.truth, population.visits, strict=True)
        ]
        np.save(path, np.stack(drawn))
    pixels: NDArray[np.uint8] = np.load(path, mmap_mode="r")
    return pixels


def _split(population: Population) -> tuple[dict[str, str], dict[str, str]]:
    """The split of each picture by its name: of the earlier half, and of all."""
    samples = [
        Sample(name=name, labels=tuple(map(float, levels)), facts=Facts(_person(visit.user), None, "", True))
        for name, levels, visit in zip(population.names, population.corrected, population.visits, strict=True)
    ]
    early = assign(samples[: len(samples) // 2], {}, [], Assignment())
    return early.splits, assign(samples, {}, [], early.assignment).splits


def _person(user: str | None) -> int:
    return int((user or "user-0").removeprefix("user-"))


def _chosen(population: Population, pixels: NDArray[np.uint8], rows: Sequence[int]) -> SplitPixels:
    labels = population.corrected[list(rows)].astype(np.float32)
    return SplitPixels([population.names[row] for row in rows], pixels[list(rows)], labels)
