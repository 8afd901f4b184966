"""Threads that compute by turns: one at a time, for two that want the interpreter would only hold up each other, and
the loop. A long computation gives its turn to others at its checkpoints, so that what is short never waits for it.
"""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

_SLICE_SECONDS: Final = 0.005
"""How much more one computes than another before that gets its turn: many times what changing threads costs."""
_LONGEST_WAIT: Final = 0.05
"""Seconds after which even who has had most gets a slice: a stream of short computations delays a long one, no more."""


class Turn:
    """One computation's place among the others."""

    def __init__(self) -> None:
        self.served = 0.0
        """Seconds that it has computed."""
        self.began = 0.0
        """When it got its turn last, or began to wait for it; what it has computed since is not in `served`."""
        self.kept_until = 0.0
        """Until when nobody takes its turn, where it had to wait for long."""

    def has_waited(self, now: float) -> bool:
        """Whether it has waited too long, if it waits."""
        return now - self.began >= _LONGEST_WAIT


class Turns:
    """Who computes now, and who comes next: who has had least, but whoever has waited too long before that."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._now: Turn | None = None
        self._waiting: list[Turn] = []

    @property
    def waiting(self) -> int:
        """How many wait for their turn."""
        return len(self._waiting)

    @contextmanager
    def turn(self) -> Iterator[Turn]:
        """Within it, it is this thread's turn, but for what `checkpoint` gives away."""
        turn = Turn()
        with self._changed:
            self._wait(turn)
        try:
            yield turn
        finally:
            with self._changed:
                if self._now is turn:
                    self._pass_on()

    def checkpoint(self, turn: Turn) -> None:
        """Lets others compute that have had less, or have waited too long."""
        if self._now is not turn or not self._waiting or (now := time.perf_counter()) < turn.kept_until:
            return
        served = turn.served + now - turn.began
        with self._changed:
            if any(each.served + _SLICE_SECONDS <= served or each.has_waited(now) for each in self._waiting):
                turn.served, turn.began = served, now
                self._pass_on(turn)
                self._wait(turn)

    def _wait(self, turn: Turn) -> None:
        turn.began = time.perf_counter()
        if self._now is None:
            self._now = turn
        elif self._now is not turn:
            self._waiting.append(turn)
            while self._now is not turn:
                notified = self._changed.wait(_LONGEST_WAIT)
                if not notified and self._now is not turn and turn.served < _LONGEST_WAIT:
                    # Who has the turn is in a step that cannot be cut: what is short is done beside it.
                    self._waiting.remove(turn)
                    break
        turn.began = time.perf_counter()

    def _pass_on(self, turn: Turn | None = None) -> None:
        """To who comes next: perhaps to `turn` again, who wants to go on."""
        self._now = turn
        if not self._waiting:
            return
        now = time.perf_counter()
        every = [*self._waiting, turn] if turn else self._waiting
        self._now = min(every, key=lambda each: (not each.has_waited(now), each.served))
        if self._now is not turn:
            self._waiting.remove(self._now)
            self._now.kept_until = now + _SLICE_SECONDS if self._now.has_waited(now) else 0.0
            self._changed.notify_all()
