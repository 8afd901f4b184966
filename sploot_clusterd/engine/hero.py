"""Which images of a cluster are served, in which order, and which one represents it."""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import pairwise
from operator import itemgetter

from sploot_clusterd.engine.album import Cell, Cluster, Member
from sploot_clusterd.engine.params import HeroWeights, Params
from sploot_clusterd.engine.rows import Stamp
from sploot_clusterd.engine.statistics import DIGITS, EQUAL

Scored = tuple[float, Member]

_DAY_MS = 86_400_000
_UNKNOWN_QUALITY = 0.5


def score(member: Member, closeness: float, newest_ms: int, weights: HeroWeights) -> float:
    """0..1: enough quality, closeness to the cluster (centred cosine, from 0), recency against the album's newest.

    What people take for the best photo of a group is a sharp and typical one: on labelled albums
    `min(quality, .65) + .5 * closeness` chose best of all that was tried.
    """
    quality, enough = _UNKNOWN_QUALITY if member.quality is None else member.quality, weights.enough_quality
    age_ms = newest_ms - member.taken_ms
    weighted = (
        weights.quality * (1.0 if quality >= enough else quality / enough)
        + weights.closeness * (closeness if 0.0 <= closeness <= 1.0 else min(max(closeness, 0.0), 1.0))
        + weights.recency * (math.exp2(-(age_ms / _DAY_MS) / weights.recency_days) if age_ms > 0 else 1.0)
    )
    return weighted / (weights.quality + weights.closeness + weights.recency)


def parts_of_score(
    member: Member, closeness: float, newest_ms: int, weights: HeroWeights
) -> tuple[float, float, float]:
    """What quality, closeness and recency add to its score."""
    quality = _UNKNOWN_QUALITY if member.quality is None else member.quality
    total = weights.quality + weights.closeness + weights.recency
    age_days = max(newest_ms - member.taken_ms, 0) / _DAY_MS
    return (
        weights.quality * min(quality / weights.enough_quality, 1.0) / total,
        weights.closeness * min(max(closeness, 0.0), 1.0) / total,
        weights.recency * math.exp2(-age_days / weights.recency_days) / total,
    )


def rank_in_cell(members: Iterable[Member], params: Params) -> list[Member]:
    """A cell's members best first, pinned ones before all. Recency is left out, as it depends on what follows, but of
    equals the newest comes first.
    """
    scored = [(score(member, member.closeness, member.taken_ms, params.hero), member) for member in members]
    best_first = [member for _, member in ranked(scored, lambda member: -member.taken_ms)]
    return sorted(best_first, key=lambda m: (0, *(-part for part in m.pinned)) if m.pinned is not None else (1,))


def ranked(scored: Iterable[Scored], first: Callable[[Member], float] = lambda _: 0.0) -> list[Scored]:
    """Best first. Scores that differ by rounding alone are one score, the highest of them: of such members those come
    first of which `first` is least, then the better ones, then the older ones.

    Two images of a cluster are equally close to it, but for the last bits, which are not the same on every CPU.
    """
    falling = sorted(scored, key=itemgetter(0), reverse=True)
    if all(one - other > EQUAL for (one, _), (other, _) in pairwise(falling)):
        return falling
    previous = common = math.inf
    merged: list[Scored] = []
    for value, member in falling:
        common = common if previous - value <= EQUAL else value
        previous = value
        merged.append((common, member))
    return sorted(merged, key=lambda pair: (-pair[0], first(pair[1]), *_precedence(pair[1])))


def _precedence(member: Member) -> tuple[float, Stamp, int, str]:
    quality = _UNKNOWN_QUALITY if member.quality is None else member.quality
    return -quality, member.at, member.position, member.image_id


def best_members(cluster: Cluster, cells: Mapping[int, Cell], params: Params) -> list[Scored]:
    """The cluster's best `max_cluster_size` with their scores, in the order of `ranked`.

    The hero that a user chose is always among them.
    An image's closeness to the cluster is its closeness to its cell times the cell's to the cluster.
    """
    weights, newest_ms = params.hero, cluster.newest_ms
    scored = [
        (score(member, member.closeness * closeness, newest_ms, weights), member)
        for cell_id, closeness in zip(cluster.cells, cluster.closeness, strict=True)
        for member in cells[cell_id].members
    ]
    pinned = newest_pin(scored)
    served = ranked(scored)[: params.max_cluster_size]
    if pinned is None or any(member is pinned[1] for _, member in served):
        return served
    return [*served[:-1], pinned]


def choose_hero(current: str | None, served: Sequence[Scored], margin: float) -> str:
    """The one that a user pinned last, else the best of the served members, unless the present hero is among them and
    not clearly worse.
    """
    pinned = newest_pin(served)
    if pinned is not None:
        return pinned[1].image_id
    best_score, best = served[0]
    for member_score, member in served:
        if member.image_id == current:
            return current if round(best_score - member_score, DIGITS) < margin else best.image_id
    return best.image_id


def is_chosen(image_id: str, cells: Iterable[Cell]) -> bool:
    """Whether the image is in one of the cells, and a user chose it as a hero: such images come first in theirs."""
    return any(member.image_id == image_id and member.pinned is not None for cell in cells for member in cell.members)


def newest_pin(scored: Sequence[Scored]) -> Scored | None:
    """The hero among them that a user chose last."""
    pinned = [pair for pair in scored if pair[1].pinned is not None]
    return max(pinned, key=lambda pair: pair[1].pinned or ()) if pinned else None
