"""The training loop.

All random numbers depend only on (seed, epoch, step), and a checkpoint contains everything else. A training that was
interrupted and resumed ends with the weights of an uninterrupted one (bit-identical on a CPU with the same number of
threads).

Several processes (`Ranks`) share every global batch, so steps, schedule, sample order and augmentation are those of one
process, and a checkpoint can be resumed with any number of processes. The mean loss and gradients over the batch equal
those of one process, up to the order of floating-point sums, as long as batch statistics are not learned (in frozen
epochs, or without batch norm). With batch norm in training mode, GPUs use statistics of the whole batch
(SyncBatchNorm). On CPUs each process normalises its own share, and the running statistics of rank 0 are kept, so losses
are close to those of one process, but not equal. Dropout, if the backbone has any, depends on the number of processes.
"""

import copy
import logging
import math
import time
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional
from wakee_common.errors import BadInputError

from wakee_train.data.shards import SplitPixels, training_batches
from wakee_train.records import Epoch, TrainingSettings
from wakee_train.training.augmentation import (
    blurred,
    boxes,
    compressed,
    crop_and_mirror,
    crop_and_resize,
    light_factors,
    places_and_mirrors,
    relit,
    shuffled,
    some,
)
from wakee_train.training.backbone import EmotionRegressor, autocast_to, import_timm, normalised, parameter_groups
from wakee_train.training.batch_statistics import is_too_few, too_few_pictures
from wakee_train.training.heads import heads
from wakee_train.training.interpolation import mixture
from wakee_train.training.prediction import mean_errors
from wakee_train.training.process_group import Ranks, even_batches, even_slices, unsynchronised
from wakee_train.training.recipe import NONE, Recipe
from wakee_train.training.schedule import Progress, clock, ema_decay, learning_rate
from wakee_train.training.weights import State

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
        ranks: The group of training processes.
    """

    def __init__(
        self,
        model: EmotionRegressor,
        settings: TrainingSettings,
        train: SplitPixels,
        validation: SplitPixels,
        device: torch.device,
        ranks: Ranks | None = None,
        recipe: Recipe = NONE,
        from_champion: bool = False,
    ) -> None:
        self.ranks, self.recipe = ranks or Ranks(), recipe
        self.from_champion = from_champion
        self.settings, self.train, self.validation, self.device = settings, train, validation, device
        self.model = model.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.average = copy.deepcopy(self.model).eval()
        self.model.backbone = self.ranks.synchronised(self.model.backbone, device)
        self._replica: nn.Module | None = None
        self.best: State = {}
        self.champion = self._average_state() if from_champion else {}
        groups = parameter_groups(self.model, settings.weight_decay)
        if from_champion and recipe.layer_decay < 1:
            import_timm()
            from timm.optim import param_groups_layer_decay

            groups = param_groups_layer_decay(
                self.model.backbone, settings.weight_decay, layer_decay=recipe.layer_decay
            )
        self.optimizer = torch.optim.AdamW(groups, lr=settings.learning_rate, fused=True)
        self.progress = Progress(micro_batch=settings.batch_size)
        if recipe.even_batches:
            self._slices = even_batches(len(train), settings.batch_size)
        else:
            self._slices = training_batches(len(train), settings.batch_size)

    @property
    def steps_per_epoch(self) -> int:
        """Number of batches per epoch. The last one may be smaller."""
        return len(self._slices)

    def run(self, should_stop: Callable[[], bool], save: Callable[[], None]) -> bool:
        """Train to the end. Returns False if it was stopped before.

        Args:
            should_stop: Called after every step, and in rank 0 after every batch of the validation.
            save: Called in rank 0 after every epoch, and before an early stop by `should_stop`.

        Raises:
            BadInputError: the loss, the gradient or the validation MAE is not a finite number.
        """
        some_frozen = self.settings.freeze_epochs > 0
        self._replica = self.ranks.replicated(self.model.requires_grad_(True), self.device, some_frozen)
        if self.ranks.first and self.from_champion and self.progress.champion_mae is None:
            errors = mean_errors(self.average, self.validation, self.device, should_stop)
            if errors is not None:
                self.progress.champion_mae = round(float(errors.mean()), 6)
                logger.info("epoch 0, the champion: validation MAE %.4f", self.progress.champion_mae)
        while not self.finished:
            whole = self._run_epoch(should_stop)
            if self.ranks.first:
                save()
            if not whole:
                return False
        return not self.ranks.any(self.ranks.first and not self._choose_alpha(should_stop))

    def _choose_alpha(self, should_stop: Callable[[], bool]) -> bool:
        """Choose between champion, trained weights and mixtures, by validation MAE. Returns False if stopped."""
        if not self.from_champion:
            return True
        progress = self.progress
        states, found = (self.champion, self.best), {}
        for alpha in self.recipe.alphas:
            mixed = mixture(self.average, states, alpha, self.train, self.device, should_stop)
            errors = mean_errors(mixed, self.validation, self.device, should_stop)
            if errors is None:
                return False
            found[alpha] = (float(errors.mean()), {n: t.cpu().clone() for n, t in mixed.backbone.state_dict().items()})
        alpha = min(found, key=lambda a: found[a][0])
        progress.mae_of_alphas = {a: round(mae, 6) for a, (mae, _) in found.items()}
        progress.alpha, progress.best_mae, self.best = alpha, round(found[alpha][0], 6), found[alpha][1]
        if alpha == 0:
            progress.best_epoch = 0
        logger.info("validation MAE per share of the trained weights: %s; chosen: %g", progress.mae_of_alphas, alpha)
        return True

    def _average_state(self) -> State:
        return {name: tensor.cpu().clone() for name, tensor in self.average.backbone.state_dict().items()}

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
            "progress": asdict(self.progress),
        }

    def resume(self, state: dict[str, Any]) -> None:
        """Resume from a `state`."""
        self.model.load_state_dict(state["model"])
        self.average.load_state_dict(state["average"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.best = state["best"]
        self.progress = Progress(**state["progress"])

    def _run_epoch(self, should_stop: Callable[[], bool]) -> bool:
        """Run the rest of the epoch. Returns whether to continue."""
        if not self._run_steps(lambda: self.ranks.any(should_stop())):
            return False
        if self.ranks.first:
            self._close_epoch(should_stop)
        self.progress = self.ranks.from_first(self.progress)
        closed = self.progress.step == 0
        return closed and (not self.ranks.any(should_stop()) or self.finished)

    def _run_steps(self, should_stop: Callable[[], bool]) -> bool:
        progress, started = self.progress, time.monotonic()
        first, told = progress.step, started
        self._set_mode()
        order = shuffled(len(self.train), self.settings.seed, progress.epoch)
        for part in self._slices[first:]:
            progress.loss_sum += self._step(np.sort(order[part]))
            progress.step += 1
            if self.ranks.first and time.monotonic() - told > SECONDS_BETWEEN_LINES:
                told = time.monotonic()
                self._tell(first, told - started)
            if progress.step < self.steps_per_epoch and should_stop():
                return False
        if progress.step > first:
            progress.images_per_second = self._pictures(first) / (time.monotonic() - started)
        return True

    def _set_mode(self) -> None:
        """Set training mode. In frozen epochs, only the head is trained and the backbone keeps its statistics."""
        frozen = self.progress.epoch <= self.settings.freeze_epochs
        self.model.train(not frozen)
        self.model.backbone.requires_grad_(not frozen)
        for head in heads(self.model):
            head.requires_grad_(True)

    def _step(self, rows: np.ndarray) -> float:
        """Run one optimizer step on these rows, of which this process computes its share. Returns the loss."""
        settings, progress = self.settings, self.progress
        number = (progress.epoch - 1) * self.steps_per_epoch + progress.step
        rate = learning_rate(number, settings.epochs * self.steps_per_epoch, self._highest_rate)
        for group in self.optimizer.param_groups:
            group["lr"] = rate * group.get("lr_scale", 1.0)
        chance = np.random.default_rng((settings.seed, progress.epoch, progress.step))
        recipe, mine = self.recipe, self.ranks.share(len(rows))
        places, mirrored = places_and_mirrors(len(rows), chance)
        light, seed = light_factors(len(rows), chance), int(chance.integers(2**62))
        if recipe.scales == (1.0, 1.0):
            crops = crop_and_mirror(self.train.pixels[rows[mine]], places[mine], mirrored[mine])
        else:
            squares = boxes(len(rows), recipe.scales, chance)
            crops = crop_and_resize(self.train.pixels[rows[mine]], squares[mine], mirrored[mine])
        if recipe.blur:
            crops = blurred(crops, some(chance.uniform(0.3, 1.5, len(rows)), recipe.blur, chance)[mine])
        if recipe.compression:
            crops = compressed(crops, some(chance.integers(40, 91, len(rows)), recipe.compression, chance)[mine])
        pixels = torch.from_numpy(crops)
        labels = torch.from_numpy(self.train.labels[rows[mine]])
        loss = self._gradients(pixels, labels, light[:, mine], seed + self.ranks.rank, len(rows))
        length = float(nn.utils.clip_grad_norm_(self.model.parameters(), LARGEST_GRADIENT))
        if not math.isfinite(loss) or not math.isfinite(length):
            raise self._diverged(f"the loss is {loss}, the gradient's length {length}")
        self.optimizer.step()
        if self.ranks.first:
            self._update_average(ema_decay(number))
        return loss

    @property
    def _highest_rate(self) -> float:
        return self.settings.learning_rate * (self.recipe.champion_rate if self.from_champion else 1.0)

    def _diverged(self, what: str) -> BadInputError:
        return BadInputError(
            f"{what} in epoch {self.progress.epoch}, step {self.progress.step}: "
            f"lower the learning rate (now {self.settings.learning_rate}) or use precision fp32"
        )

    def _gradients(self, pixels: Tensor, labels: Tensor, light: Tensor, seed: int, of: int) -> float:
        """Accumulate the gradients of a batch of `of` pictures. Out-of-memory errors reduce the micro-batch size.

        With several processes, which synchronise within a step, the launcher reduces the size instead.

        Returns:
            The loss over the whole batch, of all processes.
        """
        while True:
            try:
                return self.ranks.sum(self._accumulate(pixels, labels, light, seed, of)) / self.ranks.count
            except ValueError as error:
                if is_too_few(error):
                    raise too_few_pictures(self.settings) from error
                raise
            except torch.OutOfMemoryError:
                if self.progress.micro_batch == 1 or self.ranks.count > 1:
                    raise
                self.progress.micro_batch = math.ceil(self.progress.micro_batch / 2)
                torch.cuda.empty_cache()
                logger.warning(
                    "out of memory: from now on %d pictures at a time, gradients accumulated to batches of %d",
                    self.progress.micro_batch,
                    self.settings.batch_size,
                )

    def _accumulate(self, pixels: Tensor, labels: Tensor, light: Tensor, seed: int, of: int) -> float:
        """Accumulate the gradients of this process's share, in as many micro-batches as every other process."""
        torch.manual_seed(seed)  # for dropout, if the backbone has any
        self.optimizer.zero_grad(set_to_none=True)
        count, loss = self.ranks.count, 0.0
        computed = of if len(pixels) < of else of * count  # pictures, by all processes together
        parts = even_slices(len(pixels), self.ranks.parts(of, self.progress.micro_batch))
        for part in parts:
            with unsynchronised(self._replica, part is not parts[-1]):
                weight = (part.stop - part.start) * count / computed  # DDP averages gradients over the processes
                loss += self._part(pixels[part], labels[part], light[:, part], weight)
        return loss

    def _part(self, pixels: Tensor, labels: Tensor, light: Tensor, weight: float) -> float:
        pictures = normalised(pixels.to(self.device, non_blocking=True))
        pictures = relit(pictures, light.to(self.device)).contiguous(memory_format=torch.channels_last)
        with autocast_to(self.device, self.settings.precision):
            levels = (self._replica or self.model)(pictures)
        loss = LOSSES[self.settings.loss](levels.float(), labels.to(self.device)) * weight
        loss.backward()  # type: ignore[no-untyped-call]
        return float(loss.detach())

    @torch.no_grad()
    def _update_average(self, decay: float) -> None:
        for mean, new in zip(self.average.state_dict().values(), self.model.state_dict().values(), strict=True):
            if mean.is_floating_point():
                mean.lerp_(new, 1 - decay)
            else:
                mean.copy_(new)

    def _close_epoch(self, should_stop: Callable[[], bool]) -> None:
        """Validate and advance to the next epoch. If stopped before the end, a retry repeats the whole validation."""
        progress, errors = self.progress, mean_errors(self.average, self.validation, self.device, should_stop)
        if errors is None:
            return
        record = Epoch(
            epoch=progress.epoch,
            train_loss=round(progress.loss_sum / self.steps_per_epoch, 6),
            validation_mae=round(float(errors.mean()), 6),
            validation_mae_per_emotion=[round(float(error), 6) for error in errors],
            learning_rate=self.optimizer.param_groups[0]["lr"],
            images_per_second=round(progress.images_per_second, 1),
            finished_at=round(time.time(), 3),
        )
        if not math.isfinite(record.validation_mae):
            raise self._diverged(f"the validation MAE is {record.validation_mae}")
        progress.history.append(record.model_dump())
        if record.validation_mae < progress.best_mae:
            progress.best_mae, progress.best_epoch = record.validation_mae, progress.epoch
            self.best = self._average_state()
        logger.info(
            "epoch %d/%d done: loss %.4f, validation MAE %.4f (best %.4f in epoch %d), %.1f images/s",
            progress.epoch,
            self.settings.epochs,
            record.train_loss,
            record.validation_mae,
            progress.best_mae,
            progress.best_epoch,
            progress.images_per_second,
        )
        progress.epoch, progress.step, progress.loss_sum = progress.epoch + 1, 0, 0.0

    def _pictures(self, first: int) -> int:
        """Number of pictures in the steps since `first`."""
        return sum(part.stop - part.start for part in self._slices[first : self.progress.step])

    def _tell(self, first: int, seconds: float) -> None:
        progress, total = self.progress, self.steps_per_epoch
        per_second = (progress.step - first) / seconds
        remaining = (self.settings.epochs - progress.epoch + 1) * total - progress.step
        logger.info(
            "epoch %d/%d step %d/%d: loss %.4f, %.1f images/s, %s to go",
            progress.epoch,
            self.settings.epochs,
            progress.step,
            total,
            progress.loss_sum / progress.step,
            self._pictures(first) / seconds,
            clock(remaining / per_second),
        )
