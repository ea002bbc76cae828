"""`wakee-train`: the stages of retraining, and rollback.

Each stage reads what earlier stages wrote to R2, does one thing and prints only its log. Its result goes to Airflow.
In order: check-targets and try-backbone, fetch-training-data, split-dataset, fine-tune, evaluate, export-onnx,
upload-to-hub, log-to-mlflow, update-model-versions. Started by hand: rollback.
"""

from enum import StrEnum
from typing import Annotated

import typer
from wakee_common.flags import option
from wakee_common.settings import DatabaseSettings, R2Settings, load
from wakee_common.stage import run_context, stage
from wakee_common.storage import ObjectStore
from wakee_common.uris import R2Uri
from wakee_contract.parameters import RETRAIN, ROLLBACK

from wakee_train.arguments import moment, report_id
from wakee_train.results import (
    BackboneResult,
    DatasetResult,
    EvaluationResult,
    ExportResult,
    ModelVersionResult,
    PublicationResult,
    RollbackResult,
    SplitsResult,
    TargetsResult,
    TrackingResult,
    TrainingResult,
)
from wakee_train.settings import HubSettings, ModelPage, Targets, TrackingSettings

app = typer.Typer(
    help=__doc__, no_args_is_help=True, pretty_exceptions_enable=False, add_completion=False, rich_markup_mode=None
)

# The heavy libraries (torch, timm, onnx, mlflow) are imported inside the stages, so that --help is fast.


class Precision(StrEnum):
    """Floating-point precision of the forward pass."""

    AUTO = "auto"
    FP32 = "fp32"
    BF16 = "bf16"


EvaluationRecord = Annotated[str, typer.Option(help="The evaluation_uri of evaluate.")]
TrainingRecord = Annotated[str, typer.Option(help="The training_uri of fine-tune.")]
DriftReportId = Annotated[str, typer.Option(help="Id of the drift report that triggered this training. Empty: none.")]
Publish = Annotated[bool, option(RETRAIN["publish"])]
RestoreExperiment = Annotated[bool, option(RETRAIN["restore_deleted_experiment"])]
Backbone = Annotated[str, option(RETRAIN["backbone"])]
ImageSize = Annotated[int, option(RETRAIN["image_size"])]
BatchSize = Annotated[int, option(RETRAIN["batch_size"])]
Seed = Annotated[int, option(RETRAIN["seed"])]
Start = Annotated[str, option(RETRAIN["start"])]


@stage(app)
def check_targets(
    drift_report_id: DriftReportId = "",
    restore_deleted_experiment: RestoreExperiment = RETRAIN["restore_deleted_experiment"].default,
    publish: Publish = RETRAIN["publish"].default,
) -> TargetsResult:
    """Check that Hub, MLflow, database and bucket accept a new version and agree on which one is in production.

    With --no-publish, only report what is in production.
    """
    from wakee_train.release.preflight import check_targets as run
    from wakee_train.release.preflight import look_at_targets

    context, report = run_context("check_targets"), report_id(drift_report_id)
    if not publish:
        return look_at_targets(_store(), context, Targets.load(), report)
    return run(_store(), context, Targets.load(), drift_report_id=report, restore_experiment=restore_deleted_experiment)


@stage(app)
def try_backbone(
    backbone: Backbone = RETRAIN["backbone"].default,
    image_size: ImageSize = RETRAIN["image_size"].default,
    batch_size: BatchSize = RETRAIN["batch_size"].default,
    seed: Seed = RETRAIN["seed"].default,
    start: Start = RETRAIN["start"].default,
) -> BackboneResult:
    """Build the backbone and run one training step: does it work at this size, and how much memory does it need?"""
    from wakee_train.training.trial_step import try_backbone as run

    return run(backbone, image_size, batch_size, seed, start)


