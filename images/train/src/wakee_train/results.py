"""The result that each stage returns to Airflow."""

from wakee_common.stage import StageResult

from wakee_train.records import LabelQuality


class BackboneResult(StageResult):
    """Result of `try-backbone`: the model's size and the cost of one step. On the `meta` device, only shapes exist."""

    backbone: str
    image_size: int
    parameters: int
    pictures: int
    device: str
    seconds: float
    peak_mib: int


class TargetsResult(StageResult):
    """Result of `check-targets`: what is in production, and what was created, restored or completed for the run.

    `experiment_id` is empty in a rehearsal, which does not look for the experiment.
    """

    repository: str
    repository_made: bool
    production: str | None
    experiment_id: str
    experiment_restored: bool
    finished: str | None


class DatasetResult(StageResult):
    """Result of `fetch-training-data`; `excluded` counts the quarantined rows per reason.

    `retraining_key` identifies the inputs of a retraining. `already_done_by` is the version that an earlier run made
    from the same inputs. `labels` counts labels that say little about the pictures; None in older data sets.
    """

    dataset_id: str
    manifest_uri: str | None = None
    quarantine_uri: str | None = None
    samples: int
    excluded: dict[str, int]
    reused: bool
    retraining_key: str = ""
    already_done_by: str | None = None
    labels: LabelQuality | None = None


class SplitsResult(StageResult):
    """Result of `split-dataset`, per split: pictures, people, sessions, and pictures per emotion and level 0 to 3.

    `left_out` counts the pictures in no split, per reason. `labels` is as in the result of `fetch-training-data`.
    """

    splits_uri: str | None = None
    dataset_id: str
    samples: dict[str, int]
    people: dict[str, int]
    sessions: dict[str, int]
    levels: dict[str, dict[str, list[int]]]
    left_out: dict[str, int]
    labels: LabelQuality | None = None


class TrainingResult(StageResult):
    """Result of `fine-tune`; `Training` describes the choice of epoch and alpha."""

    training_uri: str
    weights_uri: str
    weights_sha256: str
    started_from: str
    epochs_run: int
    best_epoch: int
    best_validation_mae: float
    champion_validation_mae: float | None
    alpha: float
    validation_mae_per_alpha: dict[str, float]
    images_per_second: float
    device: str
    resumed: bool


class EvaluationResult(StageResult):
    """Result of `evaluate`; `notes` are caveats about the metrics.

    `second_look_uri` is a page in R2 with the test pictures that deserve a second look. It shows people's faces.
    """

    evaluation_uri: str
    version: str
    promote: bool
    verdict: str
    reasons: list[str]
    mae: float
    champion_mae: float | None
    mae_per_emotion: dict[str, float]
    champion_mae_per_emotion: dict[str, float] | None
    champion_version: str | None
    test_samples: int
    test_people: int
    parts: list[str]
    notes: list[str]
    second_look_uri: str | None = None


class ExportResult(StageResult):
    """Result of `export-onnx`; `int8` says whether that variant was kept, if it was requested."""

    export_uri: str
    onnx_uri: str
    onnx_sha256: str
    bytes: int
    parity_max_difference: float
    latency_ms_median: float
    int8: str | None = None
    int8_uri: str | None = None


class PublicationResult(StageResult):
    """Result of `upload-to-hub`."""

    publication_uri: str
    version: str
    promoted: bool
    branch: str
    commit: str
    url: str
    new_commit: bool


class TrackingResult(StageResult):
    """Result of `log-to-mlflow`; `new_run` says whether the run was incomplete before."""

    tracking_uri: str
    mlflow_run_id: str
    experiment_id: str
    model_version: str
    alias: str
    new_run: bool


class ModelVersionResult(StageResult):
    """Result of `update-model-versions`: the version's row in `model_versions`."""

    model_version_id: int
    version: str
    is_production: bool
    previous_production: str | None


class RollbackResult(StageResult):
    """Result of `rollback`: what was restored, what was correct already, and what could not be restored."""

    version: str
    replaced: str | None
    commit: str
    new_commit: bool
    alias_moved: bool
    production_moved: bool
    done: list[str]
    warning: str | None = None
