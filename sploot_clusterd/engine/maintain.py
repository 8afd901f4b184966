"""Rebuilds: clusters anew from all cells, with the old ids where they belong; and the cap on cells.

No image's row changes in a rebuild: a row names its cell, and cells change clusters. Only where cells are merged for
good does a row's cell lead on, by `heirs`, to the one that took it in.
"""

from collections import defaultdict
from collections.abc import Container, Iterable, Mapping

import numpy as np
from msgspec import structs

from sploot_clusterd.engine.album import Cell, Cluster, most_voted, sum_votes
from sploot_clusterd.engine.anchors import anchor_of
from sploot_clusterd.engine.barring import expel
from sploot_clusterd.engine.block import Block
from sploot_clusterd.engine.constraints import close, keep, obey
from sploot_clusterd.engine.draft import Draft
from sploot_clusterd.engine.evidence import agglomerate
from sploot_clusterd.engine.hastened import note_hastened
from sploot_clusterd.engine.hero import rank_in_cell
from sploot_clusterd.engine.neighbours import smoothed
from sploot_clusterd.engine.quality import silhouette
from sploot_clusterd.engine.statistics import Ints, cosines_to_sum
from sploot_clusterd.engine.succession import succeed
from sploot_clusterd.engine.words import FOUNDED_ANEW, REBUILT

Overlap = Mapping[tuple[int, int], int]
"""How many images an old cluster (by key) and a new group (by number) have in common."""

KEPT_AT_CAP = 2 / 3


def rebuild_if_due(draft: Draft) -> None:
    for block in draft.blocks.values():
        if not draft.held and draft.algorithm.due(block.moved, block.partitioned, draft.params):
            note_hastened(draft, block)
            _rebuild(draft, block, origins(draft, block))


def keep_cap(draft: Draft, block: Block) -> None:
    """Called after each new image: what a job costs is bounded by the number of cells, twice as many while all is held
    as it was shown.
    """
    if not draft.algorithm.micro_cells or len(block.ids) <= draft.params.max_cells:
        return
    if len(block.ids) > _most_cells(draft, block) * (2 if draft.held else 1):
        before = origins(draft, block)
        condense(draft, block)  # which says FOUNDED_ANEW of each word
        _rebuild(draft, block, before)


def _most_cells(draft: Draft, block: Block) -> int:
    return draft.params.cells_of(sum(draft.cells[cell_id].count for cell_id in block.ids))


def rebuild(draft: Draft, block: Block) -> None:
    """Groups the space's cells anew."""
    draft.regrouped(REBUILT)
    _rebuild(draft, block, origins(draft, block))


def origins(draft: Draft, block: Block) -> list[tuple[int, int, int]]:
    """Each cell with its cluster and how many images it has."""
    return [(cell_id, draft.home[cell_id], draft.cells[cell_id].count) for cell_id in block.ids]


def _rebuild(draft: Draft, block: Block, before: Iterable[tuple[int, int, int]]) -> None:
    groups = partition(draft, block, draft.home, range(draft.first_cell))
    group_of = dict(zip(block.ids, groups.tolist(), strict=True))
    overlap: dict[tuple[int, int], int] = defaultdict(int)
    for cell_id, key, count in before:
        overlap[key, group_of[draft.living(cell_id)]] += count
    regroup(draft, block, groups, overlap)


