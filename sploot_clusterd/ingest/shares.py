"""How much of one pet a process holds: the oldest of its jobs, up to a number and a size.

What is beyond is put off: it stays in the stream, pending and in its order, and what other pets sent after it is read.
"""

import time
from collections.abc import Callable, Sequence
from typing import Final

from sploot_clusterd.entry_ids import EntryId
from sploot_clusterd.ingest.batch import Delivery
from sploot_clusterd.store import Entry

_MOST_ENTRIES: Final = 256
_MOST_BYTES: Final = 32 * 2**20
_LEAST_DELAY: Final = 0.1
_LONGEST_DELAY: Final = 10.0
"""Seconds. Estimates may be wrong, and a pet should not have to wait for its own jobs to come back."""
_GRACE: Final = 5.0
"""Seconds after which a job that was due is thought to be in another process's hands."""


class _Aside:
    """A pet's jobs that were put off, with when they are due, by `time.monotonic`."""

    def __init__(self) -> None:
        self.due: dict[EntryId, float] = {}
        self.next_due = 0.0
        """When the next one is to come back."""


class Shares:
    """One process's. At most `most_aside` jobs are put off at a time; what is beyond is held."""

    def __init__(self, most_aside: int) -> None:
        self._most_aside = most_aside
        self._aside: dict[str, _Aside] = {}

    def beyond(self, pet_id: str, jobs: Sequence[Delivery], held: Sequence[Delivery]) -> Sequence[Delivery]:
        """The last of the pet's jobs, in their order, which there is no room for beside those that are held.

        One that is older than what is held, or than what was put off, always finds room: the others wait for it.
        """
        aside = self._known_aside(pet_id, jobs)
        youngest = max((entry.id for entry, _ in held), default=EntryId(0, 0))
        first = min(aside.due, default=None) if aside else None
        count, size = len(held), sum(_size(entry) for entry, _ in held)
        for at, (entry, _) in enumerate(jobs):
            fits = count < _MOST_ENTRIES and (not count or size + _size(entry) <= _MOST_BYTES)
            in_turn = first is None or entry.id < first
            if entry.id > youngest and not (fits and in_turn) and self._has_room(len(jobs) - at):
                return jobs[at:]
            count, size = count + 1, size + _size(entry)
        return ()

    def has_put_off(self, pet_id: str) -> bool:
        """Whether jobs of the pet are put off: then so are younger ones, however much of it gets done."""
        return pet_id in self._aside

    def put_off(
        self, pet_id: str, jobs: Sequence[Delivery], ahead: float, seconds: Callable[[Sequence[Delivery]], float]
    ) -> int:
        """Notes that these are put off; returns for how many milliseconds: until those before them are done.

        `ahead` is what the pet's jobs in hand are estimated to take.
        """
        now = time.monotonic()
        aside = self._aside.setdefault(pet_id, _Aside())
        aside.next_due = max(aside.next_due, now + ahead)
        delay = min(max(aside.next_due - now, _LEAST_DELAY), _LONGEST_DELAY)
        aside.due.update((entry.id, now + delay) for entry, _ in jobs)
        aside.next_due += seconds(jobs)
        return int(delay * 1000)

    def _known_aside(self, pet_id: str, jobs: Sequence[Delivery]) -> _Aside | None:
        """What is put off of the pet still: not these, nor what should have come back long ago."""
        aside = self._aside.get(pet_id)
        if aside is None:
            return None
        for entry, _ in jobs:
            aside.due.pop(entry.id, None)
        late = time.monotonic() - _GRACE
        aside.due = {entry_id: due for entry_id, due in aside.due.items() if due > late}
        if not aside.due:
            del self._aside[pet_id]
        return aside

    def _has_room(self, more: int) -> bool:
        return sum(len(aside.due) for aside in self._aside.values()) + more <= self._most_aside


def _size(entry: Entry) -> int:
    return sum(map(len, entry.fields.values()))
