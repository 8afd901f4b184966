"""What becomes of spans that the daemon tells: sent, lost or dropped; and that nobody waits for it."""

import asyncio
import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from pathlib import Path

import msgspec
import psutil
import pytest

from sploot_clusterd.config import SecretUrl, Settings, TracingSettings
from sploot_clusterd.metrics import Metrics
from sploot_clusterd.spans import MANY_VISITS, Context, Kind, Run, Sort, Span, Stage, Visits, context_of
from sploot_clusterd.tracing import recorder as recorder_module
from sploot_clusterd.tracing import sending_process
from sploot_clusterd.tracing.recorder import Recorder
from tests.faults.fleet import Fleet
from tests.support.children import SENDING, children
from tests.support.collector import Collector, Got, collecting
from tests.support.processes import has_ended
from tests.support.tracers import SAMPLED
from tests.support.waiting import eventually

WORK = Sort("work", Kind.INTERNAL)
LOAD = Sort("load", Kind.INTERNAL)
MOST = 4 * 2**20
"""Bytes that wait for the process."""


class Traced:
    """A recorder, and what it counts."""

    def __init__(self, url: str, **tracing: object) -> None:
        self.metrics, self.stopping = Metrics(), asyncio.Event()
        settings = TracingSettings(endpoint=SecretUrl(url), **tracing)
        self.recorder = Recorder(replace(Settings(), tracing=settings), self.metrics, self.stopping)
        self.before = children(os.getpid(), SENDING)
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

    async def process(self) -> psutil.Process:
        """The one that sends."""
        found: list[psutil.Process] = []

        def is_there() -> bool:
            found[:] = [each for each in children(os.getpid(), SENDING) if each not in self.before]
            return bool(found)

        await eventually(is_there, what="the process that sends")
        return found[0]

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


def add(visits: Visits, *pets: str, ended: float = 2.0) -> None:
    visits.times += [1.0, ended] * len(pets)
    visits.pets += pets


def once_each(spans: Sequence[Got]) -> list[Got]:
    """What is on its way as the daemon stops may be sent again."""
    return list({span.span_id: span for span in spans}.values())


def warnings(caplog: pytest.LogCaptureFixture) -> list[dict[str, object]]:
    mine = (each for each in caplog.records if each.name == recorder_module.__name__)
    return [each.data for each in mine if each.levelno >= logging.WARNING]


