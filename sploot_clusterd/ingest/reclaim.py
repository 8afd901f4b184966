"""The reclaim loop: retries that are due, entries that nobody works on any more, and the upkeep of the stream."""

import asyncio
import logging
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Sequence
from contextlib import suppress
from functools import partial
from typing import Final, NamedTuple

from sploot_clusterd.errors import GroupMissingError, PartitionMovedError, StoreUnavailableError
from sploot_clusterd.health import Health
from sploot_clusterd.ingest.batch import Batch
from sploot_clusterd.ingest.brake import Brake
from sploot_clusterd.ingest.lanes import Lane
from sploot_clusterd.ingest.retry import OutageLog
from sploot_clusterd.pauses import Pauses
from sploot_clusterd.store import ClaimKind, Entry, Feed
from sploot_clusterd.waiting import pause

log = logging.getLogger(__name__)

_TICK: Final = 0.25
_QUIET_TICK: Final = 0.5
"""Seconds between looks at what is to be done: while nothing is pending, nothing can be due either."""
_DUE_EVERY: Final = 0.25
_UPKEEP_EVERY: Final = 30.0
_IDLE_CONSUMER_MS: Final = 3_600_000
"""A consumer that was idle for an hour and holds nothing belongs to a process that is gone or was renamed."""


class Duty(NamedTuple):
    """One kind of periodic work: what, how often (seconds), and the pass that does it and returns a count."""

    name: str
    every: float
    do: Callable[[], Awaitable[int]]


