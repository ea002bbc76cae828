"""The training loop.

All random numbers depend only on (seed, epoch, step), and a checkpoint contains everything else. A training that was
interrupted and resumed ends with the weights of an uninterrupted one (bit-identical on a CPU with the same number of
threads).

A training from a champion begins with the champion's validation, epoch 0. At its end, validation chooses between the
champion, the best epoch and mixtures of both (`interpolation`).

Several processes (a `ProcessGroup`) share every global batch, so steps, schedule, sample order and augmentation are
those of one process, and a checkpoint can be resumed with any number of processes. The mean loss and gradients over the
batch equal those of one process, up to the order of floating-point sums, as long as batch statistics are not learned
(in frozen epochs, or without batch norm). With batch norm in training mode, GPUs use statistics of the whole batch
(SyncBatchNorm). On CPUs each process normalises its own share, and the running statistics of rank 0 are kept, so losses
are close to those of one process, but not equal. Dropout, if the backbone has any, depends on the number of processes.
"""

import copy
import logging
import math
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import asdict
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from wakee_common.errors import BadInputError

from wakee_train.data.shards import SplitPixels
from wakee_train.records import TrainingSettings
from wakee_train.training.augmentation import relit
from wakee_train.training.backbone import EmotionRegressor, autocast_to, normalised, parameter_groups
from wakee_train.training.batch_statistics import is_too_few, too_few_pictures
from wakee_train.training.batches import Batch, Batches
from wakee_train.training.heads import heads
from wakee_train.training.interpolation import Ends, champion_mae, choose_mixture
from wakee_train.training.prediction import mean_errors
from wakee_train.training.process_group import ProcessGroup, even_slices, unsynchronised
from wakee_train.training.progress import Progress, log_epoch, log_step
from wakee_train.training.schedule import WeightAverage, ema_decay, learning_rate
from wakee_train.training.step_values import UnreadSteps
from wakee_train.training.weights import State, copy_state

logger = logging.getLogger(__name__)

LOSSES = {"smooth_l1": functional.smooth_l1_loss, "l1": functional.l1_loss, "mse": functional.mse_loss}
LARGEST_GRADIENT = 1.0
SECONDS_BETWEEN_LINES = 10.0


