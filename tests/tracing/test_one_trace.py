"""Real daemons and a collector: one trace from POST to the last commit, through a kill -9, a retry and a fetch."""

import json
import tempfile
import time
from pathlib import Path

import pytest

from tests.engine.synthetic import Fleet as Albums
from tests.faults.fleet import Fleet
from tests.faults.marked import DIES_ONCE
from tests.insights.storage_service import TOKEN, StorageService
from tests.support.collector import Collector, Got, connected
from tests.support.waiting import eventually

pytestmark = [pytest.mark.faults, pytest.mark.timeout(120)]

JOBS = "/internal/cluster-jobs"


async def test_one_trace_goes_from_post_to_commit(collector: Collector):
    job = {"pet_id": "pet-0", "job_id": DIES_ONCE, "payload": {"image_ids": ["pet-0_0", "pet-0_1"]}}
    async with StorageService.serving([Albums(16).album(0)]) as service:
        env = {
            "OTEL_EXPORTER_OTLP_ENDPOINT": collector.url,
            "STORAGE_SERVICE_URL": service.url,
            "STORAGE_SERVICE_TOKEN": TOKEN,
        }
        with tempfile.TemporaryDirectory(prefix="trace-") as path:
            fleet = Fleet(Path(path), daemons=0)
            try:
                front = fleet.add_daemon({**env, "CLUSTER_CONSUMERS": "0"})
                runners = [fleet.add_daemon(env, "tests.faults.marked") for _ in range(2)]
                for daemon in fleet.daemons:
                    await daemon.start()
                async with fleet.http.post(front.url + JOBS, json=job, headers={"tracestate": "a=b"}) as answer:
                    assert answer.status == 202
                await eventually(lambda: not all(daemon.alive() for daemon in runners), what="a kill -9", timeout=30)
                await eventually(
                    lambda: _is_fetched(fleet, len(service.pets["pet-0"])), what="all insights to be there", timeout=30
                )
                await fleet.settled()
                await eventually(lambda: _all_told(collector), what="all spans to arrive", timeout=30)
            finally:
                await fleet.close()
    _is_whole(collector)
    trace_id = collector.spans[0].trace_id
    assert {each.split("-")[1] for each in service.traceparents} == {trace_id}


async def _is_fetched(fleet: Fleet, images: int) -> bool:
    """Whether the view has so many images, and nothing is out."""
    raw = await fleet.redis.get(fleet.layout.plain.view("pet-0"))
    metrics = json.loads(raw)["metrics"] if raw else {}
    return (metrics.get("num_images"), metrics.get("insights_wanted")) == (images, 0)


def _all_told(collector: Collector) -> bool:
    """Whether each span's parent has arrived, a run of what was fetched, and what is told after it: its stages."""
    fetches = {span.span_id for span in collector.named("fetch insights")}
    runs = {run.span_id for run in collector.named("process") if run.attributes["clusterd.outcome"] == "success"}
    return (
        any(run.parent_id in fetches for run in collector.named("process"))
        and connected(collector.spans)
        and runs == {span.parent_id for span in collector.named("commit")} & runs
    )


def _is_whole(collector: Collector) -> None:
    assert connected(collector.spans), sorted((each.name, each.parent_id) for each in collector.spans)
    (request,), (send,) = collector.named("POST"), collector.named("send")
    failed, applied, *fetched = collector.named("process")
    assert send.parent_id == request.span_id
    assert failed.parent_id == applied.parent_id == send.span_id
    outcomes = [run.attributes["clusterd.outcome"] for run in (failed, applied, *fetched)]
    assert outcomes == ["retry", "success", *["success"] * len(fetched)]
    assert [run.attributes["clusterd.delivery"] for run in (failed, applied)] == [2, 3]
    (link,) = failed.links
    assert link[1] not in {span.span_id for span in collector.spans}, "the killed run cannot have been told"
    assert applied.links == [(failed.trace_id, failed.span_id)]
    below = {span.name for span in collector.spans if span.parent_id == applied.span_id}
    assert {"load", "compute", "commit", "fetch insights"} <= below
    names = {span.span_id: span.name for span in collector.spans}
    assert {names[run.parent_id] for run in fetched} == {"fetch insights"}
    assert {names[span.parent_id] for span in collector.named("GET")} == {"fetch insights"}
    assert all(_whole_ids(span) for span in collector.spans)


def _whole_ids(span: Got) -> bool:
    """Pets are told by hashes, and images not at all."""
    return "pet-0" not in repr((span.name, span.attributes))


@pytest.mark.parametrize("harm", ["dead", "slow", "refusing"])
async def test_a_bad_collector_keeps_no_job_and_no_stop_waiting(collector: Collector, harm: str):
    collector.delay = 60.0 if harm == "slow" else 0.0
    collector.status = 403 if harm == "refusing" else 200
    url = "http://127.0.0.1:9" if harm == "dead" else collector.url
    with tempfile.TemporaryDirectory(prefix="trace-") as path:
        async with Fleet(Path(path), daemons=1, env={"OTEL_EXPORTER_OTLP_ENDPOINT": url}) as fleet:
            await fleet.ready()
            (daemon,) = fleet.daemons
            for number in range(20):
                job = {"pet_id": f"pet-{number}", "payload": {"image_ids": ["a"]}}
                async with fleet.http.post(daemon.url + JOBS, json=job) as answer:
                    assert answer.status == 202
            await fleet.settled()
            began = time.monotonic()
            assert daemon.stop() == 0, "nothing had to be cut off"
            assert time.monotonic() - began < 10.0, "a second, and what a busy machine takes to end a process"
