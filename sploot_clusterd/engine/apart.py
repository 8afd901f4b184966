"""Of which corrected clusters users said that they are not one: pairs of their marks.

Cells of different anchors are apart as it is, whether anybody said so or not. Pairs tell what was said, so that nobody
is asked again. What was said of marks that are of one class meanwhile counts for nothing as long as they are.
"""

from sploot_clusterd.engine.album import Album
from sploot_clusterd.engine.draft import Draft
from sploot_clusterd.engine.words import Pair, constraints


def part(draft: Draft, one: int, other: int) -> None:
    """The clusters of these two marks are not one."""
    draft.say(pairs=[(min(one, other), max(one, other))])


def told_apart(album: Album) -> set[Pair]:
    """The pairs of anchors of which that was said, the lower one first."""
    if not album.anchors:
        return set()
    roots = constraints(album.anchors, album.words).roots
    said = {pair for word in album.words for pair in word.pairs} | set(album.apart)
    pairs = [sorted((roots[one], roots[other])) for one, other in said if one in roots and other in roots]
    return {(one, other) for one, other in pairs if one != other}
