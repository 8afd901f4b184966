"""One image at a time: into a cell, out of it, or changed in place."""

from collections.abc import Mapping
from collections.abc import Set as AbstractSet

import numpy as np
from msgspec import structs

from sploot_clusterd.engine.album import MOST_LABELS, Cell, Cluster, Member
from sploot_clusterd.engine.block import Block
from sploot_clusterd.engine.draft import Draft
from sploot_clusterd.engine.hero import rank_in_cell
from sploot_clusterd.engine.rows import Row, Vectors
from sploot_clusterd.engine.statistics import Floats, closeness, cosines, first_best
from sploot_clusterd.engine.vectors import image_weight
from sploot_clusterd.engine.words import Place


def join(
    draft: Draft,
    image_id: str,
    row: Row,
    vectors: Vectors,
    mark: int | None = None,
    *,
    closed: AbstractSet[int] = frozenset(),
) -> Row:
    """Puts the image into the nearest cell of its space if that is near enough, else founds one. Returns its row.

    With a mark only cells of that mark will do, without one none of the anchors `closed`.
    """
    block = draft.blocks[vectors.space]
    vector = block.vector_format.compared(vectors.data)
    weight = image_weight(row.quality)
    cell_id = _near_cell(draft, block, vector, mark, closed) if draft.algorithm.micro_cells else None
    if cell_id is None:
        return _entered(draft, image_id, row, _found(draft, block, vector, weight, mark), 1.0)
    at = block.index(cell_id)
    block.add(at, vector, weight)
    return _entered(draft, image_id, row, cell_id, _closeness(draft, block, at, vector))


def put(draft: Draft, image_id: str, row: Row, cell_id: int | None, place: Place) -> Row:
    """Puts the image back into this cell of its space, or into one of its own, under its mark. Returns its row.

    It is as close to the cell as it was in its `place`, if that is known.
    """
    block, vectors = draft.blocks[place.space], _vectors(row)
    vector, weight = block.vector_format.compared(vectors.data), image_weight(row.quality)
    if cell_id is None:
        cell_id = _found(draft, block, vector, weight, place.mark)
    else:
        block.add(block.index(cell_id), vector, weight)
    near = _closeness(draft, block, block.index(cell_id), vector) if place.near is None else place.near
    return _entered(draft, image_id, row, cell_id, near)


def _entered(draft: Draft, image_id: str, row: Row, cell_id: int, near: float) -> Row:
    """The image is counted in the cell, whose sums it is in. Returns its row."""
    vectors = _vectors(row)
    draft.blocks[vectors.space].moved += 1
    cell = draft.cells[cell_id]
    members = _best(draft, (*cell.members, _member(image_id, row, vectors, near)))
    draft.cells[cell_id] = _counted(cell, row, 1, members)
    draft.newest_ms = max(draft.newest_ms, row.taken_ms)
    _touch(draft, cell_id)
    return structs.replace(row, vectors=structs.replace(vectors, cell=cell_id))


def _vectors(row: Row) -> Vectors:
    if row.vectors is None:
        raise ValueError("what is put into a cell has vectors")
    return row.vectors


def leave(draft: Draft, image_id: str, row: Row, vectors: Vectors) -> None:
    """Takes the image, as its row was, out of its cell. An empty cell is dropped."""
    block = draft.blocks[vectors.space]
    cell_id = draft.living(vectors.cell)
    at = block.index(cell_id)
    block.moved += 1
    _touch(draft, cell_id)
    if draft.cells[cell_id].count == 1:
        _drop(draft, block, at, cell_id)
        return
    block.add(at, block.vector_format.compared(vectors.data), -image_weight(row.quality))
    cell = draft.cells[cell_id]
    members = tuple(member for member in cell.members if member.image_id != image_id)
    draft.cells[cell_id] = _counted(cell, row, -1, members)


