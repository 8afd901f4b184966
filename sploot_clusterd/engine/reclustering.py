"""The album clustered again from every image it holds, as if they had come in the order of their sequences.

This is what `force` asks for, and how an album moves to another profile.
"""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from msgspec import structs

from sploot_clusterd.engine.album import Cluster
from sploot_clusterd.engine.block import Block
from sploot_clusterd.engine.draft import Draft
from sploot_clusterd.engine.heirs import Heirs
from sploot_clusterd.engine.maintain import keep_cap, partition, regroup
from sploot_clusterd.engine.params import Params
from sploot_clusterd.engine.place import join
from sploot_clusterd.engine.rows import Row, Vectors
from sploot_clusterd.engine.statistics import Cells, Ints
from sploot_clusterd.engine.vector_format import VectorFormat
from sploot_clusterd.engine.words import FOUNDED_ANEW, Was, Word

_Placed = list[tuple[str, Row, Vectors]]


class _OneGroup:
    """Stands in for the algorithm while cells are founded: which ones there are does not depend on the clusters."""

    def __init__(self, *, micro_cells: bool) -> None:
        self.micro_cells = micro_cells

    def due(self, moved: int, partitioned: int, params: Params) -> bool:
        del moved, partitioned, params
        return False

    def attach(self, cells: Cells, groups: Ints, params: Params) -> int | None:
        del cells, params
        return 0 if len(groups) else None

    def partition(self, cells: Cells, params: Params) -> Ints:
        del params
        return np.zeros(len(cells.weights), dtype=np.int64)


def recluster(draft: Draft) -> None:
    """Founds all cells anew, with new ids, and matches the clusters with the old ones by the images they share.

    Spaces take the profiles that they are to adopt. Raises NeedsAllRowsError, NeedsProfileError.
    """
    placed: _Placed = [(name, row, row.placed) for name, row in draft.all_rows().items() if row.placed is not None]
    placed.sort(key=lambda item: (item[2].at, item[2].position, item[0]))
    before = {image_id: draft.living(vectors.cell) for image_id, _, vectors in placed}
    homes = {image_id: draft.home[cell_id] for image_id, cell_id in before.items()}
    algorithm, clusters, changes, heirs = draft.algorithm, draft.clusters, replace(draft.changes), draft.heirs
    draft.algorithm = _OneGroup(micro_cells=algorithm.micro_cells)
    cells = _place_again(draft, placed)
    again = {cell_id: cells[image_id] for image_id, cell_id in before.items()}
    draft.algorithm, draft.changes = algorithm, changes
    draft.clusters = {key: _leading_on(cluster, heirs, again) for key, cluster in clusters.items()}
    draft.words = tuple(_now(word, heirs, again) for word in draft.words)
    seen = {cells[image_id] for image_id, cell_id in before.items() if cell_id < draft.first_cell}
    draft.first_cell = draft.counters.cell
    origins = {cells[image_id]: key for image_id, key in homes.items()}
    for block in draft.blocks.values():
        draft.checkpoint()
        groups = partition(draft, block, origins, seen)
        regroup(draft, block, groups, _overlap(homes, cells, block, groups))


def _place_again(draft: Draft, placed: _Placed) -> dict[str, int]:
    """Fills emptied spaces; the clusters that grow meanwhile only serve to do so. Returns each image's cell.

    An image takes its old cell's mark along.
    """
    anchors = {image_id: draft.cells[draft.living(vectors.cell)].anchor for image_id, _, vectors in placed}
    draft.cells, draft.clusters, draft.home, draft.heirs = {}, {}, {}, Heirs()
    before = {number: block.vector_format for number, block in draft.blocks.items()}
    after = {n: VectorFormat(before[n].layout, draft.profile_of(block)) for n, block in draft.blocks.items()}
    draft.blocks = {n: Block.empty(n, block.model_version, after[n]) for n, block in draft.blocks.items()}
    for image_id in sorted(draft.hidden):
        row = draft.row(image_id)
        if row.vectors is not None and after[row.vectors.space] != before[row.vectors.space]:
            draft.set_row(image_id, structs.replace(row, vectors=_kept(row.vectors, before, after)))
    for image_id, row, held in placed:
        draft.checkpoint()
        vectors = _kept(held, before, after)
        moved = structs.replace(row, vectors=vectors)
        draft.set_row(image_id, join(draft, image_id, moved, vectors, anchors[image_id], closed=draft.closed))
        keep_cap(draft, draft.blocks[held.space])
    draft.touched.clear()
    new_rows = {image_id: draft.row(image_id).placed for image_id, _, _ in placed}
    return {image_id: draft.living(vectors.cell) for image_id, vectors in new_rows.items() if vectors is not None}


def _kept(held: Vectors, before: Mapping[int, VectorFormat], after: Mapping[int, VectorFormat]) -> Vectors:
    """The vectors as their space keeps them now."""
    old, new = before[held.space], after[held.space]
    return held if new == old else structs.replace(held, data=new.keep(old.whole(held.data)))


def _now(word: Word, heirs: Heirs, again: Mapping[int, int]) -> Word:
    """The word, whose clusters as they were name new cells in the place of old ones."""

    def now(was: Was) -> Was:
        cells = {again[living] for cell in was.cells if (living := heirs.get(cell, cell)) in again}
        return structs.replace(was, cells=tuple(sorted(cells)))

    return structs.replace(word, regrouped=FOUNDED_ANEW, shown=tuple(map(now, word.shown)))


def _leading_on(cluster: Cluster, heirs: Heirs, again: Mapping[int, int]) -> Cluster:
    """The cluster, whose `left` names new cells in the place of old ones: `again` has one for each."""
    left: dict[int, int] = defaultdict(int)
    for cell_id, count in cluster.left.items():
        if (new := again.get(heirs.get(cell_id, cell_id))) is not None:
            left[new] += count
    return structs.replace(cluster, left=dict(left)) if cluster.left else cluster


def _overlap(homes: dict[str, int], cells: dict[str, int], block: Block, groups: Ints) -> dict[tuple[int, int], int]:
    group_of = dict(zip(block.ids, groups.tolist(), strict=True))
    overlap: dict[tuple[int, int], int] = defaultdict(int)
    for image_id, key in homes.items():
        if cells[image_id] in group_of:
            overlap[key, group_of[cells[image_id]]] += 1
    return overlap
