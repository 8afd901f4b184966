"""Clients that are slow, greedy or too many."""

import asyncio
import gzip
import json
import socket
import struct
import threading
import zlib

import pytest

from tests.support.waiting import eventually
from tests.web.fake_store import FakeStore
from tests.web.service import (
    CLUSTERS,
    JOB,
    JOBS,
    TOKEN,
    VIEW,
    Serve,
    Service,
    closed,
    raw,
    read_reply,
)


async def test_unfinished_headers_end_with_the_keepalive_time(serve: Serve):
    service = await serve(keepalive_s=0.2)
    reader, writer = await service.connect()
    began = asyncio.get_running_loop().time()

    async def drip():
        for byte in raw("GET", "/healthz"):
            writer.write(bytes([byte]))
            await asyncio.sleep(0.05)

    dripping = asyncio.create_task(drip())
    assert await closed(reader) == b""
    dripping.cancel()

    assert asyncio.get_running_loop().time() - began > 0.1


async def test_an_idle_connection_ends_with_the_keepalive_time(serve: Serve):
    service = await serve(keepalive_s=0.2)
    reader, writer = await service.connect()

    writer.write(raw("GET", "/healthz"))
    assert (await read_reply(reader)).status == 200

    assert await closed(reader) == b""


@pytest.mark.parametrize("drips", [False, True])
async def test_a_slow_body_is_408(serve: Serve, drips):
    service = await serve(body_timeout_s=0.2)
    reader, writer = await service.connect()

    async def drip():
        while True:
            writer.write(b" ")
            await asyncio.sleep(0.05)

    writer.write(raw("POST", JOBS, Content_Length="1000"))
    dripping = asyncio.create_task(drip()) if drips else None
    answer = await read_reply(reader)

    assert (answer.status, json.loads(answer.body)) == (408, {"detail": "the body did not arrive within 0.2 s"})
    assert answer.headers["connection"] == "close"
    assert await closed(reader) == b""
    if dripping:
        dripping.cancel()


async def test_a_body_announced_as_too_large_is_refused_unread(serve: Serve):
    service = await serve(max_body_bytes=1024)

    answer = await service.send(raw("POST", JOBS, Content_Length="1025"))

    assert (answer.status, json.loads(answer.body)) == (413, {"detail": "a body has at most 1024 bytes"})
    assert answer.headers["connection"] == "close"


@pytest.mark.parametrize("large", [False, True])
async def test_large_bodies_are_decoded_beside_the_loop_one_at_a_time(service: Service, decoded, large):
    filler = b" " * (2**18 if large else 2**16)
    bodies = {JOB + filler: 202, b"{}" + filler: 422, filler + b"[" * 70: 400, filler: 400}

    answers = await asyncio.gather(*(service.send(raw("POST", JOBS, body)) for body in bodies))

    assert [answer.status for answer in answers] == list(bodies.values())
    assert {thread is threading.main_thread() for thread, _ in decoded} == {not large}
    assert len(decoded) == len(bodies)


async def test_a_body_that_grows_too_large_is_413(serve: Serve):
    service = await serve(max_body_bytes=1024)
    head = raw("POST", JOBS, Content_Length="", Transfer_Encoding="chunked")

    assert (await service.send(head + b"401\r\n" + b" " * 1025 + b"\r\n0\r\n\r\n")).status == 413
    assert (await service.send(raw("POST", JOBS, JOB.ljust(1024)))).status == 202


@pytest.mark.parametrize("pack", [gzip.compress, zlib.compress], ids=["gzip", "deflate"])
@pytest.mark.parametrize("header", ["Content-Encoding", "X-Nothing"])
async def test_a_bomb_is_not_unpacked(service: Service, pack, header):
    bomb = pack(bytes(30_000_000))

    answer = await service.send(raw("POST", JOBS, bomb, **{header: "gzip" if pack is gzip.compress else "deflate"}))

    assert answer.status == (415 if header == "Content-Encoding" else 400)
    assert service.store.jobs == []


@pytest.mark.parametrize("sent", [b"", b"{", JOB[:-1]])
async def test_a_client_that_leaves_in_its_body_costs_nothing(service: Service, caplog, sent):
    _, writer = await service.connect()

    writer.write(raw("POST", JOBS, sent, Content_Length=str(len(JOB))))
    await eventually(lambda: service.counted("http_connections") == 1, what="the connection is open")
    writer.close()
    await eventually(lambda: service.counted("http_connections") == 0, what="the connection is gone")

    assert (await service.send(raw("GET", "/healthz"))).status == 200
    assert service.store.jobs == []
    assert caplog.records == []


class SlowStore(FakeStore):
    """Its submits wait until they are let go."""

    def __init__(self) -> None:
        super().__init__()
        self.go = asyncio.Event()
        self.asked = asyncio.Event()

    async def submit(self, pet_id: str, payload: bytes) -> None:
        self.asked.set()
        await self.go.wait()
        await super().submit(pet_id, payload)