class Reclaimer:
    """`run` is a root task. It claims as a consumer of its own."""

    name: Final = "reclaim"

    def __init__(
        self,
        *,
        consumer: str,
        living: Collection[str],
        lanes: Sequence[Lane],
        brake: Brake,
        health: Health,
        pauses: Pauses,
        name_confirmed: asyncio.Event,
        stopping: asyncio.Event,
        renew: Callable[[], Awaitable[object]],
        retry_idle_ms: int,
        feed: Feed | None = None,
    ) -> None:
        """`renew` keeps what this process has in hand from being taken over."""
        self._consumer = consumer
        self._living = living
        self._feed = feed
        self._lanes = lanes
        self._taken_over = set[Lane]()
        """Lanes of which others may hold something that this process is to do."""
        self._owing = set[Lane]()
        """Lanes of which something may be its own already."""
        self._known = set[Lane]()
        """Lanes where that was claimed before: whatever is its own there now was delivered to this process."""
        self._brake = brake
        self._pauses = pauses
        self._progress = partial(health.progress, self.name)
        self._name_confirmed = name_confirmed
        self._stopping = stopping
        self._renew = renew
        self._outage = OutageLog("reclaim waits for redis")
        health.expect(self.name)
        self._duties = (
            Duty("due", _DUE_EVERY, self.claim_due),
            # A quarter, so that what a killed process held is done again within one and a half idle limits.
            Duty("idle", retry_idle_ms / 4000, self.claim_idle),
            Duty("upkeep", _UPKEEP_EVERY, self.upkeep),
        )

    async def run(self) -> None:
        """Does each duty in its time until the daemon stops. Begins when a consumer has made sure of the name."""
        while not self._name_confirmed.is_set() and not await pause(self._stopping, _TICK):
            self._progress()
        self._owing.update(self._open())
        clock = asyncio.get_running_loop().time
        next_at = {duty.name: clock() + random.uniform(0.0, duty.every) for duty in self._duties}  # noqa: S311
        while not self._stopping.is_set():
            self._progress()
            try:
                self._raise_failure()
                if self._owing and not self._brake.seconds_left():
                    await self._claim_own()
                    self._outage.available()
                await self.claim_left()
                for duty in self._duties:
                    if clock() >= next_at[duty.name]:
                        await self._do(duty)
                        next_at[duty.name] = clock() + duty.every * random.uniform(0.8, 1.0)  # noqa: S311
            except GroupMissingError:
                self._owing.update(self._open())  # the consumers' readers make it again
            except StoreUnavailableError as error:
                self._outage.unavailable(error)
                self._owing.update(self._open())  # what it had in hand is still its own
            await pause(self._stopping, _TICK if any(lane.due.possible for lane in self._open()) else _QUIET_TICK)
        for lane in self._lanes:
            await lane.processor.drained()

    def _raise_failure(self) -> None:
        for lane in self._lanes:
            lane.processor.raise_failure(self._consumer)

    async def take_over(self, lane: Lane) -> None:
        """From now on this process is to do what is pending in the partition: who held it is gone, or has put it off.
        Raises StoreUnavailableError.
        """
        await lane.stream.ensure_group()
        self._settle(lane)
        self._taken_over.add(lane)

    async def claim_left(self) -> int:
        """Claims and processes what others held of lanes that were taken over; how many entries these were.

        A page at a time: the partition may change hands again before all is run, and what was claimed by then and not
        run would seem to have ended this process.
        """
        if self._brake.seconds_left():
            return 0
        lanes = [lane for lane in self._working() if lane in self._taken_over]
        return await self._of_each(lanes, self._claim_left_of)

    async def _claim_left_of(self, lane: Lane) -> int:
        self._taken_over.discard(lane)  # first, for it may be taken over once more meanwhile
        try:
            await lane.stream.probe()
            # Of its own, too: what it had when it lost the lane. Its consumers see to theirs.
            besides = {name for name in self._living if name != self._consumer}
            pages = lane.stream.claim(self._consumer, ClaimKind.IDLE, idle_ms=0, besides=besides)
            return await self._run_all(lane, pages)
        except StoreUnavailableError:
            self._taken_over.add(lane)
            raise

    async def claim(self, kind: ClaimKind) -> int:
        """One pass over the pending entries: claims and processes what `kind` says; how many these were."""
        return await self._claim(kind, self._working())

    async def claim_due(self) -> int:
        """As `claim`, where something may be due: on an idle stream four looks a second were a third of all its cost.

        What a process that died has put off is seen by the pulse, a second later at most.
        """
        return await self._claim(ClaimKind.DUE, [lane for lane in self._working() if lane.due.possible])

    async def claim_idle(self) -> int:
        """As `claim`. First this process renews what it works on: after a moment in which it was not let run, all that
        would seem to be abandoned.
        """
        with suppress(StoreUnavailableError):  # of one server; nothing can be claimed there either
            await self._renew()
        return await self.claim(ClaimKind.IDLE)

    async def upkeep(self) -> int:
        """Forgets consumers long gone, erase marks that nothing older needs, records of nothing, and old events."""
        return await self._of_each(self._working(), self._upkeep_of)

    async def _upkeep_of(self, lane: Lane) -> int:
        done = await lane.stream.forget_idle_consumers(_IDLE_CONSUMER_MS, self._living)
        done += await lane.stream.sweep_erase_marks()
        done += await lane.stream.sweep_records()
        return done + (await self._feed.trim(lane.number) if self._feed else 0)

    def _open(self) -> list[Lane]:
        return [lane for lane in self._lanes if lane.is_open]

    def _working(self) -> list[Lane]:
        """Those that are open and do not pause."""
        return [lane for lane in self._open() if lane not in self._owing]

    async def _claim_own(self) -> None:
        """What was its own before an outage. A lane whose server is still away goes on owing."""
        for lane in [lane for lane in self._owing if not lane.is_open]:
            self._settle(lane)  # it is taken over whole when it opens again
        await self._of_each(list(self._owing), self._claim_own_of)

    async def _claim_own_of(self, lane: Lane) -> int:
        await lane.stream.probe()
        claimed = await self._claim_of(lane, ClaimKind.OWN, lives=lane in self._known)
        self._known.add(lane)
        self._settle(lane)
        return claimed

    def _settle(self, lane: Lane) -> None:
        self._owing.discard(lane)
        self._pauses.end(lane.number, self.name)

    async def _run(self, lane: Lane, entries: Sequence[Entry]) -> int:
        await lane.run(Batch(self._consumer, entries, self._progress))
        self._progress()
        return len(entries)

    async def _claim(self, kind: ClaimKind, lanes: Sequence[Lane]) -> int:
        if self._brake.seconds_left():
            return 0
        return await self._of_each(lanes, lambda lane: self._claim_of(lane, kind))

    async def _of_each(self, lanes: Sequence[Lane], do: Callable[[Lane], Awaitable[int]]) -> int:
        """Of all these lanes, side by side. One whose server is away pauses; raises StoreUnavailableError if all do."""
        if len(self._lanes) == 1:
            return sum([await do(lane) for lane in lanes])
        outcomes = await asyncio.gather(*(do(lane) for lane in lanes), return_exceptions=True)
        failed = {lane: each for lane, each in zip(lanes, outcomes, strict=True) if isinstance(each, BaseException)}
        for lane, error in failed.items():
            if not isinstance(error, StoreUnavailableError) or len(failed) >= len(self._open()):
                raise error
            self._owing.add(lane)
            if not isinstance(error, PartitionMovedError):  # else its server is there, and its lane is to close
                self._pauses.begin(lane.number, self.name, error.detail)
        return sum(outcome for outcome in outcomes if isinstance(outcome, int))

    async def _claim_of(self, lane: Lane, kind: ClaimKind, *, lives: bool = False) -> int:
        return await self._run_all(lane, lane.stream.claim(self._consumer, kind, lives=lives))

    async def _run_all(self, lane: Lane, pages: AsyncIterator[Sequence[Entry]]) -> int:
        """Each page when it is claimed, until the lane closes; how many entries these were."""
        claimed = 0
        with lane.in_use():
            async for entries in pages:
                claimed += await self._run(lane, entries)
                if self._stopping.is_set() or not lane.is_open:
                    break
        return claimed

    async def _do(self, duty: Duty) -> None:
        if count := await duty.do():
            log.info("reclaim pass", extra={"data": {"duty": duty.name, "count": count}})
