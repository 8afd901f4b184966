"""Clusters as they were before a word that was taken back, as far as others do not say otherwise."""

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from operator import itemgetter

import numpy as np
from msgspec import structs

from sploot_clusterd.engine.anchors import reroot
from sploot_clusterd.engine.block import Block
from sploot_clusterd.engine.draft import Draft
from sploot_clusterd.engine.maintain import constrained, origins, regroup
from sploot_clusterd.engine.statistics import DIGITS, Ints
from sploot_clusterd.engine.succession import succeed
from sploot_clusterd.engine.words import Place, Was, Word


@dataclass(slots=True)
class Returned:
    """Images that went back."""

    moved: dict[int, int]
    """`moved` of each space before they did."""
    cells: dict[tuple[int, int | None], int] = field(default_factory=dict)
    """The cell that stands for one that is gone, by that one and the mark that its images have now."""
    sources: dict[int, set[int]] = field(default_factory=lambda: defaultdict(set))
    """The cells to which images of each cluster went, by its key."""

    def note(self, place: Place, cell_id: int, source: int | None) -> None:
        """An image of this place is in the cell, and was in the cluster of the key `source` (None: in none)."""
        self.cells[place.cell, place.mark] = cell_id
        if source is not None:
            self.sources[source].add(cell_id)

    def known_to(self, word: Word) -> Word:
        """Another word, whose clusters as they were have the cells that stand for those that are gone, too."""
        anew = [(before, cell_id) for (before, _), cell_id in self.cells.items() if before != cell_id]
        if not any(before in was.cells for was in word.shown for before, _ in anew):
            return word
        more = [{cell_id for before, cell_id in anew if before in was.cells} for was in word.shown]
        shown = [
            structs.replace(was, cells=tuple(sorted({*was.cells, *cells})))
            for was, cells in zip(word.shown, more, strict=True)
        ]
        return structs.replace(word, shown=tuple(shown))

    def present(self, draft: Draft, was: Was) -> list[int]:
        """The cells of such a cluster that there are."""
        own = set(was.cells)
        found = {cell_id if cell_id in draft.cells else draft.heirs.get(cell_id, -1) for cell_id in own}
        found |= {cell_id for (before, _), cell_id in self.cells.items() if before in own}
        return sorted(cell_id for cell_id in found if cell_id in draft.cells)


def as_it_was(draft: Draft, word: Word, returned: Returned) -> None:
    """Photos of that time are in the clusters that they were in, under their ids, with their heroes.

    Those that came since, and were put to any of these, are with the one that they are most like.
    """
    reroot(draft)
    former = {number: returned.present(draft, was) for number, was in enumerate(word.shown)}
    there = {cell_id for cells in former.values() for cell_id in cells}
    for space in sorted({draft.cells[cell_id].space for cell_id in there}):
        block = draft.blocks[space]
        since = returned.moved[space] - word.moves(space)
        moved, partitioned, silhouette = word.hastened.get(space, (0, block.partitioned, block.silhouette))
        groups = constrained(draft, block, _groups(draft, block, former, returned, word))
        overlap: dict[tuple[int, int], int] = defaultdict(int)
        for (_, key, count), group in zip(origins(draft, block), groups.tolist(), strict=True):
            overlap[key, group] += count
        regroup(draft, block, groups, overlap)
        block.moved = max(moved + since, 0)
        block.partitioned, block.silhouette = partitioned, silhouette
    for key, cells in returned.sources.items():
        if key in draft.clusters and not draft.clusters[key].cells and (left := cells & draft.cells.keys()):
            succeed(draft, draft.clusters.pop(key), draft.home[min(left)])
    _restore(draft, {number: cells for number, cells in former.items() if cells}, word.shown)


