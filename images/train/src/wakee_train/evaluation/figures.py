"""Figures for the model card and MLflow, as PNG files."""

import io
from typing import Any

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from wakee_contract.emotions import EMOTIONS

from wakee_train.records import Decision, Epoch, Evaluation, ModelMetrics

RESOLUTION = 110
CHAMPION_COLOUR, CHALLENGER_COLOUR = "#8a8f98", "#1f6feb"


def all_figures(evaluation: Evaluation, history: list[Epoch]) -> dict[str, bytes]:
    """Draw all figures; returns PNG files by name."""
    challenger, champion = evaluation.challenger, evaluation.champion
    figures = {
        "gate.png": differences(evaluation.decision),
        "mae.png": mae_bars(challenger, champion),
        "training.png": training_curves(history),
        "calibration.png": calibration(challenger, champion),
        "confusion.png": confusion(challenger, "challenger"),
    }
    return figures | ({"confusion_champion.png": confusion(champion, "champion")} if champion else {})


def differences(decision: Decision) -> bytes:
    """Draw the difference in MAE on each part of the gate, with its interval. Below 0 the challenger is better."""
    figure, axes = _figure(7, 1.4 + 0.32 * len(decision.parts))
    for place, part in enumerate(reversed(decision.parts)):
        change = part.challenger - part.champion
        axes.plot([part.low, part.high], [place, place], color=CHALLENGER_COLOUR)
        axes.plot([change], [place], "o", color=CHALLENGER_COLOUR)
    axes.set_yticks(range(len(decision.parts)), [f"{p.name} ({p.samples})" for p in reversed(decision.parts)])
    axes.axvline(0, color="black", linewidth=0.8)
    axes.axvline(decision.limits.max_regression, color=CHAMPION_COLOUR, linestyle=":")
    axes.set_xlabel(f"MAE of challenger minus champion, {decision.limits.confidence:.0%} interval by people")
    axes.set_title(decision.verdict)
    return _png(figure)


def mae_bars(challenger: ModelMetrics, champion: ModelMetrics | None) -> bytes:
    """Draw the MAE per emotion, champion beside challenger."""
    figure, axes = _figure(7, 3.6)
    places = np.arange(len(EMOTIONS))
    if champion:
        values = [champion.emotions[e].mae for e in EMOTIONS]
        axes.bar(places - 0.2, values, 0.38, label=f"champion ({champion.mae:.3f})", color=CHAMPION_COLOUR)
    values = [challenger.emotions[e].mae for e in EMOTIONS]
    axes.bar(places + 0.2, values, 0.38, label=f"challenger ({challenger.mae:.3f})", color=CHALLENGER_COLOUR)
    axes.set_xticks(places, EMOTIONS)
    axes.set_ylabel("mean absolute error (0 to 3)")
    axes.set_title(f"Test split, {challenger.samples} pictures")
    axes.legend()
    return _png(figure)


def training_curves(history: list[Epoch]) -> bytes:
    """Draw loss and validation MAE per epoch."""
    figure, axes = _figure(7, 3.6)
    epochs = [epoch.epoch for epoch in history]
    axes.plot(epochs, [e.train_loss for e in history], "o-", label="training loss", color=CHAMPION_COLOUR)
    axes.plot(epochs, [e.validation_mae for e in history], "o-", label="validation MAE", color=CHALLENGER_COLOUR)
    axes.set_xlabel("epoch")
    axes.set_ylim(bottom=0)
    axes.legend()
    return _png(figure)


def calibration(challenger: ModelMetrics, champion: ModelMetrics | None) -> bytes:
    """Draw the mean label against the mean prediction per predicted level. A calibrated model is on the diagonal."""
    figure, row = _figure(11, 3.2, len(EMOTIONS))
    models = [("champion", champion, CHAMPION_COLOUR), ("challenger", challenger, CHALLENGER_COLOUR)]
    for axes, emotion in zip(row, EMOTIONS, strict=True):
        axes.plot([0, 3], [0, 3], ":", color="black", linewidth=0.8)
        for name, model, colour in models:
            bins = [b for b in model.emotions[emotion].calibration if b.samples] if model else []
            points = [[b.mean_prediction for b in bins], [b.mean_label for b in bins]]
            axes.plot(*points, "o-", color=colour, label=name)
        axes.set_title(emotion)
        axes.set_xlabel("mean prediction")
    row[0].set_ylabel("mean label")
    row[0].legend()
    return _png(figure)


def confusion(model: ModelMetrics, name: str) -> bytes:
    """Draw the four confusion matrices of rounded levels."""
    figure, row = _figure(11, 3.2, len(EMOTIONS))
    for axes, emotion in zip(row, EMOTIONS, strict=True):
        counts = np.array(model.emotions[emotion].confusion)
        axes.imshow(counts / np.maximum(counts.sum(axis=1, keepdims=True), 1), cmap="Blues", vmin=0, vmax=1)
        for (label, predicted), count in np.ndenumerate(counts):
            axes.text(predicted, label, str(count), ha="center", va="center", fontsize=8)
        axes.set_title(f"{emotion}: {model.emotions[emotion].accuracy:.0%} right", fontsize=9)
        axes.set_xlabel(f"predicted ({name})")
    row[0].set_ylabel("label")
    return _png(figure)


def _figure(width: float, height: float, columns: int = 1) -> tuple[Figure, Any]:
    figure = Figure(figsize=(width, height), dpi=RESOLUTION, layout="constrained")
    FigureCanvasAgg(figure)
    return figure, figure.subplots(1, columns)


def _png(figure: Figure) -> bytes:
    file = io.BytesIO()
    figure.savefig(file, format="png", metadata={"Software": None})
    return file.getvalue()
