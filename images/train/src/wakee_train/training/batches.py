"""The batches of an epoch, prepared in a thread while the device computes the batch before.

Everything random depends on (seed, epoch, step) only, so a training can be resumed at any step.
"""

from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from wakee_common.concurrency import map_ahead

from wakee_train.data.shards import SplitPixels
from wakee_train.training.augmentation import crop_and_mirror, light_factors, places_and_mirrors, shuffled
from wakee_train.training.process_group import ProcessGroup, even_batches

AHEAD = 2
"""Batches that are prepared or wait for the device."""


class Batch(NamedTuple):
    """One process's share of a batch.

    Attributes:
        pixels: The cropped and mirrored pictures, (N, 224, 224, 3) uint8.
        labels: Their levels, (N, 4) float32.
        light: Factors of contrast and brightness, (2, N, 1, 1, 1).
        seed: Seed of this process's dropout.
        size: Number of pictures of the whole batch, of all processes.
    """

    pixels: Tensor
    labels: Tensor
    light: Tensor
    seed: int
    size: int


@dataclass(frozen=True)
class Batches:
    """The batches of a training split.

    Attributes:
        split: The training split.
        batch_size: The largest number of pictures of a batch.
        seed: Seed of order and augmentation.
        processes: The group of training processes, which share every batch.
        pinned: Whether to use page-locked memory, from which a GPU copies while it computes.
    """

    split: SplitPixels
    batch_size: int
    seed: int
    processes: ProcessGroup
    pinned: bool = False

    @cached_property
    def slices(self) -> list[slice]:
        """The places of each batch in an epoch's order."""
        return even_batches(len(self.split), self.batch_size)

    def pictures(self, first: int, end: int) -> int:
        """Number of pictures of the steps from `first` to before `end`."""
        return sum(part.stop - part.start for part in self.slices[first:end])

    def of_epoch(self, epoch: int, first: int) -> Generator[Batch, None, None]:
        """Yield the batches of an epoch from step `first` on."""
        order = shuffled(len(self.split), self.seed, epoch)
        steps = list(enumerate(self.slices))[first:]
        with ThreadPoolExecutor(1) as pool:
            yield from map_ahead(pool, lambda step: self.batch(order[step[1]], epoch, step[0]), steps, AHEAD)

    def batch(self, rows: np.ndarray, epoch: int, step: int) -> Batch:
        """Prepare this process's share of the pictures `rows`."""
        rows = np.sort(rows)
        chance = np.random.default_rng((self.seed, epoch, step))
        places, mirrored = places_and_mirrors(len(rows), chance)
        light, seed = light_factors(len(rows), chance), int(chance.integers(2**62))
        mine = self.processes.share(len(rows))
        pixels = torch.from_numpy(crop_and_mirror(self.split.pixels[rows[mine]], places[mine], mirrored[mine]))
        labels = torch.from_numpy(self.split.labels[rows[mine]])
        pixels, labels, light = (self._placed(tensor) for tensor in (pixels, labels, light[:, mine]))
        return Batch(pixels, labels, light, seed + self.processes.rank, len(rows))

    def _placed(self, tensor: Tensor) -> Tensor:
        return tensor.pin_memory() if self.pinned else tensor
