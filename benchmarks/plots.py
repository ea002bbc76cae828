"""The plots of docs/benchmarks.md: bars for contestants, curves for growth."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

COLOURS = ("#2a78b5", "#c8452b", "#5a9a4a", "#8a6bb0", "#b08a2a", "#6b6b6b")
Curves = Mapping[str, Mapping[float, float]]
"""Name of a contestant -> size -> value."""


def bars(path: Path, title: str, heights: Mapping[str, Sequence[float]], label: str) -> None:
    """One bar per contestant: the median, and a line from the lowest to the highest measurement."""
    figure = _figure(7.5, 0.9 + 0.45 * len(heights))
    axes = figure.subplots()
    names, middle = list(heights), [sorted(values)[len(values) // 2] for values in heights.values()]
    spread = [
        [mid - min(values) for mid, values in zip(middle, heights.values(), strict=True)],
        [max(values) - mid for mid, values in zip(middle, heights.values(), strict=True)],
    ]
    drawn = axes.barh(names, middle, xerr=spread, color=[COLOURS[i % len(COLOURS)] for i in range(len(names))])
    axes.bar_label(drawn, fmt="%.3g", padding=4)
    axes.invert_yaxis()
    axes.margins(x=0.15)
    axes.set(title=title, xlabel=label)
    _save(figure, path)


def curves(path: Path, title: str, panels: Mapping[str, Curves], size: str) -> None:
    """Growth on logarithmic scales, one panel per quantity; the dotted line grows as fast as the size does."""
    figure = _figure(5.2 * len(panels), 3.6)
    figure.suptitle(title)
    for axes, (label, lines) in zip(figure.subplots(1, len(panels), squeeze=False)[0], panels.items(), strict=True):
        _draw_curves(axes, lines)
        axes.set(xlabel=size, ylabel=label, xscale="log", yscale="log")
        axes.legend(fontsize="small")
        axes.grid(alpha=0.3)
    _save(figure, path)


def _draw_curves(axes: Axes, lines: Curves) -> None:
    for (name, points), colour in zip(lines.items(), COLOURS, strict=False):
        axes.plot(list(points), list(points.values()), "o-", color=colour, label=name)
    first = next(iter(lines.values()))
    sizes, start = list(first), next(iter(first.values()))
    axes.plot(sizes, [start * size / sizes[0] for size in sizes], ":", color="black", label="linear")


def _figure(width: float, height: float) -> Figure:
    figure = Figure(figsize=(width, height), dpi=110, layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def _save(figure: Figure, path: Path) -> None:
    figure.savefig(path, format="png", metadata={"Software": ""})
