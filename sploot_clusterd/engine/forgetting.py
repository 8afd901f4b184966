"""What of users' words cannot be taken back any more stays said: its marks are firm, and those of one class one."""

from typing import Final

from msgspec import structs

from sploot_clusterd.engine.draft import Draft
from sploot_clusterd.engine.words import Anchor, Place, Word

_MOST_PAIRS: Final = 1000
"""The latest: of what is forgotten a user may be asked again."""


def settle_oldest(draft: Draft) -> None:
    """The oldest word is final."""
    word, *left = draft.words
    draft.words = tuple(left)
    _settle(draft, word)


def make_room(draft: Draft, marks: int) -> None:
    """For so many more: words become final, the oldest first, and at last the job's own, which then makes do with
    fewer.
    """
    most = draft.params.max_cells // 2 - marks
    if len(draft.anchors) > most:
        drop_marks(draft)
    while draft.words and len(draft.anchors) > most:
        settle_oldest(draft)
        drop_marks(draft)
    if len(draft.anchors) > most:
        draft.final = True
        settle_own(draft)


def settle_own(draft: Draft) -> None:
    """What the job said so far is final."""
    word = draft.word
    if word is not None:
        draft.word = Word(word.number, word.job_id, word.at, word.actor)
        _settle(draft, word)


def drop_marks(draft: Draft) -> None:
    """Marks that no cell carries any more, and that nothing speaks of that may be taken back, end."""
    if not draft.anchors:
        return
    known = {cell.anchor for cell in draft.cells.values()}
    known |= {cluster.anchor for cluster in draft.clusters.values()}
    known |= {place.mark for place in draft.hidden.values()}
    words = (*draft.words, *filter(None, [draft.word]))
    for word in words:
        known.update(word.holds, *word.links, *word.pairs, (mark for mark, _ in (*word.names, *word.hides)))
        known.update(mark for place, put in word.places.values() for mark in (place.mark, put))
    for anchor in [anchor for mark, anchor in draft.anchors.items() if mark in known]:
        known |= {anchor.before, anchor.within, *anchor.barred}
    gone = draft.anchors.keys() - known
    if gone:
        draft.anchors = {mark: anchor for mark, anchor in draft.anchors.items() if mark not in gone}
        draft.anchors_changed()
    if not all(draft.anchors.keys() >= set(pair) for pair in draft.apart):
        draft.apart = tuple(pair for pair in draft.apart if draft.anchors.keys() >= set(pair))


def _settle(draft: Draft, word: Word) -> None:
    """Its facts hold for good."""
    for mark in word.holds:
        if mark in draft.anchors:
            draft.anchors[mark] = structs.replace(draft.anchors[mark], firm=True, before=None)
    for mark, label in word.names:
        anchor = draft.anchors.get(mark)
        if anchor is not None and word.at >= (anchor.named_at or (0, 0)):
            draft.anchors[mark] = structs.replace(anchor, label=label, named_at=word.at)
    for mark, hidden in word.hides:
        anchor = draft.anchors.get(mark)
        if anchor is not None and (anchor.hidden is None or word.at >= anchor.hidden[0]):
            draft.anchors[mark] = structs.replace(anchor, hidden=(word.at, hidden))
    draft.apart = (*draft.apart, *(pair for pair in word.pairs if pair not in draft.apart))[-_MOST_PAIRS:]
    draft.anchors_changed()
    within = [(mark, anchor.within) for mark, anchor in draft.anchors.items() if anchor.within is not None]
    into: dict[int, int] = {}
    for one, other in (*word.links, *within):
        marks = into.get(one, one), into.get(other, other)
        if marks[0] != marks[1] and all(mark in draft.anchors and draft.anchors[mark].firm for mark in marks):
            kept, gone = sorted(marks)
            into = {mark: kept if to == gone else to for mark, to in into.items()} | {gone: kept}
    if into:
        _make_one(draft, into)


def _make_one(draft: Draft, into: dict[int, int]) -> None:
    """Marks become others of their classes, everywhere."""
    for gone, kept in into.items():
        draft.anchors[kept] = _both(draft.anchors[kept], draft.anchors.pop(gone))
    for mark, anchor in draft.anchors.items():
        within = into.get(anchor.within, anchor.within) if anchor.within is not None else None
        draft.anchors[mark] = structs.replace(
            anchor,
            before=into.get(anchor.before, anchor.before) if anchor.before is not None else None,
            within=None if within == mark else within,
            barred=tuple(sorted({into.get(each, each) for each in anchor.barred})),
        )
    for cell_id, cell in draft.cells.items():
        if cell.anchor in into:
            draft.cells[cell_id] = structs.replace(cell, anchor=into[cell.anchor])
    for key, cluster in draft.clusters.items():
        if cluster.anchor in into:
            draft.clusters[key] = structs.replace(cluster, anchor=into[cluster.anchor])
    pairs = [tuple(sorted(into.get(mark, mark) for mark in pair)) for pair in draft.apart]
    draft.apart = tuple(dict.fromkeys((one, other) for one, other in pairs if one != other))
    draft.hidden = {image_id: _moved(place, into) for image_id, place in draft.hidden.items()}
    draft.words = tuple(_renamed(word, into) for word in draft.words)
    draft.word = draft.word and _renamed(draft.word, into)
    draft.closed = {into.get(mark, mark) for mark in draft.closed}
    draft.anchors_changed()


def _both(kept: Anchor, gone: Anchor) -> Anchor:
    """Of two names, and of what was said of whether it is shown, the newer one counts."""
    newer = max(kept, gone, key=lambda anchor: anchor.named_at or (0, 0))
    hidden = max((each.hidden for each in (kept, gone) if each.hidden), default=None)
    return structs.replace(kept, label=newer.label, named_at=newer.named_at, hidden=hidden)


def _moved(place: Place, into: dict[int, int]) -> Place:
    return place if place.mark is None else structs.replace(place, mark=into.get(place.mark, place.mark))


def _renamed(word: Word, into: dict[int, int]) -> Word:
    """The word with other marks in the place of those that are gone."""

    def now(mark: int) -> int:
        return into.get(mark, mark)

    return structs.replace(
        word,
        holds=tuple(dict.fromkeys(map(now, word.holds))),
        links=tuple((now(one), now(other)) for one, other in word.links),
        names=tuple((now(mark), label) for mark, label in word.names),
        pairs=tuple((now(one), now(other)) for one, other in word.pairs),
        hides=tuple((now(mark), hidden) for mark, hidden in word.hides),
        places={
            image_id: (_moved(place, into), None if put is None else now(put))
            for image_id, (place, put) in word.places.items()
        },
    )