async def test_a_client_that_leaves_before_its_answer_is_still_served(serve: Serve):
    store = SlowStore()
    service = await serve(store)
    _, writer = await service.connect()

    writer.write(raw("POST", JOBS, JOB))
    await asyncio.wait_for(store.asked.wait(), 30)
    writer.close()
    store.go.set()

    await eventually(lambda: len(store.jobs) == 1, what="the job is in the stream")
    await eventually(lambda: service.counted("http_connections") == 0, what="the connection ends with the answer")


async def test_a_client_that_resets_its_connection_before_its_answer_is_still_served(serve: Serve):
    store = SlowStore()
    service = await serve(store)
    _, writer = await service.connect()

    writer.write(raw("POST", JOBS, JOB))
    await asyncio.wait_for(store.asked.wait(), 30)
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()
    await eventually(lambda: service.counted("http_connections") == 0, what="the client is gone")
    store.go.set()

    await eventually(lambda: len(store.jobs) == 1, what="the job is in the stream")


async def test_one_connection_too_many_is_503_and_the_others_live(serve: Serve):
    store = SlowStore()
    service = await serve(store, max_connections=5)
    held = [await service.connect() for _ in range(5)]
    for _, writer in held:
        writer.write(raw("POST", JOBS, JOB))
    await eventually(lambda: service.in_flight.count == 5, what="all are under way")

    reader, writer = await service.connect()
    writer.write(raw("GET", CLUSTERS))
    answer = await read_reply(reader)

    assert (answer.status, json.loads(answer.body)) == (503, {"detail": "too many connections"})
    assert (answer.headers["retry-after"], answer.headers["connection"]) == ("1", "close")
    assert await closed(reader) == b""
    writer.close()
    await eventually(lambda: service.counted("http_connections") == 5, what="it is gone")
    probed = json.loads((await service.send(raw("GET", "/readyz"))).body)
    assert probed["warnings"] == ["http: nearly all of 5 connections are open"]
    store.go.set()
    assert [(await read_reply(reader)).status for reader, _ in held] == [202] * 5


async def test_room_comes_back(serve: Serve):
    service = await serve(max_connections=1)
    for _ in range(3):
        reader, writer = await service.connect()
        writer.write(raw("GET", "/healthz"))
        assert (await read_reply(reader)).status == 200
        writer.close()
        await eventually(lambda: service.counted("http_connections") == 0, what="the connection is gone")
    assert service.health.warnings() == []


async def test_a_client_that_does_not_take_its_answer_is_cut_off(serve: Serve):
    service = await serve(FakeStore(views={"pet_1": b"x" * 2**22}), keepalive_s=0.3)
    reader, writer = await service.connect()

    writer.transport.pause_reading()
    writer.write(raw("GET", "/internal/pets/pet_1/clusters") * 8)
    await eventually(
        lambda: service.counted("http_requests_total", route="/internal/pets/{pet_id}/clusters", status="200") >= 1,
        what="an answer is on its way",
    )

    await eventually(lambda: service.counted("http_connections") == 0, what="the connection is cut")
    writer.transport.resume_reading()
    with pytest.raises(ConnectionResetError):  # and not what the kernel would still hold for it
        await reader.read()
    writer.transport.abort()


async def test_a_large_view_reaches_a_client_that_reads(serve: Serve):
    service = await serve(FakeStore(views={"pet_1": VIEW * 2**17}))

    assert (await service.send(raw("GET", "/internal/pets/pet_1/clusters"))).body == VIEW * 2**17


async def test_stopping_waits_for_requests_and_not_for_idle_clients(serve: Serve):
    store = SlowStore()
    service = await serve(store, shutdown_timeout=60.0)
    port = service.server.port
    idle_reader, _ = await service.connect()
    reader, writer = await service.connect()
    writer.write(raw("POST", JOBS, JOB))
    await asyncio.wait_for(store.asked.wait(), 30)

    stopping = asyncio.create_task(service.server.stop())
    assert await closed(idle_reader) == b""
    assert not stopping.done()
    store.go.set()

    assert (await read_reply(reader)).status == 202
    await asyncio.wait_for(stopping, 30)
    assert len(store.jobs) == 1
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection("127.0.0.1", port)


async def test_stopping_does_not_wait_for_a_stalled_body(serve: Serve):
    service = await serve(shutdown_timeout=0.2)
    reader, writer = await service.connect()
    writer.write(raw("POST", JOBS, Content_Length="100", X_Internal_Token=TOKEN, Expect="100-continue"))
    assert (await read_reply(reader)).status == 100

    await asyncio.wait_for(service.server.stop(), 30)

    assert service.counted("http_connections") == 0
    assert await closed(reader) == b""
    await service.server.stop()


async def test_stopping_cuts_off_who_does_not_take_the_answer(serve: Serve):
    service = await serve(FakeStore(views={"pet_1": b"x" * 2**24}), shutdown_timeout=0.1)
    _, writer = await service.connect()
    writer.transport.pause_reading()
    writer.write(raw("GET", "/internal/pets/pet_1/clusters"))
    route = "/internal/pets/{pet_id}/clusters"
    await eventually(
        lambda: service.counted("http_requests_total", route=route, status="200") == 1, what="the answer is on its way"
    )

    await asyncio.wait_for(service.server.stop(), 30)

    assert service.counted("http_connections") == 0
    writer.transport.abort()
