"""The report's pictures, each an SVG. Algorithms have the same colour in all of them."""

import io
from collections.abc import Sequence
from typing import Any, Final

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from sploot_clusterd.engine.statistics import Doubles
from sploot_clusterd.evaluate.figures import Measured, figures

COLOURS: Final = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")
"""Of Okabe and Ito, "Color universal design", 2008: they can be told apart by colour-blind readers too."""

STYLE: Final[dict[Any, Any]] = {
    "svg.hashsalt": "clusterd",  # so that the same figures give the same bytes
    "font.size": 9.0,
    "axes.titlesize": 10.0,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": "#888888",
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#e6e6e6",
    "legend.frameon": False,
}
_PANELS: Final = (
    ("bcubed_f1", "B-cubed F1", "F1, 0 to 1"),
    ("ari", "Adjusted Rand index", "index, 1 is perfect"),
    ("purity", "Purity", "share of an album's images"),
    ("k_ratio", "K ratio", "clusters for each label"),
    ("churn", "Churn", "share of earlier images moved, a job"),
)
_BINS: Final = 25
_PARTS: Final = 12
"""Into how many parts albums by size, and jobs by images so far, are divided to draw a line through them ..."""
_LEAST_ALBUMS: Final = 8
"""... where a part has so many albums, for the mean of fewer says little."""


def colour(number: int) -> str:
    """Of the algorithm of that column."""
    return COLOURS[number % len(COLOURS)]


def distributions(columns: Sequence[Measured]) -> str:
    """Histograms of the albums' figures, a panel each."""
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(11.0, 5.6), layout="constrained")
        panels = figure.subplots(2, 3).flat
        for axes, (name, title, unit) in zip(panels, _PANELS, strict=False):
            _histogram(axes, columns, name)
            axes.set(title=title, xlabel=unit, ylabel="albums")
        figure.axes[4].xaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
        last = figure.axes[5]
        last.set_axis_off()
        handles, labels = figure.axes[0].get_legend_handles_labels()
        last.legend(handles, labels, loc="upper left", fontsize=10)
        return svg(figure)


def f1_by_size(columns: Sequence[Measured]) -> str:
    """A dot for each album, and the mean of albums of like size."""
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(11.0, 4.2), layout="constrained")
        axes = figure.subplots()
        for number, column in enumerate(columns):
            sizes = np.array([len(result.clusters) for result in column.results], dtype=np.float64)
            f1 = np.array([result.scores.bcubed_f1 for result in column.results])
            axes.scatter(sizes, f1, s=14, alpha=0.45, color=colour(number), linewidths=0)
            edges = np.quantile(sizes, np.linspace(0.0, 1.0, max(min(len(sizes) // _LEAST_ALBUMS, _PARTS), 1) + 1))
            middles, means, _ = _parts(sizes, f1, np.ones_like(f1), np.unique(edges))
            axes.plot(middles, means, color=colour(number), marker="o", markersize=4, label=column.algorithm)
        axes.set(title="F1 against the size of the album", xlabel="images in the album", ylabel="B-cubed F1, 0 to 1")
        _count_scale(axes)
        axes.legend(loc="lower left")
        return svg(figure)


def cost(columns: Sequence[Measured]) -> str:
    """Time an image against the images that were there: the mean, rebuilds spread over all, and most of the jobs."""
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(11.0, 4.2), layout="constrained")
        axes = figure.subplots()
        for number, column in enumerate(columns):
            steps = [step for result in column.results for step in result.steps]
            before = np.array([max(step.before, 1) for step in steps], dtype=np.float64)
            brought = np.array([step.brought for step in steps], dtype=np.float64)
            each = np.array([step.seconds for step in steps]) / brought * 1e6
            edges = np.geomspace(1.0, before.max() + 1.0, _PARTS + 1)
            middles, means, (low, high) = _parts(before, each, brought, edges)
            axes.fill_between(middles, low, high, color=colour(number), alpha=0.15, linewidth=0)
            axes.plot(middles, means, color=colour(number), marker="o", markersize=4, label=column.algorithm)
        axes.set(
            title="Cost as albums grow", xlabel="images in the album before the job", ylabel="microseconds an image"
        )
        axes.set_ylim(bottom=0.0)
        _count_scale(axes)
        axes.legend(loc="upper left")
        return svg(figure)


def _histogram(axes: Axes, columns: Sequence[Measured], name: str) -> None:
    """None where an album has no such figure, as with churn in an album of one job."""
    found = [[figures([result])[name] for result in column.results] for column in columns]
    given = [np.array([value for value in values if value is not None], dtype=np.float64) for values in found]
    every = np.concatenate(given)
    if not len(every):
        axes.text(0.5, 0.5, "no album has it", transform=axes.transAxes, ha="center")
        return
    low, high = every.min(), every.max()
    edges = np.linspace(low, high if high > low else low + 0.01, _BINS + 1).tolist()
    for number, (column, values) in enumerate(zip(columns, given, strict=True)):
        if not len(values):
            continue
        axes.hist(values, edges, histtype="stepfilled", color=colour(number), alpha=0.3)
        axes.hist(values, edges, histtype="step", color=colour(number), label=column.algorithm)
        axes.axvline(values.mean(), color=colour(number), linestyle="--", linewidth=1.2)
    axes.locator_params(axis="y", integer=True)


def _parts(at: Doubles, values: Doubles, weights: Doubles, edges: Doubles) -> tuple[Doubles, Doubles, Doubles]:
    """Of the parts that `edges` cut: medians of `at` [p], weighted means of `values` [p], their 10th and 90th
    percentiles [2, p].

    The first three are [n]. Parts without values are left out.
    """
    part = np.digitize(at, edges[1:-1])
    members = [np.flatnonzero(part == number) for number in np.unique(part)]
    return (
        np.array([np.median(at[chosen]) for chosen in members]),
        np.array([np.average(values[chosen], weights=weights[chosen]) for chosen in members]),
        np.array([np.percentile(values[chosen], (10, 90)) for chosen in members]).T,
    )


def _count_scale(axes: Axes) -> None:
    """A logarithmic axis of plain whole numbers."""
    axes.set_xscale("log")
    axes.xaxis.set_major_formatter("{x:,.0f}")
    low, high = axes.get_xlim()
    ticks = [digit * 10**power for power in range(6) for digit in (1, 2, 5)]
    axes.set_xticks([tick for tick in ticks if low <= tick <= high])
    axes.minorticks_off()


def svg(figure: Figure) -> str:
    """The same figure gives the same text."""
    file = io.StringIO()
    figure.savefig(file, format="svg", metadata={"Date": None})
    return file.getvalue()