@pytest.fixture(autouse=True)
def _patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a busy machine what takes what others leave may have to wait."""
    monkeypatch.setattr(sending_process, "_LAST_SECONDS", 60.0)


@pytest.fixture
async def collector() -> AsyncIterator[Collector]:
    async with collecting() as collector:
        yield collector


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
    await eventually(lambda: traced.counted() == {"sent": 3}, what="them to be sent", timeout=60)
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


async def test_visits_are_traces_by_themselves(collector: Collector):
    traced = Traced(collector.url, pet_ids=True)
    gone = Sort("GET /x", Kind.SERVER, {"http.response.status_code": 500}, "500")
    add(traced.recorder.visits_of(gone), "a", ended=1.5)
    await eventually(lambda: traced.counted() == {"sent": 1}, what="one to be sent for which there are no others")
    add(traced.recorder.visits_of(gone), "")
    many = traced.recorder.visits_of(Sort("GET /y", Kind.SERVER))
    add(many, *["a"] * MANY_VISITS)
    traced.recorder.tell(many)
    assert many.pets == many.times == []
    await traced.stop()
    one, other = once_each(collector.named("GET /x"))
    assert (one.name, one.kind, one.parent_id, one.failed) == ("GET /x", 2, "", True)
    assert one.ended - one.began == 500_000_000
    assert one.attributes == {"http.response.status_code": 500, "error.type": "500", "clusterd.pet": "a"}
    assert "clusterd.pet" not in other.attributes
    assert len({one.trace_id, other.trace_id, "0" * 32}) == 3
    assert {len(one.trace_id), len(one.span_id)} == {32, 16}
    assert traced.counted() == {"sent": 2 + MANY_VISITS}


async def test_pets_ids_are_hashed_alike_in_all_processes(collector: Collector):
    traced = Traced(collector.url)
    add(traced.recorder.visits_of(WORK), "luna")
    hashed = traced.recorder.pet("luna")
    assert hashed != traced.recorder.pet("rex")
    assert "luna" not in hashed
    await eventually(lambda: traced.counted() == {"sent": 1}, what="it to be sent", timeout=60)
    await traced.stop()
    (visit,) = collector.spans
    assert visit.attributes["clusterd.pet"] == hashed


async def test_a_rate_decides_by_the_trace_and_of_nothing_that_others_began(collector: Collector):
    none, half = Traced(collector.url, sample_rate=0.0), Traced(collector.url, sample_rate=0.5)
    assert not any(none.span().context.sampled for _ in range(100))
    assert none.span(context_of(SAMPLED)).context.sampled
    traces = [half.span().context for _ in range(1000)]
    assert 350 < sum(each.sampled for each in traces) < 650
    other = Traced(collector.url, sample_rate=0.5)
    assert [other.recorder.samples(each.trace_id) for each in traces] == [each.sampled for each in traces]
    await eventually(lambda: none.counted() == {"sent": 1}, what="the span of a trace that is sampled")
    for each in (none, half, other):
        await each.stop()


async def test_what_was_lost_costs_a_counter_and_a_line(collector: Collector, caplog: pytest.LogCaptureFixture):
    collector.status = 400
    traced = Traced(collector.url)
    for number in range(1, 3):
        traced.span()
        await eventually(lambda n=number: traced.counted() == {"lost": n}, what="the refused span to be counted")
    await traced.stop()
    assert warnings(caplog) == [{"spans": 1, "error": "it answers 400"}]


async def test_a_span_that_cannot_be_told_takes_no_others_with_it(collector: Collector):
    traced = Traced(collector.url)
    span = traced.recorder.start(WORK)
    span.attributes = {"lone surrogate": "\ud800"}
    span.end()
    traced.span()
    await eventually(lambda: traced.counted() == {"lost": 1, "sent": 1}, what="the next span to be sent")
    await traced.stop()
    assert [each.name for each in collector.spans] == ["work"]


async def test_a_process_that_was_killed_is_followed_by_another(
    collector: Collector, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(sending_process, "_PAUSE", 0.05)
    traced = Traced(collector.url)
    first = await traced.process()
    first.suspend()
    traced.span()
    first.kill()
    await eventually(lambda: traced.counted() == {"lost": 1}, what="what it knew of to be counted")
    traced.span()
    await eventually(lambda: traced.counted() == {"lost": 1, "sent": 1}, what="the next to be sent by another one")
    assert (await traced.process()).pid != first.pid
    await traced.stop()
    assert warnings(caplog) == [{"spans": 1, "error": "the process that sends spans has ended (-9)"}]


async def test_one_that_cannot_be_started_is_told_of(
    collector: Collector, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(sending_process, "_PAUSE", 0.05)
    with monkeypatch.context() as patched:
        patched.setattr(sys, "executable", "/nowhere/python")
        traced = Traced(collector.url)
        traced.span()
        await eventually(lambda: traced.counted() == {"lost": 1}, what="the span to be given up")
    traced.span()
    await eventually(lambda: "sent" in traced.counted(), what="the next to be sent")
    await traced.stop()
    (line,) = warnings(caplog)
    assert line == {"spans": 1, "error": "the process that sends spans cannot be started: No such file or directory"}


async def test_it_takes_what_others_leave_of_the_cores(collector: Collector):
    traced = Traced(collector.url)
    process = await traced.process()
    await eventually(lambda: os.sched_getscheduler(process.pid) == os.SCHED_IDLE, what="it to be of the class for that")
    assert os.sched_getscheduler(0) == os.SCHED_OTHER
    await traced.stop()


async def test_where_no_thread_can_be_started_there_is_no_process_for_a_while(
    collector: Collector, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(sending_process, "_PAUSE", 0.05)

    def refused(*_: object, **__: object) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patched:
        patched.setattr(asyncio, "to_thread", refused)
        traced = Traced(collector.url)
        traced.span()
        await eventually(lambda: traced.counted() == {"lost": 1}, what="the span to be given up")
    traced.span()
    await eventually(lambda: "sent" in traced.counted(), what="the next to be sent")
    await traced.stop()
    (line,) = warnings(caplog)
    assert line == {"spans": 1, "error": "the process that sends spans cannot be started: can't start new thread"}


async def test_one_that_does_not_read_costs_bounded_memory_and_delays_no_stop(
    collector: Collector, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(sending_process, "_LAST_SECONDS", 0.05)
    traced = Traced(collector.url)
    process = await traced.process()
    traced.span()
    await eventually(lambda: traced.counted() == {"sent": 1}, what="the first span to be sent")
    process.suspend()
    visits = traced.recorder.visits_of(WORK)
    told = 0
    while "dropped" not in traced.counted():
        add(visits, *["x" * 1000] * MANY_VISITS)
        told += MANY_VISITS
        traced.recorder.tell(visits)
        await asyncio.sleep(0)
    assert MOST < 1000 * told < 1.2 * MOST
    assert await traced.stop() < 5.0
    assert traced.counted() == {"sent": 1, "dropped": MANY_VISITS, "lost": told - MANY_VISITS}
    assert has_ended(process)


async def test_what_ends_last_has_a_moment_to_be_sent(collector: Collector):
    """Also that which ended when the process had only just been started."""
    traced = Traced(collector.url)
    traced.span()
    await traced.process()
    traced.stopping.set()
    await traced.task
    traced.span()
    await traced.stop()
    assert traced.counted() == {"sent": 2}
    assert len(once_each(collector.spans)) == 2


async def test_a_recorder_that_never_ran_has_no_process(collector: Collector):
    stopping = asyncio.Event()
    settings = replace(Settings(), tracing=TracingSettings(endpoint=SecretUrl(collector.url)))
    before = children(os.getpid(), SENDING)
    recorder = Recorder(settings, Metrics(), stopping)
    recorder.start(WORK).end()
    await recorder.close()
    assert children(os.getpid(), SENDING) == before


def test_the_daemon_itself_encodes_nothing():
    """That, and what it takes of memory, is the other process's."""
    names = "'google.protobuf', 'sploot_clusterd.tracing.sender', 'sploot_clusterd.tracing.encoding'"
    program = (
        f"import sys, sploot_clusterd.tracing.recorder; print([name for name in ({names}) if name in sys.modules])"
    )
    told = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    assert told.strip() == "[]"


