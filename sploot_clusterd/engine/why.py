"""Why an image is where it is: the evidence for its cluster and the next ones, and what users said of it.

A function of the album and the image's row. Nothing is asked of other rows.
"""

from typing import Final

import numpy as np

from sploot_clusterd import view
from sploot_clusterd.engine.album import Album, Cell, Cluster, Member
from sploot_clusterd.engine.evidence import pair_scores
from sploot_clusterd.engine.hero import parts_of_score, score
from sploot_clusterd.engine.params import Params
from sploot_clusterd.engine.rows import Row, decode_row
from sploot_clusterd.engine.statistics import TINY, Cells
from sploot_clusterd.engine.words import constraints
from sploot_clusterd.model import cluster_id

_OTHERS: Final = 2
"""Clusters beside its own that are told of."""
_DIGITS: Final = 4


def why(album: Album, image_id: str, raw: bytes | None, params: Params) -> view.Why | None:
    """None if the album does not have the image. Raises BadStateError if its row cannot be read."""
    row = decode_row(raw)
    if not row.exists:
        return None
    if row.placed is None:
        return view.Why(image_id, None, None, row.quality, album.version, hidden=image_id in album.hidden)
    cell_id = album.heirs.get(row.placed.cell, row.placed.cell)
    cell, cluster = album.cells[cell_id], next(each for each in album.clusters.values() if cell_id in each.cells)
    return view.Why(
        image_id,
        _id(album, cluster) if cluster.shown else None,
        view.WhyCell(cell.count, [member.image_id for member in cell.members if member.image_id != image_id]),
        row.quality,
        album.version,
        hidden=cluster.anchor in album.veiled,
        evidence=_evidence(album, cell_id, cluster, params),
        said=_said(album, image_id, cell, row),
        hero=_hero(album, cluster, cell_id, image_id, params),
    )


def _evidence(album: Album, cell_id: int, own: Cluster, params: Params) -> list[view.Evidence]:
    """Of its own cluster, without the cell, and of the others of the space that speak most for it."""
    space = album.spaces[own.space]
    cells = Cells(space.sums, space.weights, space.profile > 0, space.scale)
    sums, places = cells.centred(cells.about(params.mean_prior)), {each: at for at, each in enumerate(space.ids)}
    at, found = places[cell_id], list[view.Evidence]()
    threshold = params.threshold(float(cells.weights.sum())) * space.scale**2
    for cluster in album.clusters.values():
        if cluster.space != own.space or not (cluster.shown or cluster is own):
            continue
        rest = [places[each] for each in cluster.cells if each != cell_id]
        if not rest:
            continue
        total, weight = sums[rest].sum(axis=0), float(cells.weights[rest].sum())
        products = np.array([total @ total, total @ sums[at], sums[at] @ sums[at]], dtype=np.float64)
        (value,) = pair_scores(
            products[:1],
            np.array([weight]),
            products[2:],
            cells.weights[at : at + 1],
            products[1:2],
            params.prior_ratio * space.scale,
        )
        likeness = float(products[1] / max(weight * float(cells.weights[at]), TINY))
        figures = (round(float(value), _DIGITS), round(threshold, _DIGITS), round(likeness, _DIGITS))
        found.append(view.Evidence(_id(album, cluster) if cluster.shown else None, *figures, own=cluster is own))
    found.sort(key=lambda each: (not each.own, -each.score))
    return found[: _OTHERS + (1 if found and found[0].own else 0)]


def _said(album: Album, image_id: str, cell: Cell, row: Row) -> list[view.WhySaid]:
    """What of users' words decides where it is, or whether it is a hero."""
    found = [
        view.WhySaid(word.job_id, str(each.__struct_config__.tag))
        for word in album.words
        for each in word.said
        if cell.anchor in word.holds or image_id in word.places or image_id in word.pins
    ]
    anchor = album.anchors.get(cell.anchor) if cell.anchor is not None else None
    held = anchor is not None and cell.anchor in constraints(album.anchors, album.words).roots
    if not found and (held or row.pinned is not None or (anchor is not None and anchor.barred)):
        return [view.WhySaid(None, None)]
    return found


def _hero(album: Album, cluster: Cluster, cell_id: int, image_id: str, params: Params) -> view.WhyHero | None:
    """Its score as a hero; None where it is not among its cell's best, or the cluster is not shown."""
    member = next((each for each in album.cells[cell_id].members if each.image_id == image_id), None)
    if member is None or not cluster.shown:
        return None
    near = member.closeness * dict(zip(cluster.cells, cluster.closeness, strict=True))[cell_id]
    return _scored(member, near, cluster, params)


def _scored(member: Member, near: float, cluster: Cluster, params: Params) -> view.WhyHero:
    quality, closeness, recency = parts_of_score(member, near, cluster.newest_ms, params.hero)
    return view.WhyHero(
        cluster.hero == member.image_id,
        member.pinned is not None,
        round(score(member, near, cluster.newest_ms, params.hero), _DIGITS),
        round(quality, _DIGITS),
        round(closeness, _DIGITS),
        round(recency, _DIGITS),
    )


def _id(album: Album, cluster: Cluster) -> str:
    return cluster_id(album.pet_id, cluster.number)
