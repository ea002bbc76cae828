"""One training, in the stage's process or in each of several: from the start or a checkpoint to the record in R2."""

import hashlib
import io
import logging
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

import torch
from wakee_common.storage import ObjectStore
from wakee_common.uris import R2Uri

from wakee_train.data.records import Splits
from wakee_train.data.shards import SplitPixels, open_split
from wakee_train.data.splits import TRAIN, VALIDATION
from wakee_train.records import Epoch, Record, Training, TrainingSettings, write_record
from wakee_train.training.backbone import describe, make_model
from wakee_train.training.determinism import deterministic
from wakee_train.training.heads import centre_heads
from wakee_train.training.process_group import ProcessGroup
from wakee_train.training.starting_point import is_champion, starting_model
from wakee_train.training.trainer import Trainer
from wakee_train.training.weights import save_weights

logger = logging.getLogger(__name__)

CHECKPOINT, WEIGHTS, RECORD = "checkpoint.pt", "weights.safetensors", "training.json"
FORMAT = 2
"""Version of checkpoints. Change it if a training that goes on from an older one would end otherwise."""


class Job(Record):
    """The input of every process of a training. The unpacked splits and the checkpoint are in the scratch folder."""

    settings: TrainingSettings
    fingerprint: str
    splits: Splits
    splits_uri: str
    folder: str
    micro_batch: int


@dataclass
class StopSignal:
    """Remembers SIGTERM, so that the current step completes before the checkpoint is written."""

    received: bool = False

    def __call__(self, _signal: int, _frame: FrameType | None) -> None:
        """Handle the signal."""
        logger.warning("received SIGTERM: writing a checkpoint after this step")
        self.received = True


@dataclass
class Session:
    """A trainer, the origin of its weights, and the store for its checkpoints."""

    trainer: Trainer
    started_from: str
    job: Job
    store: ObjectStore

    def save(self) -> None:
        """Write the checkpoint."""
        file = io.BytesIO()
        head = {"format": FORMAT, "fingerprint": self.job.fingerprint, "started_from": self.started_from}
        torch.save(head | self.trainer.state(), file)
        self.store.put_bytes(R2Uri.parse(self.job.folder) / CHECKPOINT, file.getvalue())


def train(job: Job, store: ObjectStore, scratch: Path, device: torch.device, processes: ProcessGroup) -> bool:
    """Train to the end, then write weights and record. Returns False if SIGTERM stopped it before."""
    with deterministic(job.settings.deterministic):
        session = _session(job, store, scratch, device, processes)
        with _stop_signal() as stop:
            whole = session.trainer.run(lambda: stop.received, session.save)
    if whole and processes.first:
        folder = R2Uri.parse(job.folder)
        write_record(store, folder / RECORD, _record(session, folder))
        store.delete(folder / CHECKPOINT)
    return whole


def read_checkpoint(path: Path, **options: Any) -> dict[str, Any]:
    """Load a checkpoint to the CPU."""
    checkpoint: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True, **options)
    return checkpoint


def _session(job: Job, store: ObjectStore, scratch: Path, device: torch.device, processes: ProcessGroup) -> Session:
    pixels = {name: open_split(scratch, name, job.splits) for name in (TRAIN, VALIDATION)}
    torch.manual_seed(job.settings.seed)
    checkpoint = read_checkpoint(scratch / CHECKPOINT) if (scratch / CHECKPOINT).exists() else None
    elsewhere = checkpoint is not None or not processes.first
    model, started_from = _start(job.settings, scratch, pixels[TRAIN], elsewhere)
    started_from = str(checkpoint["started_from"]) if checkpoint else processes.from_first(started_from)
    trainer = Trainer(
        model,
        job.settings,
        pixels[TRAIN],
        pixels[VALIDATION],
        device,
        processes,
        from_champion=is_champion(started_from),
    )
    if checkpoint:
        trainer.resume(checkpoint)
        logger.info("resumed at epoch %d, step %d", trainer.progress.epoch, trainer.progress.step)
    trainer.progress.micro_batch = min(trainer.progress.micro_batch, job.micro_batch)
    logger.info(
        "%s at %d px on %s, started from %s, with %d training and %d validation pictures",
        job.settings.backbone,
        job.settings.image_size,
        _devices(trainer),
        started_from,
        len(pixels[TRAIN]),
        len(pixels[VALIDATION]),
    )
    return Session(trainer, started_from, job, store)


def _start(settings: TrainingSettings, scratch: Path, train: SplitPixels, elsewhere: bool) -> tuple[Any, str]:
    """Create the model and name the origin of its weights. `elsewhere`: a checkpoint or rank 0 provides the weights."""
    if elsewhere:
        return make_model(settings.backbone, settings.image_size), ""
    model, started_from = starting_model(settings, scratch)
    if not is_champion(started_from):
        centre_heads(model, train.labels)
    return model, started_from


@contextmanager
def _stop_signal() -> Iterator[StopSignal]:
    """Inside this context, SIGTERM only sets a flag."""
    stop = StopSignal()
    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield stop
    finally:
        signal.signal(signal.SIGTERM, before)


def _devices(trainer: Trainer) -> str:
    device, count = describe(trainer.device), trainer.processes.count
    return device if count == 1 else f"{count} x {device}"


def _record(session: Session, folder: R2Uri) -> Training:
    """Write the best weights, and return the training's record."""
    trainer, job = session.trainer, session.job
    content = save_weights(trainer.best, {"backbone": job.settings.backbone, "image_size": job.settings.image_size})
    session.store.put_bytes(folder / WEIGHTS, content)
    return Training(
        fingerprint=job.fingerprint,
        settings=job.settings,
        started_from=session.started_from,
        dataset_id=job.splits.dataset_id,
        manifest_uri=job.splits.manifest_uri,
        splits_uri=job.splits_uri,
        samples={name: statistics.samples for name, statistics in job.splits.statistics.items()},
        weights_uri=str(folder / WEIGHTS),
        weights_sha256=hashlib.sha256(content).hexdigest(),
        parameters=sum(parameter.numel() for parameter in trainer.model.parameters()),
        device=_devices(trainer),
        history=[Epoch.model_validate(epoch) for epoch in trainer.progress.history],
        best_epoch=trainer.progress.best_epoch,
        best_validation_mae=trainer.progress.best_mae,
        champion_validation_mae=trainer.progress.champion_mae,
        alpha=trainer.progress.alpha,
        validation_mae_per_alpha={f"{alpha:g}": mae for alpha, mae in trainer.progress.maes.items()},
    )
