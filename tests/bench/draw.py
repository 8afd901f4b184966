"""Pictures of what a job costs, drawn from the benchmark's figures."""

import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import matplotlib as mpl
from matplotlib.figure import Figure as Picture

from sploot_clusterd.evaluate.drawings import COLOURS, STYLE, svg
from tests.bench.figure import Figure
from tests.bench.queueing import BUSY


class Curve(NamedTuple):
    """How a curve is drawn, and the name of its file."""

    file: str
    title: str = "What a job costs"
    unit: str = "microseconds a job"
    logarithmic: bool = True


CURVES = {
    "images in the album": Curve("album-size"),
    "jobs in a read, at most": Curve("batch-size"),
    "consumers": Curve("consumers"),
    "numbers in the vector": Curve("vector-length"),
    BUSY: Curve("waiting", "How long a job waits", "milliseconds, where a job takes 1", logarithmic=False),
}
"""By what a curve is over."""


def draw(figures: Sequence[Figure], folder: Path) -> list[Path]:
    """Writes a picture into `folder` for each curve that the figures have, and returns their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    drawn = []
    for over, curve in CURVES.items():
        points = sorted((figure for figure in figures if figure.over == over), key=lambda figure: figure.at)
        if points:
            drawn.append(folder / f"{curve.file}.svg")
            drawn[-1].write_text(_drawn(over, curve, points))
    return drawn


def _drawn(over: str, curve: Curve, points: Sequence[Figure]) -> str:
    """Medians with lowest and highest, from 0 up; beside them, as a line, what they are compared with."""
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
        if all(point.bare for point in points):
            axes.plot(at, [statistics.median(point.bare) for point in points], color=COLOURS[1], zorder=0)
        if curve.logarithmic:
            axes.set_xscale("log")
        axes.set_xticks(at, [f"{value:,g}" for value in at], minor=False)
        axes.set_xticks([], minor=True)
        axes.set_ylim(bottom=0.0)
        axes.set(title=curve.title, xlabel=over, ylabel=curve.unit)
        return svg(picture)
