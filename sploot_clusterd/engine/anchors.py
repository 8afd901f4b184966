"""Which cells carry a user's anchor."""

from collections.abc import Iterable

from msgspec import structs

from sploot_clusterd.engine.album import Anchor
from sploot_clusterd.engine.draft import Draft
from sploot_clusterd.errors import BadJobError


def anchored(draft: Draft, key: int) -> int:
    """The cluster's anchor, a new one if it has none. All of its cells carry it from now on."""
    anchor = draft.clusters[key].anchor
    if anchor is None:
        anchor = new_anchor(draft)
    hold(draft, key, anchor)
    return anchor


def stand_for(draft: Draft, key: int) -> int:
    """The cluster's anchor, which its hero's cell carries, a new one nothing else.

    Who answers a question about a cluster looks at its hero, and says nothing of each of its other images: these stay
    free to go where they belong when more is known.
    """
    cluster = draft.clusters[key]
    anchor = new_anchor(draft) if cluster.anchor is None else cluster.anchor
    draft.clusters[key] = structs.replace(cluster, anchor=anchor)
    cells = [at for at in cluster.cells if any(each.image_id == cluster.hero for each in draft.cells[at].members)]
    hold_cells(draft, cells or cluster.cells, anchor)
    draft.touched.add(key)
    return anchor


def new_anchor(draft: Draft) -> int:
    """At most one for two cells: cells of different anchors never merge, and the cap on cells has to be kept."""
    most = draft.params.max_cells // 2
    if len(draft.anchors) >= most:
        raise BadJobError("invalid", f"an album keeps at most {most} corrected clusters: merge some of them first")
    anchor = draft.count_up("anchor")
    draft.anchors[anchor] = Anchor()
    return anchor


def hold(draft: Draft, key: int, anchor: int) -> None:
    cluster = draft.clusters[key]
    draft.clusters[key] = structs.replace(cluster, anchor=anchor)
    hold_cells(draft, cluster.cells, anchor)
    draft.touched.add(key)


def hold_cells(draft: Draft, cells: Iterable[int], anchor: int) -> None:
    for cell_id in cells:
        if draft.cells[cell_id].anchor != anchor:
            draft.cells[cell_id] = structs.replace(draft.cells[cell_id], anchor=anchor)
