"""What to ask a user: the few questions whose answers would put most photos right.

Only the album is looked at, no photo's row. What it costs is bounded by the cells of its spaces.
"""

from collections.abc import Sequence
from itertools import combinations
from typing import Final, NamedTuple

import numpy as np

from sploot_clusterd.engine.album import Album, Cluster, Space
from sploot_clusterd.engine.evidence import pair_scores
from sploot_clusterd.engine.params import Params
from sploot_clusterd.engine.precedence import was_corrected
from sploot_clusterd.engine.statistics import Cells, Doubles, Floats, Ints, centred
from sploot_clusterd.engine.vectors import image_weight
from sploot_clusterd.model import cluster_id
from sploot_clusterd.view import Belongs, Same, Suggestions

_TELLING: Final = image_weight(0.48)
"""Weight from which a photo shows enough to be asked about: that of a quality half way between blurred and sharp."""
_LEAST_GAIN: Final = 0.5
"""Photos. For less nobody is asked."""
_DIGITS: Final = 3
_MOST_ODDS: Final = 50.0
"""Whatever exceeds them is certain."""

Question = Same | Belongs


class _Shown(NamedTuple):
    """The shown clusters of a space, [k], and the cells in them, [m]."""

    clusters: Sequence[Cluster]
    cells: Sequence[int]
    homes: Ints
    """The place of each cell's cluster, [m]."""
    sums: Floats
    """Of the cells, centred, [m, d]."""
    weights: Doubles
    """[m]"""
    threshold: float
    """Of merge scores."""
    likeness: float
    """Mean centred cosine from which images of small groups are put into larger ones."""
    ratio: float
    """Of the evidence."""

    @classmethod
    def of(cls, album: Album, space: Space, params: Params) -> "_Shown":
        mine = [each for each in album.clusters.values() if each.shown and each.space == space.number]
        mine.sort(key=lambda each: each.number or 0)
        places = {cell_id: at for at, each in enumerate(mine) for cell_id in each.cells}
        (inner,) = np.array([cell_id in places for cell_id in space.ids], dtype=np.bool_).nonzero()
        cells = Cells(space.sums, space.weights, space.profile > 0, space.scale)
        ids = [space.ids[at] for at in inner.tolist()]
        return cls(
            mine,
            ids,
            np.array([places[cell_id] for cell_id in ids], dtype=np.int64),
            centred(cells, cells.about(params.mean_prior))[inner],
            cells.weights[inner],
            params.threshold(float(cells.weights.sum())) * space.scale**2,
            params.absorbing.at(space.scale).likeness,
            params.prior_ratio * space.scale,
        )


def suggest(album: Album, params: Params, limit: int) -> Suggestions:
    """Up to `limit` questions, those of the highest expected gain first; of equals those of older clusters."""
    asked: list[Question] = []
    for space in album.spaces.values():
        shown = _Shown.of(album, space, params)
        asked += _same(album, shown, limit)
        asked += _belong(album, shown, limit)
    asked.sort(key=lambda question: -question.expected_gain)
    return Suggestions(asked[:limit], album.version)


def chance_of_two(evidence: Doubles, likeness: Doubles, blur: Doubles) -> Doubles:
    """How likely two clusters are one animal: of their merge score over the threshold, the mean cosine of their images
    over the one from which small groups are dissolved, and 1 - the mean weight of the images of the less clear one.

    A score is a log ratio of evidence, so log odds grow with it; but it says whether two clusters are one look, and an
    animal has several, which have something in common. What is blurred is like nothing, and so a fragment of something.
    Both were fitted on labelled albums, by logistic regression.
    """
    return _logistic(0.4 * evidence + 1.5 * likeness + 5.4 * blur - 3.2)


def chance_of_one(evidence: Doubles) -> Doubles:
    """How likely a photo belongs with the others of its cluster, by the merge score over the threshold, as above."""
    return _logistic(0.85 * evidence + 0.2)


def gain(one: Doubles, other: Doubles) -> Doubles:
    """How many photos are put right where groups of so many photos are put together, or parted.

    Each photo gains the share that the other group has of both: 2ab / (a + b) in all, as B-cubed recall counts it if
    the two are all that there is of what they show, or B-cubed precision if they are parted.
    """
    return np.asarray(2.0 * one * other / (one + other))


