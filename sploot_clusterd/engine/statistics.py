"""The mixture's arithmetic: pure functions of additive statistics.

A group of images is (S, W): the sum of weight times unit vector, and the sum of weights. Both add up, so joining,
leaving and merging are sums. Directions are compared *centred*: real encoders put every image near one common
direction, which says nothing of what tells images apart.

Products that give few numbers are `dot`, not `@`, which does the same with more ado: albums are small, and jobs many.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]
Doubles = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]

TINY = 1e-9
DIGITS = 6
EQUAL = 10.0**-DIGITS
"""Figures that differ by less are equal: sums of float32 are not the same to the last bit on every kind of CPU."""
_PROFILED = 2.0
"""What a profile leaves in common is half as likely to say nothing: it may be what the album is about."""
_LEAST_SQUARE = 1e-6
_MUCH = 8_000_000
"""Products of numbers from which a matrix product takes longer than a step for each group."""
_LEAST_COMMON, _MOST_COMMON = 0.02, 0.85


def first_best(values: Doubles) -> int:
    """The lowest place of those whose value is equal to the highest, of one value or more [k]."""
    highest = float(values[values.argmax()])
    return int((values >= highest - EQUAL).argmax())


class Centring(NamedTuple):
    """How the cells of a space are centred."""

    mean: Floats
    """[d], what is subtracted"""
    scales: Doubles
    """1 / the root mean square length of each cell's images once centred, [k]"""
    weight: float
    """Of all cells."""


@dataclass(slots=True, eq=False)
class Cells:
    """Statistics of k micro-clusters of one space of d dimensions, in the order in which they were founded."""

    sums: Floats
    """[k, d]"""
    weights: Doubles
    """[k]"""
    profiled: bool = False
    """Whether vectors are compared by a profile, which has taken out what all images of the encoder share."""
    scale: float = 1.0
    """How large the encoder's cosines are: the unit of what they are compared with."""
    _about: dict[float, Centring] = field(default_factory=dict, repr=False)
    _centred: tuple[Centring, Floats] | None = field(default=None, repr=False)

    def chosen(self, places: Sequence[int]) -> "Cells":
        """Those at these places, in that order."""
        return Cells(self.sums[places], self.weights[places], self.profiled, self.scale)

    def about(self, prior: float) -> Centring:
        """The album's own mean, shrunk towards zero: a handful of images says little of what all images share.

        With b the mean cosine of two images, the mean of W of them has noise (1 - b) / W beside a common part of b.
        Shrinking by W / (W + prior (1 - b) / b) weighs the two as James and Stein ("Estimation with quadratic loss",
        1961) do, where prior is 1; an album needs more, for its images are no sample of all there are. So encoders
        that put all images close together are centred sooner than others.
        """
        prior *= _PROFILED if self.profiled else 1.0
        held = self._about.get(prior)
        if held is None:
            total = np.add.reduce(self.sums, axis=0)  # row by row, so the same on every CPU; a product is not
            weight = float(np.add.reduce(self.weights))
            # |S|^2 is W + (W^2 - W) b where weights are 1; clipped, for few or copied images tell nothing.
            cosine = (_square(total) - weight) / max(weight * weight - weight, TINY) if weight > 1.0 else 0.0
            common = min(max(cosine, _LEAST_COMMON), _MOST_COMMON)
            mean = total / (weight + prior * (1.0 - common) / common)
            held = self._about[prior] = Centring(mean, self._scales(mean), weight)
        return held

    def centred(self, about: Centring) -> Floats:
        """Each cell's sum of weight times centred, normalised image, [k, d] (normalised by its root mean square).

        Kept for whoever asks next, and so not to be written to.
        """
        held = self._centred
        if held is None or held[0] is not about:
            shifted = self.sums - self.weights.astype(np.float32)[:, None] * about.mean
            shifted *= about.scales.astype(np.float32)[:, None]
            shifted.flags.writeable = False
            held = self._centred = about, shifted
        return held[1]

    def _scales(self, mean: Floats) -> Doubles:
        """Images have length 1, so the mean of |x - m|^2 over a cell of centroid c = S / W is 1 - 2 m.c + |m|^2."""
        squares = self.sums.dot(mean) * (-2.0 / self.weights)
        squares += 1.0 + float(mean.dot(mean))
        return np.asarray(1.0 / np.sqrt(np.maximum(squares, _LEAST_SQUARE)))


