"""The report: Evidently's page with our conclusion on top, its numbers as JSON, and a chart."""

import json
import math
from html import escape
from pathlib import Path
from typing import Any

import pandas as pd
from evidently.presets import DataDriftPreset, RegressionPreset
from wakee_common.files import workspace
from wakee_common.storage import ObjectStore
from wakee_common.uris import R2Uri
from wakee_contract.emotions import EMOTIONS, ENOUGH_ANSWERS

from wakee_drift.measure.calculate import fetch_reference
from wakee_drift.measure.comparisons import fetch_production_sample
from wakee_drift.measure.distribution import THRESHOLDS, described
from wakee_drift.measure.evidently_runs import register_decisions, run_evidently
from wakee_drift.measure.frames import sample_frame, training_frame
from wakee_drift.measure.picture_comparison import described as pictures_described
from wakee_drift.records import (
    HTML_NAME,
    JSON_NAME,
    PNG_NAME,
    Answers,
    DistributionDrift,
    DriftMetrics,
    read_metrics,
)
from wakee_drift.report.figures import draw_errors
from wakee_drift.results import ReportResult

SHOWN_METHODS = {"psi": "PSI, with people swapped and Holm", "ks": "p-value, people swapped, Holm"}
"""Names of a column's score on Evidently's page."""
CONTENT_TYPES = {
    HTML_NAME: "text/html; charset=utf-8",
    JSON_NAME: "application/json",
    PNG_NAME: "image/png",
}


def generate(
    store: ObjectStore,
    folder: R2Uri,
    metrics: R2Uri,
    pairs: R2Uri,
    reference: R2Uri | None,
    training_sample: R2Uri | None = None,
) -> ReportResult:
    """Write the report to R2 as HTML, JSON and PNG."""
    measured = read_metrics(store.get_bytes(metrics), metrics)
    with workspace() as work:
        current = sample_frame(store.get_file(pairs, work / "pairs.parquet"))
        reference_path = fetch_reference(store, reference, work / "reference_pairs.parquet")
        rolling = sample_frame(reference_path) if reference_path else None
        training = fetch_production_sample(store, training_sample).sample
        write_report(measured, current, rolling, work, training=training_frame(training) if training else None)
        for name, content_type in CONTENT_TYPES.items():
            store.put_file(folder / name, work / name, content_type)
    return ReportResult(
        html_uri=str(folder / HTML_NAME), json_uri=str(folder / JSON_NAME), png_uri=str(folder / PNG_NAME)
    )


def write_report(
    metrics: DriftMetrics,
    current: pd.DataFrame,
    reference: pd.DataFrame | None,
    folder: Path,
    *,
    training: pd.DataFrame | None = None,
) -> None:
    """Write the three files. Without comparable distributions the page contains only the regression part.

    Evidently's page shows one reference: the training data if it was compared, otherwise the reference window.

    Args:
        metrics: Metrics of the run.
        current: Sample of the look-back window.
        reference: Sample of the reference window, if any.
        folder: Folder for the files.
        training: Sample of the data that the version in production was trained on, if any.
    """
    shown = _shown(metrics, reference, training)
    presets: list[Any] = [_drift_preset(shown[0])] if shown else []
    presets += [RegressionPreset(regression_name=emotion) for emotion in EMOTIONS]
    snapshot = run_evidently(presets, current, shown[1] if shown else None)
    snapshot.save_html(str(folder / HTML_NAME))
    page = (folder / HTML_NAME).read_text(encoding="utf-8")
    (folder / HTML_NAME).write_text(page.replace("<body>", f"<body>{verdict(metrics)}", 1), encoding="utf-8")
    numbers = without_nan(json.loads(snapshot.json())) | {"distributions": _comparisons(metrics)}
    numbers |= {"pictures": metrics.pictures.model_dump(mode="json") if metrics.pictures else None}
    (folder / JSON_NAME).write_text(json.dumps(numbers, allow_nan=False))
    draw_errors(metrics, folder / PNG_NAME)


