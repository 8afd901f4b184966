"""Which groups of images belong together, by the evidence of a mixture whose number of components is not known."""

from typing import Final, Self

import numpy as np
import numpy.typing as npt

from sploot_clusterd.engine.handful import FEW, best_merge, evidence_of
from sploot_clusterd.engine.params import Absorbing
from sploot_clusterd.engine.statistics import DIGITS, Doubles, Floats, Ints, first_best


def evidence(square: Doubles, weight: Doubles, ratio: float) -> Doubles:
    """Log evidence, per dimension and without terms that cancel in differences, that images form one cluster.

    Noise within a cluster is Gaussian of variance v and centres are Gaussian of variance ratio * v. Integrating the
    centre out of n images gives -ln(1 + ratio n) / 2 + ratio |sum|^2 / (2 v (1 + ratio n)) (Murphy, "Conjugate Bayesian
    analysis of the Gaussian distribution", 2007, section 2). Images of length 1 have v (1 + ratio) = 1 per dimension,
    which puts 1 + ratio in the place of 1 / v; n is the weight; the common factor 1/2 is left out.
    """
    scaled = ratio * weight
    scaled += 1.0
    found = ratio * (1.0 + ratio) * square
    found /= scaled
    found -= np.log(scaled)
    return found


def pair_scores(  # noqa: PLR0917 - two of each
    square: Doubles, weight: Doubles, other_square: Doubles, other_weight: Doubles, products: Doubles, ratio: float
) -> Doubles:
    """`Groups.merge_scores` of any pairs, by the |sum|^2 and weights of both and the products of their sums."""
    weights = weight + other_weight
    both = evidence(square + other_square + 2.0 * products, weights, ratio)
    apart = evidence(square, weight, ratio) + evidence(other_square, other_weight, ratio)
    return np.asarray((both - apart) / _size(weight * other_weight / weights))


_NOBODY: Final = -1
"""The partner of a group that was merged away."""
_FEW: Final = 256
"""Groups up to which all pairs are looked at for the best one."""


def _size(harmonic: Doubles) -> Doubles:
    """(h + 0.3)^0.75, by roots: they take a tenth of a power's time, and are the same on every CPU."""
    root = np.sqrt(harmonic + 0.3)
    root *= np.sqrt(root)
    return root


class Groups:
    """What the evidence of k groups follows from, [k] each: their weights, those as `evidence` scales them, and |sum|^2
    times its factor. Changed in place by merges.
    """

    def __init__(self, square: Doubles, weight: Doubles, ratio: float) -> None:
        self._weight = weight
        self._ratio = ratio
        self._factor = ratio * (1.0 + ratio)
        self._scaled = 1.0 + ratio * weight
        self._raised = self._factor * square
        self._apart = evidence(square, weight, ratio)

    @classmethod
    def of(cls, sums: Floats, weight: Doubles, ratio: float) -> Self:
        """From centred sums [k, d]."""
        return cls(np.vecdot(sums, sums).astype(np.float64), weight, ratio)

    def merge_scores(self, one: int, products: Doubles) -> Doubles:
        """Evidence for merging group `one` with each group, [k], over its size; -inf where that was merged away.

        `products` [k] are those of each sum with that of `one`. The evidence ratio grows with the harmonic size of the
        pair; the power .75 was found on real albums.
        """
        weight = self._weight.item(one)
        scaled = self._scaled + self._ratio * weight
        scores = (2.0 * self._factor) * products
        scores += self._raised
        scores += self._raised.item(one)
        scores /= scaled
        scores -= np.log(scaled, out=scaled)
        scores -= self._apart
        scores -= self._apart.item(one)
        harmonic = self._weight * weight
        harmonic /= self._weight + weight
        scores /= _size(harmonic)
        return scores

    def all_merge_scores(self, products: Doubles) -> Doubles:
        """`merge_scores` of every pair, [k, k], from all products of sums; -inf on the diagonal."""
        weights = self._weight + self._weight[:, None]
        square = self._raised + self._raised[:, None] + (2.0 * self._factor) * products
        scaled = 1.0 + self._ratio * weights
        both = square / scaled - np.log(scaled)
        harmonic = self._weight * self._weight[:, None] / weights
        scores = (both - self._apart - self._apart[:, None]) / _size(harmonic)
        scores.ravel()[:: len(scores) + 1] = -np.inf
        return np.asarray(scores)

    def merge(self, into: int, other: int, square: float) -> None:
        """`square` is the merged sum's. No group is merged with `other` any more."""
        weight = self._weight.item(into) + self._weight.item(other)
        self._weight[into] = weight
        self._scaled[into] = 1.0 + self._ratio * weight
        self._raised[into] = self._factor * square
        self._apart[into] = evidence_of(square, weight, self._ratio)
        self._apart[other] = np.inf


def best_for_last(sums: Floats, weights: Doubles, products: Doubles, ratio: float) -> tuple[int, float]:
    """Which of the other groups, one at least, is best merged with the last one, and its score; of equals the lowest.

    From centred sums [k, d], weights [k] and the products [k] of each sum with the last.
    """
    last = len(weights) - 1
    if last <= FEW:
        return best_merge(last, np.vecdot(sums, sums).tolist(), weights.tolist(), products.tolist(), ratio)
    scores = Groups.of(sums, weights, ratio).merge_scores(last, products)[:last]
    best = first_best(scores)
    return best, float(scores[best])


