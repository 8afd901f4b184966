"""Reads are over when their wakening is; and a silent server delays nobody for long."""

import asyncio

from sploot_clusterd.errors import StoreUnavailableError
from sploot_clusterd.ingest import wakening
from sploot_clusterd.ingest.wakening import Wakening


class Blocked:
    """A consumer whose read ends when its server `answers`."""

    def __init__(self, answers: asyncio.Event) -> None:
        self.answers = answers
        self.over = asyncio.Event()

    async def wake(self) -> None:
        await self.answers.wait()
        self.over.set()


class Cut:
    """A consumer without a connection."""

    async def wake(self) -> None:
        raise StoreUnavailableError("connection refused")


async def test_it_is_over_when_all_reads_are():
    answers = asyncio.Event()
    consumers = [Blocked(answers), Cut(), Blocked(answers)]
    waking = asyncio.create_task(Wakening(consumers)())
    await asyncio.sleep(0)
    assert not waking.done()
    answers.set()
    await waking
    assert [each.over.is_set() for each in consumers if isinstance(each, Blocked)] == [True, True]


async def test_a_silent_server_is_waited_for_no_longer_than_a_moment_and_woken_all_the_same(monkeypatch):
    monkeypatch.setattr(wakening, "_LONGEST", 0.0)
    answers = asyncio.Event()
    consumer = Blocked(answers)
    wake = Wakening([consumer])
    await wake()
    assert not consumer.over.is_set()
    answers.set()
    await consumer.over.wait()


async def test_of_a_process_without_consumers_there_is_nothing_to_wait_for():
    await Wakening([])()
