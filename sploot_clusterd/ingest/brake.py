"""The dead-letter brake: when the jobs of many pets cannot be applied, the fault is in a deploy, not in the jobs.

Draining the stream into the dead letters would then only move the trouble, so reading stops for a while, and goes on
with a small quota, until good jobs are the rule again. One pet, whatever it does, stops nobody: its own bad jobs are
put off. Entries that name no pet count as those of one, "".
"""

import time
from collections import deque
from collections.abc import Callable, Iterable
from typing import Final

from sploot_clusterd.health import Health

_HALF_WINDOW: Final = 30.0
"""Seconds. Outcomes of the last half minute count, and none that is older than a minute."""
_MOST_PETS: Final = 10_000
"""In half a window: with more it is shorter."""
_MIN_LETTERS: Final = 100
_MOST_OF_A_PET: Final = 5
"""Dead letters that count."""
_FIRST_PAUSE: Final = 10.0
_LONGEST_PAUSE: Final = 300.0
_CALM: Final = 300.0
"""Seconds of reading after which a pause is a first one again."""
_PET_LETTERS: Final = 100
PUT_OFF: Final = 10.0
"""Seconds: how long a job is put off, at most."""
_NAME: Final = "brake"
_NONE: Final = (0, 0)


class _Outcomes:
    """What became of the jobs of each pet in the window, and of how many pets most jobs failed."""

    def __init__(self) -> None:
        self._newer: dict[str, tuple[int, int]] = {}
        self._older: dict[str, tuple[int, int]] = {}
        self.failing = 0
        """Pets, and so are those that are `working`."""
        self.working = 0
        self.letters = 0
        """Of the failing pets, up to five of each."""

    def of(self, pet_id: str) -> tuple[int, int]:
        """Dead letters, and applied jobs."""
        newer, older = self._newer.get(pet_id, _NONE), self._older.get(pet_id, _NONE)
        return newer[0] + older[0], newer[1] + older[1]

    def add(self, pet_id: str, letters: int, applied: int) -> None:
        newer, older = self._newer.get(pet_id, _NONE), self._older.get(pet_id, _NONE)
        before = newer[0] + older[0], newer[1] + older[1]
        self._newer[pet_id] = newer[0] + letters, newer[1] + applied
        if letters or before[0] or not before[1]:  # else it works still, as nearly all pets do
            self._count(*before, -1)
            self._count(before[0] + letters, before[1] + applied, 1)

    def is_full(self) -> bool:
        return len(self._newer) >= _MOST_PETS

    def age(self) -> None:
        """Half a window has passed."""
        self._older, self._newer = self._newer, {}
        self.failing = self.working = self.letters = 0
        for letters, applied in self._older.values():
            self._count(letters, applied, 1)

    def _count(self, letters: int, applied: int, times: int) -> None:
        if _fails(letters, applied):
            self.failing += times
            self.letters += times * min(letters, _MOST_OF_A_PET)
        elif applied:
            self.working += times


def _fails(letters: int, applied: int) -> bool:
    """Whether at least half are dead letters."""
    return letters > 0 and letters >= applied


class Brake:
    """A pet fails if at least half of its outcomes within a minute are dead letters.

    Pauses reading if at least half of the pets fail, with 100 dead letters: five of each count, so it takes 20 pets.
    Puts off what would become one more dead letter of a pet that fails, after 100 of them: `most_put_off` at a time,
    lest they fill the stream.
    """

    def __init__(
        self,
        health: Health,
        most_put_off: int,
        clock: Callable[[], float] = time.monotonic,
        held: Callable[[], float] = lambda: 0.0,
    ) -> None:
        """`held`: for how many seconds reading has to pause in any case."""
        self._health = health
        self._held = held
        self._most_put_off = most_put_off
        self._clock = clock
        self._forget(clock())
        self._put_off: deque[float] = deque()
        """When those that were put off come again, at the latest."""
        self._pause = _FIRST_PAUSE
        self._until = 0.0
        self._tripped_until = -_CALM

    def good(self, pet_id: str, count: int = 1) -> None:
        """Jobs of the pet were applied (or rightly skipped)."""
        self.good_each([(pet_id, count)])

    def good_each(self, pets: Iterable[tuple[str, int]]) -> None:
        """As `good`, for several pets at once."""
        self._age(self._clock())
        for pet_id, count in pets:
            self._outcomes.add(pet_id, 0, count)

    def bad(self, pet_id: str) -> None:
        """A job of the pet became a dead letter."""
        now = self._clock()
        self._age(now)
        self._outcomes.add(pet_id, 1, 0)
        if self._outcomes.letters >= _MIN_LETTERS and self._outcomes.failing >= self._outcomes.working:
            self._trip(now)

    def puts_off(self, pet_id: str) -> bool:
        """Whether a job of the pet that would become a dead letter is to be put off; if so, it counts as put off.

        Never what names no pet: nobody waits for it.
        """
        now = self._clock()
        self._age(now)
        letters, applied = self._outcomes.of(pet_id)
        if not pet_id or letters < _PET_LETTERS or not _fails(letters, applied):
            return False
        while self._put_off and self._put_off[0] <= now:
            self._put_off.popleft()
        if len(self._put_off) >= self._most_put_off:
            return False
        self._put_off.append(now + PUT_OFF)
        return True

    def seconds_left(self) -> float:
        """How long reading has to pause; 0 if it may go on."""
        left = self._until - self._clock()
        if left > 0:
            return max(left, self._held())
        if self._until:
            self._until = 0.0
            self._health.clear_fault(_NAME)
        return self._held()

    def _trip(self, now: float) -> None:
        if now - self._tripped_until >= _CALM:
            self._pause = _FIRST_PAUSE
        self._health.set_fault(
            _NAME,
            f"dead-letter brake: most jobs of {self._outcomes.failing} pets could not be applied; reading goes on in "
            f"{self._pause:.0f} s with a small quota",
        )
        self._until = self._tripped_until = now + self._pause
        self._pause = min(self._pause * 2, _LONGEST_PAUSE)
        self._forget(now)

    def _forget(self, now: float) -> None:
        self._outcomes = _Outcomes()
        self._aged_at = now

    def _age(self, now: float) -> None:
        passed = now - self._aged_at
        if passed >= 2 * _HALF_WINDOW:
            self._forget(now)
        elif passed >= _HALF_WINDOW:
            self._outcomes.age()
            self._aged_at += _HALF_WINDOW
        elif self._outcomes.is_full():
            self._outcomes.age()
            self._aged_at = now
