"""What users hid: clusters, by their anchors, which readers do not see; and images, which are in no cell."""

from collections.abc import Iterable

from msgspec import structs

from sploot_clusterd.engine.addressing import homes, stale
from sploot_clusterd.engine.anchors import anchored
from sploot_clusterd.engine.draft import Draft
from sploot_clusterd.engine.place import join
from sploot_clusterd.engine.relocation import put_away, write_down
from sploot_clusterd.engine.words import Place
from sploot_clusterd.errors import BadJobError

MOST_HIDDEN = 4096
"""Images: all that is known of where they were is one field of the album."""


def hide_cluster(draft: Draft, key: int) -> None:
    draft.say(hides=[(anchored(draft, key), True)])


def unhide_cluster(draft: Draft, key: int) -> None:
    """Raises BadJobError if it is not hidden."""
    anchor = draft.clusters[key].anchor
    if anchor is None or anchor not in draft.constraints.hidden:
        raise stale("cluster: it is not hidden")
    draft.say(hides=[(anchored(draft, key), False)])


def hide_images(draft: Draft, image_ids: Iterable[str]) -> None:
    """Raises BadJobError if none is in a cell, or too many are hidden."""
    placed = homes(draft, image_ids)
    if not placed:
        raise stale("image_ids: the pet has none of these images, or none with vectors")
    if (total := len(draft.hidden) + len(placed)) > MOST_HIDDEN:
        text = (
            f"an album keeps at most {MOST_HIDDEN} hidden images, this would be {total}: hide clusters, or remove some"
        )
        raise BadJobError("invalid", text)
    for image_id in placed:
        put_away(draft, image_id)
        write_down(draft, image_id, draft.hidden[image_id], None)


def unhide_images(draft: Draft, image_ids: Iterable[str]) -> None:
    """Each goes back to the corrected cluster that it was in, or where it belongs. Raises BadJobError."""
    hidden = [image_id for image_id in dict.fromkeys(image_ids) if image_id in draft.hidden]
    if not hidden:
        raise stale("image_ids: none of these images is hidden")
    for image_id in hidden:
        before = draft.hidden[image_id]
        mark = mark_now(draft, before)
        write_down(draft, image_id, structs.replace(before, hidden=True), mark)
        bring_back(draft, image_id, mark)


def bring_back(draft: Draft, image_id: str, mark: int | None) -> None:
    """The hidden image is in a cell again."""
    del draft.hidden[image_id]
    row = draft.row(image_id)
    if row.vectors is not None:
        draft.set_row(image_id, join(draft, image_id, row, row.vectors, mark))


def mark_now(draft: Draft, place: Place) -> int | None:
    """The mark that whoever was there has now: what was taken back meanwhile counts for nothing."""
    mark = place.mark
    while mark is not None and draft.root(mark) is None and not draft.barred(mark):
        mark = draft.anchors[mark].before if mark in draft.anchors else None
    return mark
