"""Chart of a report: error and bias per emotion."""

from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from wakee_contract.emotions import EMOTIONS

from wakee_drift.records import DriftMetrics

UNDER, OVER, BIAS = "#2a78b5", "#c8452b", "#6b6b6b"


def draw_errors(metrics: DriftMetrics, path: Path) -> None:
    """Write a PNG: MAE per emotion against the threshold, and bias per emotion."""
    figure = Figure(figsize=(11, 5), dpi=120, layout="constrained")
    FigureCanvasAgg(figure)
    verdict = "drift detected" if metrics.drift_detected else "no drift"
    figure.suptitle(
        f"Wakee predictions against corrections, {metrics.provenance.report_date}: {verdict}\n"
        f"score {metrics.drift_score:.3f} (95 % interval {metrics.drift_score_low:.3f} to "
        f"{metrics.drift_score_high:.3f}), threshold {metrics.threshold:g}, {metrics.num_samples:,} pictures"
    )
    left, right = figure.subplots(1, 2)
    _draw_mae(left, metrics)
    _draw_bias(right, metrics)
    figure.savefig(path, format="png", metadata={"Software": ""})


def _draw_mae(axes: Axes, metrics: DriftMetrics) -> None:
    values = [metrics.emotions[emotion].mae for emotion in EMOTIONS]
    bars = axes.bar(EMOTIONS, values, color=[OVER if value > metrics.threshold else UNDER for value in values])
    axes.bar_label(bars, fmt="%.3f", padding=3)
    axes.axhline(metrics.threshold, color="black", linestyle="--", label=f"threshold {metrics.threshold:g}")
    axes.axhline(metrics.drift_score, color="black", linestyle=":", label=f"score (mean) {metrics.drift_score:.3f}")
    axes.set(title="Mean absolute error", ylabel="levels, on the scale 0 to 3")
    axes.set_ylim(0, 1.25 * max(*values, metrics.threshold, 0.01))
    axes.legend(loc="upper center", ncols=2)


def _draw_bias(axes: Axes, metrics: DriftMetrics) -> None:
    bars = axes.bar(EMOTIONS, [metrics.emotions[emotion].bias for emotion in EMOTIONS], color=BIAS)
    axes.bar_label(bars, fmt="%+.3f", padding=3)
    axes.axhline(0, color="black", linewidth=0.8)
    axes.set(title="Bias: above 0 the model predicts too much", ylabel="prediction minus correction, levels")
    axes.margins(y=0.15)
