"""What users hid: clusters, by their anchors, which readers do not see; and images, which are in no cell, nor on the
list of those without vectors.
"""

from collections.abc import Iterable

from msgspec import structs

from sploot_clusterd.engine.addressing import stale
from sploot_clusterd.engine.anchors import anchored
from sploot_clusterd.engine.draft import Draft
from sploot_clusterd.engine.listings import Turn
from sploot_clusterd.engine.place import join
from sploot_clusterd.engine.provisional import enlist, first_turn
from sploot_clusterd.engine.relocation import keep_away, put_away, write_down
from sploot_clusterd.engine.rows import Row
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
    """Raises BadJobError if none is there to be seen, or too many are hidden."""
    seen = [each for each in dict.fromkeys(image_ids) if draft.row(each).exists and each not in draft.hidden]
    if not seen:
        raise stale("image_ids: the pet has none of these images, or all are hidden")
    if (total := len(draft.hidden) + len(seen)) > MOST_HIDDEN:
        text = (
            f"an album keeps at most {MOST_HIDDEN} hidden images, this would be {total}: hide clusters, or remove some"
        )
        raise BadJobError("invalid", text)
    for image_id in seen:
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
    """The hidden image is in a cell again, or on the list."""
    place = draft.hidden.pop(image_id)
    row = draft.row(image_id)
    if row.vectors is None:
        enlist(draft, image_id, row, place.turn)
    else:
        draft.set_row(image_id, join(draft, image_id, row, row.vectors, mark))


def stays_hidden(draft: Draft, image_id: str, old: Row, new: Row) -> bool:
    """Whether the image is hidden, and still is with its new row: what was hidden was not removed since."""
    place = draft.hidden.get(image_id)
    if place is None:
        return False
    came = (place.turn or (0, 0, 0))[:2] if old.vectors is None else old.vectors.at
    if new.removed is not None and came < new.removed:
        del draft.hidden[image_id]
        return False
    keep_away(draft, image_id, place, new.vectors)
    return True


def announce(draft: Draft, image_id: str, row: Row, turn: Turn | None) -> None:
    """The image, which has no vectors, is on the list; a hidden one only comes back to where it would be there."""
    place = draft.hidden.get(image_id)
    if place is None:
        enlist(draft, image_id, row, turn)
    else:
        draft.hidden[image_id] = structs.replace(place, turn=first_turn(row, place.turn, turn))


def mark_now(draft: Draft, place: Place) -> int | None:
    """The mark that whoever was there has now: what was taken back meanwhile counts for nothing."""
    mark = place.mark
    while mark is not None and draft.root(mark) is None and not draft.barred(mark):
        mark = draft.anchors[mark].before if mark in draft.anchors else None
    return mark
