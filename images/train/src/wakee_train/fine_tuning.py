"""`fine-tune`: train from the last checkpoint or from the start, and leave the best weights with their record."""

import hashlib
import io
import logging
import signal
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any

import torch
from wakee_common.errors import InterruptedStageError
from wakee_common.storage import MissingObjectError, ObjectStore
from wakee_common.uris import R2Uri

from wakee_train.backbone import choose_device, describe, make_model
from wakee_train.records import Epoch, Splits, Training, TrainingSettings, read_record, write_record
from wakee_train.results import TrainingResult
from wakee_train.split_pixels import SplitPixels, load_splits
from wakee_train.splits import TRAIN, VALIDATION
from wakee_train.starting_point import starting_model
from wakee_train.trainer import Trainer, centre_head
from wakee_train.weights import save_weights

logger = logging.getLogger(__name__)

CHECKPOINT, WEIGHTS, RECORD = "checkpoint.pt", "weights.safetensors", "training.json"


@dataclass
class StopSignal:
    """Notes SIGTERM, so that a step ends whole before the checkpoint is written."""

    received: bool = False

    def __call__(self, _signal: int, _frame: FrameType | None) -> None:
        """Handle the signal."""
        logger.warning("told to stop (SIGTERM): a checkpoint follows this step")
        self.received = True


@dataclass
class Session:
    """A trainer, where its weights came from, and where its checkpoints go."""

    trainer: Trainer
    started_from: str
    fingerprint: str
    store: ObjectStore
    checkpoint_uri: R2Uri
    resumed: bool = field(default=False)

    def save(self) -> None:
        """Write the checkpoint."""
        file = io.BytesIO()
        head = {"fingerprint": self.fingerprint, "started_from": self.started_from}
        torch.save(head | self.trainer.state(), file)
        self.store.put_bytes(self.checkpoint_uri, file.getvalue())


def fine_tune(store: ObjectStore, folder: R2Uri, splits_uri: R2Uri, settings: TrainingSettings) -> TrainingResult:
    """Train, or find the training done.

    Raises:
        InterruptedStageError: SIGTERM came; a retry goes on from the checkpoint.
        BadInputError: the loss is not a number, or the backbone is unknown.
    """
    splits = read_record(store, splits_uri, Splits)
    fingerprint = training_fingerprint(splits, settings)
    if (done := _finished(store, folder / RECORD, fingerprint)) is not None:
        logger.info("this very training is done already: reused")
        return _result(done, folder / RECORD, resumed=False)
    with tempfile.TemporaryDirectory(prefix="wakee-train-") as name:
        scratch = Path(name)
        _, pixels = load_splits(store, splits_uri, (TRAIN, VALIDATION), scratch)
        session = _session(store, folder / CHECKPOINT, fingerprint, settings, pixels, scratch)
        with _stop_signal() as stop:
            whole = session.trainer.run(lambda: stop.received, session.save)
        if not whole:
            raise InterruptedStageError("told to stop (SIGTERM) while training; a retry goes on from the checkpoint")
        training = _record(session, splits, splits_uri, folder)
    write_record(store, folder / RECORD, training)
    store.delete(folder / CHECKPOINT)
    return _result(training, folder / RECORD, session.resumed)


def training_fingerprint(splits: Splits, settings: TrainingSettings) -> str:
    """What must be the same for a checkpoint to be of use."""
    text = f"{splits.dataset_id} {splits.rule} {settings.model_dump_json()}"
    return hashlib.sha256(text.encode()).hexdigest()


def _finished(store: ObjectStore, uri: R2Uri, fingerprint: str) -> Training | None:
    try:
        training = read_record(store, uri, Training)
    except MissingObjectError:
        return None
    return training if training.fingerprint == fingerprint else None


def _session(
    store: ObjectStore,
    uri: R2Uri,
    fingerprint: str,
    settings: TrainingSettings,
    pixels: dict[str, SplitPixels],
    scratch: Path,
) -> Session:
    device = choose_device()
    if torch.cuda.device_count() > 1:
        logger.warning("%d GPUs are here, and one of them is used", torch.cuda.device_count())
    torch.manual_seed(settings.seed)
    checkpoint = _checkpoint(store, uri, fingerprint, device)
    if checkpoint is not None:
        model, started_from = make_model(settings.backbone, settings.image_size), str(checkpoint["started_from"])
    else:
        model, started_from = starting_model(settings, scratch)
        if "@" not in started_from:
            centre_head(model, pixels[TRAIN].labels)
    trainer = Trainer(model, settings, pixels[TRAIN], pixels[VALIDATION], device)
    if checkpoint is not None:
        trainer.resume(checkpoint)
        logger.info("resumed at epoch %d, step %d", trainer.progress.epoch, trainer.progress.step)
    logger.info(
        "%s at %d px on %s, started from %s; %d training and %d validation pictures",
        settings.backbone,
        settings.image_size,
        describe(device),
        started_from,
        len(pixels[TRAIN]),
        len(pixels[VALIDATION]),
    )
    return Session(trainer, started_from, fingerprint, store, uri, resumed=checkpoint is not None)


def _checkpoint(store: ObjectStore, uri: R2Uri, fingerprint: str, device: torch.device) -> dict[str, Any] | None:
    try:
        content = store.get_bytes(uri)
    except MissingObjectError:
        return None
    checkpoint: dict[str, Any] = torch.load(io.BytesIO(content), map_location=device, weights_only=True)
    if checkpoint.get("fingerprint") != fingerprint:
        logger.warning("the checkpoint belongs to another training (settings or data differ): starting anew")
        return None
    return checkpoint


@contextmanager
def _stop_signal() -> Iterator[StopSignal]:
    stop = StopSignal()
    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield stop
    finally:
        signal.signal(signal.SIGTERM, before)


def _record(session: Session, splits: Splits, splits_uri: R2Uri, folder: R2Uri) -> Training:
    """Write the best weights; the training's record."""
    trainer, settings = session.trainer, session.trainer.settings
    content = save_weights(trainer.best, {"backbone": settings.backbone, "image_size": settings.image_size})
    session.store.put_bytes(folder / WEIGHTS, content)
    return Training(
        fingerprint=session.fingerprint,
        settings=settings,
        started_from=session.started_from,
        dataset_id=splits.dataset_id,
        manifest_uri=splits.manifest_uri,
        splits_uri=str(splits_uri),
        samples={name: statistics.samples for name, statistics in splits.statistics.items()},
        weights_uri=str(folder / WEIGHTS),
        weights_sha256=hashlib.sha256(content).hexdigest(),
        parameters=sum(parameter.numel() for parameter in trainer.model.parameters()),
        device=describe(trainer.device),
        history=[Epoch.model_validate(epoch) for epoch in trainer.progress.history],
        best_epoch=trainer.progress.best_epoch,
        best_validation_mae=trainer.progress.best_mae,
    )


def _result(training: Training, uri: R2Uri, resumed: bool) -> TrainingResult:
    speeds = [epoch.images_per_second for epoch in training.history]
    return TrainingResult(
        training_uri=str(uri),
        weights_uri=training.weights_uri,
        weights_sha256=training.weights_sha256,
        started_from=training.started_from,
        epochs_run=len(training.history),
        best_epoch=training.best_epoch,
        best_validation_mae=training.best_validation_mae,
        images_per_second=round(sum(speeds) / len(speeds), 1),
        device=training.device,
        resumed=resumed,
    )
