"""The JSON documents by which stages pass data to later stages through R2. Each names the ones it was made from."""

from typing import Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from wakee_common.errors import BadInputError
from wakee_common.storage import ObjectStore
from wakee_common.uris import R2Uri


class Record(BaseModel):
    """Base class of all stage records. Unknown fields are ignored, so that a newer version's records can be read."""

    model_config = ConfigDict(frozen=True, extra="ignore")


R = TypeVar("R", bound=Record)


class Epoch(Record):
    """One epoch of training. Validation uses the averaged (EMA) weights."""

    epoch: int
    train_loss: float
    validation_mae: float
    validation_mae_per_emotion: list[float]
    learning_rate: float
    images_per_second: float
    finished_at: float


class TrainingSettings(Record):
    """The parameters of `fine-tune`."""

    backbone: str
    image_size: int
    epochs: int
    learning_rate: float
    batch_size: int
    freeze_epochs: int
    seed: int
    start: str
    patience: int
    weight_decay: float
    precision: str
    loss: str = "smooth_l1"
    deterministic: bool = False


class LabelQuality(Record):
    """Labels of a data set that say little about the pictures. They are counted, and not left out.

    Attributes:
        untouched: Pictures of which no slider was moved away from the prediction.
        people: People with at least `wakee_contract.emotions.ENOUGH_ANSWERS` pictures.
        constant_people: Those of them whose labels are the same for every picture.
        near_duplicates: Pairs of near-duplicates among pictures that were annotated one after the other.
        contradictory: Those of them whose labels differ by more than one level in any emotion.
    """

    untouched: int
    people: int
    constant_people: int
    near_duplicates: int
    contradictory: int


class Training(Record):
    """A finished training and its best weights.

    If it started from a champion, the weights are a mixture of the best epoch's and the champion's, which validation
    chose. Then `alpha` is the share of the trained weights, 0 to 1, and with alpha 0 `best_epoch` is 0: the champion.
    `champion_validation_mae` is None, and the MAE per alpha empty, without a champion, and in older records.
    """

    fingerprint: str
    settings: TrainingSettings
    started_from: str
    dataset_id: str
    manifest_uri: str
    splits_uri: str
    samples: dict[str, int]
    weights_uri: str
    weights_sha256: str
    parameters: int
    device: str
    history: list[Epoch]
    best_epoch: int
    best_validation_mae: float
    champion_validation_mae: float | None = None
    alpha: float = 1.0
    validation_mae_per_alpha: dict[str, float] = Field(default_factory=dict)


class CalibrationBin(Record):
    """The predictions that round to one level: their mean, and the mean of their labels."""

    level: int
    samples: int
    mean_prediction: float | None
    mean_label: float | None


class EmotionMetrics(Record):
    """Errors of one emotion on one split. In the confusion matrix, rows are true levels, columns predicted ones."""

    mae: float
    mse: float
    bias: float
    accuracy: float
    macro_f1: float
    confusion: list[list[int]]
    calibration: list[CalibrationBin]
    calibration_error: float


class ModelMetrics(Record):
    """Errors of a model on a split: the means over the emotions, and the errors of each emotion."""

    samples: int
    mae: float
    mse: float
    accuracy: float
    macro_f1: float
    emotions: dict[str, EmotionMetrics]


Verdict = Literal["promote", "keep champion", "undecided"]


class GateLimits(Record):
    """The run's parameters for the gate, described in `wakee_contract.parameters.RETRAIN`."""

    confidence: float
    min_improvement: float
    max_regression: float
    min_test_samples: int
    min_test_people: int


class PartOfGate(Record):
    """Both models on a part of the test split: MAE of each, interval of the difference, and two probabilities.

    `better` is the probability of a lower MAE, `worse` that of an MAE higher by more than `max_regression`.
    """

    name: str
    samples: int
    people: int
    champion: float
    challenger: float
    low: float
    high: float
    better: float
    worse: float


class Decision(Record):
    """The gate's verdict and its reasons."""

    verdict: Verdict
    reasons: list[str]
    parts: list[PartOfGate]
    limits: GateLimits

    @property
    def promote(self) -> bool:
        """Whether the challenger is promoted."""
        return self.verdict == "promote"


class Evaluation(Record):
    """Comparison of challenger and champion on the same test pictures.

    `split_rule` is how the data of the challenger, and of the models it started from, were split. `notes` are caveats
    about the metrics (`evaluation.split_rules`).
    `training_sample_uri` is the sample of the data set that drift detection uses as reference; None in older records.
    """

    version: str
    training_uri: str
    weights_sha256: str
    splits_uri: str
    champion_revision: str | None
    champion_version: str | None
    challenger: ModelMetrics
    champion: ModelMetrics | None
    decision: Decision
    onnx_uri: str
    onnx_sha256: str
    figures: list[str]
    split_rule: str = "names"
    notes: list[str] = Field(default_factory=list)
    training_sample_uri: str | None = None


class Int8(Record):
    """The int8 variant: whether it was kept and why, URI and digest if it was, and measurements if there are any."""

    kept: bool
    reason: str
    limit: float
    latency_ms_median: float | None = None
    plain_latency_ms_median: float | None = None
    mae_increase: float | None = None
    uri: str | None = None
    sha256: str | None = None
    bytes: int | None = None


class Export(Record):
    """The ONNX file and the results of its checks."""

    training_uri: str
    weights_sha256: str
    onnx_uri: str
    onnx_sha256: str
    bytes: int
    opset: int
    parity_samples: int
    parity_max_difference: float
    parity_limit: float
    latency_ms_median: float
    latency_ms_p95: float
    int8: Int8 | None = None


class Publication(Record):
    """A version that was published to the Hub."""

    version: str
    repository: str
    endpoint: str
    branch: str
    tag: str | None
    commit: str
    promoted: bool
    onnx_url: str
    bin_url: str
    training_uri: str
    evaluation_uri: str
    export_uri: str
    drift_report_id: int | None


class Tracking(Record):
    """A run and a registered model version in MLflow."""

    version: str
    experiment_id: str
    mlflow_run_id: str
    model_name: str
    model_version: str
    alias: str
    publication_uri: str


def read_record(store: ObjectStore, uri: R2Uri, kind: type[R]) -> R:
    """Read a record that another stage wrote.

    Raises:
        BadInputError: the object is missing, or not a record of this kind.
    """
    return parse_record(store.get_bytes(uri), uri, kind)


def parse_record(content: bytes, uri: R2Uri, kind: type[R]) -> R:
    """Parse a record from the content of an object.

    Raises:
        BadInputError: the content is not a record of this kind.
    """
    try:
        return kind.model_validate_json(content)
    except ValidationError as error:
        raise BadInputError(f"{uri} is not a valid {kind.__name__}: {error.errors()[0]['msg']}") from None


def write_record(store: ObjectStore, uri: R2Uri, record: Record) -> R2Uri:
    """Write a record and return its URI."""
    store.put_bytes(uri, record.model_dump_json().encode(), "application/json")
    return uri
