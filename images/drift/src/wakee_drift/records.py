"""What the stages of one run hand on to each other, inside the files they write.

`Provenance` travels in the metadata of the Parquet files; `DriftMetrics` is metrics.json.
"""

from datetime import date, datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict, FiniteFloat, ValidationError
from wakee_common.errors import BadInputError
from wakee_common.training_sample import TrainingSample

HTML_NAME, JSON_NAME, PNG_NAME = "report.html", "report.json", "errors.png"
"""The files of a report, side by side in one folder."""


class Record(BaseModel):
    """Base of all records: frozen, and strict about fields it does not know."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class ApiComparison(Record):
    """How the stored predictions compare with what the model gives now for the same pictures.

    Attributes:
        status: `compared`, `unavailable` (the cause says why) or `not_configured`.
        cause: Why there is no comparison, or why pictures are missing from it.
        n: Pictures compared.
        failed: Pictures that could not be.
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
        version: Its name; None where no version is known to be in production: then every row counts as its own.
        since: From when on rows count as its predictions, naive UTC: its promotion, and the time that the API may take
            to load it. None where nobody noted when it was promoted: then every row counts.
    """

    version: str | None = None
    since: datetime | None = None


class Provenance(Record):
    """Where the rows of a file come from, and what was left out of them.

    Attributes:
        report_date: The day that the report is filed under.
        window_start: Start of the look-back window, naive UTC, inclusive.
        window_end: End of the look-back window, exclusive.
        reference_start: Start of the reference window, which ends at `window_start`.
        min_samples: With fewer rows no drift is calculated.
        excluded: Rows of the look-back window left out, per reason.
        reference_excluded: The same for the sample of the reference window.
        api_comparison: Filled in by `load-predictions`.
        production: The same.
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
        bias: Mean of prediction minus label; positive when the model says too much.
    """

    mae: FiniteFloat
    mse: FiniteFloat
    rmse: FiniteFloat
    bias: FiniteFloat


class ColumnDrift(Record):
    """One column's distribution against a reference.

    Attributes:
        score: Population stability index, or the p-value.
        threshold: The index must be at least, the p-value at most this for the column to count as drifted.
        drifted: Whether it does (`measure.distribution.decide`).
        p_value: Of the permutation by people, adjusted by Holm over the columns compared; None in older reports,
            where `score` was the p-value of the Kolmogorov-Smirnov test without either.
    """

    score: FiniteFloat
    threshold: FiniteFloat
    drifted: bool
    p_value: FiniteFloat | None = None


class DistributionDrift(Record):
    """Whether predictions and labels are distributed as in a reference.

    Attributes:
        status: `compared`, or `skipped` for the reason given.
        reason: Why it was skipped, or why the method was chosen.
        against: What the reference is, for people to read.
        method: What the columns' score is: `psi`, or `ks` for the p-value.
        rows: Rows of the look-back window that were compared (a bounded sample).
        reference_rows: Rows of the reference that were compared (a bounded sample).
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


class Answers(Record):
    """How people answered in the look-back window.

    Attributes:
        untouched: Per emotion, the share of sliders that were left at the prediction, 0 to 1.
        people: People with enough rows to be judged (`answers.ENOUGH_ROWS`).
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
        num_samples: Rows.
        num_people: Whose they are.
        score: Mean of the four MAE, on the 0-3 scale; None without rows.
        low: Lower end of its 95 % interval, by people.
        high: Upper end of it.
    """

    num_samples: int = 0
    num_people: int = 0
    score: FiniteFloat | None = None
    low: FiniteFloat | None = None
    high: FiniteFloat | None = None


class ProductionSample(Record):
    """The training data of the version in production, from `load-predictions` to the stages without a database.

    Attributes:
        version: Name of the version; empty when there is none.
        sample: A sample of the data that it was trained on, if there is one.
        reason: Why there is none.
    """

    version: str = ""
    sample: TrainingSample | None = None
    reason: str = ""


class DriftMetrics(Record):
    """Everything that one run measured.

    Attributes:
        provenance: Whence the rows come.
        num_samples: Rows measured.
        num_people: Whose they are; counted up to a bound (`bootstrap.MOST_PEOPLE`).
        threshold: Drift is detected when the score is above it.
        drift_score: Mean of the four MAE, on the 0-3 scale.
        drift_score_low: Lower end of the score's 95 % bootstrap interval, by people.
        drift_score_high: Upper end of it.
        drift_detected: Whether the score is above the threshold.
        production: The same of the rows that the version in production predicted; the trigger judges these.
        answers: How people answered; empty in older reports.
        emotions: Errors per emotion.
        distribution: Distributions against the data that the version in production was trained on; in older
            reports, against the reference window.
        distribution_rolling: Distributions against the reference window; None in older reports.
        pairs_uri: The rows measured.
        reference_pairs_uri: The sample of the reference window.
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
    pairs_uri: str
    reference_pairs_uri: str

    @property
    def distributions(self) -> tuple[DistributionDrift, ...]:
        """The comparisons of distributions that there are."""
        return (self.distribution, *([self.distribution_rolling] if self.distribution_rolling else []))


def read_metrics(data: bytes, origin: object) -> DriftMetrics:
    """Parse metrics.json.

    Raises:
        BadInputError: it is not what `calculate-drift` writes.
    """
    try:
        return DriftMetrics.model_validate_json(data)
    except ValidationError as error:
        problem = error.errors()[0]
        place = ".".join(str(part) for part in problem["loc"])
        raise BadInputError(f"{origin} is no metrics.json of this version: {place}: {problem['msg']}") from None
