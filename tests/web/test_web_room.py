"""Clients that hold connections open, in whatever state: probes and callers find room all the same."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from sploot_clusterd import probe
from sploot_clusterd.web import HttpServer, Listening, Tokens, build_ops_app, connection, connections
from tests.support.waiting import eventually
from tests.web.fake_store import FakeStore
from tests.web.service import (
    CLUSTERS,
    JOB,
    JOBS,
    VIEW,
    Reply,
    Serve,
    Service,
    closed,
    raw,
    read_reply,
)

pytestmark = pytest.mark.asyncio(loop_factories=["uvloop", "asyncio"])

Client = tuple[asyncio.StreamReader, asyncio.StreamWriter]

HELD = {
    "nothing": b"",
    "half a head": b"GET /healthz HTTP/1.1\r\nHost: ",
    "an idle connection": raw("GET", "/healthz"),
    "half a second request": raw("GET", "/healthz") + b"GET /hea",
    "half a body that nobody wants": raw("POST", "/healthz", Content_Length="100"),
    "half a body of a stranger": raw("POST", JOBS, Content_Length="100", X_Internal_Token="wrong"),
    "answers that are not taken": raw("GET", "/openapi.json") * 40,
}


@pytest.fixture(params=["http", "metrics"])
async def door(request: pytest.FixtureRequest, serve: Serve) -> AsyncIterator[Service]:
    """Either port, for 64 connections, the metrics' own number."""
    service = await serve(max_connections=64)
    if request.param == "http":
        yield service
        return
    app = build_ops_app(service.metrics, service.health, Tokens())
    server = HttpServer(app, Listening("127.0.0.1", 0), name="metrics", metrics=service.metrics, health=service.health)
    await server.start()
    ops = Service(
        server, service.store, service.tokens, service.metrics, service.health, service.in_flight, service.auditor
    )
    yield ops
    await ops.end()


async def held(service: Service, count: int, data: bytes) -> list[Client]:
    clients = [await service.connect() for _ in range(count)]
    for _, writer in clients:
        writer.transport.pause_reading()
        writer.write(data)
    return clients


@pytest.mark.parametrize("count", [64, 300])
@pytest.mark.parametrize("state", HELD)
async def test_probes_are_answered_whatever_strangers_hold(door: Service, state, count):
    clients = await held(door, count, HELD[state])

    for _ in range(3):
        assert [(await door.send(raw("GET", path))).status for path in ("/healthz", "/readyz")] == [200, 200]
    assert await asyncio.to_thread(probe.check, f"{door.url}/readyz") == 0

    assert door.counted("http_connections") <= 64 + 32
    for _, writer in clients:
        writer.transport.abort()


async def test_the_oldest_idle_one_goes_first_and_those_who_wait_for_an_answer_stay(serve: Serve):
    started, may_go_on = asyncio.Event(), asyncio.Event()

    class Slow(FakeStore):
        async def view(self, pet_id: str) -> bytes | None:
            started.set()
            await may_go_on.wait()
            return await super().view(pet_id)

    service = await serve(Slow(views={"pet_123": VIEW}), max_connections=4)
    waiting = await service.connect()
    waiting[1].write(raw("GET", CLUSTERS))
    await started.wait()
    idle = [await service.connect() for _ in range(4 + 32)]
    await eventually(lambda: service.counted("http_connections") == 36, what="there is no room left")

    assert await closed(idle[0][0]) == b""
    may_go_on.set()
    assert (await read_reply(waiting[0])).body == VIEW
    for reader, writer in idle[1:3]:
        writer.write(raw("GET", "/healthz"))
        assert (await read_reply(reader)).status == 200


async def test_strangers_do_not_push_out_callers(serve: Serve):
    service = await serve(max_connections=40)
    callers = [await service.connect() for _ in range(20)]
    for reader, writer in callers:
        writer.write(raw("GET", CLUSTERS))
        assert (await read_reply(reader)).status == 200

    await held(service, 500, raw("GET", "/healthz"))
    await service.send(raw("GET", "/healthz"))

    for reader, writer in callers:
        writer.write(raw("GET", CLUSTERS))
        assert (await read_reply(reader)).status == 200


async def test_a_caller_whose_body_is_on_its_way_is_not_pushed_out(serve: Serve):
    service = await serve(max_connections=8)
    callers = [await service.connect() for _ in range(8)]
    for _, writer in callers:
        writer.write(raw("POST", JOBS, Content_Length=str(len(JOB)), Expect="100-continue"))
    assert [(await read_reply(reader)).status for reader, _ in callers] == [100] * 8

    await held(service, 200, b"")
    refused = await service.send(raw("GET", CLUSTERS))
    assert (refused.status, refused.headers["connection"], refused.headers["retry-after"]) == (503, "close", "1")
    assert (await service.send(raw("GET", "/readyz?x=y"))).status == 200

    for _, writer in callers:
        writer.write(JOB)
    assert [(await read_reply(reader)).status for reader, _ in callers] == [202] * 8
    assert (await service.send(raw("GET", CLUSTERS))).status == 200