def verdict(metrics: DriftMetrics) -> str:
    """Return the conclusion as an HTML fragment."""
    origin = metrics.provenance
    rows = {
        "Drift": "detected" if metrics.drift_detected else "not detected",
        "Score": f"{metrics.drift_score:.4f} (95 % interval {metrics.drift_score_low:.4f} to "
        f"{metrics.drift_score_high:.4f}), threshold {metrics.threshold:g}, mean of four MAE on the scale 0 to 3",
        "Pictures": f"{metrics.num_samples:,} of {metrics.num_people:,} people, annotated from {origin.window_start} "
        f"to {origin.window_end} (UTC)",
        "Version in production": _production(metrics),
        "Answers": _answers(metrics.answers),
        "Left out": ", ".join(f"{reason} {count}" for reason, count in origin.excluded.items() if count) or "none",
        "Distributions": "; ".join(described(drift) for drift in metrics.distributions),
        "Camera": pictures_described(metrics.pictures) if metrics.pictures else "not compared",
        "Model now": _api(metrics),
    }
    cells = "".join(f"<tr><th>{escape(name)}</th><td>{escape(text)}</td></tr>" for name, text in rows.items())
    style = "font-family:sans-serif;max-width:70rem;margin:1.5rem auto;text-align:left"
    return f'<section style="{style}"><h1>Drift report {origin.report_date}</h1><table>{cells}</table></section>'


def without_nan(value: Any) -> Any:
    """Replace NaN and infinity in a JSON value by null, because browsers reject NaN."""
    if isinstance(value, dict):
        return {key: without_nan(item) for key, item in value.items()}
    if isinstance(value, list):
        return [without_nan(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _shown(
    metrics: DriftMetrics, reference: pd.DataFrame | None, training: pd.DataFrame | None
) -> tuple[DistributionDrift, pd.DataFrame] | None:
    """Return the comparison that Evidently's page shows, and its reference; None if nothing was compared."""
    rolling = metrics.distribution_rolling
    # In older metrics the only comparison is the one with the reference window.
    pairs = [(metrics.distribution, training), (rolling, reference)] if rolling else [(metrics.distribution, reference)]
    compared = [(drift, frame) for drift, frame in pairs if drift and drift.status == "compared" and frame is not None]
    return compared[0] if compared else None


def _drift_preset(drift: DistributionDrift) -> DataDriftPreset:
    method = drift.method or "ks"
    shown = register_decisions(drift.columns, SHOWN_METHODS[method])
    return DataDriftPreset(columns=list(drift.columns), num_method=shown, num_threshold=THRESHOLDS[method])


def _comparisons(metrics: DriftMetrics) -> list[dict[str, Any]]:
    return [drift.model_dump(mode="json") for drift in metrics.distributions]


def _production(metrics: DriftMetrics) -> str:
    version, score = metrics.provenance.production.version or "the model in production", metrics.production
    if score.score is None:
        return f"{version} predicted none of these pictures"
    return (
        f"{version} predicted {score.num_samples:,} pictures of {score.num_people:,} people: score {score.score:.4f} "
        f"(95 % interval {score.low:.4f} to {score.high:.4f})"
    )


def _answers(answers: Answers) -> str:
    untouched = ", ".join(f"{emotion} {share:.0%}" for emotion, share in answers.untouched.items())
    return (
        f"sliders left at the prediction: {untouched or 'unknown'}; always the same answer: "
        f"{answers.constant_people} of {answers.people} people with {ENOUGH_ANSWERS} pictures or more "
        f"({answers.constant_rows:,} pictures)"
    )


def _api(metrics: DriftMetrics) -> str:
    comparison = metrics.provenance.api_comparison
    if comparison.status != "compared":
        return f"{comparison.status} ({comparison.cause})"
    mean, largest = comparison.mean_abs_difference.values(), comparison.max_abs_difference.values()
    return (
        f"on {comparison.n} pictures, it differs from the stored predictions by {sum(mean) / len(mean):.4f} "
        f"on average, {max(largest):.4f} at most"
    )
