"""Renews what is being worked on, so that a long batch is not taken over while its process lives."""

import asyncio
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Final, NamedTuple

from sploot_clusterd.errors import StoreUnavailableError
from sploot_clusterd.health import Health
from sploot_clusterd.ingest.retry import OutageLog
from sploot_clusterd.store import Stream
from sploot_clusterd.waiting import pause

_LONGEST_RUN: Final = 20
"""Times the idle limit after which a run counts as hung: it is renewed no more, and another consumer takes its jobs."""
_IDS_A_CALL: Final = 100
_LONGEST_TICK: Final = 5.0
"""Seconds between passes, however long the idle limit: a root task shows its progress by them."""
_DRAIN_TICK: Final = 0.05


class _Lease(NamedTuple):
    stream: Stream
    consumer: str
    entries: Collection[bytes]
    held_since: float
    runs_since: float | None
    """None: they wait."""


TakeLease = Callable[..., AbstractContextManager[None]]
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
        self._leases: set[_Lease] = set()
        self._outage = OutageLog("leases not renewed")
        health.expect(self.name)

    @contextmanager
    def lease(
        self,
        consumer: str,
        entries: Collection[bytes],
        *,
        waits: bool = False,
        held_since: float | None = None,
        stream: Stream | None = None,
    ) -> Iterator[None]:
        """Within it, the entries are renewed; what `waits` is not run and cannot hang.

        `held_since`, by `time.monotonic`, is when the first of many short leases began: each may be too young to be
        renewed. `stream` is theirs, where it is not the first partition's.
        """
        now = time.monotonic()
        began = now if held_since is None else held_since
        lease = _Lease(stream or self._stream, consumer, tuple(entries), began, None if waits else now)
        self._leases.add(lease)
        try:
            yield
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

        Streams side by side: one whose server is away keeps none from the others. Raises StoreUnavailableError then.
        """
        now = time.monotonic()
        of_streams: dict[Stream, list[_Lease]] = {}
        for lease in self._leases:
            hangs = lease.runs_since is not None and now - lease.runs_since >= self._idle * _LONGEST_RUN
            if now - lease.held_since > self._idle / 4 and not hangs:
                of_streams.setdefault(lease.stream, []).append(lease)
        outcomes = await asyncio.gather(*map(_renew, of_streams.values()), return_exceptions=True)
        for outcome in outcomes:
            if isinstance(outcome, BaseException):
                raise outcome
        return sum(outcome for outcome in outcomes if isinstance(outcome, int))


async def _renew(leases: Sequence[_Lease]) -> int:
    renewed = 0
    for lease in leases:
        entries = list(lease.entries)
        for at in range(0, len(entries), _IDS_A_CALL):
            renewed += await lease.stream.renew(lease.consumer, entries[at : at + _IDS_A_CALL])
    return renewed