def restate(draft: Draft, image_id: str, old: Row, new: Row) -> None:
    """The image stays in its cell, its quality, label or time changed."""
    vectors = new.vectors
    if vectors is None or _stated(old) == _stated(new):
        return
    block = draft.blocks[vectors.space]
    cell_id = draft.living(vectors.cell)
    change = image_weight(new.quality) - image_weight(old.quality)
    if change:
        block.add(block.index(cell_id), block.vector_format.compared(vectors.data), change)
    cell = draft.cells[cell_id]
    members = tuple(
        _member(image_id, new, vectors, member.closeness) if member.image_id == image_id else member
        for member in cell.members
    )
    without = _counted(cell, old, -1, ())
    draft.cells[cell_id] = _counted(without, new, 1, _best(draft, members))
    draft.newest_ms = max(draft.newest_ms, new.taken_ms)
    _touch(draft, cell_id)


def relist(draft: Draft, image_id: str, row: Row, vectors: Vectors) -> None:
    """Puts the image among its cell's members again, as its row is now."""
    block = draft.blocks[vectors.space]
    cell_id = draft.living(vectors.cell)
    cell = draft.cells[cell_id]
    near = next((member.closeness for member in cell.members if member.image_id == image_id), None)
    if near is None:
        near = _closeness(draft, block, block.index(cell_id), block.vector_format.compared(vectors.data))
    others = (member for member in cell.members if member.image_id != image_id)
    members = _best(draft, (*others, _member(image_id, row, vectors, near)))
    draft.cells[cell_id] = structs.replace(cell, members=members)
    _touch(draft, cell_id)


def refill(draft: Draft) -> None:
    """Fills up the members of touched cells that could no longer serve as many images as they hold.

    Raises NeedsAllRowsError if that is so and the rows were not given.
    """
    fewest = draft.params.fewest_members
    wanting: set[int] = set()
    for key in draft.touched & draft.clusters.keys():
        for cell_id in draft.clusters[key].cells:
            cell = draft.cells[cell_id]
            if len(cell.members) < cell.count and len(cell.members) < fewest:
                wanting.add(cell_id)
    fill(draft, wanting)


def fill(draft: Draft, wanting: AbstractSet[int]) -> None:
    """Chooses the members of these cells anew, from all of their images. Raises NeedsAllRowsError."""
    if not wanting:
        return
    found: dict[int, list[Member]] = {cell_id: [] for cell_id in wanting}
    for image_id, row in draft.all_rows().items():
        vectors = row.placed
        if vectors is None or (cell_id := draft.living(vectors.cell)) not in wanting:
            continue
        block = draft.blocks[vectors.space]
        vector = block.vector_format.compared(vectors.data)
        near = _closeness(draft, block, block.index(cell_id), vector)
        found[cell_id].append(_member(image_id, row, vectors, near))
    for cell_id, members in found.items():
        draft.cells[cell_id] = structs.replace(draft.cells[cell_id], members=_best(draft, tuple(members)))


def _near_cell(draft: Draft, block: Block, vector: Floats, mark: int | None, closed: AbstractSet[int]) -> int | None:
    if not block.ids:
        return None
    plain = cosines(block.cells, vector)
    if mark is not None:
        plain = np.where([draft.cells[cell_id].anchor == mark for cell_id in block.ids], plain, -np.inf)
    elif closed or draft.constraints.barring:
        open_to_all = [_is_open(draft, draft.cells[cell_id].anchor, closed) for cell_id in block.ids]
        plain = np.where(open_to_all, plain, -np.inf)
    if plain[plain.argmax()] < draft.params.join_cosine:  # as mostly
        return None
    best = first_best(plain)
    near = plain[best] >= draft.params.join_cosine
    return block.ids[best] if near and _closeness(draft, block, best, vector) >= draft.params.join_threshold else None


def _is_open(draft: Draft, mark: int | None, closed: AbstractSet[int]) -> bool:
    """Whether cells of this mark take in images without one: not where those would be barred from somewhere then."""
    return mark is None or ((root := draft.root(mark)) is not None and root not in closed)


def _found(draft: Draft, block: Block, vector: Floats, weight: float, mark: int | None) -> int:
    """A new cell, in the cluster of its anchor, else in the one that explains it, else in a new one."""
    cell_id = draft.count_up("cell")
    block.append(cell_id, vector, weight)
    draft.cells[cell_id] = Cell(block.number, anchor=mark)
    root = draft.root(mark)
    key = _attached(draft, block) if root is None else draft.anchored(block.number, root)
    if key is None:
        key = found_cluster(draft, cell_id)
    else:
        cluster = draft.clusters[key]
        draft.clusters[key] = structs.replace(cluster, cells=(*cluster.cells, cell_id))
    draft.home[cell_id] = key
    return cell_id