def regroup(draft: Draft, block: Block, groups: Ints, overlap: Overlap) -> None:
    """Gives each group a cluster: one that `inherit` names, or a new one. Unchanged clusters stay as they are.

    A cluster with an anchor goes on as the group that has it, whatever it shares with others.
    """
    cells: dict[int, list[int]] = defaultdict(list)
    for cell_id, group in zip(block.ids, groups.tolist(), strict=True):
        cells[group].append(cell_id)
    anchors = {group: anchor_of(draft, cell_ids) for group, cell_ids in cells.items()}
    old = {key: draft.clusters[key] for key in {key for key, _ in overlap}}
    heirs = inherit({(k, group): n for (k, group), n in overlap.items() if old[k].anchor == anchors[group]})
    keys: dict[int, int] = {}
    for key in old:
        del draft.clusters[key]
    for group, cell_ids in sorted(cells.items(), key=lambda item: item[1][0]):
        if group in heirs:
            cluster = old[heirs[group]]
        else:
            cluster = Cluster(draft.count_up("cluster"), block.number, (), anchor=anchors[group])
            draft.changes.split += 1
        key = cluster.key
        if set(cluster.cells) != set(cell_ids):
            cluster = structs.replace(cluster, cells=tuple(cell_ids))
            draft.touched.add(key)
        draft.clusters[key] = cluster
        draft.home.update(dict.fromkeys(cell_ids, key))
        keys[group] = key
    gone = old.keys() - draft.clusters.keys()
    largest = largest_parts(overlap)
    for key in sorted(gone & largest.keys()):
        group = largest[key]
        if sum(old[key].left.values()) >= overlap[key, group]:  # most of it is in other spaces: `go_on` sees to it
            draft.clusters[key] = structs.replace(old[key], cells=())
        else:
            succeed(draft, old[key], keys[group])
    draft.touched |= gone
    draft.changes.merged += len(gone)
    draft.changes.rebuilt += 1
    counts = np.array([draft.cells[cell_id].count for cell_id in block.ids], dtype=np.int64)
    block.moved, block.partitioned = 0, int(counts.sum())
    about = block.cells.about(draft.params.mean_prior)
    block.silhouette = silhouette(block.cells, counts, groups, about, draft.params.min_cluster_size)


def inherit(overlap: Overlap) -> dict[int, int]:
    """Which old cluster each group goes on from: the largest one whose largest part it holds.

    So a split leaves the id with the larger part, and a merge with the larger cluster, or the older if they are equal.
    Groups are numbered in an order that settles ties: the lower one.
    """
    sizes: dict[int, int] = defaultdict(int)
    for (key, _), count in overlap.items():
        sizes[key] += count
    largest = largest_parts(overlap)
    heirs: dict[int, int] = {}
    for key in sorted(largest, key=lambda key: (-sizes[key], key)):
        heirs.setdefault(largest[key], key)
    return heirs


def largest_parts(overlap: Overlap) -> dict[int, int]:
    """The group that holds the largest part of each old cluster."""
    largest: dict[int, tuple[int, int]] = {}
    for (key, group), count in overlap.items():
        largest[key] = max(largest.get(key, (0, 0)), (count, -group))
    return {key: -group for key, (_, group) in largest.items()}


def condense(draft: Draft, block: Block) -> None:
    """At the cap: the best merges become permanent, so that a third of the cells is free again."""
    params = draft.params
    about = block.cells.about(params.mean_prior)
    target = max(int(_most_cells(draft, block) * KEPT_AT_CAP), 1)
    centroids = block.cells.centred(about)
    weights = block.cells.weights
    anchors = _numbers(draft.cells[cell_id].anchor for cell_id in block.ids) if draft.anchors else None
    if anchors is not None and (draft.closed or draft.constraints.barring):
        anchors[anchors < 0] = draft.counters.anchor  # as if it were theirs
    by, scale = params.smoothing, block.cells.scale
    near = smoothed(centroids, weights, by.neighbours, scale)
    ratio = by.ratio * params.prior_ratio * scale
    groups = agglomerate(near, weights, ratio, params.merge_threshold, at_most=target, anchors=anchors).tolist()
    parts: dict[int, list[int]] = defaultdict(list)
    for at, into in enumerate(groups):
        parts[into].append(at)
    merged = {block.ids[at]: block.ids[into] for into, ats in parts.items() for at in ats if at != into}
    for into, ats in parts.items():
        if len(ats) > 1:
            _merge_cells(draft, block, ats, cosines_to_sum(centroids[ats]).tolist())
        for other in ats[1:]:
            block.merge(into, other)
    _forget_cells(draft, merged)
    block.keep(sorted(parts))
    draft.heirs = draft.heirs.merged(merged, draft.cells)
    draft.regrouped(FOUNDED_ANEW)


