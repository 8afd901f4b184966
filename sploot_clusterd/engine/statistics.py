"""The mixture's arithmetic: pure functions of additive statistics.

A group of images is (S, W): the sum of weight times unit vector, and the sum of weights. Both add up, so joining,
leaving and merging are sums. Directions are compared *centred*: real encoders put every image near one common
direction, which says nothing of what tells images apart.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]
Doubles = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

TINY = 1e-9
_LEAST_COMMON, _MOST_COMMON = 0.02, 0.85


class Centring(NamedTuple):
    """The mean that is subtracted, [d], and its squared length."""

    mean: Floats
    square: float


@dataclass(frozen=True, slots=True, eq=False)
class Cells:
    """Statistics of k micro-clusters of one space of d dimensions, in the order in which they were founded."""

    sums: Floats
    """[k, d]"""
    weights: Doubles
    """[k]"""
    _about: dict[float, Centring] = field(default_factory=dict, repr=False)

    def about(self, prior: float) -> Centring:
        """The album's own mean, shrunk towards zero: a handful of images says little of what all images share.

        With b the mean cosine of two images, the mean of W of them has noise (1 - b) / W beside a common part of b.
        Shrinking by W / (W + prior (1 - b) / b) weighs the two as James and Stein ("Estimation with quadratic loss",
        1961) do, where prior is 1; an album needs more, for its images are no sample of all there are. So encoders
        that put all images close together are centred sooner than others.
        """
        if prior not in self._about:
            total = np.ones(len(self.sums), dtype=np.float32) @ self.sums
            weight = float(self.weights.sum())
            # |S|^2 is W + (W^2 - W) b where weights are 1; clipped, for few or copied images tell nothing.
            cosine = (float(total @ total) - weight) / max(weight * weight - weight, TINY) if weight > 1.0 else 0.0
            common = min(max(cosine, _LEAST_COMMON), _MOST_COMMON)
            mean = total / np.float32(weight + prior * (1.0 - common) / common)
            self._about[prior] = Centring(mean, float(mean @ mean))
        return self._about[prior]

    def part(self, indices: Sequence[int]) -> "Cells":
        return Cells(self.sums[indices], self.weights[indices])


def scales(cells: Cells, about: Centring) -> Doubles:
    """1 / the root mean square length of each cell's images once centred, [k].

    Images have length 1, so the mean of |x - m|^2 over a cell of centroid c = S / W is 1 - 2 m.c + |m|^2.
    """
    return np.asarray(
        1.0 / np.sqrt(np.maximum(1.0 - 2.0 * (cells.sums @ about.mean) / cells.weights + about.square, 1e-6))
    )


def centred(cells: Cells, about: Centring) -> Floats:
    """Each cell's sum of weight times centred, normalised image, [k, d] (normalised by its root mean square)."""
    shifted = cells.sums - cells.weights[:, None].astype(np.float32) * about.mean
    return np.asarray(shifted * scales(cells, about).astype(np.float32)[:, None])


def cosines(cells: Cells, vector: Floats, about: Centring) -> tuple[Doubles, Doubles]:
    """Cosines between `vector` [d] and each cell's centroid: plain [k], and of both centred [k].

    No temporary of k x d is made.
    """
    towards = cells.sums @ np.array((vector, about.mean)).T
    on_vector, on_mean = towards.T / cells.weights
    lengths = np.einsum("ij,ij->i", cells.sums, cells.sums) / cells.weights**2
    across = float(vector @ about.mean)
    length = float(vector @ vector)
    plain = on_vector / np.sqrt(np.maximum(lengths * length, TINY))
    centred = (on_vector - on_mean - across + about.square) / np.sqrt(
        np.maximum(lengths - 2.0 * on_mean + about.square, TINY) * max(length - 2.0 * across + about.square, TINY)
    )
    return plain, np.clip(centred, -1.0, 1.0)


def grouped(cells: Cells, about: Centring, groups: Ints, count: int) -> tuple[Floats, Doubles]:
    """Centred sums [count, d] and weights [count] of groups of cells; `groups` [k] numbers them from 0."""
    members = np.zeros((count, len(groups)), dtype=np.float32)
    members[groups, np.arange(len(groups))] = scales(cells, about)
    shift = members @ cells.weights.astype(np.float32)
    sums: Floats = members @ cells.sums - shift[:, None] * about.mean
    return sums, np.bincount(groups, cells.weights, minlength=count).astype(np.float64)


