"""How many connections a server bears, and which ones go when there are more.

A connection that has shown no token is worth little, and one of a caller that waits for its client not much more. So
newcomers take the place of those, the one that has been quiet longest first, and a probe finds room whoever holds
connections open. What callers have under way is bounded by refusing: `limit` requests, and beyond that probes alone.
"""

import asyncio
from typing import Final, Protocol

from sploot_clusterd.health import Health
from sploot_clusterd.metrics import Metrics
from sploot_clusterd.web.throttle import Throttle

_ALARM: Final = 0.8
_ROOM: Final = 32
"""Connections beyond the limit, so that those who only just came are not the first to go. A flood has to bring as many
within one turn of the loop to push out a client whose request is on its way.
"""


class Closable(Protocol):
    """A connection, as it is seen here."""

    @property
    def is_callers(self) -> bool:
        """Whether a request on it has shown a live token."""

    def drop(self) -> None:
        """Ends at once."""


class Connections:
    """One server's open connections, and what each of them waits for."""

    def __init__(self, name: str, limit: int, metrics: Metrics, health: Health) -> None:
        self.open: set[Closable] = set()
        self.empty = asyncio.Event()
        self.empty.set()
        self.crowded = False
        """Whether there are more of them than requests may be under way."""
        self.throttle = Throttle()
        self.bad_requests = metrics.http_bad_requests
        self._name = name
        self._limit = limit
        self._gauge = metrics.http_connections
        self._health = health
        # Whose client was last heard of longest ago comes first.
        self._strangers: dict[Closable, None] = {}
        self._idle_callers: dict[Closable, None] = {}
        self._slow_callers: dict[Closable, None] = {}

    def add(self, connection: Closable) -> bool:
        """False if there is no room for it, and none can be made."""
        if len(self.open) >= self._limit + _ROOM:
            if (last := self._least_missed()) is None:
                return False
            self.discard(last)
            last.drop()
        self.open.add(connection)
        self._strangers[connection] = None
        self.empty.clear()
        self._gauge.inc()
        self.crowded = len(self.open) > self._limit
        if len(self.open) >= self._limit * _ALARM:
            self._health.set_warning(self._warning, f"{self._name}: nearly all of {self._limit} connections are open")
        return True

    def discard(self, connection: Closable) -> None:
        if connection not in self.open:
            return
        self.open.discard(connection)
        for queue in (self._strangers, self._idle_callers, self._slow_callers):
            queue.pop(connection, None)
        if not self.open:
            self.empty.set()
        self._gauge.dec()
        self.crowded = len(self.open) > self._limit
        if len(self.open) < self._limit * _ALARM:
            self._health.clear_warning(self._warning)

    def admit(self, connection: Closable) -> None:
        """It is a caller's: a request on it, which is under way, has shown a live token."""
        self._strangers.pop(connection, None)

    def works(self, connection: Closable) -> None:
        """A request of it is under way. A stranger's takes next to no time, so it has only been heard of."""
        if connection.is_callers:
            self._idle_callers.pop(connection, None)
        elif connection in self._strangers:
            del self._strangers[connection]
            self._strangers[connection] = None

    def idles(self, connection: Closable) -> None:
        """It waits to be asked."""
        if not connection.is_callers:
            self.works(connection)
        elif connection in self.open:
            self._idle_callers[connection] = None

    def stalls(self, connection: Closable) -> None:
        """It waits until its client takes an answer."""
        if connection.is_callers and connection in self.open:
            self._slow_callers[connection] = None

    def resumes(self, connection: Closable) -> None:
        """Its client takes the answer."""
        self._slow_callers.pop(connection, None)

    def have_room_for(self, connection: Closable) -> bool:
        """Whether one more request may be under way, where it is one of this connection."""
        others = len(self.open) - len(self._strangers) - len(self._idle_callers) - connection.is_callers
        return others < self._limit

    def _least_missed(self) -> Closable | None:
        strangers = self._strangers
        order = (self._idle_callers, strangers, self._slow_callers) if len(strangers) < _ROOM else (strangers,)
        return next((next(iter(queue)) for queue in order if queue), None)

    @property
    def _warning(self) -> str:
        return f"{self._name} connections"
