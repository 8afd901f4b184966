"""The batch route: a result a line, each what the line would have got by itself."""

import asyncio
import json
import threading
from itertools import groupby

import pytest

from sploot_clusterd import wire
from sploot_clusterd.errors import BacklogFullError, StoreUnavailableError
from tests.web.raw_corpus import BADLY_FRAMED
from tests.web.service import JOB, JOBS, Service, closed, raw, read_reply
from tests.wire.corpus import CORPUS

BATCH = JOBS + "/batch"
NDJSON = "application/x-ndjson"
ACCEPTED = {"status": "accepted", "job_id": "job_456"}
FULL = BacklogFullError("the backlog is full: 10 jobs are waiting")


async def post(service: Service, body: bytes, **headers: str):
    """The answer, and its results where it is one of 200."""
    answer = await service.send(raw("POST", BATCH, body, Content_Type=NDJSON, **headers))
    return answer, [json.loads(line) for line in answer.body.splitlines()]


def job(number: int) -> bytes:
    return b'{"pet_id":"pet_%d","job_id":"job_%d"}' % (number, number)


async def test_jobs_are_taken_in_their_order_and_as_they_came(service: Service):
    answer, results = await post(service, b"\n".join(map(job, range(200))) + b"\n")

    assert (answer.status, answer.headers["content-type"]) == (200, NDJSON)
    assert "retry-after" not in answer.headers
    assert answer.headers["cache-control"] == "no-store"
    assert results == [{"status": "accepted", "job_id": f"job_{n}"} for n in range(200)]
    assert [json.loads(envelope)["payload"]["job_id"] for envelope in service.store.jobs] == [
        result["job_id"] for result in results
    ]
    assert all(job(n) in envelope for n, envelope in enumerate(service.store.jobs))


@pytest.mark.parametrize(
    "bad", [bad for bad in CORPUS if b"\n" not in bad.body and bad.body.strip()], ids=lambda b: b.name
)
async def test_a_bad_line_gets_what_it_gets_alone_and_stops_no_good_one(service: Service, bad):
    alone = await service.send(raw("POST", JOBS, bad.body))

    _, results = await post(service, b"\n".join((JOB, bad.body, JOB)))

    refused = {**json.loads(alone.body), "line": 2, "status": alone.status}
    assert results == [ACCEPTED, refused, ACCEPTED]
    assert alone.status in {400, 422}
    assert len(service.store.jobs) == 2


async def test_blank_lines_are_passed_over_and_counted(service: Service):
    _, results = await post(service, b"\r\n" + JOB + b"\r\n \n{\n\n")

    assert results[0] == ACCEPTED
    assert (results[1]["line"], results[1]["status"], len(results)) == (4, 400, 2)


async def test_a_job_without_an_id_is_told_the_one_it_gets(service: Service):
    _, results = await post(service, b'{"pet_id":"pet_1"}\n' * 2)

    told = [result["job_id"] for result in results]
    assert told == [json.loads(envelope)["job_id"] for envelope in service.store.jobs]
    assert len(set(told)) == 2


@pytest.mark.parametrize("error", [FULL, StoreUnavailableError()])
@pytest.mark.parametrize("room", [0, 3])
async def test_what_there_is_no_room_for_may_be_sent_again(service: Service, error, room):
    service.store.error, service.store.room = error, room

    answer, results = await post(service, b"\n".join([*map(job, range(4)), b"{", job(5)]))

    statuses = [result["status"] for result in results]
    assert statuses == ["accepted"] * room + [503] * (4 - room) + [400, 503]
    assert results[5] == {"detail": str(error), "line": 6, "status": 503}
    assert (answer.status, answer.headers["retry-after"]) == (200, "1")
    assert len(service.store.jobs) == room


@pytest.mark.parametrize("ending", [b"", b"\n"])
@pytest.mark.parametrize(("lines", "status"), [(0, 422), (1, 200), (1000, 200), (1001, 422)])
async def test_it_has_1_to_1000_lines(service: Service, lines, status, ending):
    answer, _ = await post(service, b"\n".join(map(job, range(lines))) + ending)

    assert answer.status == status
    assert len(service.store.jobs) == (lines if status == 200 else 0)


async def test_a_flood_of_blank_lines_is_refused_before_it_is_taken_apart(service: Service, monkeypatch):
    monkeypatch.setattr(wire, "decode_request", None)

    answer, results = await post(service, b"\n" * 2**20)

    assert (answer.status, results[0]["detail"][:28]) == (422, "a batch has at most 1000 lin")


@pytest.mark.parametrize(
    ("kind", "status"),
    [(NDJSON, 200), (NDJSON + "; charset=utf-8", 200), ("", 200), ("application/json", 415), ("text/plain", 415)],
)
async def test_its_content_type_is_its_own(service: Service, kind, status):
    answer = await service.send(raw("POST", BATCH, JOB, Content_Type=kind))

    assert answer.status == status
    if status == 415:
        assert json.loads(answer.body) == {"detail": "Content-Type: expected application/x-ndjson"}


async def test_lines_are_decoded_beside_the_loop_one_batch_at_a_time(service: Service, decoded):
    await asyncio.gather(*(post(service, (job(n) + b"\n") * 50) for n in range(4)))

    assert threading.main_thread() not in {thread for thread, _ in decoded}
    assert len([body for body, _ in groupby(body for _, body in decoded)]) == 4


async def test_chunks_are_as_good_as_a_length(service: Service):
    head = raw("POST", BATCH, Content_Length="", Transfer_Encoding="chunked")

    answer = await service.send(head + b"%x\r\n%s\r\n1\r\n\n\r\n0\r\n\r\n" % (len(JOB), JOB))

    assert json.loads(answer.body) == ACCEPTED


@pytest.mark.parametrize("body", BADLY_FRAMED.values(), ids=BADLY_FRAMED)
async def test_a_badly_framed_batch_adds_nothing(service: Service, body):
    reader, writer = await service.connect()

    writer.write(raw("POST", BATCH, Content_Length="", Transfer_Encoding="chunked") + body)

    assert (await read_reply(reader)).status == 400
    assert service.store.jobs == []
    assert await closed(reader) == b""
