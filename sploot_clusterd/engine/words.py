"""What users said lately, word by word, so that any of it can be taken back.

A *mark* is what a cell carries of users' words; marks of one class are one anchor, named by the oldest of them. Which
marks are in force, and which are one, follows from facts, each of which knows the word that it is from: a word that is
taken back takes its facts along, and what others said stays. Cells of different marks never become one, so what was one
by a word alone can part again.
"""

from collections.abc import Collection, Iterable, Mapping
from typing import Final, NamedTuple

from msgspec import Struct

from sploot_clusterd.engine.listings import Turn
from sploot_clusterd.engine.rows import Pin, Stamp
from sploot_clusterd.model import Correction

MOST_WORDS: Final = 32
"""Jobs whose corrections an album can take back, the latest."""

AS_IT_WAS, REBUILT, FOUNDED_ANEW = 0, 1, 2
"""How much was grouped anew since a word: nothing, cells, or images into other cells."""

Pair = tuple[int, int]
"""Of marks."""


class Anchor(Struct, array_like=True, frozen=True, gc=False):
    """A mark. Cells of one class stay together, and apart from those of others; cells without one come and go as the
    algorithm says.
    """

    label: str | None = None
    named_at: Stamp | None = None
    firm: bool = True
    """Whether it is in force whatever is taken back."""
    before: int | None = None
    """What its cells had before, and have again when no word holds it any more."""
    within: int | None = None
    """The mark that it was part of: the two are of one class."""
    barred: tuple[int, ...] = ()
    """Marks whose clusters its cells are never in; then they are free but for that."""
    hidden: tuple[Stamp, bool] | None = None
    """Whether a user hid it, and when that was said."""


class Place(Struct, array_like=True, frozen=True, gc=False):
    """Where an image was before a word moved it."""

    space: int
    mark: int | None
    cell: int
    near: float | None = None
    """Its closeness there, if it was among the cell's best."""
    hidden: bool = False
    """It was hidden, and before that there."""
    turn: Turn | None = None
    """Of an image without vectors, which is in no space: where it was among those."""


class Was(Struct, array_like=True, frozen=True, gc=False):
    """A cluster as it was before a word changed it."""

    space: int
    cells: tuple[int, ...]
    number: int | None
    group: int | None
    matched: str | None
    hero: str | None
    led: tuple[int, ...] = ()
    """Numbers of former clusters that led to it."""


class Word(Struct, array_like=True, frozen=True):
    """The corrections of one job, and what followed from them at once."""

    number: int
    job_id: str
    at: Stamp
    actor: str | None = None
    said: tuple[Correction, ...] = ()
    holds: tuple[int, ...] = ()
    """Marks that it wants in force."""
    links: tuple[Pair, ...] = ()
    """Marks of one class."""
    names: tuple[tuple[int, str], ...] = ()
    pairs: tuple[Pair, ...] = ()
    """Classes that it said are not one."""
    hides: tuple[tuple[int, bool], ...] = ()
    places: dict[str, tuple[Place, int | None]] = {}
    """Images that it moved: where they were, and the mark that they got; None: they were hidden."""
    pins: dict[str, tuple[Pin, Pin | None]] = {}
    """Heroes that it chose, and which choice of the image's was there before."""
    noted: dict[str, Stamp | None] = {}
    """What it said last of, by keys of `precedence`, and who spoke of that before it."""
    shown: tuple[Was, ...] = ()
    regrouped: int = AS_IT_WAS
    first_cell: int = 0
    """Cells from this on were founded by it, or since."""
    hastened: dict[int, tuple[int, int, float | None]] = {}
    """Spaces that were rebuilt for its sake alone, and `moved`, `partitioned` and `silhouette` of them before that."""
    unchanged: tuple[int, ...] = ()
    """Numbers of words since which nothing had been grouped anew before that."""

    def founded(self, cells: Collection[int]) -> bool:
        """Whether a cluster of these cells is there by the word, or since."""
        return bool(cells) and min(cells) >= self.first_cell

    def moves(self, space: int) -> int:
        """How often images came to cells of the space, or left them, as it moved them."""
        places = [(place, mark) for place, mark in self.places.values() if place.space == space]
        return sum(1 if place.hidden or mark is None else 2 for place, mark in places)


class Constraints(NamedTuple):
    """What all words come to."""

    roots: Mapping[int, int]
    """The mark that names the class of each mark that is in force."""
    labels: Mapping[int, str]
    """By root."""
    hidden: frozenset[int]
    """Roots of hidden clusters."""
    barring: bool
    """Whether any cells are barred from a cluster."""


_UNCONSTRAINED: Final = Constraints({}, {}, frozenset(), barring=False)


def constraints(anchors: Mapping[int, Anchor], words: Iterable[Word]) -> Constraints:
    """Of the words that are in force."""
    if not anchors:  # as in most albums: what is said is said of marks
        return _UNCONSTRAINED
    words = tuple(words)
    roots = {mark: mark for mark, anchor in anchors.items() if anchor.firm}
    roots.update((mark, mark) for word in words for mark in word.holds if mark in anchors)
    _join(roots, ((mark, anchor.within) for mark, anchor in anchors.items() if anchor.within is not None))
    for word in words:
        _join(roots, word.links)
    named = [(anchor.named_at or (0, 0), mark, anchor.label) for mark, anchor in anchors.items() if anchor.label]
    named += [(word.at, mark, label) for word in words for mark, label in word.names]
    seen = [(*anchor.hidden, mark) for mark, anchor in anchors.items() if anchor.hidden]
    seen += [(word.at, hidden, mark) for word in words for mark, hidden in word.hides]
    labels = {roots[mark]: label for _, mark, label in sorted(named, key=lambda each: each[0]) if mark in roots}
    veiled = {roots[mark]: hidden for _, hidden, mark in sorted(seen, key=lambda each: each[0]) if mark in roots}
    return Constraints(
        roots,
        labels,
        frozenset(root for root, hidden in veiled.items() if hidden),
        any(anchor.barred for anchor in anchors.values()),
    )


def _join(roots: dict[int, int], links: Iterable[Pair]) -> None:
    """Makes one class of each two marks that are both in force."""
    for one, other in links:
        if one not in roots or other not in roots or roots[one] == roots[other]:
            continue
        root, gone = sorted((roots[one], roots[other]))
        roots.update((mark, root) for mark, held in roots.items() if held == gone)
