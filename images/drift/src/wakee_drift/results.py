"""Results that the stages return to Airflow."""

from datetime import date, datetime

from wakee_common.stage import StageResult

from wakee_drift.records import ApiComparison, ProductionScore


class AnnotationsResult(StageResult):
    """Result of `fetch-annotations`; `excluded` counts the unusable rows of the window per reason.

    `pictures` is the size of the sample of the window's pictures, annotated or not.
    """

    report_date: date
    window_start: datetime
    window_end: datetime
    annotations_uri: str
    reference_uri: str
    pictures_uri: str
    rows: int
    reference_rows: int
    pictures: int
    excluded: dict[str, int]
    sha256: str


class PairsResult(StageResult):
    """Result of `load-predictions`; `excluded` adds the rows without a usable prediction."""

    pairs_uri: str
    reference_pairs_uri: str
    training_sample_uri: str
    rows: int
    reference_rows: int
    production_version: str | None
    excluded: dict[str, int]
    api_comparison: ApiComparison


class DriftResult(StageResult):
    """Result of `calculate-drift`; without enough data there is only the count.

    `pictures` says in one line whether the pictures have changed, or why they were not compared.
    """

    report_date: date
    threshold: float
    num_samples: int
    num_people: int = 0
    metrics_uri: str | None = None
    drift_score: float | None = None
    drift_score_low: float | None = None
    drift_score_high: float | None = None
    drift_detected: bool | None = None
    production: ProductionScore = ProductionScore()
    mae: dict[str, float] | None = None
    pictures: str | None = None


class ReportResult(StageResult):
    """Result of `generate-report`."""

    html_uri: str
    json_uri: str
    png_uri: str


class SavedReportResult(StageResult):
    """Result of `save-report`: the row of `drift_reports`, and whether to retrain, with the reasons."""

    drift_report_id: int
    report_date: date
    drift_detected: bool
    drift_score: float
    threshold: float
    retrain: bool
    reasons: list[str]