def _same(album: Album, shown: _Shown, limit: int) -> list[Question]:
    """Are two clusters one."""
    count = len(shown.clusters)
    members = (shown.homes == np.arange(count)[:, None]).astype(np.float32)
    sums, weights = members @ shown.sums, np.bincount(shown.homes, shown.weights, count).astype(np.float64)
    products = (sums @ sums.T).astype(np.float64)
    squares, sizes = products.diagonal(), np.array([each.size for each in shown.clusters], dtype=np.float64)
    scores = pair_scores(squares[:, None], weights[:, None], squares, weights, products, shown.ratio)
    likeness = products / (weights * weights[:, None]) / shown.likeness
    blur = 1.0 - weights / sizes
    chances = chance_of_two(scores / shown.threshold, likeness, np.maximum(blur, blur[:, None]))
    gains = np.triu(chances * gain(sizes[:, None], sizes), 1)
    telling = np.array([_shows_enough(album, each) for each in shown.clusters], dtype=np.bool_)
    gains *= telling & telling[:, None]
    for one, other in _settled(album, shown.clusters):
        gains[one, other] = 0.0
    return [
        Same([cluster_id(album.pet_id, shown.clusters[at].number) for at in divmod(pair, count)], value)
        for pair, value in _best(gains.ravel(), limit)
    ]


def _shows_enough(album: Album, cluster: Cluster) -> bool:
    """Whether any of its photos does."""
    members = (member for cell_id in cluster.cells for member in album.cells[cell_id].members)
    return any(image_weight(member.quality) >= _TELLING for member in members)


def _settled(album: Album, clusters: Sequence[Cluster]) -> list[tuple[int, int]]:
    """Places of pairs that a user said are not one, or gave different names; the lower first."""
    apart, spoken = set(album.apart), [at for at, each in enumerate(clusters) if each.anchor is not None]
    return [
        (one, other)
        for one, other in combinations(spoken, 2)
        if tuple(sorted((clusters[one].anchor or 0, clusters[other].anchor or 0))) in apart
        or None is not clusters[one].given != clusters[other].given is not None
    ]


def _belong(album: Album, shown: _Shown, limit: int) -> list[Question]:
    """Does a photo belong to its cluster."""
    count = len(shown.clusters)
    totals = np.zeros((count, shown.sums.shape[1]), dtype=np.float32)
    np.add.at(totals, shown.homes, shown.sums)
    weights = np.bincount(shown.homes, shown.weights, count)[shown.homes] - shown.weights
    rest = totals[shown.homes] - shown.sums
    squares, products = (np.einsum("ij,ij->i", rest, each).astype(np.float64) for each in (rest, shown.sums))
    own = np.einsum("ij,ij->i", shown.sums, shown.sums).astype(np.float64)
    alone = weights <= 0.0
    weights[alone] = 1.0
    scores = pair_scores(squares, weights, own, shown.weights, products, shown.ratio)
    sizes = np.array([each.size for each in shown.clusters], dtype=np.float64)[shown.homes]
    gains = (1.0 - chance_of_one(scores / shown.threshold)) * gain(np.ones(len(sizes)), sizes - 1.0)
    gains[alone] = 0.0
    for at, cell_id in enumerate(shown.cells):
        cell = album.cells[cell_id]
        if 2 * cell.count > sizes[at] or _asked_of(album, cell_id) is None:
            gains[at] = 0.0
    return [
        Belongs(
            _asked_of(album, shown.cells[at]) or "",
            cluster_id(album.pet_id, shown.clusters[shown.homes[at]].number),
            value,
        )
        for at, value in _best(gains, limit)
    ]


def _asked_of(album: Album, cell_id: int) -> str | None:
    """The cell's best photo that shows enough, if no user said anything of it."""
    for member in album.cells[cell_id].members:
        if image_weight(member.quality) >= _TELLING:
            spoken = member.pinned is not None or was_corrected(album.corrected, member.image_id)
            return None if spoken else member.image_id
    return None


def _logistic(odds: Doubles) -> Doubles:
    return np.asarray(1.0 / (1.0 + np.exp(-np.clip(odds, -_MOST_ODDS, _MOST_ODDS))))


def _best(gains: Doubles, limit: int) -> list[tuple[int, float]]:
    """The places of the highest gains, and these; of equals the lower place first."""
    gains = gains.round(_DIGITS)
    return [
        (at, float(gains[at])) for at in np.argsort(-gains, kind="stable")[:limit].tolist() if gains[at] > _LEAST_GAIN
    ]
