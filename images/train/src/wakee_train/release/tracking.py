"""`log-to-mlflow`: one run per DAG run, one registered version per model version, aliases by the gate's decision."""

import json
import logging

from wakee_common.files import workspace
from wakee_common.hub import ModelHub
from wakee_common.settings import RunContext
from wakee_common.storage import ObjectStore
from wakee_common.uris import R2Uri
from wakee_contract.emotions import EMOTIONS
from wakee_contract.model import CHALLENGER, CHAMPION, ONNX, VERSION_TAG

from wakee_train.data.records import Splits, SplitStatistics
from wakee_train.records import (
    Epoch,
    Evaluation,
    Export,
    ModelMetrics,
    Publication,
    Tracking,
    Training,
    read_record,
    write_record,
)
from wakee_train.release.mlflow_model import MODEL_FOLDER, write_ml_model
from wakee_train.release.registry import Registry, translated
from wakee_train.results import TrackingResult
from wakee_train.settings import HubSettings, TrackingSettings
from wakee_train.versions import TRACKING, run_key

logger = logging.getLogger(__name__)

FINISHED = "FINISHED"
LONGEST_DIGEST = 36


def track(
    store: ObjectStore,
    context: RunContext,
    settings: TrackingSettings,
    hub_settings: HubSettings,
    publication_uri: R2Uri,
) -> TrackingResult:
    """Log the run, register the version and set the aliases. Steps that are done already are skipped."""
    publication = read_record(store, publication_uri, Publication)
    training = read_record(store, R2Uri.parse(publication.training_uri), Training)
    evaluation = read_record(store, R2Uri.parse(publication.evaluation_uri), Evaluation)
    export = read_record(store, R2Uri.parse(publication.export_uri), Export)
    registry = Registry(settings)
    experiment_id = registry.experiment_id()
    run = registry.ensure_run(experiment_id, run_key(context), publication.version)
    run_id, new = run.info.run_id, run.info.status != FINISHED
    with translated():
        if new:
            registry.set_tags(run_id, run_tags(context, publication, training))
            _log(registry, store, run_id, training, evaluation, export)
            registry.client.set_terminated(run_id, FINISHED)
        else:
            logger.info("MLflow run %s is already complete", run_id)
    tags = {"hf_commit": publication.commit, "promoted": str(publication.promoted).lower()}
    source = f"{run.info.artifact_uri}/{MODEL_FOLDER}"
    registered = registry.ensure_version(publication.version, source, run_id, tags)
    alias = CHAMPION if publication.promoted else CHALLENGER
    with workspace() as scratch:
        current = not publication.promoted or ModelHub(hub_settings, scratch).main_holds(publication.version)
    if current:
        registry.point(alias, registered)
        if publication.promoted:
            registry.unpoint(CHALLENGER, registered)
    tracking = Tracking(
        version=publication.version,
        experiment_id=experiment_id,
        mlflow_run_id=run_id,
        model_name=registry.model,
        model_version=str(registered.version),
        alias=alias,
        publication_uri=str(publication_uri),
    )
    uri = write_record(store, context.folder(store.root) / TRACKING, tracking)
    return TrackingResult(
        tracking_uri=str(uri),
        mlflow_run_id=run_id,
        experiment_id=experiment_id,
        model_version=str(registered.version),
        alias=alias,
        new_run=new,
    )


def run_tags(context: RunContext, publication: Publication, training: Training) -> dict[str, str]:
    """Tags that link the run to its DAG run, data, code and version."""
    return {
        VERSION_TAG: publication.version,
        "wakee.dataset_id": training.dataset_id,
        "wakee.hf_repository": publication.repository,
        "wakee.hf_commit": publication.commit,
        "wakee.hf_branch": publication.branch,
        "wakee.promoted": str(publication.promoted).lower(),
        "wakee.drift_report_id": str(publication.drift_report_id or ""),
        "wakee.image": context.image,
        "wakee.git_commit": context.git_commit,
    }