@pytest.fixture
async def fleet(tmp_path: Path, collector: Collector) -> AsyncIterator[Fleet]:
    env = {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.url}
    async with Fleet(tmp_path, daemons=1, env=env) as fleet:
        await fleet.ready()
        yield fleet


async def asked(fleet: Fleet) -> None:
    (daemon,) = fleet.daemons
    job = {"pet_id": "luna", "payload": {"image_ids": ["a"]}}
    async with fleet.http.post(f"{daemon.url}/internal/cluster-jobs", json=job) as answer:
        assert answer.status == 202
    await fleet.settled()


async def test_kill_of_the_daemon_loses_nothing_that_waits_for_the_collector(fleet: Fleet, collector: Collector):
    (daemon,) = fleet.daemons
    (process,) = children(daemon.pid, SENDING)
    collector.status = 503
    await asked(fleet)
    names = {"POST /internal/cluster-jobs", "load", "compute", "commit"}
    await eventually(lambda: names <= collector.refused, what="all to be offered")
    daemon.kill()
    collector.status = 200
    await collector.has(*names)
    await eventually(lambda: has_ended(process), what="the process to end")


async def test_signals_to_all_processes_leave_the_last_spans_whole(fleet: Fleet, collector: Collector):
    """As a terminal sends them, and systemd."""
    (daemon,) = fleet.daemons
    (process,) = children(daemon.pid, SENDING)
    await asked(fleet)
    for number in (signal.SIGINT, signal.SIGHUP, signal.SIGTERM):
        process.send_signal(number)
    assert await asyncio.to_thread(daemon.stop) == 0
    assert has_ended(process)
    assert {"POST /internal/cluster-jobs", "load", "compute", "commit"} <= {each.name for each in collector.spans}
    assert not any(line["level"] in {"WARNING", "ERROR"} for line in daemon.log())
