"""Renews what is being worked on, so that a long batch is not taken over while its process lives."""

import asyncio
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Final

from sploot_clusterd.errors import StoreUnavailableError
from sploot_clusterd.health import Health
from sploot_clusterd.ingest.retry import OutageLog
from sploot_clusterd.store import Stream
from sploot_clusterd.waiting import pause

_LONGEST_RUN: Final = 20
"""Times the idle limit after which a run counts as hung: it is renewed no more, and another consumer takes its jobs."""
_LONGEST_TICK: Final = 5.0
"""Seconds between passes, however long the idle limit: a root task shows its progress by them."""
_DRAIN_TICK: Final = 0.05


class Lease:
    """Some entries in a consumer's hands."""

    def __init__(self, stream: Stream, consumer: str, entries: Iterable[bytes]) -> None:
        self.stream = stream
        self.consumer = consumer
        self.entries = list(entries)
        """Those that are still ours, as far as is known."""
        self.held_since = time.monotonic()
        self.runs_since: float | None = self.held_since
        """None: they wait."""

    def keep(self, entries: Collection[bytes]) -> None:
        """The others are not in hand any more."""
        self.entries = [entry for entry in self.entries if entry in entries]

    @contextmanager
    def waiting(self) -> Iterator[None]:
        """Within it, they are not run, and so cannot hang."""
        self.runs_since = None
        try:
            yield
        finally:
            self.runs_since = time.monotonic()


TakeLease = Callable[..., AbstractContextManager[Lease]]
"""`Leases.lease`, for one partition's stream."""


class Leases:
    """The entries in hand of all consumers of this process. `run` is a root task."""

    name: Final = "leases"

    def __init__(self, stream: Stream, health: Health, stopping: asyncio.Event, retry_idle_ms: int) -> None:
        self._stream = stream
        self._health = health
        self._stopping = stopping
        self._idle = retry_idle_ms / 1000
        self._tick = min(self._idle / 3, _LONGEST_TICK)
        self._leases = set[Lease]()
        self._outage = OutageLog("leases not renewed")
        health.expect(self.name)

    @contextmanager
    def lease(self, consumer: str, entries: Iterable[bytes], *, stream: Stream | None = None) -> Iterator[Lease]:
        """Within it, the entries are renewed. `stream` is theirs, where it is not the first partition's."""
        lease = Lease(stream or self._stream, consumer, entries)
        self._leases.add(lease)
        try:
            yield lease
        finally:
            self._leases.discard(lease)

    async def run(self) -> None:
        """Renews at least three times within the idle limit, until the daemon stops and nothing is in hand any more."""
        while not self._stopping.is_set() or self._leases:
            try:
                if await self.renew_all():
                    self._outage.available()
            except StoreUnavailableError as error:
                self._outage.unavailable(error)
            self._health.progress(self.name)
            # While draining, the event is set and would end every pause at once.
            await (asyncio.sleep(_DRAIN_TICK) if self._stopping.is_set() else pause(self._stopping, self._tick))

    async def renew_all(self) -> int:
        """One pass: renews what has been in hand for a while and is not hung; how many entries that were.

        A round trip for each consumer, however many leases there are: a pass that takes long comes too late. Streams
        side by side: one whose server is away keeps none from the others. Raises StoreUnavailableError then.
        """
        now, due = time.monotonic(), dict[tuple[Stream, str], list[Lease]]()
        for lease in self._leases:
            hangs = lease.runs_since is not None and now - lease.runs_since >= self._idle * _LONGEST_RUN
            if now - lease.held_since > self._idle / 4 and not hangs:
                due.setdefault((lease.stream, lease.consumer), []).append(lease)
        renewals = (self._renew(*whose, leases) for whose, leases in due.items())
        outcomes = await asyncio.gather(*renewals, return_exceptions=True)
        for outcome in outcomes:
            if isinstance(outcome, BaseException):
                raise outcome
        return sum(outcome for outcome in outcomes if isinstance(outcome, int))

    async def _renew(self, stream: Stream, consumer: str, leases: Sequence[Lease]) -> int:
        ours = await stream.renew(consumer, [*{entry for lease in leases for entry in lease.entries}])
        for lease in leases:
            lease.keep(ours)  # once is enough to say of what another has by now that it ended no process
        return len(ours)
