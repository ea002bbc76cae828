"""`wakee-train`: the stages of retraining, and the way back.

Each stage reads what the ones before wrote to R2, does one thing, and prints nothing but its log; its result goes to
Airflow. In order: fetch-training-data, split-dataset, fine-tune, evaluate, export-onnx, upload-to-hub, log-to-mlflow,
update-model-versions. By hand: rollback.
"""

from enum import StrEnum
from typing import Annotated

import typer
from wakee_common.settings import DatabaseSettings, R2Settings, load
from wakee_common.stage import run_context, stage
from wakee_common.storage import ObjectStore
from wakee_common.uris import R2Uri

from wakee_train.results import (
    DatasetResult,
    EvaluationResult,
    ExportResult,
    ModelVersionResult,
    PublicationResult,
    RollbackResult,
    SplitsResult,
    TrackingResult,
    TrainingResult,
)
from wakee_train.settings import HubSettings, ModelPage, TrackingSettings

app = typer.Typer(
    help=__doc__, no_args_is_help=True, pretty_exceptions_enable=False, add_completion=False, rich_markup_mode=None
)

# What makes the stages heavy (torch, timm, onnx, mlflow) is imported inside them, so that --help answers at once.


class Start(StrEnum):
    """Which weights training starts from."""

    AUTO = "auto"
    HUB = "hub"
    IMAGENET = "imagenet"
    RANDOM = "random"


class Precision(StrEnum):
    """Arithmetic of the forward pass."""

    AUTO = "auto"
    FP32 = "fp32"
    BF16 = "bf16"


class Loss(StrEnum):
    """What training minimises, over the four levels."""

    SMOOTH_L1 = "smooth_l1"
    L1 = "l1"
    MSE = "mse"


TrainingRecord = Annotated[str, typer.Option(help="The training_uri of fine-tune.")]
DriftReportId = Annotated[
    str, typer.Option(help="Id of the drift report that asked for this training; empty when none did.")
]


@stage(app)
def fetch_training_data(
    min_samples: Annotated[
        int, typer.Option(min=1, help="With fewer usable samples the result is insufficient_data.")
    ] = 100,
    max_bad_share: Annotated[
        float, typer.Option(min=0, max=1, help="Fail when a larger share of the annotations cannot be used.")
    ] = 0.1,
    until: Annotated[str, typer.Option(help="Only annotations before this moment (ISO 8601, UTC). Empty: all.")] = "",
    drift_report_id: DriftReportId = "",
) -> DatasetResult:
    """Make the data set of all validated annotations and their pictures, or find the very same one made."""
    from wakee_train.dataset import fetch

    return fetch(
        _store(),
        load(DatabaseSettings),
        min_samples=min_samples,
        max_bad_share=max_bad_share,
        until=_moment(until),
        drift_report_id=_report_id(drift_report_id),
    )


@stage(app)
def split_dataset(
    manifest: Annotated[str, typer.Option(help="The manifest_uri of fetch-training-data.")],
) -> SplitsResult:
    """Put every sample into training, validation or test, by a hash of the picture's name."""
    from wakee_train.splits import split

    store = _store()
    return split(store, run_context("split_dataset").folder(store.bucket), R2Uri.parse(manifest))


@stage(app)
def fine_tune(
    splits: Annotated[str, typer.Option(help="The splits_uri of split-dataset.")],
    backbone: Annotated[str, typer.Option(help="A timm model name.")] = "efficientnet_b4",
    image_size: Annotated[
        int,
        typer.Option(min=32, max=512, help="Pixels at which the backbone works; the model resizes 224 to it itself."),
    ] = 224,
    epochs: Annotated[int, typer.Option(min=1, max=1000)] = 10,
    learning_rate: Annotated[float, typer.Option(min=1e-7, max=1, help="The highest, after the warm-up.")] = 3e-4,
    batch_size: Annotated[int, typer.Option(min=1, max=4096)] = 32,
    freeze_epochs: Annotated[int, typer.Option(min=0, help="Epochs at the start in which only the head learns.")] = 0,
    seed: Annotated[int, typer.Option(min=0, help="The same seed, data and machine give the same weights.")] = 0,
    start: Annotated[
        Start, typer.Option(help="auto: the Hub's production weights when they fit, else timm's pretrained ones.")
    ] = Start.AUTO,
    patience: Annotated[int, typer.Option(min=1, help="Stop after this many epochs without a better one.")] = 5,
    weight_decay: Annotated[float, typer.Option(min=0, max=1)] = 0.01,
    precision: Annotated[Precision, typer.Option(help="auto: bf16 on a GPU, fp32 on a CPU.")] = Precision.AUTO,
    loss: Annotated[Loss, typer.Option(help="The regression loss that training minimises.")] = Loss.SMOOTH_L1,
) -> TrainingResult:
    """Train, one process per GPU, with a checkpoint per epoch and on SIGTERM; a retry goes on from the last one."""
    from wakee_train.fine_tuning import fine_tune as run
    from wakee_train.records import TrainingSettings

    settings = TrainingSettings(
        backbone=backbone,
        image_size=image_size,
        epochs=epochs,
        learning_rate=learning_rate,
        batch_size=batch_size,
        freeze_epochs=freeze_epochs,
        seed=seed,
        start=start.value,
        patience=patience,
        weight_decay=weight_decay,
        precision=precision.value,
        loss=loss.value,
    )
    store = _store()
    return run(store, run_context("fine_tune").folder(store.bucket), R2Uri.parse(splits), settings)


