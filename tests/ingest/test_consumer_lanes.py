"""A consumer of several lanes that are all behind: each of a process takes another one's jobs."""

import asyncio
from collections.abc import Sequence

from sploot_clusterd.ingest.batch import Batch
from sploot_clusterd.ingest.consumer import Consumer
from sploot_clusterd.ingest.lanes import Lane
from sploot_clusterd.metrics import Metrics
from sploot_clusterd.store import Entry
from sploot_clusterd.store.reader import Read
from tests.support.side import Side
from tests.support.waiting import eventually

_LANES = 4
_FIRST, _NEXT = b"1-0", b"2-0"


class FullReader:
    """There is always more than was asked for."""

    def __init__(self) -> None:
        self._reads = 0

    async def open(self) -> None: ...

    async def close(self) -> None: ...

    async def wake(self) -> None: ...

    async def read(self, partitions: Sequence[int], *, waits: bool = True) -> list[Read]:  # noqa: ARG002
        self._reads += 1
        await asyncio.sleep(0)
        return [Read(n, [Entry.of(_FIRST if self._reads == 1 else _NEXT, {})], True) for n in partitions]


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


async def test_each_of_a_process_takes_a_lane_that_no_other_one_is_at(side: Side):
    stopping, processors = asyncio.Event(), [Held() for _ in range(_LANES)]
    lanes = [Lane(n, side.stream, each, side.due, asyncio.Event()) for n, each in enumerate(processors)]
    confirmed = asyncio.Event()
    consumers = [
        Consumer(
            name=f"consumer-{n}",
            consumer=f"c{n}",
            new_reader=lambda _: FullReader(),
            lanes=lanes,
            brake=side.ingest.brake,
            metrics=Metrics(),
            health=side.health,
            name_confirmed=confirmed,
            stopping=stopping,
        )
        for n in range(_LANES)
    ]

    def at_work() -> list[str]:
        return [consumer for each in processors for consumer in each.consumers]

    running = []
    for consumer in consumers:
        before = len(at_work())
        running.append(asyncio.create_task(consumer.run()))
        await eventually(lambda before=before: len(at_work()) > before, what="it to have jobs")
    assert sorted(len(each.consumers) for each in processors) == [1] * _LANES
    stopping.set()
    for each in processors:
        each.done.set()
    await asyncio.gather(*running)
