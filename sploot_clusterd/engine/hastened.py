"""A rebuild to which the latest word alone led, as what it moved was counted: it is written down how all was before it.

Had the word not been said, nothing would have been grouped anew yet. So with the word its rebuild is taken back.
"""

from msgspec import structs

from sploot_clusterd.engine.block import Block
from sploot_clusterd.engine.draft import Draft
from sploot_clusterd.engine.words import AS_IT_WAS, REBUILT, Was, Word


def note_hastened(draft: Draft, block: Block) -> None:
    """Called before a rebuild that is due: says of each word that the space was rebuilt since, or what it hastened."""
    *earlier, latest = draft.words or (None,)
    if latest is None or not _hastens(draft, block, latest):
        draft.regrouped(REBUILT)
        return
    unchanged = [word.number for word in earlier if word is not None and word.regrouped == AS_IT_WAS]
    draft.regrouped(REBUILT)
    draft.words = (*draft.words[:-1], _with_all(draft, block, latest, tuple(unchanged)))


def _hastens(draft: Draft, block: Block, word: Word) -> bool:
    """Whether nothing was grouped anew since the word, nor would be now without it."""
    without = block.moved - word.moves(block.number)
    return (
        word.regrouped == AS_IT_WAS
        and not word.hastened
        and not draft.algorithm.due(without, block.partitioned, draft.params)
    )


def _with_all(draft: Draft, block: Block, word: Word, unchanged: tuple[int, ...]) -> Word:
    """The word, which knows of all clusters of the space how they are, but for those that it changed or founded."""
    known = {cell_id for was in word.shown for cell_id in was.cells}
    put = {mark for _, mark in word.places.values() if mark is not None}
    others = [
        Was(block.number, cluster.cells, cluster.number, cluster.group, cluster.matched, cluster.hero)
        for _, cluster in sorted(draft.clusters.items())
        if cluster.space == block.number and cluster.cells and known.isdisjoint(cluster.cells)
        if not word.founded(cluster.cells) or put.isdisjoint(draft.cells[cell_id].anchor for cell_id in cluster.cells)
    ]
    hastened = {block.number: (block.moved, block.partitioned, block.silhouette)}
    return structs.replace(word, shown=(*word.shown, *others), hastened=hastened, unchanged=unchanged)
