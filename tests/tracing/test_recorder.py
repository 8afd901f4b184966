"""What becomes of spans: sent, lost or dropped; and that nobody waits for it."""

import asyncio
import logging
import socket
import time
import tracemalloc
from collections.abc import AsyncIterator
from dataclasses import replace

import msgspec
import pytest

from sploot_clusterd.config import SecretUrl, Settings, TracingSettings
from sploot_clusterd.metrics import Metrics
from sploot_clusterd.spans import MANY_VISITS, Context, Ended, Kind, Run, Sort, Span, Stage, context_of
from sploot_clusterd.tracing import encoding, queue
from sploot_clusterd.tracing import recorder as recorder_module
from sploot_clusterd.tracing.recorder import Recorder
from sploot_clusterd.tracing.rows import Rows
from tests.support.collector import Collector, collecting
from tests.support.tracers import SAMPLED
from tests.support.waiting import eventually

MOST = 16 * 2**20
"""Bytes that wait."""
MOST_SENT = 2 * 2**20
WORK = Sort("work", Kind.INTERNAL)
LOAD = Sort("load", Kind.INTERNAL)


class Traced:
    """A recorder, and what it counts."""

    def __init__(self, url: str, **tracing: object) -> None:
        self.metrics, self.stopping = Metrics(), asyncio.Event()
        settings = TracingSettings(endpoint=SecretUrl(url), **tracing)
        self.recorder = Recorder(replace(Settings(), tracing=settings), self.metrics, self.stopping)
        self.task = asyncio.create_task(self.recorder.run())

    def counted(self) -> dict[str, float]:
        found = self.metrics.registry.get_sample_value
        names = ("sent", "lost", "dropped")
        counts = {name: found("media_cluster_tracing_spans_total", {"outcome": name}) or 0.0 for name in names}
        return {name: count for name, count in counts.items() if count}

    def span(self, parent: Context | None = None) -> Span:
        span = self.recorder.start(WORK, parent)
        span.end()
        return span

    async def stop(self) -> float:
        """How long that took."""
        began = time.monotonic()
        self.stopping.set()
        await self.task
        await self.recorder.close()
        return time.monotonic() - began


def run_in(context: Context, **more: object) -> Run:
    run = Run(*context, parent_id=b"", before=b"", message_id=b"1-0", pet="luna", began=0.0)
    return msgspec.structs.replace(run, **more)


