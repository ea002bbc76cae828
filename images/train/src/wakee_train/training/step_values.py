"""Losses and gradient norms of the last steps. They stay on the device until they are read.

Reading a value waits until the device has computed it, so reading after every step would leave a GPU idle.
"""

from typing import NamedTuple

import torch
from torch import Tensor

from wakee_train.training.process_group import ProcessGroup

STEPS_PER_READING = {"cuda": 16}
"""Steps between two readings, by the device's type. On a CPU every step is read, because nothing has to wait."""


class StepValues(NamedTuple):
    """Loss over the whole batch, and norm of its gradient, of the step with this number."""

    step: int
    loss: float
    norm: float


class UnreadSteps:
    """The values of the steps since the last reading."""

    def __init__(self, device: torch.device, processes: ProcessGroup) -> None:
        self._processes, self._most = processes, STEPS_PER_READING.get(device.type, 1)
        self._steps: list[tuple[int, Tensor, Tensor]] = []

    @property
    def due(self) -> bool:
        """Whether it is time to read: at the same steps in all processes."""
        return len(self._steps) >= self._most

    @property
    def none(self) -> bool:
        """Whether every step has been read."""
        return not self._steps

    def add(self, step: int, loss: Tensor, norm: Tensor) -> None:
        """Add a step: the loss of this process's share, and the norm of the gradient of the whole batch."""
        self._steps.append((step, loss, norm))

    def read(self) -> list[StepValues]:
        """Read the values, and sum the losses over all processes."""
        steps, self._steps = self._steps, []
        if not steps:
            return []
        numbers, losses, norms = zip(*steps, strict=True)
        summed = self._processes.sums(torch.stack(losses).double().cpu()) / self._processes.count
        lengths = torch.stack(norms).double().cpu()
        return [StepValues(*values) for values in zip(numbers, summed.tolist(), lengths.tolist(), strict=True)]
