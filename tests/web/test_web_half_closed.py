"""Clients that close their sending side once they have asked (`nc -N`): answered, and then the connection ends."""

import asyncio
import re
import socket

import pytest

from sploot_clusterd.web import HttpServer, Listening, Tokens, build_ops_app
from tests.support.waiting import eventually
from tests.web.fake_store import FakeStore
from tests.web.raw_corpus import GET, POST
from tests.web.service import (
    JOB,
    VIEW,
    Serve,
    Service,
    closed,
    raw,
    read_reply,
)

pytestmark = pytest.mark.asyncio(loop_factories=["uvloop", "asyncio"])

JOBS = "/internal/cluster-jobs"
LARGE = b'{"pet_id":"pet_123","metadata":{"x":"' + b"y" * 2**20 + b'"}}'


async def answers_to(port: int, data: bytes) -> list[int]:
    """The statuses of all that a client is told that sends this and no more, until the server ends the connection."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(data)
    writer.write_eof()
    said = await closed(reader)
    writer.close()
    return [int(status) for status in re.findall(rb"HTTP/1\.[01] (\d+) ", said)]


@pytest.mark.parametrize(
    ("data", "statuses"),
    [
        (raw("GET", "/readyz"), [200]),
        (raw("HEAD", "/healthz", Content_Length=""), [200]),
        (raw("GET", "/healthz", Connection="close"), [200]),
        (b"GET /healthz HTTP/1.0\r\n\r\n", [200]),
        (b"GET /healthz HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", [200]),
        (GET + b"\r\n", [200]),
        (raw("POST", JOBS, JOB), [202]),
        (raw("POST", JOBS, JOB, Connection="close"), [202]),
        (raw("POST", JOBS, LARGE), [202]),
        (raw("POST", JOBS, b"{}"), [422]),
        (raw("POST", JOBS, JOB, X_Internal_Token="wrong"), [401]),
        (raw("POST", JOBS, LARGE, X_Internal_Token="wrong"), [401]),
        (raw("POST", JOBS, LARGE, Expect="100-continue"), [100, 202]),
        (POST + b"Transfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n" % (len(JOB), JOB), [202]),
        (raw("DELETE", "/internal/pets/pet_123"), [200]),
        (raw("GET", "/nowhere"), [404]),
        (GET + b"Upgrade: websocket\r\nConnection: Upgrade\r\n\r\n" + raw("GET", "/healthz"), [200, 200]),
        (raw("GET", "/healthz") + raw("POST", JOBS, JOB) + GET + b"\r\n", [200, 202, 200]),
        (raw("POST", JOBS, JOB) * 200, [202] * 200),
        (b"nonsense\r\n\r\n", [400]),
    ],
)
async def test_what_was_asked_before_the_end_is_answered(service: Service, caplog, data, statuses):
    assert await answers_to(service.server.port, data) == statuses
    await eventually(lambda: service.counted("http_connections") == 0, what="no connection is left")
    assert [record for record in caplog.records if record.exc_info] == []


async def test_an_answer_that_takes_its_time_comes(serve: Serve):
    asked, may_go_on = asyncio.Event(), asyncio.Event()

    class Slow(FakeStore):
        async def view(self, pet_id: str) -> bytes | None:
            asked.set()
            await may_go_on.wait()
            return await super().view(pet_id)

    service = await serve(Slow(views={"pet_123": VIEW}))
    answers = asyncio.create_task(answers_to(service.server.port, (GET + b"\r\n") * 3))
    await asked.wait()
    for _ in range(100):
        await asyncio.sleep(0)
    may_go_on.set()

    assert await answers == [200] * 3


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"GET /hea",
        GET,
        GET + b"X: y",
        POST + b"Content-Length: 100\r\n\r\n",
        POST + b"Content-Length: 100\r\n\r\n" + JOB[:20],
        raw("POST", JOBS, LARGE)[:-1],
        POST + b"Transfer-Encoding: chunked\r\n\r\n5\r\n{}",
        POST + b"Transfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n" % (len(JOB), JOB),
        POST + b"Expect: 100-continue\r\nContent-Length: 100\r\n\r\n",
        raw("POST", JOBS, LARGE, X_Internal_Token="wrong")[:-1],
        raw("GET", "/healthz") + raw("POST", JOBS, JOB)[:-1],
    ],
)
async def test_what_ends_in_the_middle_is_not_run(service: Service, caplog, data):
    assert await answers_to(service.server.port, data) in ([], [400], [100, 400], [401], [200, 400])
    assert service.store.jobs == []
    await eventually(lambda: service.counted("http_connections") == 0, what="no connection is left")
    assert caplog.records == []


@pytest.mark.parametrize(
    "data", [raw("GET", "/healthz"), raw("POST", JOBS, JOB) * 20, POST, raw("POST", JOBS, JOB)[:-1]]
)
@pytest.mark.parametrize("resets", [False, True])
async def test_clients_that_are_gone_cost_nothing(service: Service, caplog, data, resets):
    for _ in range(20):
        with socket.create_connection(("127.0.0.1", service.server.port)) as client:
            client.sendall(data)
            if resets:
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")

    await eventually(lambda: service.counted("http_connections") == 0, what="no connection is left")
    assert (await service.send(raw("GET", "/healthz"))).status == 200
    assert service.in_flight.count == 0
    assert caplog.records == []


async def test_a_client_that_takes_no_answer_is_cut_off_though_it_sends_no_more(serve: Serve):
    service = await serve(FakeStore(views={"pet_123": b"x" * 2**20}), keepalive_s=1.0)
    reader, writer = await service.connect()
    writer.transport.pause_reading()

    writer.write((GET + b"\r\n") * 8)
    writer.write_eof()

    await eventually(lambda: service.counted("http_connections") == 1, what="it is connected")
    await eventually(lambda: service.counted("http_connections") == 0, what="it is cut off")
    assert reader is not None


async def test_a_client_that_keeps_its_sending_side_open_keeps_the_connection(service: Service):
    reader, writer = await service.connect()
    for _ in range(3):
        writer.write(raw("GET", "/healthz"))
        assert (await read_reply(reader)).status == 200
        await asyncio.sleep(0.02)


async def test_the_metrics_port_answers_them_too(service: Service):
    app = build_ops_app(service.metrics, service.health, Tokens())
    server = HttpServer(app, Listening("127.0.0.1", 0), name="metrics", metrics=service.metrics, health=service.health)
    await server.start()

    for path in ("/metrics", "/readyz", "/healthz"):
        assert await answers_to(server.port, raw("GET", path)) == [200]

    await server.stop()
