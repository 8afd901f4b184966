"""Pictures of single albums: their images in the plane that shows most of them, as labelled and as clustered."""

import math
from collections.abc import Sequence
from typing import Final

import matplotlib as mpl
import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure

from sploot_clusterd.engine.statistics import Doubles, Floats, Ints
from sploot_clusterd.evaluate.albums import LabelledAlbum
from sploot_clusterd.evaluate.drawings import STYLE, svg
from sploot_clusterd.evaluate.replay import Result

_LABELS: Final = (
    "#4477aa",
    "#ee6677",
    "#228833",
    "#ccbb44",
    "#66ccee",
    "#aa3377",
    "#ee8866",
    "#44bb99",
    "#882255",
    "#999933",
)
"""Colours of the commonest labels; those in `_REST` share one."""
_REST: Final = "#aaaaaa"
_SHAPES: Final = "os^DvPp<>h"
_ABREAST: Final = 2
_MANY: Final = 400
"""Images from which on dots are drawn as pixels: as shapes they would make the file large."""


def principal_plane(vectors: Floats) -> tuple[Doubles, Doubles]:
    """Vectors [n, d], brought to length 1, in the plane of most variance: [n, 2], and the shares of it, [2].

    Principal components: Pearson, "On lines and planes of closest fit to systems of points in space", 1901.
    """
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    units = vectors / np.where(lengths > 0.0, lengths, 1.0)
    left, values, _ = np.linalg.svd(units - units.mean(axis=0), full_matrices=False)
    points = np.zeros((len(vectors), 2))
    shares = np.zeros(2)
    found = min(2, len(values))
    points[:, :found] = left[:, :found] * values[:found]
    shares[:found] = values[:found] ** 2 / max(float((values**2).sum()), 1e-12)
    return points, shares


def projection(album: LabelledAlbum, found: Sequence[tuple[str, Result]]) -> str:
    """An SVG with a panel for each algorithm, given with what it made of the album; plane and colours are the same."""
    points, shares = principal_plane(album.embedding)
    colours = _colours(album.label)
    columns = min(len(found), _ABREAST)
    rows = math.ceil(len(found) / columns)
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(5.5 * columns, 4.6 * rows) if len(found) > 1 else (8.0, 5.6), layout="constrained")
        figure.suptitle(f"{album.name}: {len(album)} images, {album.labels} labels", x=0.01, ha="left")
        panels = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False).flatten()
        for axes, (algorithm, result) in zip(panels, found, strict=False):
            _panel(axes, points, colours, result)
            shown = len(np.unique(result.clusters[result.clusters >= 0]))
            axes.set(
                title=f"{algorithm}: F1 {result.scores.bcubed_f1:.2f}, clusters: {shown}",
                xlabel=f"first component, {shares[0]:.0%} of the variance",
                ylabel=f"second component, {shares[1]:.0%} of the variance",
            )
            axes.label_outer()
        for axes in panels[len(found) :]:
            axes.set_axis_off()
        return svg(figure)


def _colours(labels: Ints) -> npt.NDArray[np.str_]:
    """One for each image: of its label, if that is one of the commonest and no outlier's."""
    values, counts = np.unique(labels, return_counts=True)
    common = [value for value in np.argsort(-counts, kind="stable") if counts[value] > 1][: len(_LABELS)]
    of = {int(values[value]): colour for value, colour in zip(common, _LABELS, strict=False)}
    return np.array([of.get(int(label), _REST) for label in labels])


def _panel(axes: Axes, points: Doubles, colours: npt.NDArray[np.str_], result: Result) -> None:
    """Crosses for images in no cluster; for the others a shape and a spoke to the middle; rings around heroes."""
    many = len(points) > _MANY
    size = 10 if many else 34

    def dots(images: npt.NDArray[np.intp], marker: str, linewidths: float) -> None:
        x, y = points[images].T
        axes.scatter(x, y, s=size, c=colours[images], marker=marker, linewidths=linewidths, rasterized=many)

    for number, cluster in enumerate(np.unique(result.clusters[result.clusters >= 0])):
        members = np.flatnonzero(result.clusters == cluster)
        ends = points[members]
        spokes = np.stack([ends, np.broadcast_to(ends.mean(axis=0), ends.shape)], axis=1)
        width = 0.2 if many else 0.6
        axes.add_collection(LineCollection(list(spokes), colors="#bbbbbb", linewidths=width, zorder=1, rasterized=many))
        dots(members, marker=_SHAPES[number % len(_SHAPES)], linewidths=0.0)
    dots(np.flatnonzero(result.clusters < 0), marker="x", linewidths=1.2)
    heroes = points[result.hero_images]
    axes.scatter(heroes[:, 0], heroes[:, 1], s=3 * size, facecolors="none", edgecolors="black", linewidths=1.2)
