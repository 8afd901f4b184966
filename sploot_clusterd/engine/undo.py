"""A word taken back: its facts go, its images go back, and what was one cluster or another by it alone is so no more.

Where nothing was grouped anew since, the photos of that time are again in the clusters that they were in, and those
that came since stay with the one of them that they are most like. Else all is grouped anew, in the way in which it was
since.
"""

from collections.abc import Sequence

from msgspec import structs

from sploot_clusterd.engine.addressing import stale
from sploot_clusterd.engine.as_it_was import Returned, as_it_was
from sploot_clusterd.engine.draft import Draft
from sploot_clusterd.engine.hiding import bring_back, mark_now
from sploot_clusterd.engine.place import join, leave, put, relist
from sploot_clusterd.engine.precedence import forget
from sploot_clusterd.engine.relocation import keep_away, put_away
from sploot_clusterd.engine.words import AS_IT_WAS, FOUNDED_ANEW, REBUILT, Place, Was, Word


def take_back(draft: Draft, job_id: str) -> None:
    """Raises BadJobError if nothing that the job said can be taken back, NeedsAllRowsError."""
    at = next((at for at, word in enumerate(draft.words) if word.job_id == job_id), None)
    if at is None:
        raise stale(f"job_id: no correction that can be taken back is of job {job_id[:128]}")
    word, later = draft.words[at], draft.words[at + 1 :]
    if word.places or word.pins or word.regrouped == FOUNDED_ANEW:
        draft.need_all_rows()
    moved = [image_id for image_id in word.places if _is_where_it_was_put(draft, word, image_id, later)]
    draft.words = (*draft.words[:at], *(_without(draft, word, each) for each in later))
    if word.regrouped == AS_IT_WAS and word.hastened:
        draft.words = tuple(_not_rebuilt(word, each) for each in draft.words)
    draft.anchors_changed()
    _take_back_choices(draft, word)
    forget(draft, word.noted, word.at)
    _free(draft, word)
    returned = _put_back(draft, word, moved)
    draft.words = tuple(map(returned.known_to, draft.words))
    if word.holds or word.places:
        as_it_was(draft, word, returned)
        draft.taken_back = max(draft.taken_back, FOUNDED_ANEW if word.regrouped and word.places else word.regrouped)
    draft.restored = True


def _is_where_it_was_put(draft: Draft, word: Word, image_id: str, later: Sequence[Word]) -> bool:
    """Whether it was not removed since, nor did a later word move it."""
    place, put_under = word.places[image_id]
    row = draft.row(image_id)
    if not row.exists or (row.removed is not None and row.removed > word.at):
        return False
    if any(image_id in each.places for each in later):
        return False
    if put_under is None and not place.hidden:
        return image_id in draft.hidden
    return row.placed is not None or place.hidden


def _without(draft: Draft, word: Word, later: Word) -> Word:
    """The later word, as if this one had not been: where it says what was before it."""
    places = dict(later.places)
    for image_id in word.places.keys() & places.keys():
        before, put_under = word.places[image_id][0], places[image_id][1]
        places[image_id] = before, put_under
        if put_under is None and image_id in draft.hidden:
            keep_away(draft, image_id, before, draft.row(image_id).vectors)
    pins = dict(later.pins)
    for image_id in word.pins.keys() & pins.keys():
        if pins[image_id][1] == word.pins[image_id][0]:
            pins[image_id] = pins[image_id][0], word.pins[image_id][1]
    noted = {key: word.noted.get(key) if before == word.at else before for key, before in later.noted.items()}
    heroes = {was.number: was.hero for was in word.shown}
    shown = tuple(
        structs.replace(was, hero=heroes.get(was.number)) if was.hero in word.pins else was for was in later.shown
    )
    shown = tuple(structs.replace(was, led=_led_without(word, was)) if was.led else was for was in shown)
    return structs.replace(later, places=places, pins=pins, noted=noted, shown=shown)


