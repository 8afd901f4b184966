"""Pictures of what a job costs, drawn from the benchmark's figures."""

import statistics
from collections.abc import Sequence
from pathlib import Path

import matplotlib as mpl
from matplotlib.figure import Figure as Picture

from sploot_clusterd.evaluate.drawings import COLOURS, STYLE, svg
from tests.bench.figure import Figure

NAMES = {
    "images in the album": "album-size",
    "jobs in a read, at most": "batch-size",
    "consumers": "consumers",
    "numbers in the vector": "vector-length",
}
"""What a curve is over -> its file."""


def draw(figures: Sequence[Figure], folder: Path) -> list[Path]:
    """Writes a picture into `folder` for each curve that the figures have, and returns their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    drawn = []
    for over, name in NAMES.items():
        points = sorted((figure for figure in figures if figure.over == over), key=lambda figure: figure.at)
        if points:
            drawn.append(folder / f"{name}.svg")
            drawn[-1].write_text(_curve(over, points))
    return drawn


def _curve(over: str, points: Sequence[Figure]) -> str:
    """Medians with lowest and highest, from 0 up, over a logarithmic axis."""
    with mpl.rc_context({**STYLE, "svg.fonttype": "none"}):  # letters as outlines are two thirds of a file
        picture = Picture(figsize=(5.2, 3.0), layout="constrained")
        axes = picture.subplots()
        at = [point.at for point in points]
        middles = [statistics.median(point.ours) for point in points]
        spread = [
            [middle - min(point.ours) for middle, point in zip(middles, points, strict=True)],
            [max(point.ours) - middle for middle, point in zip(middles, points, strict=True)],
        ]
        axes.errorbar(at, middles, spread, color=COLOURS[0], marker="o", markersize=4, capsize=3)
        axes.set_xscale("log")
        axes.set_xticks(at, [f"{value:,.0f}" for value in at], minor=False)
        axes.set_xticks([], minor=True)
        axes.set_ylim(bottom=0.0)
        axes.set(title="What a job costs", xlabel=over, ylabel="microseconds a job")
        return svg(picture)