def found_cluster(draft: Draft, cell_id: int) -> int:
    """A new cluster of the cell; returns its key."""
    key = draft.count_up("cluster")
    cell = draft.cells[cell_id]
    draft.clusters[key] = Cluster(key, cell.space, (cell_id,), anchor=draft.root(cell.anchor))
    draft.changes.founded += 1
    return key


def _attached(draft: Draft, block: Block) -> int | None:
    """The cluster that the algorithm gives the block's last cell, by the others; none that it is barred from."""
    cells, others = block.cells, block.ids[:-1]
    if barred := draft.barred(draft.cells[block.ids[-1]].anchor):
        homes = {at: draft.home[cell_id] for at, cell_id in enumerate(others)}
        places = [at for at, key in homes.items() if draft.clusters[key].anchor not in barred]
        cells, others = cells.chosen([*places, len(others)]), [others[at] for at in places]
    numbers: dict[int, int] = {}
    groups = np.array([numbers.setdefault(draft.home[cell_id], len(numbers)) for cell_id in others], dtype=np.int64)
    keys = [*numbers]
    group = draft.algorithm.attach(cells, groups, draft.params)
    return keys[group] if group is not None and 0 <= group < len(keys) else None


def _drop(draft: Draft, block: Block, at: int, cell_id: int) -> None:
    """Drops the cell. The last of its cluster with an anchor leaves that to the others, as the cluster's label is."""
    block.keep([index for index in range(len(block.ids)) if index != at])
    mark = draft.cells.pop(cell_id).anchor
    key = draft.home.pop(cell_id)
    cluster = draft.clusters[key]
    left = tuple(other for other in cluster.cells if other != cell_id)
    draft.clusters[key] = structs.replace(cluster, cells=left)
    if draft.root(mark) is not None and all(draft.root(draft.cells[other].anchor) is None for other in left):
        draft.cells.update({other: structs.replace(draft.cells[other], anchor=mark) for other in left})


def _closeness(draft: Draft, block: Block, at: int, vector: Floats) -> float:
    """Centred cosine between an image and the centroid of its cell."""
    cells = block.cells
    return closeness(cells, at, vector, cells.about(draft.params.mean_prior))


def _counted(cell: Cell, row: Row, sign: int, members: tuple[Member, ...]) -> Cell:
    """The cell with these members, and the image added to (sign 1), or taken from (-1), its counts."""
    votes = cell.votes
    if row.label is not None:
        votes = _voted(votes, row.label, sign)
    quality_sum, quality_count = cell.quality_sum, cell.quality_count
    if row.quality is not None:
        quality_sum, quality_count = quality_sum + sign * row.quality, quality_count + sign
    return Cell(cell.space, cell.count + sign, votes, quality_sum, quality_count, members, cell.anchor)


def _voted(votes: Mapping[str, int], label: str, sign: int) -> dict[str, int]:
    """The votes with one more, or one less. A new label beyond `MOST_LABELS` takes the place of the oldest of the least
    voted, and what was pushed out so is not missed.
    """
    count = votes.get(label, 0) + sign
    others = {other: votes[other] for other in votes if other != label} if count <= 0 else dict(votes)
    if count > 0:
        if label not in others and len(others) >= MOST_LABELS:
            del others[min(others, key=others.__getitem__)]
        others[label] = count
    return others


def _stated(row: Row) -> tuple[object, ...]:
    """What a cell knows of an image apart from its vector."""
    return row.quality, row.label, row.taken_ms, row.pinned, row.vectors and row.vectors.at


def _member(image_id: str, row: Row, vectors: Vectors, near: float) -> Member:
    return Member(image_id, vectors.at, vectors.position, row.quality, near, row.taken_ms, row.pinned)


def _best(draft: Draft, members: tuple[Member, ...]) -> tuple[Member, ...]:
    if len(members) == 1:
        return members
    return tuple(rank_in_cell(members, draft.params)[: draft.params.best_members])


def _touch(draft: Draft, cell_id: int) -> None:
    draft.touched.add(draft.home[cell_id])
