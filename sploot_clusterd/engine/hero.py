"""Which images of a cluster are served, in which order, and which one represents it."""

import math
from collections.abc import Mapping, Sequence

from sploot_clusterd.engine.album import Cell, Cluster, Member
from sploot_clusterd.engine.params import HeroWeights, Params

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


def rank_in_cell(member: Member, params: Params) -> tuple[tuple[int, ...], float, str]:
    """Sorts a cell's members best first, pinned ones before all. Recency is left out: it depends on what follows."""
    pinned = (0, *(-part for part in member.pinned)) if member.pinned is not None else (1,)
    return pinned, -score(member, member.closeness, member.taken_ms, params.hero), member.image_id


def best_members(cluster: Cluster, cells: Mapping[int, Cell], params: Params) -> list[tuple[float, Member]]:
    """The cluster's best `max_cluster_size` with their scores, best first; equal scores by id.

    The hero that a user chose is always among them.
    An image's closeness to the cluster is its closeness to its cell times the cell's to the cluster.
    """
    weights, newest_ms = params.hero, cluster.newest_ms
    scored = [
        (score(member, member.closeness * closeness, newest_ms, weights), member)
        for cell_id, closeness in zip(cluster.cells, cluster.closeness, strict=True)
        for member in cells[cell_id].members
    ]
    pinned = _newest_pin(scored)
    if len(scored) > params.max_cluster_size:
        least = sorted([pair[0] for pair in scored], reverse=True)[params.max_cluster_size - 1]
        scored = [pair for pair in scored if pair[0] >= least]
    scored.sort(key=lambda pair: (-pair[0], pair[1].image_id))
    served = scored[: params.max_cluster_size]
    return [*served[:-1], pinned] if pinned is not None and pinned not in served else served


def choose_hero(current: str | None, served: Sequence[tuple[float, Member]], margin: float) -> str:
    """The one that a user pinned last, else the best of the served members, unless the present hero is among them and
    not clearly worse.
    """
    pinned = _newest_pin(served)
    if pinned is not None:
        return pinned[1].image_id
    best_score, best = served[0]
    for member_score, member in served:
        if member.image_id == current:
            return current if best_score < member_score + margin else best.image_id
    return best.image_id


def _newest_pin(scored: Sequence[tuple[float, Member]]) -> tuple[float, Member] | None:
    pinned = [pair for pair in scored if pair[1].pinned is not None]
    return max(pinned, key=lambda pair: pair[1].pinned or ()) if pinned else None
