"""The reclaim loop: retries that are due, entries that nobody works on any more, and the upkeep of the stream."""

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable, Collection
from functools import partial
from typing import Final, NamedTuple

from sploot_clusterd.due import DueEntries
from sploot_clusterd.errors import GroupMissingError, StoreUnavailableError
from sploot_clusterd.health import Health
from sploot_clusterd.ingest.batch import Batch
from sploot_clusterd.ingest.brake import Brake
from sploot_clusterd.ingest.processor import Processor
from sploot_clusterd.ingest.retry import OutageLog
from sploot_clusterd.store import ClaimKind, Stream
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
        stream: Stream,
        processor: Processor,
        brake: Brake,
        due: DueEntries,
        health: Health,
        name_confirmed: asyncio.Event,
        stopping: asyncio.Event,
        retry_idle_ms: int,
    ) -> None:
        self._consumer = consumer
        self._living = living
        self._stream = stream
        self._processor = processor
        self._brake = brake
        self._due = due
        self._progress = partial(health.progress, self.name)
        self._name_confirmed = name_confirmed
        self._stopping = stopping
        self._outage = OutageLog("reclaim waits for redis")
        health.expect(self.name)
        self._duties = (
            Duty("due", _DUE_EVERY, self.claim_due),
            # A quarter, so that what a killed process held is done again within one and a half idle limits.
            Duty("idle", retry_idle_ms / 4000, lambda: self.claim(ClaimKind.IDLE)),
            Duty("upkeep", _UPKEEP_EVERY, self.upkeep),
        )

    async def run(self) -> None:
        """Does each duty in its time until the daemon stops. Begins when a consumer has made sure of the name."""
        while not self._name_confirmed.is_set() and not await pause(self._stopping, _TICK):
            self._progress()
        claims_own = True
        clock = asyncio.get_running_loop().time
        next_at = {duty.name: clock() + random.uniform(0.0, duty.every) for duty in self._duties}  # noqa: S311
        while not self._stopping.is_set():
            self._progress()
            try:
                self._processor.raise_failure(self._consumer)
                if claims_own and not self._brake.seconds_left():
                    await self.claim(ClaimKind.OWN)
                    claims_own = False
                    self._outage.available()
                for duty in self._duties:
                    if clock() >= next_at[duty.name]:
                        await self._do(duty)
                        next_at[duty.name] = clock() + duty.every * random.uniform(0.8, 1.0)  # noqa: S311
            except GroupMissingError:
                claims_own = True  # the consumers' readers make it again
            except StoreUnavailableError as error:
                self._outage.unavailable(error)
                claims_own = True  # what it had in hand is still its own
            await pause(self._stopping, _TICK if self._due.possible else _QUIET_TICK)
        await self._processor.drained()

    async def claim(self, kind: ClaimKind) -> int:
        """One pass over the pending entries: claims and processes what `kind` says; how many these were."""
        if self._brake.seconds_left():
            return 0
        claimed = 0
        async for entries in self._stream.claim(self._consumer, kind):
            await self._processor.run(Batch(self._consumer, entries, self._progress))
            self._progress()
            claimed += len(entries)
            if self._stopping.is_set():
                break
        return claimed

    async def claim_due(self) -> int:
        """As `claim`, where something may be due: on an idle stream four looks a second were a third of all its cost.

        What a process that died has put off is seen by the pulse, a second later at most.
        """
        return await self.claim(ClaimKind.DUE) if self._due.possible else 0

    async def upkeep(self) -> int:
        """Forgets consumers of processes long gone, erase marks that nothing older needs, and records of nothing."""
        return (
            await self._stream.forget_idle_consumers(_IDLE_CONSUMER_MS, self._living)
            + await self._stream.sweep_erase_marks()
            + await self._stream.sweep_records()
        )

    async def _do(self, duty: Duty) -> None:
        if count := await duty.do():
            log.info("reclaim pass", extra={"data": {"duty": duty.name, "count": count}})