@stage(app)
def evaluate(
    training: TrainingRecord,
    min_improvement: Annotated[
        float, typer.Option(min=0, max=3, help="By how much the mean MAE must fall for a promotion.")
    ] = 0.0,
    max_regression: Annotated[
        float, typer.Option(min=0, max=3, help="By how much the MAE of any one emotion may rise.")
    ] = 0.05,
) -> EvaluationResult:
    """Judge the trained model against the Hub's on the same test pictures, and decide on its promotion."""
    from wakee_train.evaluation import evaluate as run

    context, hub = run_context("evaluate"), load(HubSettings)
    return run(_store(), context, hub, R2Uri.parse(training), min_improvement, max_regression)


@stage(app)
def export_onnx(
    training: TrainingRecord,
    parity_limit: Annotated[
        float, typer.Option(min=0, max=1, help="Largest difference between ONNX and PyTorch on any output.")
    ] = 1e-3,
    parity_samples: Annotated[int, typer.Option(min=1, help="Test pictures to compare on.")] = 128,
    int8: Annotated[
        bool, typer.Option(help="Also make model_int8.onnx, kept when it is faster and accurate enough.")
    ] = False,
    int8_mae_limit: Annotated[
        float, typer.Option(min=0, max=3, help="By how much the MAE of any emotion may rise with int8.")
    ] = 0.01,
) -> ExportResult:
    """Export to one ONNX file that keeps the API's contract; check it, compare it with PyTorch, time it."""
    from wakee_train.onnx_export import export_onnx as run

    store = _store()
    folder = run_context("export_onnx").folder(store.bucket)
    limit = int8_mae_limit if int8 else None
    return run(store, folder, R2Uri.parse(training), parity_limit, parity_samples, limit)


@stage(app)
def upload_to_hub(
    evaluation: Annotated[str, typer.Option(help="The evaluation_uri of evaluate.")],
    export: Annotated[str, typer.Option(help="The export_uri of export-onnx.")],
    drift_report_id: DriftReportId = "",
) -> PublicationResult:
    """Commit the version to the Hub: on main with a tag when promoted, on a candidate branch otherwise."""
    from wakee_train.publishing import publish

    hub, page, report = load(HubSettings), load(ModelPage), _report_id(drift_report_id)
    uris = R2Uri.parse(evaluation), R2Uri.parse(export)
    return publish(_store(), run_context("upload_to_hub"), hub, page, *uris, report)


@stage(app)
def log_to_mlflow(
    publication: Annotated[str, typer.Option(help="The publication_uri of upload-to-hub.")],
) -> TrackingResult:
    """Log the run to MLflow, register the version, and point the alias champion or challenger to it."""
    from wakee_train.tracking import track

    settings, hub = load(TrackingSettings), load(HubSettings)
    return track(_store(), run_context("log_to_mlflow"), settings, hub, R2Uri.parse(publication))


@stage(app)
def update_model_versions(
    tracking: Annotated[str, typer.Option(help="The tracking_uri of log-to-mlflow.")],
) -> ModelVersionResult:
    """Write the version's row of the table model_versions; a promoted one becomes the only one in production."""
    from wakee_train.model_versions import update

    context, hub = run_context("update_model_versions"), load(HubSettings)
    return update(_store(), context, load(DatabaseSettings), hub, R2Uri.parse(tracking))


@stage(app)
def rollback(
    version: Annotated[
        str, typer.Option(help="A version that was in production, or 'previous': the one before the present one.")
    ] = "previous",
) -> RollbackResult:
    """Put Hub main, registry alias and is_production back to an earlier version, together."""
    from wakee_train.rolling_back import roll_back

    context, database = run_context("rollback"), load(DatabaseSettings)
    return roll_back(_store(), context, database, load(HubSettings), load(TrackingSettings), version)


def _store() -> ObjectStore:
    return ObjectStore(load(R2Settings))


def _report_id(text: str) -> int | None:
    """Airflow renders an absent id as "", "None" or "null".

    Raises:
        BadInputError: anything else that is no number.
    """
    from pydantic import NonNegativeInt, TypeAdapter, ValidationError
    from wakee_common.errors import BadInputError

    if text in ("", "None", "null"):
        return None
    try:
        return TypeAdapter(NonNegativeInt).validate_python(text)
    except ValidationError:
        raise BadInputError(f"--drift-report-id {text[:40]!r} is no id") from None


def _moment(text: str) -> str:
    """The moment in UTC as the database writes it, or nothing.

    Raises:
        BadInputError: no ISO 8601 timestamp.
    """
    from datetime import UTC, datetime

    from wakee_common.errors import BadInputError

    if not text:
        return ""
    try:
        moment = datetime.fromisoformat(text)
        return (moment.astimezone(UTC).replace(tzinfo=None) if moment.tzinfo else moment).isoformat(sep=" ")
    except (ValueError, OverflowError):  # the latter: a year 1 that is a year 0 in UTC
        raise BadInputError(f"--until {text[:40]!r} is no ISO 8601 timestamp") from None
