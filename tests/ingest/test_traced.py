"""Spans of runs: whose trace they are in, and how one run leads to the next."""

import msgspec
import pytest

from sploot_clusterd.ingest.retry import TryAgain
from sploot_clusterd.store import ClaimKind
from tests.ingest.failing import failing_for
from tests.support.side import image
from tests.support.tracers import NOT_SAMPLED, PARENT_ID, SAMPLED, TRACE_ID, Kept, attributes


@pytest.fixture
def tracer() -> Kept:
    return Kept()


@pytest.fixture
async def side(new_side, tracer):
    return await new_side(tracer=tracer)


async def test_a_run_is_in_the_trace_of_its_metadata_with_its_stages(side, tracer):
    await side.add(metadata={"traceparent": SAMPLED, "tracestate": "a=b"}, job_id="one")
    await side.run()
    (run,) = tracer.spans()
    assert run.context.trace_id.hex() == TRACE_ID
    assert run.parent_id.hex() == PARENT_ID
    assert run.context.state == "a=b"
    assert run.links == []
    told = {"clusterd.pet": "hash of pet", "clusterd.outcome": "success", "clusterd.attempt": 1}
    assert attributes(run) | told == attributes(run)
    assert run.sort.attributes["messaging.consumer.group.name"] == "workers"
    assert [stage.sort.name for stage in tracer.stages()] == ["load", "compute", "commit"]
    for stage in tracer.stages():
        assert [parent.context for parent in stage.parents] == [run.context]
        assert run.began <= stage.began <= stage.ended


async def test_the_envelopes_context_goes_before_that_of_the_metadata(side, tracer):
    inner = {"pet_id": "pet", "payload": {"image_ids": ["a"]}, "metadata": {"traceparent": "00-1"}}
    await side.raw(msgspec.json.encode({"pet_id": "pet", "payload": inner, "traceparent": SAMPLED}))
    await side.run()
    assert tracer.spans()[0].parent_id.hex() == PARENT_ID


async def test_what_is_not_sampled_is_not_told(side, tracer):
    await side.add(metadata={"traceparent": NOT_SAMPLED})
    await side.run()
    assert tracer.told == []
    assert side.count("jobs_processed_total", result="success") == 1


async def test_a_failed_run_tells_what_went_wrong_in_a_word(side, tracer, monkeypatch):
    failing_for(monkeypatch, "one")
    await side.add(job_id="one")
    await side.run()
    (failed,) = tracer.spans()
    assert (failed.sort.error, attributes(failed)["clusterd.outcome"]) == ("RuntimeError", "retry")
    assert failed.parent_id == b""


async def test_a_retry_links_to_the_run_before(side, tracer, monkeypatch):
    monkeypatch.setattr("sploot_clusterd.ingest.results.after_failure", _at_once)
    failing_for(monkeypatch, "one")
    await side.add(job_id="one", metadata={"traceparent": SAMPLED})
    await side.run()
    monkeypatch.undo()
    await side.run_due()
    first, second = tracer.spans()
    assert first.context.trace_id == second.context.trace_id
    assert first.parent_id == second.parent_id
    assert second.links == [first.context]
    assert attributes(second)["clusterd.delivery"] == 2
    assert attributes(second)["clusterd.outcome"] == "success"


async def test_who_takes_over_links_to_a_run_that_never_ended(new_side):
    tracers = [Kept(), Kept()]
    dead, living = [await new_side(tracer=tracer) for tracer in tracers]
    await dead.add(job_id="one")
    entries = await dead.read("dead")
    async for taken in living.stream.claim("living", ClaimKind.IDLE, idle_ms=0):
        await living.process(taken, "living")
    (run,) = tracers[1].spans()
    await dead.process(entries, "dead")  # it was not dead, only slow
    (late,) = tracers[0].spans()
    assert attributes(late)["clusterd.outcome"] == "lost"
    assert run.links == [late.context]
    assert run.parent_id == late.context.span_id
    assert late.parent_id == b""


async def test_a_job_that_is_put_back_has_its_trace_and_runs_of_its_own(side, tracer):
    added = await side.add(job_id="one")
    ((_, fields),) = await side.redis.xrange(side.keys.stream)
    await side.run()
    await side.raw(fields[b"payload"], first_id=added)
    await side.run()
    await side.add(job_id="two")
    await side.run()
    first, again, other = tracer.spans()
    assert first.context.trace_id == again.context.trace_id != other.context.trace_id
    assert len({span.context.span_id for span in (first, again, other)}) == 3
    assert (again.parent_id, again.links) == (b"", [])
    assert attributes(again)["clusterd.outcome"] == "skipped"


async def test_what_becomes_a_dead_letter_is_told_with_its_reason(side, tracer):
    await side.add(job_id="one", payload=image("a", 1.0, 0.0))
    await side.add(job_id="two", payload=image("b", 1.0, 0.0, 0.0))
    await side.run()
    outcomes = {(attributes(span)["clusterd.outcome"], span.sort.error) for span in tracer.spans()}
    assert outcomes == {("success", ""), ("dead_letter", "dimension")}


async def test_logs_and_buckets_name_the_trace(side, tracer, caplog):
    caplog.set_level("INFO")
    await side.add(metadata={"traceparent": SAMPLED})
    await side.run()
    (run,) = tracer.spans()
    data = next(record.data for record in caplog.records if record.message == "job done")
    assert data["trace"] == SAMPLED
    assert (data["trace_id"], data["span_id"]) == (TRACE_ID, run.context.span_id.hex())
    for name in ("job_processing_seconds", "job_visible_seconds"):
        (metric,) = [each for each in side.metrics.registry.collect() if each.name.endswith(name)]
        (example,) = [sample.exemplar for sample in metric.samples if sample.exemplar]
        assert example.labels["trace_id"] == TRACE_ID


def _at_once(*_: object) -> TryAgain:
    return TryAgain(1, 0)
