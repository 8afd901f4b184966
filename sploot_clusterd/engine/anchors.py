"""Which cells carry a user's mark, and which marks are of one class: see `words`."""

from collections import Counter
from collections.abc import Iterable

from msgspec import structs

from sploot_clusterd.engine.draft import Draft
from sploot_clusterd.engine.words import Anchor
from sploot_clusterd.errors import BadJobError


def anchored(draft: Draft, key: int) -> int:
    """A mark of the cluster, all of whose cells are held from now on."""
    return hold_cells(draft, key, draft.clusters[key].cells)


def stand_for(draft: Draft, key: int) -> int:
    """A mark of the cluster, which its hero's cell carries, a new one nothing else.

    Who answers a question about a cluster looks at its hero, and says nothing of each of its other images: these stay
    free to go where they belong when more is known.
    """
    cluster = draft.clusters[key]
    cells = [at for at in cluster.cells if any(each.image_id == cluster.hero for each in draft.cells[at].members)]
    return hold_cells(draft, key, cells or cluster.cells)


def hold_cells(draft: Draft, key: int, cells: Iterable[int]) -> int:
    """These cells of the cluster belong to it, whatever else is taken back. Returns a mark that they carry.

    Free ones get new marks. So do some of the cells of a mark, for of the others nothing is said. Raises BadJobError.
    """
    cells, root = set(cells), draft.clusters[key].anchor
    everywhere = Counter(cell.anchor for cell in draft.cells.values())
    marks: dict[int | None, int] = {}
    for mark, count in Counter(draft.cells[cell_id].anchor for cell_id in cells).items():
        if mark is None or draft.root(mark) is None:
            marks[mark] = root if draft.final and root is not None else new_mark(draft, Anchor(firm=False, before=mark))
            root = draft.root(marks[mark]) if root is None else root
        elif count < everywhere[mark] and not draft.final:
            marks[mark] = _part_of(draft, mark)
        else:
            marks[mark] = mark
            draft.say(holds=[mark])
    for cell_id in cells:
        cell = draft.cells[cell_id]
        if marks[cell.anchor] != cell.anchor:
            draft.cells[cell_id] = structs.replace(cell, anchor=marks[cell.anchor])
    first = min(marks.values())
    link(draft, first if root is None else root, *marks.values())
    draft.touched.add(key)
    reroot(draft)
    return first


def new_mark(draft: Draft, anchor: Anchor) -> int:
    """A mark that the job's word holds, if it is not only barred from somewhere.

    At most one for two cells: cells of different marks never merge, and the cap on cells has to be kept. Raises
    BadJobError.
    """
    most = draft.params.max_cells // 2
    if len(draft.anchors) >= most:
        raise BadJobError("invalid", f"an album keeps at most {most} corrected clusters: merge some of them first")
    mark = draft.count_up("anchor")
    draft.anchors[mark] = anchor
    draft.anchors_changed()
    if not anchor.barred:
        draft.say(holds=[mark])
    return mark


def link(draft: Draft, first: int, *others: int) -> None:
    """These marks are of one class."""
    pairs = [(first, other) for other in others if draft.root(first) != draft.root(other)]
    if pairs:
        draft.say(links=pairs)


def reroot(draft: Draft) -> None:
    """Clusters have the anchors of their cells, as marks have come to be of one class, or not any more."""
    for key, cluster in draft.clusters.items():
        anchor = anchor_of(draft, cluster.cells) if cluster.cells else draft.root(cluster.anchor)
        if anchor != cluster.anchor:
            draft.clusters[key] = structs.replace(cluster, anchor=anchor)
            draft.touched.add(key)


def anchor_of(draft: Draft, cell_ids: Iterable[int]) -> int | None:
    """The anchor of those of the cells that have one: in a cluster it is one and the same."""
    if not draft.anchors:
        return None
    roots = (draft.root(draft.cells[cell_id].anchor) for cell_id in cell_ids)
    return next((root for root in roots if root is not None), None)


def _part_of(draft: Draft, mark: int) -> int:
    """A new mark for some of the cells of this one: whoever holds that holds it, too."""
    part = new_mark(draft, structs.replace(draft.anchors[mark], within=mark))
    draft.words = tuple(
        structs.replace(word, holds=(*word.holds, part)) if mark in word.holds else word for word in draft.words
    )
    draft.anchors_changed()
    return part
