"""A consumer whose partitions are on several servers: each is read over a connection of its own, by a task of its own,
so that one whose server is away or slow keeps none from the others.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from typing import Final

from sploot_clusterd.errors import StoreUnavailableError
from sploot_clusterd.health import Health
from sploot_clusterd.ingest.lane_consumer import LaneConsumer, Sharing
from sploot_clusterd.ingest.lanes import Lane
from sploot_clusterd.ingest.retry import OutageLog
from sploot_clusterd.store import HeldName
from sploot_clusterd.waiting import backoff, pause

log = logging.getLogger(__name__)

_FIRST_DELAY: Final = 0.05
_LONGEST_DELAY: Final = 0.8
"""Seconds between attempts to reach Redis."""
_LOOK_EVERY: Final = 0.1
"""Seconds between looks at which lanes are open."""
_HOLD_EVERY: Final = 5.0
"""Seconds between looks at whether the name is still held."""


NewLaneConsumer = Callable[[Lane, Sharing], LaneConsumer]


class SpreadConsumer:
    """One slot. `run` is a root task called `name`; `consumer` is what it is called in the group."""

    def __init__(
        self,
        *,
        name: str,
        consumer: str,
        held_name: HeldName,
        new_consumer: NewLaneConsumer,
        lanes: Sequence[Lane],
        health: Health,
        name_confirmed: asyncio.Event,
        stopping: asyncio.Event,
    ) -> None:
        self.name = name
        self._held_name = held_name
        self._new_consumer = new_consumer
        self._lanes = lanes
        self._health = health
        self._progress = partial(health.progress, name)
        self._name_confirmed = name_confirmed
        self._stopping = stopping
        self._holding: asyncio.Task[None] | None = None
        self._hold_at = 0.0
        self._failures = 0
        self._is_known = False
        """Whether the name has been ours."""
        self._sharing = Sharing()
        self._running: dict[int, tuple[LaneConsumer, asyncio.Task[None]]] = {}
        self._waking: dict[int, asyncio.Task[None]] = {}
        self._outage = OutageLog("consumer waits for redis", consumer=consumer)
        health.expect(name)
        health.set_fault(name, f"{name}: has not begun to read")

    async def run(self) -> None:
        """Until the daemon stops, whatever becomes of Redis. Raises ConsumerNameTakenError, StartError."""
        try:
            while not self._stopping.is_set():
                self._progress()
                await self._hold_name()
                if self._name_confirmed.is_set():
                    await self._follow_lanes()
                await pause(self._stopping, _LOOK_EVERY)
        finally:
            await self._end()
        for lane in self._lanes:
            await lane.processor.drained()

    async def reread(self) -> None:
        """Lanes were opened or closed: ends the reads of those that are closed. A silent server is not waited for."""
        for number, (each, _) in self._running.items():
            if each.is_done and number not in self._waking:
                self._waking[number] = waking = asyncio.create_task(_woken(each), name=f"wakes partition {number}")
                waking.add_done_callback(partial(self._waking.pop, number))
        if self._waking:
            await asyncio.wait(self._waking.values(), timeout=_LOOK_EVERY)

    async def wake(self) -> None:
        """Ends all blocked reads."""
        await asyncio.gather(*(_woken(each) for each, _ in self._running.values()))

    async def _hold_name(self) -> None:
        """Looks whether the name is still held, beside all else: its server may be silent."""
        clock = asyncio.get_running_loop().time
        if self._holding is None:
            if clock() < self._hold_at:
                return
            self._holding = asyncio.create_task(self._held_name.hold(), name=f"{self.name} holds its name")
            await asyncio.wait({self._holding}, timeout=_LOOK_EVERY)
        if not self._holding.done():
            return
        holding, self._holding = self._holding, None
        try:
            holding.result()
        except StoreUnavailableError as error:
            self._failures += 1
            self._outage.unavailable(error)
            self._hold_at = clock() + backoff(self._failures, _FIRST_DELAY, _LONGEST_DELAY)
            if not self._is_known:
                self._health.set_fault(self.name, f"{self.name}: {error.detail}")
            return
        self._failures = 0
        self._is_known = True
        self._hold_at = clock() + _HOLD_EVERY
        self._health.clear_fault(self.name)
        self._outage.available()
        self._name_confirmed.set()

    async def _follow_lanes(self) -> None:
        """Lanes that opened are read from now on. Raises what ended a lane's task that should not have."""
        for number, (_, task) in list(self._running.items()):
            if task.done():
                del self._running[number]
                task.result()
        for lane in self._lanes:
            if lane.is_open and lane.number not in self._running:
                consumer = self._new_consumer(lane, self._sharing)
                task = asyncio.create_task(consumer.run(), name=f"{self.name} of partition {lane.number}")
                self._running[lane.number] = consumer, task
        self._sharing.lanes = max(1, len(self._running))

    async def _end(self) -> None:
        """Reads are ended, never cancelled: a batch could be on the wire. A task that goes on all the same, as this one
        ends by a fault, is cancelled when nothing is being read.
        """
        await self.wake()
        if not self._stopping.is_set():
            for _, task in self._running.values():
                task.cancel()
        await asyncio.gather(*(task for _, task in self._running.values()), return_exceptions=True)
        self._running.clear()
        if self._holding:
            self._holding.cancel()
            await asyncio.wait({self._holding})
        await self._held_name.close()


async def _woken(consumer: LaneConsumer) -> None:
    with suppress(StoreUnavailableError):  # then it ends by itself
        await consumer.wake()
