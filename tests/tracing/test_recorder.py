"""What becomes of spans that the daemon tells: sent, lost or dropped; and that nobody waits for it."""

import asyncio
import os
import subprocess
import sys
import time
from dataclasses import replace

import msgspec
import pytest

from sploot_clusterd.config import SecretUrl, Settings, TracingSettings
from sploot_clusterd.metrics import Metrics
from sploot_clusterd.spans import MANY_VISITS, Context, Kind, Run, Sort, Stage, context_of
from sploot_clusterd.tracing.recorder import Recorder
from tests.support.children import SENDING, children
from tests.support.collector import Collector
from tests.support.tracers import SAMPLED
from tests.support.waiting import eventually
from tests.tracing.traced import WORK, Traced, add, warnings

LOAD = Sort("load", Kind.INTERNAL)


def run_in(context: Context, **more: object) -> Run:
    run = Run(*context, parent_id=b"", before=b"", message_id=b"1-0", pet="luna", began=0.0)
    return msgspec.structs.replace(run, **more)


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
    one, other = collector.named("GET /x")
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