def partition(draft: Draft, block: Block, homes: Mapping[int, int], seen: Container[int]) -> Ints:
    """The algorithm's groups, as far as anchors allow, renumbered in the order of their first cells.

    `homes` gives the key of the cluster that each cell is in so far, `seen` the cells with images that were shown.
    """
    if not block.ids:
        return np.zeros(0, dtype=np.int64)
    groups = np.asarray(draft.algorithm.partition(block.cells, draft.params))
    if groups.shape != (len(block.ids),):
        raise ValueError(f"partition gave {groups.shape} groups for {len(block.ids)} cells")
    if draft.anchors:
        anchors, about = _anchors(draft, block), block.cells.about(draft.params.mean_prior)
        groups = obey(groups, anchors, block.cells, about)
        held = _numbers(draft.clusters[homes[cell_id]].anchor for cell_id in block.ids)
        groups = keep(groups, anchors, held, block.cells, about)
        if draft.closed:
            shown = [homes[cell_id] if cell_id in seen else -1 for cell_id in block.ids]
            groups = close(groups, anchors, held, np.array(shown), draft.closed)
        groups = expel(draft, block, groups, anchors)
    return _in_order(groups)


def constrained(draft: Draft, block: Block, groups: Ints) -> Ints:
    """Some groups [k] of the space, as far as anchors allow, numbered in the order of their first cells."""
    if draft.anchors:
        anchors = _anchors(draft, block)
        groups = obey(groups, anchors, block.cells, block.cells.about(draft.params.mean_prior))
        groups = expel(draft, block, groups, anchors)
    return _in_order(groups)


def _in_order(groups: Ints) -> Ints:
    numbers: dict[int, int] = {}
    return np.array([numbers.setdefault(group, len(numbers)) for group in groups.tolist()], dtype=np.int64)


def _anchors(draft: Draft, block: Block) -> Ints:
    """The anchor of each cell, [k]; -1 where there is none."""
    return _numbers(draft.root(draft.cells[cell_id].anchor) for cell_id in block.ids)


def _numbers(anchors: Iterable[int | None]) -> Ints:
    return np.array([-1 if anchor is None else anchor for anchor in anchors], dtype=np.int64)


def _merge_cells(draft: Draft, block: Block, ats: list[int], closeness: list[float]) -> None:
    """The first cell takes in the others' counts and members; a member's closeness is scaled by its old cell's."""
    cells = [draft.cells[block.ids[at]] for at in ats]
    members = [
        structs.replace(member, closeness=member.closeness * max(near, 0.0))
        for cell, near in zip(cells, closeness, strict=True)
        for member in cell.members
    ]
    draft.cells[block.ids[ats[0]]] = Cell(
        space=block.number,
        count=sum(cell.count for cell in cells),
        votes=most_voted(sum_votes(cells)),
        quality_sum=sum(cell.quality_sum for cell in cells),
        quality_count=sum(cell.quality_count for cell in cells),
        members=tuple(rank_in_cell(members, draft.params)[: draft.params.best_members]),
        anchor=next((cell.anchor for cell in cells if cell.anchor is not None), None),
    )


def _forget_cells(draft: Draft, merged: Mapping[int, int]) -> None:
    """Takes cells that were merged away out of their clusters, and touches all clusters concerned."""
    for cell_id, into in merged.items():
        del draft.cells[cell_id]
        key = draft.home.pop(cell_id)
        cluster = draft.clusters[key]
        cells = tuple(other for other in cluster.cells if other != cell_id)
        draft.clusters[key] = structs.replace(cluster, cells=cells)
        draft.touched |= {key, draft.home[into]}
