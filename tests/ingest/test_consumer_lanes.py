"""Consumers of lanes that are behind: which they take jobs of, and how many."""

import asyncio
from collections.abc import Sequence
from typing import Self

from sploot_clusterd.ingest.batch import Batch
from sploot_clusterd.ingest.consumer import Consumer
from sploot_clusterd.ingest.lane_consumer import LaneConsumer, Sharing
from sploot_clusterd.ingest.lanes import Lane
from sploot_clusterd.metrics import Metrics
from sploot_clusterd.pauses import Pauses
from sploot_clusterd.store import Entry
from sploot_clusterd.store.reader import Read
from tests.support.side import Side
from tests.support.waiting import eventually

_LANES = 4
_FIRST, _NEXT = b"1-0", b"2-0"


class FullReader:
    """There is always more than was asked for."""

    def __init__(self) -> None:
        self.behind: list[bool] = []
        """Of each read."""

    async def open(self) -> None: ...

    async def close(self) -> None: ...

    async def wake(self) -> None: ...

    async def read(
        self,
        partitions: Sequence[int],
        *,
        waits: bool = True,  # noqa: ARG002
        behind: bool = False,
        beside: int = 0,  # noqa: ARG002
    ) -> list[Read]:
        self.behind.append(behind)
        await asyncio.sleep(0)
        key = _FIRST if len(self.behind) == 1 else _NEXT
        return [Read(n, [Entry.of(key, {})], True) for n in partitions]


class Held:
    """A processor whose batches take as long as the test does, but for each consumer's first one."""

    def __init__(self) -> None:
        self.consumers: list[str] = []
        self.done = asyncio.Event()

    async def run(self, batch: Batch) -> None:
        if batch.entries[0].key != _FIRST:
            self.consumers.append(batch.consumer)
            await self.done.wait()

    def raise_failure(self, consumer: str) -> None: ...

    async def drained(self) -> None: ...


class Scene:
    """Consumers over so many lanes, each of which has a processor of its own."""

    def __init__(self, side: Side, lanes: int) -> None:
        self._side = side
        self._stopping = asyncio.Event()
        self.processors = [Held() for _ in range(lanes)]
        self._lanes = [Lane(n, side.stream, each, side.due, asyncio.Event()) for n, each in enumerate(self.processors)]
        self._running: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        self._stopping.set()
        for each in self.processors:
            each.done.set()
        await asyncio.gather(*self._running)

    async def begin(self) -> FullReader:
        """One more, until it has its second batch in hand; what it reads with."""
        reader, name, before = FullReader(), f"c{len(self._running)}", len(self._at_work())
        consumer = Consumer(
            name=name,
            consumer=name,
            new_reader=lambda _: reader,
            lanes=self._lanes,
            brake=self._side.ingest.brake,
            metrics=Metrics(),
            health=self._side.health,
            name_confirmed=asyncio.Event(),
            stopping=self._stopping,
        )
        await self._begun(consumer, before)
        return reader

    async def begin_of_one(self) -> FullReader:
        """The same of one that reads only the first lane."""
        reader = FullReader()
        consumer = LaneConsumer(
            self._lanes[0],
            "c",
            reader,
            sharing=Sharing(),
            who="c",
            brake=self._side.ingest.brake,
            metrics=Metrics(),
            pauses=Pauses(1, self._side.health, Metrics()),
            progress=lambda: None,
            stopping=self._stopping,
        )
        await self._begun(consumer, 0)
        return reader

    async def _begun(self, consumer: Consumer | LaneConsumer, before: int) -> None:
        self._running.append(asyncio.create_task(consumer.run()))
        await eventually(lambda: len(self._at_work()) > before, what="it to have jobs")

    def _at_work(self) -> list[str]:
        return [consumer for each in self.processors for consumer in each.consumers]


async def test_each_of_a_process_takes_a_lane_that_no_other_one_is_at(side: Side):
    async with Scene(side, _LANES) as scene:
        for _ in range(_LANES):
            await scene.begin()
        assert [len(each.consumers) for each in scene.processors] == [1] * _LANES


async def test_of_several_lanes_more_is_taken_of_one_that_is_behind(side: Side):
    async with Scene(side, _LANES) as scene:
        assert (await scene.begin()).behind == [False, True]


async def test_of_a_lane_that_is_read_by_itself_too(side: Side):
    async with Scene(side, 1) as scene:
        assert (await scene.begin_of_one()).behind == [False, True]


async def test_of_the_only_one_it_is_what_was_set(side: Side):
    async with Scene(side, 1) as scene:
        assert (await scene.begin()).behind == [False, False]
