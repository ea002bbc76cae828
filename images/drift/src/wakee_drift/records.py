"""Data models of the files that the stages of one run pass to each other.

`Provenance` is stored in the metadata of the Parquet files. `DriftMetrics` is metrics.json.
"""

from datetime import date, datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict, FiniteFloat, ValidationError
from wakee_common.errors import BadInputError
from wakee_common.training_sample import TrainingSample

HTML_NAME, JSON_NAME, PNG_NAME = "report.html", "report.json", "errors.png"
"""The files of a report, side by side in one folder."""


class Record(BaseModel):
    """Base class of all models here: frozen. Unknown fields, of a newer version's files, are ignored."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class ApiComparison(Record):
    """Comparison of the stored predictions with the API's current predictions for the same pictures.

    Attributes:
        status: `compared`, `unavailable` (the cause says why) or `not_configured`.
        cause: Why there is no comparison, or why pictures are missing from it.
        n: Number of pictures compared.
        failed: Number of pictures that could not be compared.
        mean_abs_difference: Per emotion, on the 0-3 scale.
        max_abs_difference: Per emotion, on the 0-3 scale.
    """

    status: Literal["compared", "unavailable", "not_configured"]
    cause: str = ""
    n: int = 0
    failed: int = 0
    mean_abs_difference: dict[str, FiniteFloat] = {}
    max_abs_difference: dict[str, FiniteFloat] = {}


class Production(Record):
    """The version in production when the predictions were loaded.

    Attributes:
        version: Its name; None if no version is known to be in production. Then every row counts.
        since: When rows start to count as its predictions, naive UTC: its promotion, plus the time that the API may
            take to load it. None if the time of the promotion is unknown. Then every row counts.
    """

    version: str | None = None
    since: datetime | None = None


class Provenance(Record):
    """Origin of the rows of a file, and the number of rows left out.

    Attributes:
        report_date: The day that the report is filed under.
        window_start: Start of the look-back window, naive UTC, inclusive.
        window_end: End of the look-back window, exclusive.
        reference_start: Start of the reference window, which ends at `window_start`.
        min_samples: With fewer rows no drift is calculated.
        excluded: Number of rows of the look-back window left out, per reason.
        reference_excluded: The same for the sample of the reference window.
        api_comparison: Set by `load-predictions`.
        production: Set by `load-predictions`.
    """

    report_date: date
    window_start: datetime
    window_end: datetime
    reference_start: datetime
    min_samples: int
    excluded: dict[str, int] = {}
    reference_excluded: dict[str, int] = {}
    api_comparison: ApiComparison = ApiComparison(status="not_configured")
    production: Production = Production()


class EmotionErrors(Record):
    """Errors of one emotion's predictions, on the 0-3 scale (MSE: squared).

    Attributes:
        mae: Mean absolute error.
        mse: Mean squared error.
        rmse: Root of the mean squared error.
        bias: Mean of prediction minus label; positive when the model predicts too high.
    """

    mae: FiniteFloat
    mse: FiniteFloat
    rmse: FiniteFloat
    bias: FiniteFloat


class ColumnDrift(Record):
    """Comparison of one column's distribution with a reference.

    Attributes:
        score: Population stability index, or the p-value.
        threshold: Minimum of the index, or maximum of the p-value, for a column that counts as drifted.
        drifted: Whether the column counts as drifted (`measure.distribution.decide`).
        p_value: Of the permutation test by people, with Holm's correction over the columns compared; None in older
            reports, where `score` was the p-value of the plain Kolmogorov-Smirnov test.
    """

    score: FiniteFloat
    threshold: FiniteFloat
    drifted: bool
    p_value: FiniteFloat | None = None


class DistributionDrift(Record):
    """Comparison of the distributions of predictions and labels with those of a reference.

    Attributes:
        status: `compared`, or `skipped` for the reason given.
        reason: Why it was skipped, or why the method was chosen.
        against: Description of the reference, for reports and logs.
        method: What the score of the columns is: `psi` for the index, `ks` for the p-value.
        rows: Number of rows of the look-back window compared (a bounded sample).
        reference_rows: Number of rows of the reference compared (a bounded sample).
        columns: Result per column.
        skipped_columns: Reason per column that could not be compared.
    """

    status: Literal["compared", "skipped"]
    reason: str
    against: str = "the reference window"
    method: Literal["psi", "ks"] | None = None
    rows: int = 0
    reference_rows: int = 0
    columns: dict[str, ColumnDrift] = {}
    skipped_columns: dict[str, str] = {}


class PictureColumn(Record):
    """Comparison of one property of pictures with the training pictures.

    Attributes:
        p_value: Of the permutation test by people, with Holm's correction over the properties compared.
        drifted: Whether the property counts as drifted.
        before: Its median in the training pictures; None for the embedding.
        now: Its median in the look-back window; None for the embedding.
    """

    p_value: FiniteFloat
    drifted: bool
    before: FiniteFloat | None = None
    now: FiniteFloat | None = None


class PictureDrift(Record):
    """Comparison of the window's pictures with those that the version in production was trained on.

    It is reported, and triggers nothing.

    Attributes:
        status: `compared`, or `skipped` for the reason given.
        reason: Why it was skipped.
        against: Description of the reference, for reports and logs.
        pictures: Number of pictures measured (a bounded sample).
        unreadable: Number of pictures that could not be measured, per reason.
        columns: Result per property: brightness, contrast, sharpness, width, height, embedding.
        skipped_columns: Reason per property that could not be compared.
    """

    status: Literal["compared", "skipped"]
    reason: str = ""
    against: str = "the training pictures"
    pictures: int = 0
    unreadable: dict[str, int] = {}
    columns: dict[str, PictureColumn] = {}
    skipped_columns: dict[str, str] = {}


class Answers(Record):
    """How people answered in the look-back window.

    Attributes:
        untouched: Per emotion, the share of sliders that were left at the prediction, 0 to 1.
        people: People with enough rows to be judged (`wakee_contract.emotions.ENOUGH_ANSWERS`).
        constant_people: Those of them whose four answers are the same in every row.
        constant_rows: Their rows.
    """

    untouched: dict[str, FiniteFloat] = {}
    people: int = 0
    constant_people: int = 0
    constant_rows: int = 0


class ProductionScore(Record):
    """The score of the rows that the version in production predicted.

    Attributes:
        num_samples: Number of rows.
        num_people: Number of people whose rows they are.
        score: Mean of the four MAE, on the 0-3 scale; None without rows.
        low: Lower end of its 95 % bootstrap interval, by people.
        high: Upper end of it.
    """

    num_samples: int = 0
    num_people: int = 0
    score: FiniteFloat | None = None
    low: FiniteFloat | None = None
    high: FiniteFloat | None = None


class ProductionSample(Record):
    """Training data of the version in production, which `load-predictions` passes to stages without a database.

    Attributes:
        version: Name of the version; empty when there is none.
        sample: A sample of its training data, if there is one.
        reason: Why there is no sample.
    """

    version: str = ""
    sample: TrainingSample | None = None
    reason: str = ""


class DriftMetrics(Record):
    """Everything that one run measured.

    Attributes:
        provenance: Origin of the rows.
        num_samples: Number of rows measured.
        num_people: Number of people whose rows they are, counted up to `bootstrap.MOST_PEOPLE`.
        threshold: Drift is detected when the score is above it.
        drift_score: Mean of the four MAE, on the 0-3 scale.
        drift_score_low: Lower end of the score's 95 % bootstrap interval, by people.
        drift_score_high: Upper end of it.
        drift_detected: Whether the score is above the threshold.
        production: Score of the rows that the version in production predicted, which the trigger evaluates.
        answers: How people answered; empty in older reports.
        emotions: Errors per emotion.
        distribution: Comparison with the training data of the version in production; in older reports, with the
            reference window.
        distribution_rolling: Comparison with the reference window; None in older reports.
        pictures: Comparison of the window's pictures with the training pictures; None in older reports.
        pairs_uri: Address of the rows measured.
        reference_pairs_uri: Address of the sample of the reference window.
    """

    provenance: Provenance
    num_samples: int
    num_people: int = 0
    threshold: FiniteFloat
    drift_score: FiniteFloat
    drift_score_low: FiniteFloat
    drift_score_high: FiniteFloat
    drift_detected: bool
    production: ProductionScore = ProductionScore()
    answers: Answers = Answers()
    emotions: dict[str, EmotionErrors]
    distribution: DistributionDrift
    distribution_rolling: DistributionDrift | None = None
    pictures: PictureDrift | None = None
    pairs_uri: str
    reference_pairs_uri: str

    @property
    def distributions(self) -> tuple[DistributionDrift, ...]:
        """All comparisons of distributions in these metrics."""
        return (self.distribution, *([self.distribution_rolling] if self.distribution_rolling else []))


def read_metrics(data: bytes, origin: object) -> DriftMetrics:
    """Parse metrics.json.

    Raises:
        BadInputError: it was not written by this version of `calculate-drift`.
    """
    try:
        return DriftMetrics.model_validate_json(data)
    except ValidationError as error:
        problem = error.errors()[0]
        place = ".".join(str(part) for part in problem["loc"])
        raise BadInputError(f"{origin} is not a metrics.json of this version: {place}: {problem['msg']}") from None
