"""A server that takes commands and says nothing: partitions on others are kept, read and handed over."""

import asyncio
import time
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from functools import partial

from sploot_clusterd.health import Health
from sploot_clusterd.ingest.lanes import Lane
from sploot_clusterd.ingest.placement import Placement
from sploot_clusterd.ingest.spread import SpreadConsumer
from sploot_clusterd.keys import Layout
from sploot_clusterd.metrics import Metrics
from tests.support.side import Side
from tests.support.waiting import eventually


async def silence(*_: object) -> None:
    await asyncio.Event().wait()


class SilentTenure:
    """Holds what is asked for; after its first answer nobody tells who is there."""

    member = "me"
    lease_ms = 600

    def __init__(self) -> None:
        self.is_silent = False

    async def beat(self) -> list[str]:
        if self.is_silent:
            await silence()
        return [self.member]

    async def hold(self, wanted: Collection[int]) -> list[str | None]:
        return [self.member if n in wanted else "" for n in range(2)]

    async def leave(self) -> None:
        pass

    async def let_go(self, numbers: Collection[int]) -> None:
        pass


class SilentName:
    async def hold(self) -> None:
        await silence()

    async def close(self) -> None:
        """Nothing is open."""


class Reading:
    """A lane's consumer that is blocked, and cannot be woken in time."""

    def __init__(self, lane: Lane, stopping: asyncio.Event) -> None:
        self._lane, self._stopping = lane, stopping

    @property
    def is_done(self) -> bool:
        return not self._lane.is_open

    async def run(self) -> None:
        await self._stopping.wait()

    async def wake(self) -> None:
        await self._stopping.wait()


def lanes_of(side: Side) -> list[Lane]:
    return [Lane(n, side.stream, side.processor, side.due, asyncio.Event()) for n in range(2)]


async def test_leases_are_kept_while_nobody_tells_who_is_there_nor_how_pets_are_placed(side: Side):
    lanes, tenure, stopping, confirmed = lanes_of(side), SilentTenure(), asyncio.Event(), asyncio.Event()
    confirmed.set()

    async def follow() -> None:
        if tenure.is_silent:
            await asyncio.Event().wait()

    placement = Placement(
        tenure=tenure,
        lanes=lanes,
        layout=Layout("ns", "jobs", "dead", len(lanes)),
        follow=follow,
        take_over=lambda _: asyncio.sleep(0),
        reread=lambda: asyncio.sleep(0),
        metrics=Metrics(),
        health=Health(60.0),
        name_confirmed=confirmed,
        stopping=stopping,
    )
    running = asyncio.create_task(placement.run())
    await eventually(lambda: all(lane.is_open for lane in lanes), what="partitions to be taken")
    tenure.is_silent = True
    later = time.monotonic() + 2 * tenure.lease_ms / 1000
    await eventually(lambda: all(lane._open_until > later for lane in lanes), what="leases to be renewed all the same")
    stopping.set()
    await asyncio.wait_for(running, 20)


@asynccontextmanager
async def consuming(lanes: list[Lane], name: SilentName, confirmed: asyncio.Event) -> AsyncIterator[SpreadConsumer]:
    stopping = asyncio.Event()
    consumer = SpreadConsumer(
        name="consumer-0",
        consumer="me",
        held_name=name,
        new_consumer=lambda lane, _: Reading(lane, stopping),
        lanes=lanes,
        health=Health(60.0),
        name_confirmed=confirmed,
        stopping=stopping,
    )
    running = asyncio.create_task(consumer.run())
    yield consumer
    stopping.set()
    await asyncio.wait_for(running, 20)


async def test_lanes_are_read_while_the_name_is_not_told(side: Side):
    lanes, confirmed = lanes_of(side), asyncio.Event()
    confirmed.set()
    lanes[1].shut()
    async with consuming(lanes, SilentName(), confirmed) as consumer:
        await eventually(partial(reads, consumer, {0}), what="the open lane to be read")
        lanes[1].open(float("inf"))
        await eventually(partial(reads, consumer, {0, 1}), what="the one that opened to be read")
        lanes[0].shut()
        async with asyncio.timeout(20):  # a handover does not wait for who cannot be woken
            await consumer.reread()
            await consumer.reread()


def reads(consumer: SpreadConsumer, numbers: set[int]) -> bool:
    return consumer._running.keys() == numbers