def _log(
    registry: Registry, store: ObjectStore, run_id: str, training: Training, evaluation: Evaluation, export: Export
) -> None:
    """Log the run's parameters, metrics and files. Idempotent."""
    from mlflow.entities import Metric, Param

    client = registry.client
    params = [Param(name, str(value)) for name, value in training.settings.model_dump().items()]
    params += [Param("started_from", training.started_from), Param("dataset_id", training.dataset_id)]
    when = round(training.history[-1].finished_at * 1000)
    metrics = [
        Metric(name, value, round(epoch.finished_at * 1000), epoch.epoch)
        for epoch in training.history
        for name, value in epoch_metrics(epoch).items()
    ]
    final = final_metrics(evaluation, export) | mixture_metrics(training)
    metrics += [Metric(name, value, when, training.best_epoch) for name, value in final.items()]
    client.log_batch(run_id, params=params)
    for start in range(0, len(metrics), 500):
        client.log_batch(run_id, metrics=metrics[start : start + 500])
    _log_dataset(registry, store, run_id, training)
    _log_files(registry, store, run_id, training, evaluation, export)


def epoch_metrics(epoch: Epoch) -> dict[str, float]:
    """The metrics of one epoch, for MLflow's curves."""
    return {
        "train_loss": epoch.train_loss,
        "validation_mae": epoch.validation_mae,
        **{
            f"validation_mae_{emotion}": error
            for emotion, error in zip(EMOTIONS, epoch.validation_mae_per_emotion, strict=True)
        },
        "learning_rate": epoch.learning_rate,
        "images_per_second": epoch.images_per_second,
    }


def final_metrics(evaluation: Evaluation, export: Export) -> dict[str, float]:
    """The metrics of both models on the test split, and the measurements of the export."""
    found = {"onnx_parity_max_difference": export.parity_max_difference, "onnx_latency_ms": export.latency_ms_median}
    if export.int8 and export.int8.latency_ms_median and export.int8.mae_increase is not None:
        found["onnx_int8_latency_ms"] = export.int8.latency_ms_median
        found["onnx_int8_mae_increase"] = export.int8.mae_increase
    models: dict[str, ModelMetrics | None] = {"test": evaluation.challenger, "champion": evaluation.champion}
    for prefix, model in models.items():
        if model is None:
            continue
        for name in ("mae", "mse", "accuracy", "macro_f1"):
            found[f"{prefix}_{name}"] = getattr(model, name)
        for name in ("mae", "mse", "accuracy", "macro_f1", "bias", "calibration_error"):
            found |= {f"{prefix}_{name}_{emotion}": getattr(m, name) for emotion, m in model.emotions.items()}
    return found


def mixture_metrics(training: Training) -> dict[str, float]:
    """The chosen share of the trained weights, and the validation MAE of each share; empty without a champion."""
    if not training.validation_mae_per_alpha:
        return {}
    maes = training.validation_mae_per_alpha.items()
    return {"alpha": training.alpha, **{f"validation_mae_alpha_{alpha}": mae for alpha, mae in maes}}


def _log_dataset(registry: Registry, store: ObjectStore, run_id: str, training: Training) -> None:
    from mlflow.entities import Dataset, DatasetInput, InputTag

    splits = read_record(store, R2Uri.parse(training.splits_uri), Splits)
    dataset = Dataset(
        name="wakee-annotations",
        digest=training.dataset_id[:LONGEST_DIGEST],
        source_type="r2",
        source=json.dumps({"manifest": training.manifest_uri, "splits": training.splits_uri}),
        profile=json.dumps({name: split_counts(found) for name, found in splits.statistics.items()}),
    )
    registry.client.log_inputs(run_id, [DatasetInput(dataset, [InputTag("mlflow.data.context", "training")])])


def split_counts(statistics: SplitStatistics) -> dict[str, object]:
    """The profile of a split in MLflow: pictures, people, sessions, and pictures per emotion and level."""
    return statistics.model_dump(mode="json", include={"samples", "people", "sessions", "level_counts"})


def _log_files(
    registry: Registry, store: ObjectStore, run_id: str, training: Training, evaluation: Evaluation, export: Export
) -> None:
    with workspace() as folder:
        files = {f"figures/{uri.rpartition('/')[2]}": uri for uri in evaluation.figures}
        for path, uri in (files | {f"{MODEL_FOLDER}/{ONNX}": export.onnx_uri}).items():
            (folder / path).parent.mkdir(exist_ok=True)
            store.get_file(R2Uri.parse(uri), folder / path)
        write_ml_model(folder / MODEL_FOLDER, run_id, export)
        for record in (training, evaluation, export):
            (folder / f"{type(record).__name__.lower()}.json").write_text(record.model_dump_json(indent=2))
        registry.client.log_artifacts(run_id, str(folder))
