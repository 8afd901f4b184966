"""Keeps this process's share of the partitions: takes up what is free, gives up what others are to have."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Collection, Iterable, Sequence
from contextlib import suppress
from typing import Final

from sploot_clusterd.errors import StoreUnavailableError
from sploot_clusterd.health import Health
from sploot_clusterd.ingest.assignment import assigned
from sploot_clusterd.ingest.glance import Glance
from sploot_clusterd.ingest.lanes import Lane
from sploot_clusterd.ingest.retry import OutageLog
from sploot_clusterd.keys import Layout
from sploot_clusterd.metrics import Metrics
from sploot_clusterd.store import Tenure
from sploot_clusterd.waiting import pause

log = logging.getLogger(__name__)

_MOST_BETWEEN: Final = 0.25
_PASSES_A_LEASE: Final = 6
"""Seconds between passes: what is let go is read again with the next one of who is to have it."""
_FIRST_LOOK: Final = 0.5
"""Seconds after the start until partitions are taken: processes that start together see each other first."""
_STABLE: Final = 3.0
_MOVE_EVERY: Final = 1.0
"""Seconds for which nobody came or went before a partition is handed over, and between two of them."""
_USABLE: Final = 2 / 3
"""Of a lease, from before it was asked for: then nothing is read any more that it does not cover."""
_SEEN_WITHIN: Final = 1 / 20
"""Of a lease: a pass waits no longer for who is there, nor for how pets are placed, or a server that is silent would
let all leases run out.
"""
_HAND_OVER: Final = 5.0
"""Seconds to finish what is in hand before the next one gets the partition all the same."""


class Placement:
    """`run` is a root task where there are several partitions."""

    name: Final = "placement"

    def __init__(
        self,
        *,
        tenure: Tenure,
        lanes: Sequence[Lane],
        layout: Layout,
        follow: Callable[[], Awaitable[None]],
        take_over: Callable[[Lane], Awaitable[None]],
        reread: Callable[[], Awaitable[None]],
        metrics: Metrics,
        health: Health,
        name_confirmed: asyncio.Event,
        stopping: asyncio.Event,
    ) -> None:
        """`follow` asks how pets are placed now, and adds lanes for partitions that are new; `take_over` is
        told of a lane of which others may have held something; `reread` has consumers read the lanes that are open now.
        """
        self._tenure = tenure
        self._lanes = lanes
        self._layout = layout
        self._following = Glance(follow, OutageLog("the number of partitions is not told, it stays as it was"))
        self._seeing = Glance(tenure.beat, OutageLog("processes cannot be seen, partitions stay where they are"))
        self._take_over = take_over
        self._reread = reread
        self._gauge = metrics.partitions_owned
        self._moves = metrics.partition_moves
        self._health = health
        self._name_confirmed = name_confirmed
        self._stopping = stopping
        self._owned = set[int]()
        self._leaving: dict[int, asyncio.Task[None]] = {}
        self._owners: Sequence[str] = [""] * len(lanes)
        """Who held each at the last pass."""
        self._members: Sequence[str] = ()
        self._changed_at = self._moved_at = 0.0
        self._outage = OutageLog("placement waits for redis")
        for lane in lanes:
            lane.shut()
        health.expect(self.name)

    async def run(self) -> None:
        """Until the daemon stops; then lets go of all, when nothing of it is in hand any more."""
        while not self._name_confirmed.is_set() and not await pause(self._stopping, _MOST_BETWEEN / 4):
            self._health.progress(self.name)
        every = min(_MOST_BETWEEN, self._tenure.lease_ms / 1000 / _PASSES_A_LEASE)
        while not self._stopping.is_set():
            try:
                await self.look()
                self._outage.available()
            except StoreUnavailableError as error:
                self._outage.unavailable(error)
            self._health.progress(self.name)
            await pause(self._stopping, every)
        await self._leave()

    async def look(self) -> None:
        """One pass. Raises StoreUnavailableError."""
        patience = self._tenure.lease_ms / 1000 * _SEEN_WITHIN
        await self._following(patience)
        now = time.monotonic()
        self._see(await self._seeing(patience), now)
        ours = self._share()
        wanted = ours if now - self._changed_at >= _FIRST_LOOK or any(self._owners) else set[int]()
        told = (await self._tenure.hold(self._owned | wanted))[: len(self._lanes)]
        unknown = {n for n, owner in enumerate(told) if owner is None}
        before = [*self._owners, *[""] * len(told)]
        self._owners = [was if owner is None else owner for was, owner in zip(before, told, strict=False)]
        self._close(self._owned - self._open() - self._leaving.keys())
        held = {n for n, owner in enumerate(self._owners) if owner == self._tenure.member} - unknown
        for n in self._owned - held - unknown:
            self._lose(n)
        for n in held & self._owned - self._leaving.keys():
            self._lanes[n].open(self._usable_until(now))
        await self._take(held & wanted - self._owned, now)  # not one that was let go of meanwhile
        self._part_with_one(now)
        self._gauge.set(len(self._owned))

    def _see(self, members: Sequence[str] | None, now: float) -> None:
        """Where it is not told who is there, it is as it was before: nobody gives up what it has."""
        if members is not None and members != self._members:
            self._members, self._changed_at = members, now
            log.info("processes over these partitions", extra={"data": {"members": members}})

    async def _take(self, numbers: Collection[int], now: float) -> None:
        """Those whose server answers, with what others left there."""
        outcomes = await asyncio.gather(*(self._take_over(self._lanes[n]) for n in numbers), return_exceptions=True)
        taken = []
        for n, outcome in zip(numbers, outcomes, strict=True):
            if isinstance(outcome, StoreUnavailableError):
                continue  # its lease is ours, so that the next pass tries again
            if isinstance(outcome, BaseException):
                raise outcome
            self._owned.add(n)
            self._lanes[n].open(self._usable_until(now))
            taken.append(n)
        if taken:
            log.info("partitions taken", extra={"data": {"partitions": sorted(taken)}})
            await self._reread()

    def _share(self) -> set[int]:
        """The partitions that this process had better read, of those that are open."""
        numbers = sorted(self._open())
        owners = [self._owners[n] if n < len(self._owners) else "" for n in numbers]
        plan = assigned(owners, self._members)
        return {n for n, member in zip(numbers, plan, strict=True) if member == self._tenure.member}

    def _open(self) -> set[int]:
        """Those that pets are placed in, none of them in motion."""
        return {lane.number for lane in self._lanes if self._layout.placing.is_open(lane.number)}

    def _close(self, numbers: Iterable[int]) -> None:
        """Their pets are in motion: who moves them waits for that."""
        for n in numbers:
            self._leaving[n] = asyncio.create_task(self._hand_over(n), name=f"lets go of partition {n}")

    def _part_with_one(self, now: float) -> None:
        """Of partitions that others are to have, where there is any."""
        surplus = sorted(self._owned - self._share() - self._leaving.keys())
        quiet = now - self._changed_at >= _STABLE and now - self._moved_at >= _MOVE_EVERY
        if surplus and quiet and not self._leaving:
            self._moved_at = now
            n = surplus[0]
            self._leaving[n] = asyncio.create_task(self._hand_over(n), name=f"hands over partition {n}")

    async def _hand_over(self, n: int) -> None:
        """Stops reading, finishes what is in hand, and lets go."""
        try:
            self._lanes[n].shut()
            await self._reread()
            drained = await self._let_go(n)
            self._moves.inc()
            log.info("partition handed over", extra={"data": {"partition": n, "drained": drained}})
        except StoreUnavailableError as error:
            self._owned.discard(n)  # its lease ends by itself
            self._outage.unavailable(error)
        finally:
            del self._leaving[n]

    def _lose(self, n: int) -> None:
        """Another process has it: what is in hand here is finished, as far as it is still ours."""
        self._owned.discard(n)
        self._lanes[n].shut()
        log.info("partition lost", extra={"data": {"partition": n}})

    async def _leave(self) -> None:
        for lane in self._lanes:
            lane.shut()
        for glance in (self._following, self._seeing):
            glance.cancel()
        with suppress(StoreUnavailableError):
            await self._tenure.leave()  # first, so that others take what is let go
        leaving = *self._leaving.values(), *map(self._let_go, sorted(self._owned))
        for outcome in await asyncio.gather(*leaving, return_exceptions=True):
            if isinstance(outcome, StoreUnavailableError):
                log.info("partitions not let go, they are free soon", extra={"data": {"error": outcome.detail}})
            elif isinstance(outcome, BaseException):
                raise outcome
        self._owned.clear()

    async def _let_go(self, n: int) -> bool:
        """Whether all that was in hand was finished before."""
        drained = await self._lanes[n].drained(_HAND_OVER)
        self._owned.discard(n)
        await self._tenure.let_go([n])
        return drained

    def _usable_until(self, asked_at: float) -> float:
        return asked_at + self._tenure.lease_ms / 1000 * _USABLE