def _led_without(word: Word, was: Was) -> tuple[int, ...]:
    """What would have led to the cluster without the word: nothing that it made part of it."""
    others = [other for other in word.shown if other.number != was.number]
    gone = {other.number for other in others}.union(*(other.led for other in others))
    return tuple(number for number in was.led if number not in gone)


def _not_rebuilt(word: Word, other: Word) -> Word:
    """The other word, as the rebuild to which this one led is taken back: so are clusters that a later one saw."""
    if other.number in word.unchanged:
        return structs.replace(other, regrouped=AS_IT_WAS)
    return other if other.number < word.number else structs.replace(other, regrouped=max(other.regrouped, REBUILT))


def _take_back_choices(draft: Draft, word: Word) -> None:
    """Of heroes."""
    for image_id, (pin, before) in sorted(word.pins.items()):
        row = draft.row(image_id)
        if row.pinned != pin:
            continue
        row = structs.replace(row, pinned=before)
        draft.set_row(image_id, row)
        if row.placed is not None:
            relist(draft, image_id, row, row.placed)
    heroes = {was.number: was.hero for was in word.shown}
    for key, cluster in draft.clusters.items():
        if cluster.chosen in word.pins:
            chosen = cluster.chosen if draft.row(cluster.chosen).pinned is not None else None
            hero = heroes.get(cluster.number, cluster.hero)
            draft.clusters[key] = structs.replace(cluster, chosen=chosen, hero=hero)
            draft.touched.add(key)


def _free(draft: Draft, word: Word) -> None:
    """Cells of marks that nobody holds any more have those again that they had before."""
    put_under = {mark for place, mark in word.places.values() if mark is not None and not place.hidden}
    barred = {mark for mark in put_under if mark in draft.anchors and draft.anchors[mark].barred}
    for cell_id, cell in draft.cells.items():
        if cell.anchor in barred:
            draft.cells[cell_id] = structs.replace(cell, anchor=None)
        elif cell.anchor in word.holds and draft.root(cell.anchor) is None:
            mark = mark_now(draft, Place(cell.space, cell.anchor, cell_id))
            draft.cells[cell_id] = structs.replace(cell, anchor=mark)


def _put_back(draft: Draft, word: Word, moved: Sequence[str]) -> Returned:
    """Images that the word moved go back, in the order in which they came."""
    returned = Returned({number: block.moved for number, block in draft.blocks.items()})
    rows = {image_id: draft.row(image_id).vectors for image_id in moved}
    came = {image_id: (held.at, held.position) for image_id, held in rows.items() if held is not None}
    for image_id in sorted(rows, key=lambda name: (came.get(name, ((0, 0), 0)), name)):
        place, _ = word.places[image_id]
        if place.hidden:
            put_away(draft, image_id)
            keep_away(draft, image_id, place, rows[image_id])
        elif rows[image_id] is None:
            bring_back(draft, image_id, None)
        else:
            _return(draft, image_id, place, returned)
    return returned


def _return(draft: Draft, image_id: str, place: Place, returned: Returned) -> None:
    """The image is in the cell again that it was in, or in one that is founded in its place."""
    row, source = draft.row(image_id), None
    if draft.hidden.pop(image_id, None) is None and row.placed is not None:
        source = draft.home[draft.living(row.placed.cell)]
        leave(draft, image_id, row, row.placed)
    if row.vectors is None:
        return
    now = structs.replace(place, mark=mark_now(draft, place))
    if row.vectors.space != place.space:
        draft.set_row(image_id, join(draft, image_id, row, row.vectors, now.mark))
        return
    cell_id = returned.cells.get((place.cell, now.mark), place.cell)
    cell_id = cell_id if cell_id in draft.cells else draft.heirs.get(cell_id, cell_id)
    fits = cell_id in draft.cells and draft.cells[cell_id].anchor == now.mark
    row = put(draft, image_id, row, cell_id if fits else None, now)
    draft.set_row(image_id, row)
    if row.vectors is not None:
        returned.note(now, row.vectors.cell, source)
