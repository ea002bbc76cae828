"""The processes that train together, seen from one of them; alone, all of this does nothing.

Control values (losses, the wish to stop, progress) go by gloo on the CPU; gradients go by NCCL between GPUs.
"""

import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from datetime import timedelta
from itertools import pairwise
from math import ceil
from typing import TypeVar

import torch
from torch import distributed, nn
from torch.nn.parallel import DistributedDataParallel

T = TypeVar("T")

LONGEST_WAIT = timedelta(hours=2)
"""The others wait while the first fetches weights, validates and uploads; a dead process the launcher notices."""
ONE_NODE = {"GLOO_SOCKET_IFNAME": "lo", "NCCL_SOCKET_IFNAME": "lo"}


@dataclass(frozen=True)
class Ranks:
    """This process's number among those that train together; the first (0) alone validates, saves and tells."""

    rank: int = 0
    count: int = 1

    @property
    def first(self) -> bool:
        """Whether this is the process that speaks for all."""
        return self.rank == 0

    def share(self, size: int) -> slice:
        """The part of a batch that this process computes; all of one too small to give everyone two pictures."""
        return slice(0, size) if size < 2 * self.count else even_slices(size, self.count)[self.rank]

    def parts(self, size: int, micro_batch: int) -> int:
        """Into how many parts of about so many pictures every process cuts its share of a batch; the same for all."""
        shared_by = 1 if size < 2 * self.count else self.count
        return min(ceil(ceil(size / shared_by) / micro_batch), size // shared_by)

    def sum(self, value: float) -> float:
        """The sum over all processes."""
        if self.count == 1:
            return value
        total = torch.tensor(value, dtype=torch.float64)
        distributed.all_reduce(total)
        return float(total)

    def any(self, condition: bool) -> bool:
        """Whether it is so in any process; the same answer in all."""
        return self.sum(float(condition)) > 0

    def from_first(self, value: T) -> T:
        """What the first process has."""
        if self.count == 1:
            return value
        carried = [value]
        distributed.broadcast_object_list(carried, src=0, device=torch.device("cpu"))
        return carried[0]

    def synchronised(self, model: nn.Module, device: torch.device) -> nn.Module:
        """On GPUs, batch statistics over the pictures of all processes; gloo has none, there they are each one's."""
        if self.count == 1 or device.type != "cuda":
            return model
        from timm.layers.norm_act import convert_sync_batchnorm  # torch's own would lose timm's fused activations

        converted: nn.Module = convert_sync_batchnorm(model)  # type: ignore[no-untyped-call]
        return converted

    def replicated(self, model: nn.Module, device: torch.device, some_frozen: bool) -> nn.Module:
        """The model with the first process's weights, whose gradients become the mean over all processes."""
        if self.count == 1:
            return model
        ids = [device] if device.type == "cuda" else None
        return DistributedDataParallel(model, device_ids=ids, find_unused_parameters=some_frozen)


def unsynchronised(model: nn.Module | None, wanted: bool) -> AbstractContextManager[None]:
    """Keep gradients to this process for now, when wanted and when there are others."""
    return model.no_sync() if wanted and isinstance(model, DistributedDataParallel) else nullcontext()


def even_slices(size: int, parts: int) -> list[slice]:
    """So many slices of all but the same length."""
    edges = [size * part // parts for part in range(parts + 1)]
    return [slice(start, end) for start, end in pairwise(edges)]


@contextmanager
def joined() -> Iterator[tuple[Ranks, torch.device]]:
    """Join the processes that torchrun started; gives this one's place and device."""
    device = torch.device("cpu")
    if torch.cuda.is_available():
        device = torch.device("cuda", int(os.environ["LOCAL_RANK"]))
        torch.cuda.set_device(device)
    backend = "cpu:gloo,cuda:nccl" if device.type == "cuda" else "gloo"
    distributed.init_process_group(backend, timeout=LONGEST_WAIT)
    try:
        yield Ranks(distributed.get_rank(), distributed.get_world_size()), device
    finally:
        distributed.destroy_process_group()
