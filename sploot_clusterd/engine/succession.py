"""Which cluster a public number leads to: its own, or the one that it became part of."""

from msgspec import structs

from sploot_clusterd.engine.album import Cluster
from sploot_clusterd.engine.draft import Draft

_KEPT = 1000
"""Numbers that lead on are remembered for so many clusters, the latest."""


def succeed(draft: Draft, gone: Cluster, key: int) -> None:
    """`gone`, which is no longer there, became part of the cluster `key`, or most of it did.

    Chains are shortened at once: a number leads to a cluster that is there. One that has no number yet takes it over.
    """
    heir = draft.clusters[key]
    if gone.number is None:
        return
    if heir.number is None:
        draft.clusters[key] = structs.replace(heir, number=gone.number)
        return
    led = {number: heir.number if to == gone.number else to for number, to in draft.successors.items()}
    led[gone.number] = heir.number
    draft.successors = dict(sorted(led.items())[-_KEPT:])


def find(draft: Draft, number: int) -> int | None:
    """The key of the cluster that the number leads to; None if that is gone, or never was."""
    number = draft.successors.get(number, number)
    return next((key for key, other in draft.clusters.items() if other.number == number and other.cells), None)