class Trainer:
    """Trains a model on one device, alone or together with other processes.

    Args:
        model: The model with its starting weights.
        settings: The parameters of `fine-tune`.
        train: The training split.
        validation: The validation split, which selects the best epoch.
        device: The device of this process.
        processes: The group of training processes.
        from_champion: Whether the starting weights are those in production.
    """

    def __init__(
        self,
        model: EmotionRegressor,
        settings: TrainingSettings,
        train: SplitPixels,
        validation: SplitPixels,
        device: torch.device,
        processes: ProcessGroup | None = None,
        *,
        from_champion: bool = False,
    ) -> None:
        self.processes, self.from_champion = processes or ProcessGroup(), from_champion
        self.settings, self.train, self.validation, self.device = settings, train, validation, device
        self.model = model.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.average = copy.deepcopy(self.model).eval()
        self.model.backbone = self.processes.synchronised(self.model.backbone, device)
        self._replica: nn.Module | None = None
        self.best: State = {}
        self.champion: State = copy_state(self.average.backbone) if from_champion and self.processes.first else {}
        self.optimizer = torch.optim.AdamW(
            parameter_groups(self.model, settings.weight_decay), lr=settings.learning_rate, fused=True
        )
        self.progress = Progress(micro_batch=settings.batch_size)
        on_gpu = device.type == "cuda"
        self._batches = Batches(train, settings.batch_size, settings.seed, self.processes, pinned=on_gpu)
        self._average = WeightAverage(self.average, self.model)
        self._unread = UnreadSteps(device, self.processes)

    @property
    def steps_per_epoch(self) -> int:
        """Number of batches per epoch."""
        return len(self._batches.slices)

    def run(self, should_stop: Callable[[], bool], save: Callable[[], None]) -> bool:
        """Train to the end, and choose the weights. Returns False if it was stopped before.

        Args:
            should_stop: Called after every step, and in rank 0 after every batch of the validation.
            save: Called in rank 0 after every epoch, and before an early stop by `should_stop`.

        Raises:
            BadInputError: the loss, the gradient or the validation MAE is not a finite number.
        """
        frozen = self.settings.freeze_epochs > 0
        self._replica = self.processes.replicated(self.model.requires_grad_(True), self.device, frozen)
        if not self._by_first(lambda: self._validate_champion(should_stop)):
            return False
        while not self.finished:
            whole = self._run_epoch(should_stop)
            if self.processes.first:
                save()
            if not whole:
                return False
        return self._by_first(lambda: self._choose_mixture(should_stop))

    def _by_first(self, work: Callable[[], bool]) -> bool:
        """Let rank 0 work while the other processes wait. Returns whether it completed the work."""
        return not self.processes.any(self.processes.first and not work())

    @property
    def finished(self) -> bool:
        """Whether all epochs are done, or none of the last `patience` epochs improved the model."""
        done = self.progress.epoch - 1
        waited = done - self.progress.best_epoch
        return done >= self.settings.epochs or (done > 0 and waited >= self.settings.patience)

    def state(self) -> dict[str, Any]:
        """Everything that is needed to resume the training."""
        return {
            "model": self.model.state_dict(),
            "average": self.average.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "best": self.best,
            "champion": self.champion,
            "progress": asdict(self.progress),
        }

    def resume(self, state: dict[str, Any]) -> None:
        """Resume from a `state`."""
        self.model.load_state_dict(state["model"])
        self.average.load_state_dict(state["average"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.best, self.champion = state["best"], state["champion"]
        self.progress = Progress(**state["progress"])

    def _run_epoch(self, should_stop: Callable[[], bool]) -> bool:
        """Run the rest of the epoch. Returns whether to continue."""
        if not self._run_steps(lambda: self.processes.any(should_stop())):
            return False
        if self.processes.first:
            self._close_epoch(should_stop)
        self.progress = self.processes.from_first(self.progress)
        closed = self.progress.step == 0
        return closed and (not self.processes.any(should_stop()) or self.finished)

    def _run_steps(self, should_stop: Callable[[], bool]) -> bool:
        progress, started = self.progress, time.monotonic()
        first, told = progress.step, started
        self._set_mode()
        with closing(self._batches.of_epoch(progress.epoch, first)) as batches:
            for batch in batches:
                self._step(batch)
                progress.step += 1
                stopped = progress.step < self.steps_per_epoch and should_stop()
                if stopped or progress.step == self.steps_per_epoch:
                    self._read_steps()
                if stopped:
                    return False
                if self._unread.none and self.processes.first and time.monotonic() - told > SECONDS_BETWEEN_LINES:
                    told = time.monotonic()
                    self._tell(first, told - started)
        if progress.step > first:
            progress.images_per_second = self._batches.pictures(first, progress.step) / (time.monotonic() - started)
        return True

    def _set_mode(self) -> None:
        """Set training mode. In frozen epochs, only the head is trained and the backbone keeps its statistics."""
        frozen = self.progress.epoch <= self.settings.freeze_epochs
        self.model.train(not frozen)
        self.model.backbone.requires_grad_(not frozen)
        for head in heads(self.model):
            head.requires_grad_(True)

    def _step(self, batch: Batch) -> None:
        """Run one optimizer step on a batch, of which this process computes its share."""
        settings, progress = self.settings, self.progress
        number = (progress.epoch - 1) * self.steps_per_epoch + progress.step
        rate = learning_rate(number, settings.epochs * self.steps_per_epoch, settings.learning_rate)
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        loss = self._gradients(batch)
        norm = nn.utils.clip_grad_norm_(self.model.parameters(), LARGEST_GRADIENT)
        self._unread.add(progress.step, loss, norm)
        if self._unread.due:
            self._read_steps()
        self.optimizer.step()
        if self.processes.first:
            self._average.update(ema_decay(number))

    def _read_steps(self) -> None:
        """Add the losses of the steps since the last reading.

        Raises:
            BadInputError: a loss or a gradient is not a finite number.
        """
        for step, loss, norm in self._unread.read():
            if not math.isfinite(loss) or not math.isfinite(norm):
                raise self._diverged(f"Training diverged: the loss is {loss}, the gradient norm {norm}", step)
            self.progress.loss_sum += loss

    def _diverged(self, what: str, step: int) -> BadInputError:
        return BadInputError(
            f"{what} in epoch {self.progress.epoch}, step {step}. "
            f"Lower the learning rate (now {self.settings.learning_rate}) or use precision fp32"
        )

    def _gradients(self, batch: Batch) -> Tensor:
        """Accumulate the gradients of a batch. Out-of-memory errors reduce the micro-batch size.

        With several processes, which synchronise within a step, the launcher reduces the size instead.

        Returns:
            The loss over this process's share, on the device. The mean over the processes is the batch's loss.
        """
        while True:
            try:
                return self._accumulate(batch)
            except ValueError as error:
                if is_too_few(error):
                    raise too_few_pictures(self.settings) from error
                raise
            except torch.OutOfMemoryError:
                if self.progress.micro_batch == 1 or self.processes.count > 1:
                    raise
                self.progress.micro_batch = math.ceil(self.progress.micro_batch / 2)
                torch.cuda.empty_cache()
                logger.warning(
                    "out of memory: training now uses %d pictures at a time and accumulates gradients to batches of %d",
                    self.progress.micro_batch,
                    self.settings.batch_size,
                )

    def _accumulate(self, batch: Batch) -> Tensor:
        """Accumulate the gradients of this process's share, in as many micro-batches as every other process."""
        pixels, labels, light, seed, of = batch
        torch.manual_seed(seed)  # for dropout, if the backbone has any
        self.optimizer.zero_grad(set_to_none=True)
        count, loss = self.processes.count, torch.zeros((), dtype=torch.float64, device=self.device)
        computed = of if len(pixels) < of else of * count  # pictures, by all processes together
        parts = even_slices(len(pixels), self.processes.parts(of, self.progress.micro_batch))
        for part in parts:
            with unsynchronised(self._replica, part is not parts[-1]):
                weight = (part.stop - part.start) * count / computed  # DDP averages gradients over the processes
                loss += self._part(pixels[part], labels[part], light[:, part], weight)
        return loss

    def _part(self, pixels: Tensor, labels: Tensor, light: Tensor, weight: float) -> Tensor:
        pixels, labels, light = (tensor.to(self.device, non_blocking=True) for tensor in (pixels, labels, light))
        pictures = relit(normalised(pixels), light).contiguous(memory_format=torch.channels_last)
        with autocast_to(self.device, self.settings.precision):
            levels = (self._replica or self.model)(pictures)
        loss = LOSSES[self.settings.loss](levels.float(), labels) * weight
        loss.backward()  # type: ignore[no-untyped-call]
        return loss.detach()

    def _close_epoch(self, should_stop: Callable[[], bool]) -> None:
        """Validate and advance to the next epoch. If stopped before the end, a retry repeats the whole validation."""
        progress, errors = self.progress, mean_errors(self.average, self.validation, self.device, should_stop)
        if errors is None:
            return
        done = progress.finished_epoch(errors, self.steps_per_epoch, self.optimizer.param_groups[0]["lr"])
        if not math.isfinite(done.validation_mae):
            raise self._diverged(f"Training diverged: the validation MAE is {done.validation_mae}", progress.step)
        progress.history.append(done.model_dump())
        if done.validation_mae < progress.best_mae:
            progress.best_mae, progress.best_epoch = done.validation_mae, progress.epoch
            self.best = copy_state(self.average.backbone)
        log_epoch(done, progress, self.settings.epochs)
        progress.epoch, progress.step, progress.loss_sum = progress.epoch + 1, 0, 0.0

    def _validate_champion(self, should_stop: Callable[[], bool]) -> bool:
        """Measure the champion before the first step. Returns False if stopped."""
        if self.from_champion and self.progress.champion_mae is None:
            self.progress.champion_mae = champion_mae(self.average, self.validation, self.device, should_stop)
            return self.progress.champion_mae is not None
        return True

    def _choose_mixture(self, should_stop: Callable[[], bool]) -> bool:
        """Replace the best weights by the best mixture with the champion's. Returns False if stopped."""
        progress = self.progress
        if progress.champion_mae is None:
            return True
        ends = Ends(self.champion, progress.champion_mae, self.best, progress.best_mae)
        choice = choose_mixture(self.average, ends, (self.train, self.validation), self.device, should_stop)
        if choice is None:
            return False
        self.best = choice.state
        progress.choose(choice.alpha, choice.maes)
        return True

    def _tell(self, first: int, seconds: float) -> None:
        progress = self.progress
        pictures, steps = self._batches.pictures(first, progress.step) / seconds, (progress.step - first) / seconds
        log_step(progress, self.settings.epochs, self.steps_per_epoch, pictures, steps)