def _groups(draft: Draft, block: Block, former: dict[int, list[int]], returned: Returned, word: Word) -> Ints:
    """For each cell [k] of the space the number of the former cluster that it is in, else a number of its cluster."""
    found = {cell_id: number for number, cells in former.items() for cell_id in cells}
    heirs: dict[int, set[int]] = defaultdict(set)
    again = set(returned.cells.values())  # where these were put meanwhile says nothing
    for cell_id, number in found.items():
        if cell_id not in again:
            heirs[draft.home[cell_id]].add(number)
    for key, cells in returned.sources.items():
        cluster = draft.clusters.get(key)
        if cluster is not None and word.founded(set(cluster.cells) - again):  # an older one stays as it is
            heirs[key].update(found[cell_id] for cell_id in cells if cell_id in found)
    images = block.cells.centred(block.cells.about(draft.params.mean_prior))
    places = {cell_id: at for at, cell_id in enumerate(block.ids)}
    groups = []
    for at, cell_id in enumerate(block.ids):
        key = draft.home[cell_id]
        rivals = sorted(number for number in heirs[key] if any(each in places for each in former[number]))
        if cell_id in found or not rivals:
            groups.append(found.get(cell_id, len(former) + key))
        else:
            sums = np.array([images[[places[c] for c in former[n] if c in places]].sum(axis=0) for n in rivals])
            lengths = np.maximum(np.linalg.norm(sums, axis=1), 1e-9)
            groups.append(rivals[int((sums @ images[at] / lengths).round(DIGITS).argmax())])
    return np.array(groups, dtype=np.int64)


def _restore(draft: Draft, former: dict[int, list[int]], shown: Iterable[Was]) -> None:
    """Ids, heroes and what clusters were called go back to where most photos of each are. Of two ids that come to one
    cluster, as others merged them since, the older one stays.
    """
    every = list(shown)
    named = {was.number for was in every}
    claims: dict[int, Was] = {}
    for number, cells in sorted(
        former.items(), key=lambda each: (every[each[0]].number is None, every[each[0]].number)
    ):
        tally = Counter[int]()
        for cell_id in cells:
            tally[draft.home[cell_id]] += draft.cells[cell_id].count
        key, _ = min(tally.items(), key=lambda each: (-each[1], each[0]))
        present = draft.clusters[key].number
        if every[number].number is None or (
            present is not None and present not in named and present < number_of(every[number])
        ):
            continue
        claims.setdefault(key, every[number])
    _give_back(draft, claims)
    _lead_back(draft, every)


def number_of(was: Was) -> int:
    return -1 if was.number is None else was.number


def _give_back(draft: Draft, claims: dict[int, Was]) -> None:
    claimed = {was.number: key for key, was in claims.items()}
    for key, cluster in list(draft.clusters.items()):
        if cluster.number in claimed and claimed[cluster.number] != key:
            draft.clusters[key] = structs.replace(cluster, number=None, group=None, matched=None, hero=None)
            draft.touched.add(key)
    led = {number: to for number, to in draft.successors.items() if number not in claimed}
    for key, was in sorted(claims.items(), key=itemgetter(0)):
        cluster = draft.clusters[key]
        matched = (
            was.matched if all(other.matched != was.matched for other in draft.clusters.values()) else cluster.matched
        )
        draft.clusters[key] = structs.replace(
            cluster, number=was.number, group=was.group or cluster.group, matched=matched, hero=was.hero or cluster.hero
        )
        draft.touched.add(key)
        if cluster.number is not None and cluster.number not in claimed and was.number is not None:
            led = {number: was.number if to == cluster.number else to for number, to in led.items()}
            led[cluster.number] = was.number
    draft.successors = led


def _lead_back(draft: Draft, shown: Iterable[Was]) -> None:
    """Numbers that led to such a cluster lead there again, and not to the one that it became part of meanwhile."""
    living = {cluster.number for cluster in draft.clusters.values()}
    led = dict(draft.successors)
    for was in shown:
        to = was.number if was.number in living else led.get(number_of(was))
        if to is not None:
            led.update(dict.fromkeys([number for number in was.led if number in led], to))
    draft.successors = led
