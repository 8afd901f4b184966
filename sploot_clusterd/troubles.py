"""Why jobs' runs failed lately in this process: the latest few causes, for people who look at the fleet."""

from typing import Final

from msgspec import Struct

_MOST: Final = 5
_LONGEST: Final = 200
"""Characters of a cause."""
_LIVES_S: Final = 3600.0


class Trouble(Struct):
    """One cause: its text, how many runs failed by it since it was heard of first, and when one did last (seconds
    since 1970).
    """

    error: str
    runs: int
    at: float


class Troubles:
    """At most five causes, those heard of last, none older than an hour."""

    def __init__(self) -> None:
        self._known: dict[str, Trouble] = {}

    def add(self, error: str, now: float) -> None:
        """A run failed, to be tried again."""
        error = error[:_LONGEST]
        before = self._known.pop(error, None)
        self._known[error] = Trouble(error, (before.runs if before else 0) + 1, now)
        if len(self._known) > _MOST:
            del self._known[next(iter(self._known))]

    def latest(self, now: float) -> list[Trouble]:
        """The one heard of last first."""
        return [each for each in reversed(self._known.values()) if now - each.at < _LIVES_S]