@stage(app)
def fetch_training_data(
    min_samples: Annotated[int, option(RETRAIN["min_samples"], min=1)] = RETRAIN["min_samples"].default,
    max_bad_share: Annotated[float, option(RETRAIN["max_bad_share"])] = RETRAIN["max_bad_share"].default,
    until: Annotated[str, typer.Option(help="Only annotations before this moment (ISO 8601, UTC). Empty: all.")] = "",
    drift_report_id: DriftReportId = "",
    choices: Annotated[
        str,
        typer.Option(
            help="The run's parameters as JSON, to search for an earlier run with the same. Empty: no search."
        ),
    ] = "",
    train_again: Annotated[bool, option(RETRAIN["train_again"])] = RETRAIN["train_again"].default,
    publish: Publish = RETRAIN["publish"].default,
) -> DatasetResult:
    """Build the data set from all validated annotations and their pictures, or reuse an identical one.

    If an earlier run trained on it with the same parameters, champion and image, the run ends here.
    """
    from wakee_train.data.dataset import fetch
    from wakee_train.release.repetitions import find_repetition

    database, store, context = load(DatabaseSettings), _store(), run_context("fetch_training_data")
    fetched = fetch(
        store,
        database,
        min_samples=min_samples,
        max_bad_share=max_bad_share,
        until=moment(until),
        drift_report_id=report_id(drift_report_id),
        own_folder=None if publish else context.folder(store.root),
    )
    if not choices:
        return fetched
    return find_repetition(database, context, fetched, choices, train_again=train_again)


@stage(app)
def split_dataset(
    manifest: Annotated[str, typer.Option(help="The manifest_uri of fetch-training-data.")],
    publish: Publish = RETRAIN["publish"].default,
) -> SplitsResult:
    """Assign each person, with all their pictures, to training, validation or test. The assignment is permanent."""
    from wakee_train.data.splitting import split

    store = _store()
    own_folder = None if publish else run_context("split_dataset").folder(store.root)
    return split(store, R2Uri.parse(manifest), own_folder)


@stage(app)
def fine_tune(
    splits: Annotated[str, typer.Option(help="The splits_uri of split-dataset.")],
    backbone: Backbone = RETRAIN["backbone"].default,
    image_size: ImageSize = RETRAIN["image_size"].default,
    epochs: Annotated[int, option(RETRAIN["epochs"])] = RETRAIN["epochs"].default,
    learning_rate: Annotated[float, option(RETRAIN["learning_rate"])] = RETRAIN["learning_rate"].default,
    batch_size: BatchSize = RETRAIN["batch_size"].default,
    freeze_epochs: Annotated[int, option(RETRAIN["freeze_epochs"])] = RETRAIN["freeze_epochs"].default,
    seed: Seed = RETRAIN["seed"].default,
    start: Start = RETRAIN["start"].default,
    patience: Annotated[int, option(RETRAIN["patience"])] = RETRAIN["patience"].default,
    weight_decay: Annotated[float, typer.Option(min=0, max=1)] = 0.01,
    precision: Annotated[Precision, typer.Option(help="auto: bf16 on a GPU, fp32 on a CPU.")] = Precision.AUTO,
    loss: Annotated[str, option(RETRAIN["loss"])] = RETRAIN["loss"].default,
    deterministic: Annotated[bool, option(RETRAIN["deterministic"])] = RETRAIN["deterministic"].default,
) -> TrainingResult:
    """Train with one process per GPU. Each epoch and SIGTERM write a checkpoint, from which a retry resumes."""
    from wakee_train.records import TrainingSettings
    from wakee_train.training.fine_tuning import fine_tune as run

    settings = TrainingSettings(
        backbone=backbone,
        image_size=image_size,
        epochs=epochs,
        learning_rate=learning_rate,
        batch_size=batch_size,
        freeze_epochs=freeze_epochs,
        seed=seed,
        start=start,
        patience=patience,
        weight_decay=weight_decay,
        precision=precision.value,
        loss=loss,
        deterministic=deterministic,
    )
    store = _store()
    return run(store, run_context("fine_tune").folder(store.root), R2Uri.parse(splits), settings)


