"""Bytes that are no HTTP, or only nearly: a 4xx in our own form, one connection lost, and nothing else."""

import json
import re

import pytest

from tests.web.raw_corpus import BADLY_FRAMED, GET, HOST, MALFORMED, OVERSIZED, POST
from tests.web.service import JOB, JOBS, TOKEN, VIEW, Service, closed, raw, read_reply


@pytest.mark.parametrize("data", MALFORMED.values(), ids=MALFORMED)
async def test_malformed_requests_are_told_so(service: Service, caplog, data):
    reader, writer = await service.connect()

    writer.write(data)
    answer = await read_reply(reader)

    assert (answer.status, list(json.loads(answer.body))) == (400, ["detail"])
    assert await closed(reader) == b""
    assert service.counted("http_bad_requests_total") == 1
    assert [record.exc_info for record in caplog.records] == [None]
    assert (await service.send(raw("GET", "/healthz"))).status == 200


@pytest.mark.parametrize("data", OVERSIZED.values(), ids=OVERSIZED)
async def test_oversized_lines_are_431(service: Service, data):
    answer = await service.send(data)

    assert (answer.status, json.loads(answer.body)) == (431, {"detail": "the request line or a header is too long"})


@pytest.mark.parametrize("body", BADLY_FRAMED.values(), ids=BADLY_FRAMED)
@pytest.mark.parametrize("token", [TOKEN, "wrong"])
async def test_badly_framed_bodies_end_the_connection(service: Service, caplog, body, token):
    reader, writer = await service.connect()

    writer.write(raw("POST", JOBS, X_Internal_Token=token, Content_Length="", Transfer_Encoding="chunked"))
    writer.write(body)
    answer = await read_reply(reader)

    assert answer.status in {400, 401}
    assert json.loads(answer.body)["detail"]
    assert service.store.jobs == []
    assert await closed(reader) == b""
    assert [record.exc_info for record in caplog.records if record.exc_info] == []


@pytest.mark.parametrize(
    "data",
    [
        raw("GET", "/healthz"),
        raw("GET", "/nowhere"),
        GET + b"\r\n",
        GET + b"If-None-Match: *\r\n\r\n",
        POST + b"\r\n",
        MALFORMED["garbage"],
        b"OPTIONS * HTTP/1.1\r\n" + HOST + b"\r\n",
        b"GET /openapi.json HTTP/1.0\r\n\r\n",
    ],
)
async def test_no_answer_names_libraries_or_versions(service: Service, data):
    answer = await service.send(data)

    assert answer.headers["server"] == "clusterd"
    assert not {"aiohttp", "python"} & set(re.findall("[a-z]+", str(answer).lower()))


async def test_chunks_are_as_good_as_a_length(service: Service):
    head = raw("POST", JOBS, Content_Length="", Transfer_Encoding="chunked")

    answer = await service.send(head + b"%x\r\n%s\r\n0\r\n\r\n" % (len(JOB), JOB))

    assert answer.status == 202
    assert JOB in service.store.jobs[0]


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"OPTIONS * HTTP/1.1\r\n" + HOST + b"\r\n", 404),
        (b"CONNECT example.org:443 HTTP/1.1\r\n" + HOST + b"\r\n", 404),
        (b"GET http://elsewhere/healthz HTTP/1.1\r\n" + HOST + b"\r\n", 200),
        (b"GET http://elsewhere/internal/health/redis HTTP/1.1\r\n" + HOST + b"\r\n", 401),
        (b"GET //internal/health/redis HTTP/1.1\r\n" + HOST + b"\r\n", 404),
        (b"GET /%69nternal/health/redis HTTP/1.1\r\n" + HOST + b"\r\n", 401),
        (b"GET /healthz/../internal/health/redis HTTP/1.1\r\n" + HOST + b"\r\n", 404),
        (b"GET /internal/../healthz HTTP/1.1\r\n" + HOST + b"\r\n", 401),
        (b"GET /healthz HTTP/1.0\r\n\r\n", 200),
        (b"GET /healthz\r\n\r\n", 200),
        (b"GET /healthz?x=%FF%00#y HTTP/1.1\r\n" + HOST + b"\r\n", 200),
        (b"GET /nowhere HTTP/1.1\r\n" + HOST + b"Expect: the-unexpected\r\n\r\n", 404),
        (GET + b"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\r\n", 200),
        (GET + b"Upgrade: h2c\r\nConnection: Upgrade, HTTP2-Settings\r\nHTTP2-Settings: AAMAAABkAAQ\r\n\r\n", 200),
        (GET + b"Content-Length: 3\r\n\r\nabc", 200),
        (POST + b"Content-Encoding: gzip\r\nContent-Length: 3\r\n\r\nabc", 415),
    ],
)
async def test_odd_but_lawful_requests_get_an_answer(service: Service, caplog, data, status):
    answer = await service.send(data)

    assert answer.status == status
    assert json.loads(answer.body)
    assert caplog.records == []


async def test_pipelined_requests_are_answered_in_their_order(service: Service):
    reader, writer = await service.connect()

    writer.write(raw("GET", "/healthz") + raw("POST", JOBS, JOB) + GET + b"\r\n")
    answers = [await read_reply(reader) for _ in range(3)]

    assert [answer.status for answer in answers] == [200, 202, 200]
    assert answers[2].body == VIEW


async def test_a_request_smuggled_in_a_refused_body_is_not_run(service: Service):
    inner = raw("POST", JOBS, JOB)
    reader, writer = await service.connect()

    writer.write(raw("POST", JOBS, inner, X_Internal_Token="wrong"))
    writer.write(GET + b"\r\n")

    assert [(await read_reply(reader)).status for _ in range(2)] == [401, 200]
    assert service.store.jobs == []
