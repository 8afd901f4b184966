"""The view: the JSON that a reader gets, from the album alone."""

from collections.abc import Container, Iterable, Mapping, Sequence
from operator import attrgetter
from typing import Final, cast

import msgspec
from msgspec import UNSET, Raw, Struct

from sploot_clusterd import view
from sploot_clusterd.engine.album import Album, Cell, Cluster, Member, ProvisionalCluster
from sploot_clusterd.engine.as_seen import digest_of
from sploot_clusterd.engine.hero import best_members, choose_hero
from sploot_clusterd.engine.label import label_of
from sploot_clusterd.engine.listings import Chunk
from sploot_clusterd.engine.params import Params
from sploot_clusterd.engine.provisional import best_images
from sploot_clusterd.model import cluster_id
from sploot_clusterd.timestamps import timestamp

RENDERING: Final = 3
"""Raised with whatever changes the bytes of a fragment: those that are stored are then made anew."""
_DIGITS = 4
_WANTED: Final = b'"insights_wanted":'
"""Nowhere else in a view: a quotation mark in a text is escaped."""


class _Named(Struct):
    id: str


_key = attrgetter("key")
_encode = msgspec.json.Encoder().encode
_named = msgspec.json.Decoder(_Named).decode


def render(album: Album, params: Params, *, with_wants: bool = False) -> bytes:
    """The view as JSON, ready to send. A function of the album and the settings; it needs no rows.

    `with_wants`: it tells how many insights are still to be fetched, which the album does not know: 0.
    Where the album is up to date by other settings, those count: one version has one view, and the next job that
    changes the album brings it up to date.
    """
    parts = parts_of(album, params)
    loose = unclustered(album, album.clusters.values()) if album.clusters else []
    silhouette = album.silhouette
    stamp = timestamp(album.updated_ms)
    return _encode(
        view.View(
            pet_id=album.pet_id,
            clusters=cast("list[view.Cluster]", [Raw(parts[number]) for number in sorted(parts)]),  # encoded already
            metrics=view.ViewMetrics(
                coverage=album.job.coverage or _coverage(album),
                quality_score=_quality(album),
                processed_at=stamp,
                num_clusters=len(parts),
                num_images=album.num_images,
                num_unclustered=len(loose),
                silhouette=None if silhouette is None else round(silhouette, _DIGITS),
                num_hidden=album.num_hidden or UNSET,
                insights_wanted=0 if with_wants else UNSET,
            ),
            updated_at=stamp,
            version=album.version,
            model_version=album.job.model_version,
            unclustered=loose,
        )
    )


def parts_of(album: Album, params: Params, numbers: Container[int] | None = None) -> dict[int, bytes]:
    """The clusters of the view as JSON, by their numbers: those of these numbers alone, if some are given."""
    if album.serving is not None and album.serving != params.serving:
        params = params.serving_as(album.serving)
    ready = album.fragments if album.serving is not None else {}
    parts: dict[int, bytes] = {}
    for cluster in album.seen_clusters():
        if numbers is None or cluster.number in numbers:
            number = _number(cluster)
            held = ready.get(number)
            parts[number] = held.raw if held else _encode(cluster_view(album.pet_id, cluster, album.cells, params))
    for provisional in album.provisional:
        if provisional.last > provisional.first and (numbers is None or provisional.number in numbers):
            number = _number(provisional)
            if held := ready.get(number):
                parts[number] = held.raw
            else:
                parts[number] = _encode(provisional_view(album.pet_id, provisional, album.chunks, params))
    return parts


def around_wants(rendered: bytes) -> tuple[bytes, bytes]:
    """What is before and behind the number of wants in a view that has it."""
    at = rendered.index(_WANTED) + len(_WANTED)
    return rendered[:at], rendered[at + 1 :]


def cluster_view(
    pet_id: str,
    cluster: Cluster,
    cells: Mapping[int, Cell],
    params: Params,
    served: Sequence[tuple[float, Member]] | None = None,
) -> view.Cluster:
    """One shown cluster. `served` are its best members where they are known already."""
    if served is None:
        served = best_members(cluster, cells, params)
    total = sum(cells[cell_id].quality_sum for cell_id in cluster.cells)
    count = sum(cells[cell_id].quality_count for cell_id in cluster.cells)
    return view.Cluster(
        id=cluster_id(pet_id, cluster.number),
        label=label_of(cluster),
        hero_image_id=choose_hero(cluster.hero, served, params.hero.margin),
        members=[
            view.Member(member.image_id, round(score, _DIGITS), position, member.quality)
            for position, (score, member) in enumerate(served)
        ],
        quality_score=round(total / count, _DIGITS) if count else None,
        size=cluster.size,
        provisional=False,
        seen=digest_of([member.image_id for _, member in served], cluster.size),
        corrected=True if cluster.anchor is not None else UNSET,
    )


def check_fragment(pet_id: str, number: int, raw: bytes) -> None:
    """Raises ValueError if this is not the JSON of the cluster of that number."""
    if _named(raw).id != cluster_id(pet_id, number):
        raise ValueError("it is of another cluster")


def provisional_view(pet_id: str, cluster: ProvisionalCluster, chunks: Sequence[Chunk], params: Params) -> view.Cluster:
    """One provisional cluster; a member's score is its quality."""
    best, qualities = best_images(chunks, cluster, params.max_cluster_size)
    return view.Cluster(
        id=cluster_id(pet_id, cluster.number),
        label=provisional_label(cluster),
        hero_image_id=best[0][0],
        members=[
            view.Member(image_id, round(quality, _DIGITS) if quality else 0.0, position, quality)
            for position, (image_id, quality) in enumerate(best)
        ],
        quality_score=round(sum(qualities) / len(qualities), _DIGITS) if qualities else None,
        size=cluster.last - cluster.first,
        provisional=True,
    )


def provisional_label(cluster: ProvisionalCluster) -> str:
    return cluster.label or f"Group {cluster.group}"


def _number(cluster: Cluster | ProvisionalCluster) -> int:
    if cluster.number is None:
        raise ValueError("a shown cluster has a number")
    return cluster.number


def unclustered(album: Album, clusters: Iterable[Cluster]) -> list[str]:
    """Images of those of its clusters that are not shown, newest first."""
    members = [
        member
        for cluster in clusters
        if cluster.hero is None
        for cell_id in cluster.cells
        for member in album.cells[cell_id].members
    ]
    members.sort(key=lambda member: (member.at, member.position, member.image_id), reverse=True)
    return [member.image_id for member in members]


def _coverage(album: Album) -> dict[str, float]:
    """The shares of the clusters' labels among the images shown."""
    sizes: dict[str, int] = {}
    if album.clusters:
        for cluster in sorted(album.seen_clusters(), key=_key):
            label = label_of(cluster)
            sizes[label] = sizes.get(label, 0) + cluster.size
    for provisional in album.provisional:
        if size := provisional.last - provisional.first:
            label = provisional_label(provisional)
            sizes[label] = sizes.get(label, 0) + size
    total = sum(sizes.values())
    return {label: round(size / total, _DIGITS) for label, size in sizes.items()}


def _quality(album: Album) -> float | None:
    """The newest job's quality score, else the mean quality of the images."""
    if album.job.quality_score is not None:
        return album.job.quality_score
    known = [quality for chunk in album.chunks for quality in chunk.qualities if quality is not None]
    cells = album.cells.values()
    total = sum(known) + sum([cell.quality_sum for cell in cells])
    count = len(known) + sum([cell.quality_count for cell in cells])
    return round(total / count, _DIGITS) if count else None