class _FewPairs:
    """The scores of all pairs, [k, k]: where they are few, the best is found soonest by looking at all of them."""

    def __init__(self, scores: Doubles) -> None:
        self._scores = scores

    def best(self) -> tuple[float, int, int]:
        """The highest score and its pair, the lower index first; of equals the pair of the lowest indices."""
        at = int(self._scores.argmax())
        one, other = divmod(at, len(self._scores))
        return self._scores.item(at), min(one, other), max(one, other)

    def merge(self, into: int, other: int, scores: Doubles) -> None:
        """`scores` [k] are those of the merged group with the others; they are used up."""
        scores[into] = -np.inf
        self._scores[into] = self._scores[:, into] = scores
        self._scores[other] = self._scores[:, other] = -np.inf


class _ManyPairs:
    """As `_FewPairs`, with each row's best partner: so the best pair is found in k steps, not k^2."""

    def __init__(self, scores: Doubles) -> None:
        self._scores = scores
        self._partner = scores.argmax(axis=1)
        self._best = scores[np.arange(len(scores)), self._partner]

    def best(self) -> tuple[float, int, int]:
        one = int(self._best.argmax())
        other = int(self._partner[one])
        return float(self._best[one]), min(one, other), max(one, other)

    def merge(self, into: int, other: int, scores: Doubles) -> None:
        scores[into] = -np.inf
        self._scores[into] = self._scores[:, into] = scores
        self._scores[:, other] = -np.inf
        self._partner[into], self._partner[other] = other, _NOBODY
        self._best[other] = -np.inf
        stale = ((self._partner == into) | (self._partner == other)).nonzero()[0]
        better = (scores > self._best).nonzero()[0]
        self._partner[better] = into
        self._best[better] = scores[better]
        rows = self._scores[stale]
        partners = rows.argmax(axis=1)
        self._partner[stale] = partners
        self._best[stale] = rows[np.arange(len(stale)), partners]


def agglomerate(
    sums: Floats,
    weights: Doubles,
    ratio: float,
    threshold: float,
    *,
    at_most: int | None = None,
    anchors: Ints | None = None,
) -> Ints:
    """Merges the best-scored pair again and again; returns for each cell the lowest cell of its group, [k].

    `sums` [k, d] are centred, `weights` [k]. Stops at `threshold`; or, if `at_most` is given, as soon as no more groups
    are left than that, whatever the threshold. Cells of different `anchors` [k] (-1: none) never get into one group,
    even if more groups are left then.
    """
    count = len(weights)
    into = list(range(count))
    if not count:
        return np.array(into, dtype=np.int64)
    products = sums.dot(sums.T).astype(np.float64)
    groups = Groups(products.diagonal(), weights.copy(), ratio)
    scores = groups.all_merge_scores(products).round(DIGITS)  # so that every kind of CPU sees the same ties
    if anchors is not None:
        anchors = anchors.copy()
        scores[_rivals(anchors[:, None], anchors)] = -np.inf
    pairs = _FewPairs(scores) if count <= _FEW else _ManyPairs(scores)
    for _ in range(count - max(at_most or 1, 1)):
        score, a, b = pairs.best()
        if score <= (threshold if at_most is None else -np.inf):
            break
        into[b] = a
        row = products[a]
        row += products[b]
        row[a] += row[b]
        products[:, a] = row
        groups.merge(a, b, row.item(a))
        merged = groups.merge_scores(a, row).round(DIGITS)
        if anchors is not None:
            anchors[a] = max(anchors[a], anchors[b])
            merged[_rivals(anchors, anchors[a])] = -np.inf
        pairs.merge(a, b, merged)
    for at, group in enumerate(into):
        into[at] = into[group]  # which is lower, and so has come to its end
    return np.array(into)


def _rivals(one: Ints, other: Ints) -> npt.NDArray[np.bool_]:
    """Whether both have anchors, and not the same."""
    return np.asarray((one >= 0) & (other >= 0) & (one != other))


def absorb(sums: Floats, weights: Doubles, groups: Ints, rule: Absorbing) -> Ints:
    """Groups after weak ones were dissolved: each of their cells goes to the strong group that it is most like.

    `sums` [k, d] are centred, `groups` [k] numbers from 0 on. A strong group has the rule's weight. Likeness is the
    mean cosine of the cell's images with the group's, 0 for images that have no more in common than any two of the
    album. A cell that is like none, or like two, stays where it is.
    """
    totals = np.bincount(groups, weights)
    (strong,) = (totals >= rule.weight).nonzero()
    (weak,) = (totals[groups] < rule.weight).nonzero()
    absorbed = groups.copy()
    if not len(strong) or not len(weak):
        return absorbed
    members = (groups == strong[:, None]).astype(np.float32)
    products = sums[weak].dot((members @ sums).T).astype(np.float64)
    likest = clearly_like(products / weights[weak, None] / totals[strong], rule)
    absorbed[weak[likest >= 0]] = strong[likest[likest >= 0]]
    return absorbed


def clearly_like(likeness: Doubles, rule: Absorbing) -> Ints:
    """For each of n cells the group that it is clearly most like, or -1. `likeness` [n, k] is used up."""
    rows = np.arange(len(likeness))
    likeness.round(DIGITS, out=likeness)
    likest = likeness.argmax(axis=1)
    most = likeness[rows, likest]
    likeness[rows, likest] = -np.inf
    clear = (most >= rule.likeness) & (most - likeness.max(axis=1) >= rule.lead)
    likest[~clear] = -1
    return np.asarray(likest)
