"""Of which corrected clusters users said that they are not one: pairs of their anchors, the latest last.

Cells of different anchors are apart as it is, whether anybody said so or not. Pairs tell what was said, so that nobody
is asked again.
"""

from collections.abc import Set as AbstractSet
from typing import Final

from sploot_clusterd.engine.album import Pair
from sploot_clusterd.engine.draft import Draft

_MOST: Final = 1000
"""The latest: of what is forgotten a user may be asked again."""


def part(draft: Draft, one: int, other: int) -> None:
    """The clusters of these two anchors are not one."""
    pair = min(one, other), max(one, other)
    draft.apart = (*(each for each in draft.apart if each != pair), pair)[-_MOST:]


def unite(draft: Draft, anchors: AbstractSet[int], into: int) -> None:
    """The clusters of these anchors are one after all, that of `into`. What they are apart from, it is."""
    if draft.apart and len(anchors) > 1:
        known = (tuple(into if anchor in anchors else anchor for anchor in pair) for pair in draft.apart)
        draft.apart = tuple(dict.fromkeys((min(pair), max(pair)) for pair in known if len(set(pair)) > 1))


def forget(draft: Draft) -> None:
    """Drops what was said of anchors that are gone."""

    def known(pair: Pair) -> bool:
        return draft.anchors.keys() >= set(pair)

    if not all(map(known, draft.apart)):
        draft.apart = tuple(filter(known, draft.apart))
