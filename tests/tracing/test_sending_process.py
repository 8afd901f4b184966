"""The process that sends spans: killed, not to be started, suspended, or left behind by its daemon."""

import asyncio
import os
import signal
import sys
import threading
import time
from collections.abc import AsyncIterator
from pathlib import Path
from types import ModuleType

import pytest

from sploot_clusterd import child
from sploot_clusterd.tracing import sending_process
from tests.faults.fleet import Fleet
from tests.support.children import SENDING, children
from tests.support.collector import Collector
from tests.support.processes import has_ended
from tests.support.waiting import eventually
from tests.tracing.traced import WORK, Traced, add, warnings

MOST = 4 * 2**20
"""Bytes that wait for the process."""


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


def no_thread(*_: object, **__: object) -> None:
    raise RuntimeError("can't start new thread")


@pytest.mark.parametrize(
    ("broken", "why"),
    [
        ((sys, "executable", "/nowhere/python"), "No such file or directory"),
        ((asyncio, "to_thread", no_thread), "can't start new thread"),
    ],
    ids=["no program", "no thread"],
)
async def test_one_that_cannot_be_started_is_told_of_and_tried_again(
    collector: Collector,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
    broken: tuple[ModuleType, str, object],
    why: str,
):
    monkeypatch.setattr(sending_process, "_PAUSE", 0.05)
    with monkeypatch.context() as patched:
        patched.setattr(*broken)
        traced = Traced(collector.url)
        traced.span()
        await eventually(lambda: traced.counted() == {"lost": 1}, what="the span to be given up")
    traced.span()
    await eventually(lambda: "sent" in traced.counted(), what="the next to be sent")
    await traced.stop()
    assert warnings(caplog) == [{"spans": 1, "error": f"the process that sends spans cannot be started: {why}"}]


async def test_it_takes_what_others_leave_of_the_cores(collector: Collector):
    traced = Traced(collector.url)
    process = await traced.process()
    await eventually(lambda: os.sched_getscheduler(process.pid) == os.SCHED_IDLE, what="it to be of the class for that")
    assert os.sched_getscheduler(0) == os.SCHED_OTHER
    await traced.stop()


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
    some, told = 100, 0
    while "dropped" not in traced.counted():
        add(visits, *["x" * 1000] * some)
        told += some
        traced.recorder.tell(visits)
        await asyncio.sleep(0)
    assert MOST < 1000 * told < 1.2 * MOST
    assert await traced.stop() < 5.0
    assert traced.counted() == {"sent": 1, "dropped": some, "lost": told - some}
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
    assert len(collector.spans) == 2


async def test_what_ended_before_the_process_was_there_is_sent_also_if_the_daemon_stops(
    collector: Collector, monkeypatch: pytest.MonkeyPatch
):
    may_start, started = threading.Event(), child.started

    def held_up(module: str, **variables: str) -> child.Child:
        may_start.wait(60.0)
        return started(module, **variables)

    monkeypatch.setattr(child, "started", held_up)
    traced = Traced(collector.url)
    traced.span()
    traced.stopping.set()
    await traced.task
    closing = asyncio.create_task(traced.recorder.close())
    await asyncio.sleep(0)  # it has begun
    may_start.set()
    await closing
    assert traced.counted() == {"sent": 1}


async def test_what_is_on_its_way_as_the_daemon_stops_is_sent_once(collector: Collector):
    collector.delay = 0.5
    traced = Traced(collector.url)
    traced.span()
    await eventually(lambda: collector.requests == 1, what="a request that is not answered", timeout=60.0)
    traced.span()
    await traced.stop()
    assert traced.counted() == {"sent": 2}
    assert (len(collector.spans), collector.requests) == (2, 2)


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
    process.suspend()  # until the collector is back: it offers the spans once more, and no longer
    daemon.kill()
    collector.status = 200
    process.resume()
    await collector.has(*names)
    await eventually(lambda: has_ended(process), what="the process to end")


async def test_a_collector_that_does_not_answer_delays_a_stop_by_a_moment(fleet: Fleet, collector: Collector):
    (daemon,) = fleet.daemons
    (process,) = children(daemon.pid, SENDING)
    collector.delay = 60.0
    await asked(fleet)
    await eventually(lambda: collector.requests > 0, what="a request that is not answered")
    began = time.monotonic()
    assert await asyncio.to_thread(daemon.stop) == 0
    assert 2.0 <= time.monotonic() - began < 10.0
    assert has_ended(process)
    (line,) = [line for line in daemon.log() if line["level"] == "WARNING"]
    assert line["message"] == "spans were lost; nothing else suffers"


async def test_a_daemon_that_was_killed_leaves_no_process_that_waits_for_the_collector(
    fleet: Fleet, collector: Collector
):
    (daemon,) = fleet.daemons
    (process,) = children(daemon.pid, SENDING)
    collector.delay = 60.0
    await asked(fleet)
    await eventually(lambda: collector.requests > 0, what="a request that is not answered")
    daemon.kill()
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
