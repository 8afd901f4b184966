"""What becomes of spans in the process that sends them, by a collector that misbehaves; told without that process."""

import asyncio
import socket
import time
import tracemalloc

import pytest

from sploot_clusterd.spans import MANY_VISITS, Ended, Kind, Run, Sort
from sploot_clusterd.tracing import queue
from sploot_clusterd.tracing import sender as sender_module
from sploot_clusterd.tracing.ended import EndedRows, Told, of_runs, of_visits
from sploot_clusterd.tracing.messages import Begin, Outcome
from sploot_clusterd.tracing.sender import Sender
from tests.support.collector import Collector
from tests.support.tracers import visits_of
from tests.support.waiting import eventually

MOST = 16 * 2**20
"""Bytes that wait."""
FULL = 768 * 2**10
"""Bytes of a request."""
WORK = Sort("work", Kind.INTERNAL)
ONE = of_visits(visits_of(WORK, "luna"))


class Sending:
    """A sender at work, and what it told."""

    def __init__(self, url: str, *, pet_ids: bool = False) -> None:
        self.outcomes: list[Outcome] = []
        self.sender = Sender(Begin(url, "clusters", 1, "local", pet_ids), self.outcomes.append)

    def counted(self) -> dict[str, int]:
        counts = {name: sum(getattr(each, name) for each in self.outcomes) for name in ("sent", "lost", "dropped")}
        return {name: count for name, count in counts.items() if count}

    async def stop(self) -> float:
        """How long that took."""
        began = time.monotonic()
        await asyncio.to_thread(self.sender.close)
        return time.monotonic() - began


def many(size: int) -> Told:
    """Runs that take so many bytes at least, all together."""
    run = Run(b"t" * 16, b"s" * 8, True, "", b"", b"", message_id=b"1-0", pet="x" * 1000, began=0.0)
    (told,) = of_runs(Ended(WORK, 0.0, 0.0, [run] * (size // 1000)))
    return told


@pytest.fixture(autouse=True)
def _in_no_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queue, "_GATHER", 0.01)
    monkeypatch.setattr(sender_module, "_FIRST_PAUSE", 0.01)
    monkeypatch.setattr(sender_module, "_LONGEST_PAUSE", 0.02)
    monkeypatch.setattr(sender_module, "_LAST_SECONDS", 1.0)


async def test_pets_ids_are_hashed_unless_they_may_be_told(collector: Collector):
    for pet_ids in (True, False):
        sending = Sending(collector.url, pet_ids=pet_ids)
        sending.sender.add(ONE)
        await sending.stop()
    told, hidden = (each.attributes["clusterd.pet"] for each in collector.spans)
    assert told == "luna"
    assert len(hidden) == 16
    assert "luna" not in hidden


async def test_a_refusal_is_final_and_told(collector: Collector):
    collector.status = 400
    sending = Sending(collector.url)
    for number in range(1, 4):
        sending.sender.add(ONE)
        await eventually(lambda n=number: sending.counted() == {"lost": n}, what="the refused span to be told of")
    assert {each.error for each in sending.outcomes} == {"it answers 400"}
    collector.status, collector.rejects = 200, 1
    sending.sender.add(of_visits(visits_of(WORK, "luna", "luna")))
    await sending.stop()
    assert sending.counted() == {"lost": 4, "sent": 1}


async def test_what_a_collector_may_take_later_is_offered_again(collector: Collector):
    collector.status = 503
    sending = Sending(collector.url)
    sending.sender.add(ONE)
    await eventually(lambda: collector.requests >= 2, what="a second attempt")
    collector.status = 200
    await eventually(lambda: sending.counted() == {"sent": 1}, what="the span to be taken")
    await sending.stop()


async def test_a_dead_collector_stops_nobody(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(sender_module, "_PATIENCE", 0.05)
    with socket.socket() as unheard:
        unheard.bind(("127.0.0.1", 0))
        sending = Sending(f"http://127.0.0.1:{unheard.getsockname()[1]}")
        sending.sender.add(ONE)
        await eventually(lambda: sending.counted() == {"lost": 1}, what="the span to be given up")
        sending.sender.add(ONE)
        await sending.stop()
        assert sending.counted() == {"lost": 2}


async def test_a_slow_collector_fills_a_bounded_queue_and_delays_no_end(collector: Collector):
    collector.delay = 60.0
    sending = Sending(collector.url)
    sending.sender.add(ONE)
    await eventually(lambda: collector.requests == 1, what="a request that is not answered")
    sending.sender.add(ONE)
    whole = many(MOST)
    sending.sender.add(whole)
    assert sending.counted() == {}
    sending.sender.add(ONE)
    sending.sender.add(whole)
    assert sending.counted() == {"dropped": 1 + whole.size}
    assert await sending.stop() < collector.delay / 2
    assert sending.counted() == {"dropped": 1 + whole.size}  # whoever waits for the others counts them as lost


async def test_what_waits_takes_little_more_memory_than_its_bytes(monkeypatch: pytest.MonkeyPatch):
    """Also of spans that are small; beside it there is what is being sent."""
    most = MOST // 8
    monkeypatch.setattr(queue, "_MOST_WAITING", most)
    sending = Sending("http://127.0.0.1:9")
    some = of_visits(visits_of(WORK, *["a"] * MANY_VISITS))
    tracemalloc.start()
    try:
        while not sending.counted():
            sending.sender.add(some)
        taken, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert most < taken < 1.2 * (most + FULL)
    await sending.stop()


async def test_few_requests_are_sent_and_none_is_larger_than_collectors_take(
    collector: Collector, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(queue, "_GATHER", 60.0)
    sending = Sending(collector.url)
    some = many(FULL // 20)
    for _ in range(50):
        sending.sender.add(some)
    await eventually(lambda: sending.counted().get("sent", 0) > 30 * some.size, what="full requests to be sent at once")
    assert await sending.stop() < 60.0
    assert collector.requests == 3
    assert sending.counted() == {"sent": 50 * some.size}
    assert len(collector.spans) == 50 * some.size
    assert FULL < collector.largest < 2**20


async def test_what_cannot_be_encoded_takes_no_others_with_it(collector: Collector):
    """Here are times of three, and pets of two."""
    sending = Sending(collector.url)
    sending.sender.add(EndedRows(sort=WORK, size=2, times=3 * ONE.times, pet_ids=["a", "b"]))
    sending.sender.add(ONE)
    await sending.stop()
    assert sending.counted() == {"lost": 2, "sent": 1}