def many(size: int) -> Ended:
    """Runs that take so many bytes at least, all together."""
    run = run_in(context_of(SAMPLED), pet="x" * 1000)
    return Ended(WORK, 0.0, 0.0, [run] * (size // 1000))


@pytest.fixture
async def collector() -> AsyncIterator[Collector]:
    async with collecting() as collector:
        yield collector


@pytest.fixture(autouse=True)
def _in_no_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queue, "_GATHER", 0.01)
    monkeypatch.setattr(recorder_module, "_FIRST_PAUSE", 0.01)
    monkeypatch.setattr(recorder_module, "_LONGEST_PAUSE", 0.02)


async def test_spans_arrive_as_they_were(collector: Collector):
    traced = Traced(collector.url + "/v1/traces", service_name="clusters", pet_ids=True)
    tracer = traced.recorder
    now = time.time_ns()
    span = tracer.start(Sort("work", Kind.CLIENT, {"of the sort": 1}), context_of(SAMPLED, "a=b"))
    span.attributes = {"text": "t", "whole": 3, "real": 0.5, "yes": True, "pet": tracer.pet("luna")}
    span.links = [context_of(SAMPLED)]
    span.error = "ValueError"
    span.end()
    run = run_in(span.context)
    tracer.record(Stage(LOAD, span.began, span.ended, [run, run], {"jobs": 2}))
    await traced.stop()
    work, one, other = sorted(collector.spans, key=lambda each: each.name, reverse=True)
    assert (work.name, work.kind, work.state, work.failed) == ("work", 3, "a=b", True)
    assert f"00-{work.trace_id}-{work.parent_id}-01" == SAMPLED
    assert work.links == [(work.trace_id, work.parent_id)]
    assert work.attributes == {"of the sort": 1, **span.attributes, "error.type": "ValueError"}
    second = 10**9  # by which two clocks may differ
    assert now - second < work.began <= work.ended < time.time_ns() + second
    assert one.parent_id == other.parent_id == work.span_id
    assert one.span_id != other.span_id
    assert (one.state, one.attributes) == ("a=b", {"jobs": 2})
    assert work.resource["service.name"] == "clusters"
    assert work.resource["deployment.environment.name"] == "local"
    assert traced.counted() == {"sent": 3}


async def test_visits_are_traces_by_themselves(collector: Collector):
    traced = Traced(collector.url, pet_ids=True)
    gone = Sort("GET /x", Kind.SERVER, {"http.response.status_code": 500}, "500")
    visits = traced.recorder.visits_of(gone)
    visits.append((1.0, 1.5, "a"))
    await eventually(lambda: traced.counted() == {"sent": 1}, what="one to be sent for which there are no others")
    none = traced.recorder.visits_of(gone)
    none.append((1.0, 1.5, ""))
    await traced.stop()
    # What is on its way as it stops may be sent again.
    one, other = {each.span_id: each for each in collector.spans}.values()
    assert (one.name, one.kind, one.parent_id, one.failed) == ("GET /x", 2, "", True)
    assert one.ended - one.began == 500_000_000
    assert one.attributes == {"http.response.status_code": 500, "error.type": "500", "clusterd.pet": "a"}
    assert "clusterd.pet" not in other.attributes
    assert len({one.trace_id, other.trace_id, "0" * 32}) == 3
    assert {len(one.trace_id), len(one.span_id)} == {32, 16}


async def test_who_makes_the_last_of_many_visits_does_not_wait_for_their_encoding(
    collector: Collector, monkeypatch: pytest.MonkeyPatch
):
    """Nor do those that are answered beside it."""
    traced = Traced(collector.url)
    encoded = 0

    def counted(rows: Rows, _: int) -> bytes:
        nonlocal encoded
        encoded += rows.size
        return b""

    monkeypatch.setattr(encoding, "filled", counted)
    visits = traced.recorder.visits_of(Sort("GET /x", Kind.SERVER))
    visits += [(1.0, 2.0, "a")] * MANY_VISITS
    traced.recorder.tell(visits)
    assert (len(visits), encoded) == (0, 0)
    await eventually(lambda: encoded == MANY_VISITS, what="them to be encoded a moment later")
    await traced.stop()


async def test_pets_ids_are_hashed_alike_in_all_processes(collector: Collector):
    one, other = Traced(collector.url), Traced(collector.url)
    assert one.recorder.pet("luna") == other.recorder.pet("luna") != one.recorder.pet("rex")
    assert "luna" not in one.recorder.pet("luna")
    for each in (one, other):
        await each.stop()


async def test_a_rate_decides_by_the_trace_and_of_nothing_that_others_began(collector: Collector):
    none, half = Traced(collector.url, sample_rate=0.0), Traced(collector.url, sample_rate=0.5)
    assert not any(none.span().context.sampled for _ in range(100))
    assert none.span(context_of(SAMPLED)).context.sampled
    traces = [half.span().context for _ in range(1000)]
    assert 350 < sum(each.sampled for each in traces) < 650
    other = Traced(collector.url, sample_rate=0.5)
    assert [other.recorder.samples(each.trace_id) for each in traces] == [each.sampled for each in traces]
    for each in (none, half, other):
        await each.stop()
    assert none.counted() == {"sent": 1}


async def test_a_collector_that_refuses_costs_a_counter_and_a_line(collector: Collector, caplog):
    collector.status = 400
    traced = Traced(collector.url)
    for number in range(1, 4):
        traced.span()
        await eventually(lambda n=number: traced.counted() == {"lost": n}, what="the refused span to be counted")
    collector.status, collector.rejects = 200, 1
    traced.span()
    traced.span()
    await traced.stop()
    assert traced.counted() == {"lost": 4, "sent": 1}
    (line,) = [
        each for each in caplog.records if each.levelno >= logging.WARNING and each.name == recorder_module.__name__
    ]
    assert line.data == {"spans": 1, "error": "it answers 400"}


async def test_what_a_collector_may_take_later_is_offered_again(collector: Collector):
    collector.status = 503
    traced = Traced(collector.url)
    traced.span()
    await eventually(lambda: collector.requests >= 2, what="a second attempt")
    collector.status = 200
    await eventually(lambda: traced.counted() == {"sent": 1}, what="the span to be taken")
    await traced.stop()


async def test_a_dead_collector_costs_a_counter_and_stops_nobody(monkeypatch):
    monkeypatch.setattr(recorder_module, "_PATIENCE", 0.05)
    with socket.socket() as unheard:
        unheard.bind(("127.0.0.1", 0))
        traced = Traced(f"http://127.0.0.1:{unheard.getsockname()[1]}")
        traced.span()
        await eventually(lambda: traced.counted() == {"lost": 1}, what="the span to be given up")
        traced.span()
        await traced.stop()
        assert traced.counted() == {"lost": 2}


async def test_a_slow_collector_fills_a_bounded_queue_and_delays_no_stop(collector: Collector):
    collector.delay = 60.0
    traced = Traced(collector.url)
    traced.span()
    await eventually(lambda: collector.requests == 1, what="a request that is not answered")
    traced.span()
    whole = many(MOST)
    traced.recorder.record(whole)
    assert traced.counted() == {}
    traced.span()
    traced.recorder.record(whole)
    assert traced.counted() == {"dropped": 1 + whole.size}
    assert await traced.stop() < collector.delay / 2
    assert traced.counted() == {"dropped": 1 + whole.size, "lost": 2 + whole.size}


async def test_what_waits_takes_little_more_memory_than_its_bytes(monkeypatch: pytest.MonkeyPatch):
    """Also of spans that are small."""
    most = MOST // 8
    monkeypatch.setattr(queue, "_MOST_WAITING", most)
    monkeypatch.setattr(recorder_module, "_MOMENT", 0.0)
    traced = Traced("http://127.0.0.1:9")
    visits = traced.recorder.visits_of(Sort("GET /x", Kind.SERVER))
    tracemalloc.start()
    try:
        while not traced.counted():
            visits += [(1.0, 2.0, "a")] * MANY_VISITS
            traced.recorder.tell(visits)
            await asyncio.sleep(0)
        taken, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert most < taken < 1.2 * most
    await traced.stop()


async def test_few_requests_are_sent_and_none_is_larger_than_collectors_take(
    collector: Collector, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(queue, "_GATHER", 60.0)
    traced = Traced(collector.url)
    some = many(MOST_SENT // 40)
    for _ in range(100):
        traced.recorder.record(some)
    await eventually(
        lambda: traced.counted().get("sent", 0) > 60 * some.size, what="two full requests to be sent at once"
    )
    assert await traced.stop() < 60.0
    assert collector.requests == 3
    assert traced.counted() == {"sent": 100 * some.size}
    assert len(collector.spans) == 100 * some.size
    assert collector.largest < 4 * 2**20


async def test_a_span_that_cannot_be_told_takes_no_others_with_it(collector: Collector):
    traced = Traced(collector.url)
    span = traced.recorder.start(WORK)
    span.attributes = {"lone surrogate": "\ud800"}
    span.end()
    traced.span()
    await eventually(lambda: traced.counted() == {"lost": 1, "sent": 1}, what="the next span to be sent")
    await traced.stop()
    assert [each.name for each in collector.spans] == ["work"]
