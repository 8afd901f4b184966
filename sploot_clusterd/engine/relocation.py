"""Images that a user's word takes from where they are, and what is written down so that they can go back."""

from collections.abc import Iterable

from msgspec import structs

from sploot_clusterd.engine.addressing import vectors_of
from sploot_clusterd.engine.draft import Draft
from sploot_clusterd.engine.place import join, leave
from sploot_clusterd.engine.provisional import strike, turn_of
from sploot_clusterd.engine.rows import NOWHERE, Vectors
from sploot_clusterd.engine.succession import succeed
from sploot_clusterd.engine.words import Place, Was


def relocate(draft: Draft, image_id: str, mark: int) -> None:
    """Takes the image out of its cell into one of the mark. A cluster that it leaves empty leads to its new one."""
    place = place_of(draft, image_id)
    if place.mark == mark:
        return
    source = draft.home[place.cell]
    write_down(draft, image_id, place, mark)
    leave(draft, image_id, draft.row(image_id), vectors_of(draft, image_id))
    row = draft.row(image_id)
    if row.vectors is not None:
        draft.set_row(image_id, join(draft, image_id, row, row.vectors, mark))
    if not draft.clusters[source].cells:
        succeed(draft, draft.clusters.pop(source), draft.home[vectors_of(draft, image_id).cell])


def put_away(draft: Draft, image_id: str) -> None:
    """Takes the image out of its cell into none, or off the list of those without vectors."""
    row = draft.row(image_id)
    if row.placed is None:
        draft.hidden[image_id] = Place(NOWHERE, None, NOWHERE, turn=turn_of(draft, image_id))
        strike(draft, image_id)
        return
    draft.hidden[image_id] = place = place_of(draft, image_id)
    key = draft.home[place.cell]
    leave(draft, image_id, row, row.placed)
    draft.set_row(image_id, structs.replace(row, vectors=structs.replace(row.placed, cell=NOWHERE)))
    if not draft.clusters[key].cells:
        draft.touched.add(key)
        del draft.clusters[key]


def keep_away(draft: Draft, image_id: str, place: Place, vectors: Vectors | None) -> None:
    """The image, which has these vectors, is hidden, and was at this place before that."""
    if vectors is not None:
        draft.hidden[image_id] = structs.replace(place, space=vectors.space, hidden=False, turn=None)
    else:
        known = draft.hidden[image_id].turn if image_id in draft.hidden else None
        draft.hidden[image_id] = Place(NOWHERE, None, NOWHERE, turn=known or place.turn)


def write_down(draft: Draft, image_id: str, place: Place, put: int | None) -> None:
    """Where the image was before the job's word moved it, and where that put it: under a mark, or away (None)."""
    known = draft.word.places.get(image_id) if draft.word is not None else None
    draft.say(places={image_id: (known[0] if known else place, put)})


def place_of(draft: Draft, image_id: str) -> Place:
    """Where the image is, which is in a cell."""
    vectors = vectors_of(draft, image_id)
    cell_id = draft.living(vectors.cell)
    cell = draft.cells[cell_id]
    near = next((member.closeness for member in cell.members if member.image_id == image_id), None)
    return Place(vectors.space, cell.anchor, cell_id, near)


def remember_shown(draft: Draft, keys: Iterable[int]) -> None:
    """Writes down how these clusters are shown, before the job's word changes them."""
    word = draft.word
    known = {cell_id for was in word.shown for cell_id in was.cells} if word is not None else set()
    for key in sorted(keys):
        held = draft.clusters[key]
        if held.cells and known.isdisjoint(held.cells):
            led = tuple(number for number, to in draft.successors.items() if to == held.number)
            draft.say(shown=[Was(held.space, held.cells, held.number, held.group, held.matched, held.hero, led)])
