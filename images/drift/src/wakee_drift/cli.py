"""`wakee-drift`: the stages of drift detection.

Each stage reads from R2 what the previous stage wrote, prints only its log, and returns its result to Airflow. In
order: fetch-annotations, load-predictions, calculate-drift, generate-report, save-report.
"""

from typing import Annotated

import typer
from wakee_common.flags import option
from wakee_common.settings import DatabaseSettings, R2Settings, load
from wakee_common.stage import run_context, stage
from wakee_common.storage import ObjectStore
from wakee_common.uris import R2Uri
from wakee_contract.parameters import DRIFT

from wakee_drift.results import AnnotationsResult, DriftResult, PairsResult, ReportResult, SavedReportResult

app = typer.Typer(
    help=__doc__, no_args_is_help=True, pretty_exceptions_enable=False, add_completion=False, rich_markup_mode=None
)

# Slow imports (Arrow, pandas, Evidently) are inside the stages, so that --help is fast.

Pairs = Annotated[str, typer.Option(help="Pairs of prediction and correction: the pairs_uri of load-predictions.")]
ReferencePairs = Annotated[
    str,
    typer.Option(
        help="Pairs of the reference window: the reference_pairs_uri of load-predictions. If empty or missing, "
        "distributions are not compared."
    ),
]
TrainingSampleUri = Annotated[
    str,
    typer.Option(
        "--training-sample",
        help="Training data of the version in production: the training_sample_uri of load-predictions. If empty or "
        "missing, distributions are compared with the reference window only.",
    ),
]
Pictures = Annotated[
    str,
    typer.Option(
        help="Sample of the window's pictures: the pictures_uri of fetch-annotations. Empty: pictures are not compared."
    ),
]
Metrics = Annotated[str, typer.Option(help="The metrics_uri of calculate-drift.")]


@stage(app)
def fetch_annotations(
    until: Annotated[
        str,
        typer.Option(
            help="Last day of the look-back window, inclusive (2026-03-31), or its end time, exclusive "
            "(2026-03-31T02:00:00+00:00, UTC if there is no offset)."
        ),
    ],
    look_back_days: Annotated[int, option(DRIFT["look_back_days"])] = DRIFT["look_back_days"].default,
    reference_days: Annotated[int, option(DRIFT["reference_days"])] = DRIFT["reference_days"].default,
    min_samples: Annotated[int, option(DRIFT["min_samples"])] = DRIFT["min_samples"].default,
    picture_sample: Annotated[int, option(DRIFT["picture_sample"])] = DRIFT["picture_sample"].default,
) -> AnnotationsResult:
    """Read the validated annotations of the look-back window from the database into a Parquet file.

    Unusable rows (a label is missing, not a number, or outside 0..3) are counted and left out. A sample of the
    reference window is written to a second file, and a sample of all pictures, annotated or not, to a third one.
    """
    from wakee_drift.fetch.annotations import fetch
    from wakee_drift.fetch.windows import windows_until

    windows = windows_until(until, look_back_days, reference_days)
    store = _store()
    folder = _folder(store, "fetch_annotations")
    return fetch(store, load(DatabaseSettings), folder, windows, min_samples, picture_sample)


@stage(app)
def load_predictions(
    annotations: Annotated[str, typer.Option(help="The annotations_uri of fetch-annotations.")],
    reference: Annotated[str, typer.Option(help="The reference_uri of fetch-annotations.")],
    api_sample: Annotated[
        int,
        typer.Option(
            min=0,
            max=256,
            help="Number of pictures to send to the API at WAKEE_API_URL, to compare its answers "
            "with the stored predictions. 0: none.",
        ),
    ] = 16,
    reload_minutes: Annotated[float, option(DRIFT["reload_minutes"])] = DRIFT["reload_minutes"].default,
) -> PairsResult:
    """Join the annotations with the predictions made at the time, and fetch the sample of the model's training data.

    Predictions of the version in production are marked. Rows without a usable prediction are counted and left out.
    Errors of the API are reported in the result and do not fail the stage.
    """
    from wakee_drift.fetch.api_comparison import ApiSettings
    from wakee_drift.fetch.predictions import load as load_pairs

    store = _store()
    sources = R2Uri.parse(annotations), R2Uri.parse(reference)
    folder = _folder(store, "load_predictions")
    return load_pairs(store, load(DatabaseSettings), load(ApiSettings), folder, sources, api_sample, reload_minutes)


@stage(app)
def calculate_drift(
    pairs: Pairs,
    reference_pairs: ReferencePairs = "",
    threshold: Annotated[float, option(DRIFT["threshold"])] = DRIFT["threshold"].default,
    training_sample: TrainingSampleUri = "",
    pictures: Pictures = "",
) -> DriftResult:
    """Measure the errors per emotion, the drift score with its 95 % interval, and the change of distributions.

    Errors and score are exact and include all rows. Distributions and pictures are compared on bounded samples.
    """
    from wakee_drift.measure.calculate import calculate

    store = _store()
    folder = _folder(store, "calculate_drift")
    windows = R2Uri.parse(pairs), _optional(reference_pairs)
    return calculate(store, folder, *windows, threshold, _optional(training_sample), _optional(pictures))


@stage(app)
def generate_report(
    metrics: Metrics, pairs: Pairs, reference_pairs: ReferencePairs = "", training_sample: TrainingSampleUri = ""
) -> ReportResult:
    """Write the report: a page (HTML), its numbers (JSON) and a chart (PNG)."""
    from wakee_drift.report.pages import generate

    store = _store()
    folder = _folder(store, "generate_report")
    windows = R2Uri.parse(pairs), _optional(reference_pairs)
    return generate(store, folder, R2Uri.parse(metrics), *windows, _optional(training_sample))


@stage(app)
def save_report(
    metrics: Metrics,
    report: Annotated[str, typer.Option(help="The html_uri of generate-report.")],
    decide_on: Annotated[str, option(DRIFT["decide_on"])] = DRIFT["decide_on"].default,
    days_in_a_row: Annotated[int, option(DRIFT["days_in_a_row"])] = DRIFT["days_in_a_row"].default,
    cooldown_days: Annotated[float, option(DRIFT["cooldown_days"])] = DRIFT["cooldown_days"].default,
    min_new_samples: Annotated[int, option(DRIFT["min_new_samples"])] = DRIFT["min_new_samples"].default,
) -> SavedReportResult:
    """Write the day's row of the table drift_reports, and decide whether to request a retraining.

    A second run replaces the row and keeps its id.
    """
    from wakee_drift.report.save import save

    context = run_context("save_report")
    choices = {
        "decide_on": decide_on,
        "days_in_a_row": days_in_a_row,
        "cooldown_days": cooldown_days,
        "min_new_samples": min_new_samples,
    }
    return save(_store(), load(DatabaseSettings), context, R2Uri.parse(metrics), R2Uri.parse(report), choices)


def _store() -> ObjectStore:
    return ObjectStore(load(R2Settings))


def _folder(store: ObjectStore, stage_name: str) -> R2Uri:
    return run_context(stage_name).folder(store.root)


def _optional(uri: str) -> R2Uri | None:
    return R2Uri.parse(uri) if uri else None
