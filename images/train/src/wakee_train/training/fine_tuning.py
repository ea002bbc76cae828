"""`fine-tune`: train from the last checkpoint or from the start, and write the best weights with their record.

With several GPUs, or if WAKEE_TRAINING_PROCESSES is set, torchrun starts several processes (`launching`). `trainer`
documents how they share a training, and which results equal those of a single process.
"""

import hashlib
import logging
from pathlib import Path
from statistics import fmean

from wakee_common.errors import InterruptedStageError
from wakee_common.files import workspace
from wakee_common.settings import load
from wakee_common.storage import MissingObjectError, ObjectStore
from wakee_common.telemetry import measured
from wakee_common.uris import R2Uri

from wakee_train.data.records import Splits
from wakee_train.data.shards import load_splits
from wakee_train.data.splits import TRAIN, VALIDATION
from wakee_train.records import Training, TrainingSettings, read_record
from wakee_train.results import TrainingResult
from wakee_train.settings import ProcessSettings
from wakee_train.training.backbone import choose_device
from wakee_train.training.launching import launch, number_of_processes
from wakee_train.training.process_group import ProcessGroup
from wakee_train.training.session import CHECKPOINT, FORMAT, RECORD, Job, read_checkpoint, train

logger = logging.getLogger(__name__)


def fine_tune(store: ObjectStore, folder: R2Uri, splits_uri: R2Uri, settings: TrainingSettings) -> TrainingResult:
    """Train, or return the result of a finished training.

    Raises:
        InterruptedStageError: SIGTERM was received. A retry resumes from the checkpoint.
        BadInputError: the loss is not a number, or the backbone is unknown.
        UnavailableError: one of several processes died. A retry resumes from the checkpoint.
    """
    splits = read_record(store, splits_uri, Splits)
    fingerprint = training_fingerprint(splits, settings)
    if (done := _finished(store, folder / RECORD, fingerprint)) is not None:
        logger.info("this training has already completed: its result is reused")
        return _result(done, folder / RECORD, resumed=False)
    job = Job(
        settings=settings,
        fingerprint=fingerprint,
        splits=splits,
        splits_uri=str(splits_uri),
        folder=str(folder),
        micro_batch=settings.batch_size,
    )
    with workspace() as scratch:
        resumed = _train(job, store, scratch)
    training = _finished(store, folder / RECORD, fingerprint)
    if training is None:
        raise InterruptedStageError("stopped during training (SIGTERM). A retry resumes from the checkpoint")
    return _result(training, folder / RECORD, resumed)


def training_fingerprint(splits: Splits, settings: TrainingSettings) -> str:
    """A digest of everything that must be equal to resume from a checkpoint."""
    # Defaults are excluded, so that a new setting does not change the fingerprint of older trainings.
    text = f"{splits.dataset_id} {splits.rule} {settings.model_dump_json(exclude_defaults=True)}"
    return hashlib.sha256(text.encode()).hexdigest()


def _train(job: Job, store: ObjectStore, scratch: Path) -> bool:
    """Train with the configured number of processes. Returns whether it resumed from a checkpoint."""
    load_splits(store, R2Uri.parse(job.splits_uri), (TRAIN, VALIDATION), scratch)
    resumed = _fetch_checkpoint(job, store, scratch)
    count = number_of_processes(load(ProcessSettings), job.settings.batch_size)
    if count == 1:
        train(job, store, scratch, choose_device(), ProcessGroup())
        return resumed
    while (smaller := launch(job, scratch, count)) is not None:
        job = job.model_copy(update={"micro_batch": smaller})
        resumed = _fetch_checkpoint(job, store, scratch) or resumed
    return resumed


def _finished(store: ObjectStore, uri: R2Uri, fingerprint: str) -> Training | None:
    try:
        training = read_record(store, uri, Training)
    except MissingObjectError:
        return None
    return training if training.fingerprint == fingerprint else None


def _fetch_checkpoint(job: Job, store: ObjectStore, scratch: Path) -> bool:
    """Download this training's checkpoint, if there is one, to the scratch folder. Returns whether there is one."""
    path = scratch / CHECKPOINT
    try:
        store.get_file(R2Uri.parse(job.folder) / CHECKPOINT, path)
    except MissingObjectError:
        return False
    checkpoint = read_checkpoint(path)
    if (checkpoint.get("format"), checkpoint.get("fingerprint")) == (FORMAT, job.fingerprint):
        return True
    logger.warning(
        "the checkpoint belongs to another training (settings, data or program differ): starting from the beginning"
    )
    path.unlink()
    return False


def _result(training: Training, uri: R2Uri, resumed: bool) -> TrainingResult:
    speeds = [epoch.images_per_second for epoch in training.history]
    measured("wakee_training_images_per_second", "Mean over the epochs of the last training.", fmean(speeds))
    return TrainingResult(
        training_uri=str(uri),
        weights_uri=training.weights_uri,
        weights_sha256=training.weights_sha256,
        started_from=training.started_from,
        epochs_run=len(training.history),
        best_epoch=training.best_epoch,
        best_validation_mae=training.best_validation_mae,
        champion_validation_mae=training.champion_validation_mae,
        alpha=training.alpha,
        validation_mae_per_alpha=training.validation_mae_per_alpha,
        images_per_second=round(fmean(speeds), 1),
        device=training.device,
        resumed=resumed,
    )
