"""Work that was left to a task, as it took too long: what comes after it is left at once, unless it gets on since."""

import asyncio
from time import perf_counter
from types import SimpleNamespace

import pytest

from sploot_clusterd.ingest import queue as queue_module
from sploot_clusterd.ingest import waiting_jobs
from sploot_clusterd.ingest.batch import Batch
from sploot_clusterd.store import Entry
from tests.support.clock import Clock
from tests.support.side import Side, image
from tests.support.waiting import eventually

PETS = ("still", "moving", "behind")


class Consumer:
    """Of a process: what it takes up, and how often it has looked at what it waits for."""

    def __init__(self, side: Side) -> None:
        self._side = side
        self.looks = 0

    async def run(self) -> None:
        """One batch of whatever is new."""
        await self._side.processor.run(Batch("one", await self._side.read("one"), progress=self._look))

    def _look(self) -> None:
        self.looks += 1


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """By which queues know for how long nothing has been done."""
    clock = Clock()
    monkeypatch.setattr(queue_module, "time", SimpleNamespace(monotonic=clock, perf_counter=perf_counter))
    return clock


@pytest.fixture
async def held(sides: list[Side], clock: Clock, monkeypatch: pytest.MonkeyPatch) -> dict[str, list[Entry]]:
    """A job of each pet in the other process's hands. A batch is behind them, and was left a while ago."""
    for pet in PETS:
        await sides[1].add(pet, payload=image("x"))
    held = {pet: await sides[1].read("two", count=1) for pet in PETS}
    for pet in PETS:
        await sides[0].add(pet, payload=image("y"))
    with monkeypatch.context() as patch:
        patch.setattr(waiting_jobs, "_PATIENCE", 0.0)
        await sides[0].run("one")
    monkeypatch.setattr(waiting_jobs, "_PATIENCE", 60.0)
    monkeypatch.setattr(waiting_jobs, "_LOOK_AFTER", 0.01)
    clock.now += 61.0
    return held


async def test_what_gets_on_is_waited_for_again(sides: list[Side], held: dict[str, list[Entry]]):
    consumer = Consumer(sides[0])
    await sides[0].add("still", payload=image("z"))
    await asyncio.wait_for(consumer.run(), 30)
    assert consumer.looks == 0, "nothing is done there"

    await sides[1].process(held["moving"], "two")
    await eventually(lambda: sides[0].count("jobs_processed_total", result="success"), what="what was behind it")
    await sides[0].add("behind", payload=image("z"))
    running = asyncio.create_task(consumer.run())
    await eventually(lambda: consumer.looks > 2 or running.done(), what="the consumer to have looked")
    assert not running.done()

    for pet in ("still", "behind"):
        await sides[1].process(held[pet], "two")
    await running
    await sides[0].processor.drained()
    sizes = [(await sides[0].view(pet))["metrics"]["num_images"] for pet in PETS]
    assert sizes == [3, 2, 3]
