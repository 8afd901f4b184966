"""What to ask a user: the few questions whose answers would put most photos right.

Only the album is looked at, no photo's row. What it costs is bounded by the cells of its spaces.
"""

from collections.abc import Sequence
from itertools import combinations, islice
from typing import Final, NamedTuple

import numpy as np

from sploot_clusterd.engine.album import Album, Cluster, Space
from sploot_clusterd.engine.apart import told_apart
from sploot_clusterd.engine.evidence import pair_scores
from sploot_clusterd.engine.params import Params
from sploot_clusterd.engine.precedence import was_corrected
from sploot_clusterd.engine.statistics import Cells, Doubles, Floats, Ints
from sploot_clusterd.engine.vectors import image_weight
from sploot_clusterd.model import cluster_id
from sploot_clusterd.view import MOST_DOUBTFUL, Belongs, Same, Suggestions

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
        mine = [each for each in album.clusters.values() if album.is_seen(each) and each.space == space.number]
        mine.sort(key=lambda each: each.number or 0)
        places = {cell_id: at for at, each in enumerate(mine) for cell_id in each.cells}
        (inner,) = np.array([cell_id in places for cell_id in space.ids], dtype=np.bool_).nonzero()
        cells = Cells(space.sums, space.weights, space.profile > 0, space.scale)
        ids = [space.ids[at] for at in inner.tolist()]
        return cls(
            mine,
            ids,
            np.array([places[cell_id] for cell_id in ids], dtype=np.int64),
            cells.centred(cells.about(params.mean_prior))[inner],
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
    return _logistic(0.25 * evidence + 0.3 * likeness + 3.0 * blur - 2.0)


def chance_of_one(evidence: Doubles) -> Doubles:
    """How likely a photo belongs with the others of its cluster, by the merge score over the threshold, as above."""
    return _logistic(0.4 * evidence + 0.1)


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
    apart, spoken = told_apart(album), [at for at, each in enumerate(clusters) if each.anchor is not None]
    return [
        (one, other)
        for one, other in combinations(spoken, 2)
        if tuple(sorted((clusters[one].anchor or 0, clusters[other].anchor or 0))) in apart
        or None is not clusters[one].given != clusters[other].given is not None
    ]


def _belong(album: Album, shown: _Shown, limit: int) -> list[Question]:
    """Which photos belong to their cluster: of each cluster those that are most in doubt."""
    doubts = _doubts(shown)
    found: list[tuple[float, list[str]]] = []
    for place, cluster in enumerate(shown.clusters):
        (own,) = (shown.homes == place).nonzero()
        doubtful = own[np.argsort(-doubts[own], kind="stable")].tolist()
        ranked = ((at, image_id) for at in doubtful for image_id in _doubtful(album, cluster, shown.cells[at]))
        listed = list(islice(ranked, MOST_DOUBTFUL))
        each = gain(np.ones(1), np.full(1, cluster.size - 1.0))[0]
        found.append((each * sum(doubts[at] for at, _ in listed), [image_id for _, image_id in listed]))
    return [
        Belongs(found[place][1][0], cluster_id(album.pet_id, shown.clusters[place].number), value, found[place][1])
        for place, value in _best(np.array([value for value, _ in found]), limit)
    ]


def _doubts(shown: _Shown) -> Doubles:
    """How likely each cell does not belong to its cluster, [m], by the merge score of both; 0 where it is all of it."""
    count = len(shown.clusters)
    totals = np.zeros((count, shown.sums.shape[1]), dtype=np.float32)
    np.add.at(totals, shown.homes, shown.sums)
    weights = np.bincount(shown.homes, shown.weights, count)[shown.homes] - shown.weights
    rest = totals[shown.homes] - shown.sums
    squares, products = (np.einsum("ij,ij->i", rest, each).astype(np.float64) for each in (rest, shown.sums))
    own = np.einsum("ij,ij->i", shown.sums, shown.sums).astype(np.float64)
    alone = np.bincount(shown.homes, minlength=count)[shown.homes] < 2  # noqa: PLR2004 - itself and another
    weights[alone] = 1.0
    scores = pair_scores(squares, weights, own, shown.weights, products, shown.ratio)
    return np.where(alone, 0.0, 1.0 - chance_of_one(scores / shown.threshold)).round(_DIGITS)


def _doubtful(album: Album, cluster: Cluster, cell_id: int) -> list[str]:
    """The cell's photos that show enough, if it is no more than half of the cluster; none if a user spoke of one."""
    cell = album.cells[cell_id]
    if 2 * cell.count > cluster.size:
        return []
    for member in cell.members:
        if member.pinned is not None or was_corrected(album.corrected, member.image_id):
            return []
    telling = (member.image_id for member in cell.members if image_weight(member.quality) >= _TELLING)
    return [image_id for image_id in telling if image_id != cluster.hero]


def _logistic(odds: Doubles) -> Doubles:
    return np.asarray(1.0 / (1.0 + np.exp(-np.clip(odds, -_MOST_ODDS, _MOST_ODDS))))


def _best(gains: Doubles, limit: int) -> list[tuple[int, float]]:
    """The places of the highest gains, and these; of equals the lower place first."""
    gains = gains.round(_DIGITS)
    return [
        (at, float(gains[at])) for at in np.argsort(-gains, kind="stable")[:limit].tolist() if gains[at] > _LEAST_GAIN
    ]
