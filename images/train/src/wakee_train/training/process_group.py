"""The group of training processes, as seen by one of them. For a single process, all operations are no-ops.

Control values (losses, stop requests, progress) use gloo on the CPU. Gradients use NCCL between GPUs.
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
from torch import Tensor, distributed, nn
from torch.nn.parallel import DistributedDataParallel

T = TypeVar("T")

LONGEST_WAIT = timedelta(hours=2)
"""Timeout of collectives: other ranks wait while rank 0 downloads, validates and uploads. torchrun detects deaths."""
ONE_NODE = {"GLOO_SOCKET_IFNAME": "lo", "NCCL_SOCKET_IFNAME": "lo"}


@dataclass(frozen=True)
class ProcessGroup:
    """The group of training processes, as seen by one. Only rank 0 validates, writes checkpoints and logs progress."""

    rank: int = 0
    count: int = 1

    @property
    def first(self) -> bool:
        """Whether this is rank 0."""
        return self.rank == 0

    def share(self, size: int) -> slice:
        """The slice of a batch that this process computes: all of it if there are under two pictures per process."""
        return slice(0, size) if size < 2 * self.count else even_slices(size, self.count)[self.rank]

    def parts(self, size: int, micro_batch: int) -> int:
        """The number of micro-batches in each process's share of a batch, the same for all processes."""
        shared_by = 1 if size < 2 * self.count else self.count
        return min(ceil(ceil(size / shared_by) / micro_batch), size // shared_by)

    def sum(self, value: float) -> float:
        """The sum over all processes."""
        return float(self.sums(torch.tensor(value, dtype=torch.float64)))

    def sums(self, values: Tensor) -> Tensor:
        """The sums over all processes, of each element of a tensor on the CPU. The tensor is changed."""
        if self.count > 1:
            distributed.all_reduce(values)
        return values

    def any(self, condition: bool) -> bool:
        """Whether the condition holds in any process. All processes get the same answer."""
        return self.sum(float(condition)) > 0

    def from_first(self, value: T) -> T:
        """Broadcast the value of rank 0."""
        if self.count == 1:
            return value
        carried = [value]
        distributed.broadcast_object_list(carried, src=0, device=torch.device("cpu"))
        return carried[0]

    def synchronised(self, model: nn.Module, device: torch.device) -> nn.Module:
        """On GPUs, synchronise batch statistics over all processes. On CPUs they stay local, as gloo lacks this."""
        if self.count == 1 or device.type != "cuda":
            return model
        from timm.layers.norm_act import convert_sync_batchnorm  # torch's own would drop timm's fused activations

        converted: nn.Module = convert_sync_batchnorm(model)  # type: ignore[no-untyped-call]
        return converted

    def replicated(self, model: nn.Module, device: torch.device, some_frozen: bool) -> nn.Module:
        """Wrap the model: it gets the weights of rank 0, and its gradients are averaged over all processes."""
        if self.count == 1:
            return model
        ids = [device] if device.type == "cuda" else None
        return DistributedDataParallel(model, device_ids=ids, find_unused_parameters=some_frozen)


def unsynchronised(model: nn.Module | None, wanted: bool) -> AbstractContextManager[None]:
    """Skip the synchronisation of gradients inside this context if `wanted`; no-op for a single process."""
    return model.no_sync() if wanted and isinstance(model, DistributedDataParallel) else nullcontext()


def even_slices(size: int, parts: int) -> list[slice]:
    """Cut `size` elements into `parts` slices of nearly equal length."""
    edges = [size * part // parts for part in range(parts + 1)]
    return [slice(start, end) for start, end in pairwise(edges)]


def even_batches(size: int, most: int) -> list[slice]:
    """Cut an epoch of `size` pictures into batches of nearly equal size, none of more than `most`.

    A smaller last batch would give its pictures more weight than the others. Batch normalization needs two pictures at
    a time, so if batches of two leave one picture over, it is left out.
    """
    used = size - 1 if most == 2 and size > 2 and size % 2 else size
    return even_slices(used, ceil(used / most))


@contextmanager
def joined() -> Iterator[tuple[ProcessGroup, torch.device]]:
    """Join the process group that torchrun started. Yields this process's rank and device."""
    device = torch.device("cpu")
    if torch.cuda.is_available():
        device = torch.device("cuda", int(os.environ["LOCAL_RANK"]))
        torch.cuda.set_device(device)
    backend = "cpu:gloo,cuda:nccl" if device.type == "cuda" else "gloo"
    distributed.init_process_group(backend, timeout=LONGEST_WAIT)
    try:
        yield ProcessGroup(distributed.get_rank(), distributed.get_world_size()), device
    finally:
        distributed.destroy_process_group()