def centred_part(cells: Cells, about: Centring, at: Sequence[int]) -> Doubles:
    """`Cells.centred` of some cells, [len(at), d], in float64: what is shown follows from it."""
    places, mean = np.array(at), about.mean.astype(np.float64)
    weights = cells.weights[places]
    shifted = (cells.sums.take(places, axis=0) - weights.astype(np.float32)[:, None] * about.mean).astype(np.float64)
    squares = shifted.dot(mean) * (-2.0 / weights)  # `_scales` says of what
    squares += 1.0 - float(mean.dot(mean))
    shifted /= np.sqrt(np.maximum(squares, _LEAST_SQUARE))[:, None]
    return np.asarray(shifted)


def _square(vector: Floats) -> float:
    """Its squared length, in float64."""
    double = vector.astype(np.float64)
    return float(double.dot(double))


def cosines(cells: Cells, vector: Floats) -> Doubles:
    """Plain cosines between a vector [d] of length 1 and each cell's centroid, [k]."""
    lengths = np.vecdot(cells.sums, cells.sums)
    return np.asarray((cells.sums.dot(vector) / np.sqrt(np.maximum(lengths, TINY))).astype(np.float64))


def closeness(cells: Cells, at: int, vector: Floats, about: Centring) -> float:
    """Centred cosine between a vector [d] of length 1 and the centroid of cell `at`."""
    centroid = (cells.sums[at] / np.float32(cells.weights[at]) - about.mean).astype(np.float64)
    towards = (vector - about.mean).astype(np.float64)
    lengths = float(centroid.dot(centroid)) * float(towards.dot(towards))
    return min(max(float(centroid.dot(towards)) / math.sqrt(max(lengths, TINY)), -1.0), 1.0)


def grouped(cells: Cells, about: Centring, groups: Ints, count: int) -> tuple[Floats, Doubles]:
    """Centred sums [count, d] and weights [count] of groups of cells.

    `groups` [k] numbers them from 0, and none is empty.
    """
    few = count * cells.sums.size < _MUCH
    sums, shift = (_by_product if few else _by_rows)(cells, about.scales.astype(np.float32), groups, count)
    sums -= shift[:, None] * about.mean
    return sums, np.asarray(np.bincount(groups, cells.weights, minlength=count), dtype=np.float64)


def _by_product(cells: Cells, scales: Floats, groups: Ints, count: int) -> tuple[Floats, Floats]:
    """Sums [count, d] of scaled cells, and of their scaled weights [count]: soonest where there are few."""
    members = np.zeros((count, len(groups)), dtype=np.float32)
    members[groups, np.arange(len(groups))] = scales
    return members @ cells.sums, members.dot(cells.weights.astype(np.float32))


def _by_rows(cells: Cells, scales: Floats, groups: Ints, count: int) -> tuple[Floats, Floats]:
    """The same in time that does not grow with the number of groups times that of cells."""
    order = groups.argsort(kind="stable")
    scaled = cells.sums[order] * scales[order, None]
    bounds = np.searchsorted(groups[order], np.arange(count + 1))
    sums: Floats = scaled[bounds[:-1]]
    for group in np.flatnonzero(np.diff(bounds) > 1).tolist():
        np.add.reduce(scaled[bounds[group] : bounds[group + 1]], axis=0, out=sums[group])
    return sums, np.bincount(groups, scales * cells.weights, minlength=count).astype(np.float32)


def cosines_to_sum(sums: Floats | Doubles) -> Doubles:
    """Cosine of each row with the sum of all rows, [k]; one row alone is its own sum."""
    total = np.add.reduce(sums, axis=0)
    lengths = np.sqrt(np.vecdot(sums, sums) * float(total.dot(total)))
    cosine = sums.dot(total) / np.maximum(lengths, TINY)
    return np.asarray(np.minimum(np.maximum(cosine, -1.0), 1.0), dtype=np.float64)