def cosines_to_sum(sums: Floats) -> Doubles:
    """Cosine of each row with the sum of all rows, [k]; one row alone is its own sum."""
    total = sums.sum(axis=0)
    lengths = np.sqrt(np.einsum("ij,ij->i", sums, sums) * float(total @ total))
    return np.asarray(np.clip((sums @ total) / np.maximum(lengths, TINY), -1.0, 1.0), dtype=np.float64)


def evidence(square: Doubles, weight: Doubles, ratio: float) -> Doubles:
    """Log evidence, per dimension and without terms that cancel in differences, that images form one cluster.

    Noise within a cluster is Gaussian of variance v and centres are Gaussian of variance ratio * v. Integrating the
    centre out of n images gives -ln(1 + ratio n) / 2 + ratio |sum|^2 / (2 v (1 + ratio n)) (Murphy, "Conjugate Bayesian
    analysis of the Gaussian distribution", 2007, section 2). Images of length 1 have v (1 + ratio) = 1 per dimension,
    which puts 1 + ratio in the place of 1 / v; n is the weight; the common factor 1/2 is left out.
    """
    scaled = 1.0 + ratio * weight
    return np.asarray(ratio * (1.0 + ratio) * square / scaled - np.log(scaled))


def merge_scores(square: Doubles, weight: Doubles, one: int, products: Doubles, ratio: float) -> Doubles:
    """Evidence for merging group `one` with each group, [k], over its size.

    `square` [k] holds |sum|^2, `products` [k] the products of each sum with that of `one`. The evidence ratio grows
    with the harmonic size of the pair; the power .75 was found on real albums.
    """
    both = evidence(square + square[one] + 2.0 * products, weight + weight[one], ratio)
    apart = evidence(square, weight, ratio)
    harmonic = weight * weight[one] / (weight + weight[one])
    return np.asarray((both - apart - apart[one]) / (harmonic + 0.3) ** 0.75)


def _pair_scores(square: Doubles, weight: Doubles, products: Doubles, ratio: float) -> Doubles:
    """`merge_scores` of every pair at once, [k, k]."""
    weights = weight + weight[:, None]
    both = evidence(square + square[:, None] + 2.0 * products, weights, ratio)
    apart = evidence(square, weight, ratio)
    harmonic = weight * weight[:, None] / weights
    return np.asarray((both - apart - apart[:, None]) / (harmonic + 0.3) ** 0.75)


def _rivals(one: Ints, other: Ints) -> npt.NDArray[np.bool_]:
    """Whether both have anchors, and not the same."""
    return np.asarray((one >= 0) & (other >= 0) & (one != other))


def agglomerate(
    cells: Cells,
    about: Centring,
    ratio: float,
    threshold: float,
    *,
    at_most: int | None = None,
    anchors: Ints | None = None,
) -> Ints:
    """Merges the best-scored pair again and again; returns for each cell the lowest cell of its group, [k].

    Stops below `threshold`; or, if `at_most` is given, as soon as no more than so many groups are left, whatever the
    threshold. Cells of different `anchors` [k] (-1: none) never get into one group, even if more groups are left then.
    O(k) numpy calls on k x k arrays. Ties go to the lowest indices.
    """
    sums = centred(cells, about)
    products = (sums @ sums.T).astype(np.float64)
    square, weight = products.diagonal().copy(), cells.weights.copy()
    count = len(weight)
    barred = np.tri(count, dtype=bool)
    if anchors is not None:
        anchors = anchors.copy()
        barred |= _rivals(anchors[:, None], anchors)
    scores = np.where(barred, -np.inf, _pair_scores(square, weight, products, ratio))
    groups = np.arange(count)
    alive = np.ones(count, dtype=bool)
    left = count
    while left > (1 if at_most is None else max(at_most, 1)):
        a, b = divmod(int(scores.argmax()), count)
        if scores[a, b] <= (threshold if at_most is None else -np.inf):
            break
        groups[groups == b] = a
        products[a] += products[b]
        products[:, a] += products[:, b]
        square[a] = products[a, a]
        weight[a] += weight[b]
        alive[b] = False
        left -= 1
        open_to_a = alive
        if anchors is not None:
            anchors[a] = max(anchors[a], anchors[b])
            open_to_a = alive & ~_rivals(anchors, anchors[a])
        row = np.where(open_to_a, merge_scores(square, weight, a, products[a], ratio), -np.inf)
        scores[b], scores[:, b] = -np.inf, -np.inf
        scores[a, a + 1 :], scores[:a, a] = row[a + 1 :], row[:a]
    return groups
