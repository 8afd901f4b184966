"""Spans of requests, and the trace that a job is sent with."""

import re

import msgspec
import pytest

from sploot_clusterd.errors import StoreUnavailableError
from sploot_clusterd.spans import MANY_VISITS, Kind
from tests.support.tracers import NOT_SAMPLED, PARENT_ID, SAMPLED, TRACE_ID, Kept, attributes
from tests.web.raw_corpus import TOKEN
from tests.web.service import CLUSTERS, JOBS, Service

OTHER = "00-11111111111111111111111111111111-2222222222222222-01"


@pytest.fixture
def tracer() -> Kept:
    return Kept()


@pytest.fixture
async def service(serve, tracer) -> Service:
    return await serve(tracer=tracer)


def job(**metadata: str) -> dict:
    return {"pet_id": "pet_123", "payload": {"image_ids": ["a"]}, "metadata": metadata}


def sent(service: Service) -> list[str | None]:
    """The traceparents of the envelopes."""
    return [msgspec.json.decode(each).get("traceparent") for each in service.store.jobs]


async def test_a_request_is_a_span_without_ids(client, tracer):
    async with client.get(CLUSTERS) as answer:
        assert answer.status == 200
    (span,) = tracer.spans()  # whose trace is an example in its bucket
    assert (span.sort.name, span.sort.kind, span.parent_id) == (
        "GET /internal/pets/{pet_id}/clusters",
        Kind.SERVER,
        b"",
    )
    assert attributes(span) == {
        "http.request.method": "GET",
        "url.scheme": "http",
        "http.route": "/internal/pets/{pet_id}/clusters",
        "url.path": "/internal/pets/{pet_id}/clusters",
        "http.response.status_code": 200,
        "clusterd.pet": "hash of pet_123",
    }


async def test_reads_whose_ids_nobody_has_to_know_have_none_yet(client, tracer):
    for _ in range(20):
        async with client.get(CLUSTERS):
            pass
    assert len(tracer.spans()) + len(tracer.visits()) == 20
    assert tracer.visits()
    assert attributes(tracer.visits()[0]) == attributes(tracer.spans()[0])


async def test_reads_are_told_many_at_a_time_and_no_more_wait(client, tracer):
    asked = 0
    while not tracer.told_together:
        async with client.get(CLUSTERS):
            asked += 1
    assert tracer.told_together == [tracer.visits()]
    assert len(tracer.visits()) == MANY_VISITS == asked - len(tracer.spans())


@pytest.mark.parametrize(("given", "recorded"), [(SAMPLED, 1), (NOT_SAMPLED, 0)])
async def test_a_read_is_in_the_trace_of_its_headers_whoever_read_before(client, tracer, given, recorded):
    async with client.get(CLUSTERS) as answer:
        assert answer.status == 200
    before = len(tracer.spans())
    async with client.get(CLUSTERS, headers={"traceparent": given}):
        pass
    spans = tracer.spans()[before:]
    assert [(span.parent_id.hex(), span.context.trace_id.hex()) for span in spans] == [(PARENT_ID, TRACE_ID)] * recorded
    assert tracer.visits() == []


async def test_a_submit_carries_the_trace_of_its_headers(client, service, tracer):
    headers = {"traceparent": SAMPLED, "tracestate": "a=b"}
    async with client.post(JOBS, json=job(traceparent=OTHER), headers=headers) as answer:
        assert answer.status == 202
    send, request = tracer.spans()
    assert request.parent_id.hex() == PARENT_ID
    assert (send.parent_id, send.sort.kind) == (request.context.span_id, Kind.PRODUCER)
    assert send.context.traceparent == f"00-{TRACE_ID}-{send.context.span_id.hex()}-01"
    assert sent(service) == [send.context.traceparent]
    assert msgspec.json.decode(service.store.jobs[0])["tracestate"] == "a=b"
    assert [link.traceparent for link in send.links] == [OTHER]


async def test_without_headers_a_submit_is_in_the_trace_of_its_job(client, service, tracer):
    async with client.post(JOBS, json=job(traceparent=SAMPLED)) as answer:
        assert answer.status == 202
    send, request = tracer.spans()
    assert request.parent_id.hex() == PARENT_ID
    assert {send.context.trace_id.hex(), request.context.trace_id.hex()} == {TRACE_ID}
    assert sent(service) == [send.context.traceparent]
    assert send.links == []


async def test_each_job_of_a_batch_keeps_its_trace(client, service, tracer):
    lines = b"\n".join(map(msgspec.json.encode, [job(traceparent=SAMPLED), job(), job(traceparent="no trace")]))
    async with client.post(JOBS + "/batch", data=lines, headers={"Content-Type": "application/x-ndjson"}) as answer:
        assert answer.status == 200
    send, _ = tracer.spans()
    ours = send.context.traceparent
    assert sent(service) == [None, ours, ours]  # of the first the metadata says it
    assert [link.traceparent for link in send.links] == [SAMPLED]
    assert attributes(send)["messaging.batch.message_count"] == 3


async def test_what_the_caller_does_not_record_is_not_recorded(client, service, tracer):
    async with client.post(JOBS, json=job(), headers={"traceparent": NOT_SAMPLED}) as answer:
        assert answer.status == 202
    assert tracer.told == []
    assert re.fullmatch(f"00-{TRACE_ID}-[0-9a-f]{{16}}-00", sent(service)[0])


async def test_a_rate_of_0_is_told_to_those_who_run_the_job(serve):
    service = await serve(tracer=Kept(rate=0))
    await service.send(_raw("POST", JOBS, msgspec.json.encode(job())))
    assert sent(service)[0].endswith("-00")


async def test_an_error_is_one_of_the_span_too(client, service, tracer):
    service.store.error = StoreUnavailableError("away")
    async with client.post(JOBS, json=job()) as answer:
        assert answer.status == 503
    send, request = tracer.spans()
    assert (send.error, request.sort.error) == ("StoreUnavailableError", "503")


async def test_probes_and_paths_that_are_not_there_tell_nothing_of_themselves(client, service, tracer):
    for path in ("/healthz", "/luna/secrets"):
        async with client.get(path):
            pass
    assert tracer.told == []
    async with client.get("/internal/luna/secrets") as answer:
        assert answer.status == 404
    (span,) = tracer.spans()
    assert (span.sort.name, attributes(span).keys() & {"http.route", "url.path"}) == ("GET", set())


async def test_the_bucket_of_a_request_names_its_trace(client, service, tracer):
    async with client.get(CLUSTERS, headers={"traceparent": SAMPLED}):
        pass
    (metric,) = [each for each in service.metrics.registry.collect() if each.name.endswith("http_request_seconds")]
    (sample,) = [sample for sample in metric.samples if sample.exemplar]
    assert sample.labels["route"] == "/internal/pets/{pet_id}/clusters"
    assert sample.exemplar.labels == {"trace_id": TRACE_ID, "span_id": tracer.spans()[0].context.span_id.hex()}


async def test_off_an_envelope_says_nothing_of_traces(serve):
    service = await serve()
    await service.send(_raw("POST", JOBS, msgspec.json.encode(job())))
    assert "traceparent" not in msgspec.json.decode(service.store.jobs[0])


def _raw(method: str, path: str, body: bytes) -> bytes:
    head = f"{method} {path} HTTP/1.1\r\nHost: x\r\nX-Internal-Token: {TOKEN}\r\ntraceparent: \r\n"
    return f"{head}Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body
