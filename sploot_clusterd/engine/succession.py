"""Which cluster a public number leads to: its own, or the one that it became part of."""

from collections import Counter

from msgspec import structs

from sploot_clusterd.engine.album import Cluster
from sploot_clusterd.engine.draft import Draft
from sploot_clusterd.engine.hero import is_chosen

MOST_LED = 1000
"""Numbers that lead on are remembered for so many clusters, the latest."""


def succeed(draft: Draft, gone: Cluster, key: int) -> None:
    """`gone`, which is no longer there, became part of the cluster `key`, or most of it did.

    Chains are shortened at once: a number leads to a cluster that is there. One that has no number yet takes it over,
    with what goes by it, as to a reader it is the same cluster; but not one that goes on from a corrected one.
    """
    heir = draft.clusters[key]
    if gone.number is None:
        return
    anchors = {other.anchor for other in draft.clusters.values() if other.number is not None} - {None, gone.anchor}
    if heir.number is None and heir.anchor in anchors:
        heir = draft.clusters[key] = structs.replace(heir, number=draft.count_up("number"))
    if heir.number is None:
        draft.clusters[key] = structs.replace(
            heir,
            number=gone.number,
            group=gone.group or heir.group,
            matched=gone.matched or heir.matched,
            hero=gone.hero or heir.hero,
        )
        draft.touched.add(key)
        return
    led = {number: heir.number if to == gone.number else to for number, to in draft.successors.items()}
    led[gone.number] = heir.number
    draft.successors = dict(sorted(led.items())[-MOST_LED:])


def left(draft: Draft, key: int, cell_id: int) -> None:
    """An image of the cluster was sent again, as by another encoder, and is in this cell now: see `Cluster.left`."""
    if draft.home[cell_id] != key:
        cluster = draft.clusters[key]
        draft.clusters[key] = structs.replace(cluster, left=dict(_living(draft, cluster) + Counter([cell_id])))


def go_on(draft: Draft, empty: Cluster) -> None:
    """The cluster, whose images are gone, goes on in the one of its anchor in another space, else in that of most of
    its images that were sent again. Its label goes along if it is the older one, or most images there are its own.

    Where a user corrected it, or chose its hero, and that is there too, the older of the two ids stays; else its number
    leads there.
    """
    key = heir_of(draft, empty)
    if key is None:
        return
    heir = draft.clusters[key]
    corrected = is_the_users(draft, heir, empty)
    if corrected or takes_label(draft, heir, empty):
        matched = heir.matched or empty.matched
        heir = structs.replace(heir, matched=matched, group=empty.group or heir.group)
    if corrected and empty.number is not None and heir.number is not None:
        older, newer = sorted((empty.number, heir.number))
        hero = empty.hero if older == empty.number and empty.hero is not None else heir.hero
        empty, heir = structs.replace(empty, number=newer), structs.replace(heir, number=older, hero=hero)
    draft.clusters[key] = heir
    draft.touched.add(key)
    succeed(draft, empty, key)


def is_the_users(draft: Draft, heir: Cluster, empty: Cluster) -> bool:
    """Whether the heir is what a user corrected: it has the anchor, or else the hero that was chosen."""
    if empty.anchor is not None:
        return heir.anchor == empty.anchor
    return empty.chosen is not None and is_chosen(empty.chosen, [draft.cells[cell_id] for cell_id in heir.cells])


def find(draft: Draft, number: int) -> int | None:
    """The key of the cluster that the number leads to; None if that is gone, or never was."""
    number = draft.successors.get(number, number)
    key = next((key for key, other in draft.clusters.items() if other.number == number), None)
    return key if key is None or draft.clusters[key].cells else heir_of(draft, draft.clusters[key])


def heir_of(draft: Draft, empty: Cluster) -> int | None:
    """The cluster of the same anchor, or that of most of its images; of equals the oldest."""
    anchored = [key for key, other in draft.clusters.items() if other.cells and other.anchor == empty.anchor]
    if empty.anchor is not None and anchored:
        return min(anchored)
    tally = _tally(draft, empty)
    return min(tally, key=lambda key: (-tally[key], key), default=None)


def takes_label(draft: Draft, heir: Cluster, source: Cluster) -> bool:
    """Whether the label of `source` goes to its heir: to a younger one, or one that has mostly images of it."""
    if heir.number is None or (source.number is not None and heir.number > source.number):
        return True
    return 2 * _tally(draft, source)[heir.key] > sum(draft.cells[cell_id].count for cell_id in heir.cells)


def _tally(draft: Draft, empty: Cluster) -> Counter[int]:
    """How many of the images that left it are in each cluster, by key."""
    tally = Counter[int]()
    for cell_id, count in _living(draft, empty).items():
        tally[draft.home[cell_id]] += count
    return tally


def _living(draft: Draft, cluster: Cluster) -> Counter[int]:
    """`left` by the cells that are there now."""
    living = Counter[int]()
    for cell_id, count in cluster.left.items():
        living[cell_id if cell_id in draft.cells else draft.heirs.get(cell_id, cell_id)] += count
    return Counter({cell_id: count for cell_id, count in living.items() if cell_id in draft.cells})