async def test_where_no_connection_can_be_spared_the_next_one_is_refused_at_once(serve: Serve, monkeypatch):
    monkeypatch.setattr(connections, "_ROOM", 0)
    service = await serve(max_connections=1)
    reader, writer = await service.connect()
    writer.write(raw("POST", JOBS, Content_Length="100", Expect="100-continue"))
    assert (await read_reply(reader)).status == 100

    reader, _ = await service.connect()

    answer = await read_reply(reader)
    assert (answer.status, answer.body) == (503, b'{"detail":"too many connections"}')


@pytest.mark.parametrize("data", [b"", b"GET /healthz HTTP/1.1\r\nHost: "])
async def test_the_first_request_has_a_limit_of_its_own(serve: Serve, monkeypatch, data):
    monkeypatch.setattr(connection, "_FIRST_REQUEST_S", 0.1)
    service = await serve(keepalive_s=600.0)
    kept_reader, kept_writer = await service.connect()
    kept_writer.write(raw("GET", "/healthz"))
    assert (await read_reply(kept_reader)).status == 200
    reader, writer = await service.connect()
    writer.write(data)

    assert await closed(reader) == b""

    kept_writer.write(raw("GET", "/healthz"))
    assert (await read_reply(kept_reader)).status == 200


async def test_the_limit_of_the_first_request_is_short_by_default():
    assert connection._FIRST_REQUEST_S <= 5


@pytest.mark.parametrize("expects", ["", "100-continue"])
async def test_a_request_is_in_flight_only_while_it_does_not_wait_for_its_client(serve: Serve, expects):
    counts = []

    class Watching(FakeStore):
        async def submit(self, pet_id: str, payload: bytes) -> None:
            counts.append(service.in_flight.count)
            await super().submit(pet_id, payload)

    service = await serve(Watching())
    reader, writer = await service.connect()
    writer.write(raw("POST", JOBS, JOB[:10], Content_Length=str(len(JOB)), Expect=expects))
    await eventually(lambda: service.counted("http_token_uses_total", slot="0") == 1, what="it was let in")
    assert service.in_flight.count == 0

    writer.write(JOB[10:])
    if expects:
        assert (await read_reply(reader)).status == 100
    assert (await read_reply(reader)).status == 202
    assert (counts, service.in_flight.count) == ([1], 0)


@pytest.mark.parametrize(
    ("sent", "ends"),
    [
        (b"", "stalls"),
        (b"{", "leaves"),
        (b"zz\r\n", "breaks its frame"),
        (b"2000\r\n" + b" " * 8192, "is too large"),
    ],
)
async def test_a_body_that_never_comes_whole_leaves_the_count_as_it_was(serve: Serve, sent, ends):
    service = await serve(body_timeout_s=0.1, max_body_bytes=1024)
    reader, writer = await service.connect()
    writer.write(raw("POST", JOBS, Content_Length="", Transfer_Encoding="chunked") + sent)
    if ends == "leaves":
        writer.transport.abort()
    else:
        assert (await read_reply(reader)).status in {400, 408, 413}
    await eventually(lambda: service.in_flight.count == 0, what="nothing is under way")
    assert (await service.send(raw("POST", JOBS, JOB))).status == 202
    assert service.in_flight.count == 0


async def test_who_takes_an_answer_slowly_is_not_in_flight(serve: Serve):
    service = await serve(FakeStore(views={"pet_123": b"x" * 2**24}))
    _, writer = await service.connect()
    writer.transport.pause_reading()
    writer.write(raw("GET", CLUSTERS))
    route = "/internal/pets/{pet_id}/clusters"
    await eventually(
        lambda: service.counted("http_requests_total", route=route, status="200") == 1, what="the answer is on its way"
    )

    assert service.in_flight.count == 0
    writer.transport.abort()


def chunked(version: str, *more: str) -> bytes:
    head = "\r\n".join((f"POST {JOBS} HTTP/{version}", "Host: x", "Transfer-Encoding: chunked", *more))
    return f"{head}\r\n\r\n".encode() + b"%x\r\n%s\r\n0\r\n\r\n" % (len(JOB), JOB)


@pytest.mark.parametrize("more", [(), ("Connection: keep-alive",)])
@pytest.mark.parametrize("encoding", ["chunked", "Chunked", "identity", "gzip"])
async def test_http_1_0_with_a_transfer_encoding_is_badly_framed(service: Service, more, encoding):
    token = raw("GET", "/").split(b"X-Internal-Token: ")[1].split(b"\r\n")[0].decode()
    data = chunked("1.0", f"X-Internal-Token: {token}", *more).replace(b": chunked", b": " + encoding.encode())
    reader, writer = await service.connect()

    writer.write(data + raw("GET", "/healthz"))
    answer: Reply = await read_reply(reader)

    assert answer.status == 400
    assert b"HTTP" in answer.body
    assert await closed(reader) == b""
    assert service.store.jobs == []
    assert service.counted("http_bad_requests_total") == 1
    fine = data.replace(b"HTTP/1.0", b"HTTP/1.1").replace(encoding.encode(), b"chunked")
    assert (await service.send(fine)).status == 202