@stage(app)
def evaluate(
    training: TrainingRecord,
    drift_report_id: DriftReportId = "",
    confidence: Annotated[float, option(RETRAIN["confidence"])] = RETRAIN["confidence"].default,
    min_improvement: Annotated[float, option(RETRAIN["min_improvement"])] = RETRAIN["min_improvement"].default,
    max_regression: Annotated[float, option(RETRAIN["max_regression"])] = RETRAIN["max_regression"].default,
    min_test_samples: Annotated[int, option(RETRAIN["min_test_samples"])] = RETRAIN["min_test_samples"].default,
    min_test_people: Annotated[int, option(RETRAIN["min_test_people"])] = RETRAIN["min_test_people"].default,
    accept_any_first_model: Annotated[bool, option(RETRAIN["accept_any_first_model"])] = RETRAIN[
        "accept_any_first_model"
    ].default,
    publish: Publish = RETRAIN["publish"].default,
) -> EvaluationResult:
    """Export the trained model, compare it with the champion on the same test pictures, and decide on promotion."""
    from wakee_train.evaluation.evaluate import evaluate as run
    from wakee_train.records import GateLimits

    limits = GateLimits(
        confidence=confidence,
        min_improvement=min_improvement,
        max_regression=max_regression,
        min_test_samples=min_test_samples,
        min_test_people=min_test_people,
    )
    return run(
        _store(),
        run_context("evaluate"),
        (load(HubSettings), load(DatabaseSettings)),
        R2Uri.parse(training),
        limits,
        drift_report_id=report_id(drift_report_id),
        accept_any_first_model=accept_any_first_model,
        publish=publish,
    )


@stage(app)
def export_onnx(
    evaluation: EvaluationRecord,
    parity_limit: Annotated[
        float, typer.Option(min=0, max=1, help="Largest difference between ONNX and PyTorch on any output.")
    ] = 1e-3,
    parity_samples: Annotated[int, typer.Option(min=1, help="Number of test pictures to compare.")] = 128,
    int8: Annotated[bool, option(RETRAIN["int8"])] = RETRAIN["int8"].default,
    int8_mae_limit: Annotated[
        float,
        typer.Option(min=0, max=3, help="Largest rise of the MAE of an emotion, or of a part, with int8."),
    ] = 0.01,
    publish: Publish = RETRAIN["publish"].default,
) -> ExportResult:
    """Check the evaluated ONNX file: its contract, its agreement with PyTorch and its latency."""
    from wakee_train.evaluation.onnx_export import export_onnx as run

    store = _store()
    folder = run_context("export_onnx").folder(store.root)
    limit = int8_mae_limit if int8 else None
    return run(store, folder, R2Uri.parse(evaluation), parity_limit, parity_samples, limit, publish=publish)


@stage(app)
def upload_to_hub(
    evaluation: EvaluationRecord,
    export: Annotated[str, typer.Option(help="The export_uri of export-onnx.")],
    drift_report_id: DriftReportId = "",
    restore_deleted_experiment: RestoreExperiment = RETRAIN["restore_deleted_experiment"].default,
) -> PublicationResult:
    """Check the targets again, then commit the version to the Hub: to main with a tag, or to a candidate branch."""
    from wakee_train.release.publishing import publish

    return publish(
        _store(),
        run_context("upload_to_hub"),
        Targets.load(),
        load(ModelPage),
        (R2Uri.parse(evaluation), R2Uri.parse(export)),
        drift_report_id=report_id(drift_report_id),
        restore_experiment=restore_deleted_experiment,
    )


@stage(app)
def log_to_mlflow(
    publication: Annotated[str, typer.Option(help="The publication_uri of upload-to-hub.")],
) -> TrackingResult:
    """Log the run to MLflow, register the version, and set the alias champion or challenger to it."""
    from wakee_train.release.tracking import track

    settings, hub = load(TrackingSettings), load(HubSettings)
    return track(_store(), run_context("log_to_mlflow"), settings, hub, R2Uri.parse(publication))


@stage(app)
def update_model_versions(
    tracking: Annotated[str, typer.Option(help="The tracking_uri of log-to-mlflow.")],
    retraining_key: Annotated[str, typer.Option(help="The retraining_key of fetch-training-data.")] = "",
) -> ModelVersionResult:
    """Write the version to the table model_versions. A promoted version becomes the only one in production."""
    from wakee_train.release.model_versions import update

    context, hub = run_context("update_model_versions"), load(HubSettings)
    return update(_store(), context, load(DatabaseSettings), hub, R2Uri.parse(tracking), retraining_key)


@stage(app)
def rollback(
    version: Annotated[str, option(ROLLBACK["version"])] = ROLLBACK["version"].default,
) -> RollbackResult:
    """Restore an earlier version as Hub main, registry alias and is_production, together."""
    from wakee_train.release.rollback import roll_back

    context, database = run_context("rollback"), load(DatabaseSettings)
    return roll_back(_store(), context, database, load(HubSettings), load(TrackingSettings), version)


def _store() -> ObjectStore:
    return ObjectStore(load(R2Settings))
