"""Which slots of the fleet's samples this process has offered images to.

The first image to come keeps its slot: what is offered to it later is refused, and costs as much as the rest of a small
job's commit.
"""

import time
from collections.abc import Callable, Mapping
from typing import Final

from sploot_clusterd.store import Commit
from sploot_clusterd.store.profiles import SampleSize

_MOST_PETS: Final = 16_384
_LIFE: Final = 600.0
"""Seconds after which all is offered again, for a sample may lose images without a sign of it."""
_NOTHING: Final[frozenset[tuple[str, str]]] = frozenset()


class Offered:
    """Noted on the loop, and asked for in the pool as well: each step is one operation on a dict."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._slots: dict[str, frozenset[tuple[str, str]]] = {}
        """By pet: model versions and slots."""
        self._since = clock()

    def of(self, pet_id: str) -> frozenset[tuple[str, str]]:
        """Model versions and slots that no image of the pet need be offered to, as long as it has an album."""
        return self._slots.get(pet_id, _NOTHING)

    def committed(self, commit: Commit) -> None:
        """A new album's pet may have been erased before, and its slots with it."""
        if not commit.token:
            self._slots.pop(commit.pet_id, None)
        if commit.offers:
            if len(self._slots) >= _MOST_PETS:
                self._slots = {}
            offered = {(each.model_version, each.slot) for each in commit.offers}
            self._slots[commit.pet_id] = self.of(commit.pet_id) | offered

    def polled(self, before: Mapping[str, SampleSize], now: Mapping[str, SampleSize]) -> None:
        """The samples have these sizes now: one that became smaller, or is gone, has lost images."""
        fell = any(version not in now or now[version].images < size.images for version, size in before.items())
        if fell or self._clock() - self._since > _LIFE:
            self._slots, self._since = {}, self._clock()
