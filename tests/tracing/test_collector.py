"""How a request goes to the collector: on a connection that is kept."""

import asyncio
import socket
import ssl
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import numpy as np
import pytest
import trustme

from sploot_clusterd.config import SecretUrl
from sploot_clusterd.spans import Kind, Sort
from sploot_clusterd.tracing import collector as collector_module
from sploot_clusterd.tracing.collector import Collector, CollectorAwayError, CollectorRefusesError
from sploot_clusterd.tracing.encoding import Batch, request
from sploot_clusterd.tracing.pace import PAUSE
from sploot_clusterd.tracing.rows import Rows
from tests.support.collector import collecting

VISIT = Rows(Sort("GET /x", Kind.SERVER), 1, np.array([1.0, 2.0]))
SLICE = 64 * 1024
ENDLESS = b"x" * 2**26


def one() -> bytes:
    """A request with one span."""
    batch = Batch()
    batch.add(VISIT)
    return b"".join(request({}, batch))


def large() -> tuple[bytes, int]:
    """One of many slices, and how many these are."""
    batch = Batch()
    while len(batch.encoded) < 20 * SLICE:
        batch.add(VISIT)
    made = b"".join(request({}, batch))
    return made, -(-len(made) // SLICE)


async def taken(collector: Collector, made: bytes) -> int:
    """In a thread: the other side is on this loop."""
    return await asyncio.to_thread(collector.take, made)


async def test_the_connection_is_kept():
    whole, _ = large()
    async with collecting() as there:
        collector = Collector(SecretUrl(there.url))
        for made in (one(), whole, one()):
            await taken(collector, made)
            there.status = 400
            with pytest.raises(CollectorRefusesError, match="400"):
                await taken(collector, made)
            there.status = 200
        assert (len(there.connections), there.largest) == (1, len(whole))
        collector.close()


async def test_between_two_slices_of_a_request_others_have_the_core(monkeypatch: pytest.MonkeyPatch):
    whole, slices = large()
    pauses: list[float] = []
    monkeypatch.setattr(time, "sleep", pauses.append)
    async with collecting() as there:
        collector = Collector(SecretUrl(there.url))
        await taken(collector, whole)
        assert pauses == [PAUSE] * slices
        collector.close()


@pytest.mark.parametrize(
    ("user", "told"),
    [("", ""), ("me:s%40fe@", "Basic bWU6c0BmZQ=="), ("me@", "Basic bWU6")],  # me:s@fe, me:
)
async def test_a_user_in_the_url_is_told_as_the_standard_asks(user: str, told: str):
    async with collecting() as there:
        collector = Collector(SecretUrl(there.url.replace("://", f"://{user}")))
        await taken(collector, one())
        assert there.authorization == told
        collector.close()


@pytest.mark.parametrize(
    ("url", "asked"),
    [("http://[::1]", ("::1", 80)), ("https://[::1]/x", ("::1", 443)), ("http://[::1]:4318", ("::1", 4318))],
)
def test_an_address_of_ipv6_needs_no_port(url: str, asked: tuple[str, int], monkeypatch: pytest.MonkeyPatch):
    addresses: list[object] = []

    def refused(address: object, *_: object, **__: object) -> socket.socket:
        addresses.append(address)
        raise ConnectionRefusedError

    monkeypatch.setattr(socket, "create_connection", refused)
    with pytest.raises(CollectorAwayError):
        Collector(SecretUrl(url)).take(one())
    assert addresses == [asked]


async def test_over_tls_the_certificate_is_looked_at(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    whole, _ = large()
    async with collecting(context) as there:
        stranger = Collector(SecretUrl(there.url))
        with pytest.raises(CollectorAwayError, match="certificate"):
            await taken(stranger, one())
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
        collector = Collector(SecretUrl(there.url))
        for made in (one(), whole, one()):
            await taken(collector, made)
        assert (len(there.connections), len(there.spans), there.largest) == (1, 2 + whole.count(b"GET"), len(whole))
        collector.close()


@asynccontextmanager
async def rude(answer: bytes, *, closes: bool = False) -> AsyncIterator[tuple[str, asyncio.Event]]:
    """The URL of one that answers by the head of a request, and reads no further; and whether it has closed the
    connection.
    """
    closed, gone = asyncio.Event(), asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)
        if not closes:
            await gone.wait()
        writer.close()
        await writer.wait_closed()
        closed.set()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, limit=2**12)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", closed
        gone.set()


async def test_a_connection_that_was_closed_meanwhile_is_made_anew():
    async with rude(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", closes=True) as (url, closed):
        collector = Collector(SecretUrl(url))
        for _ in range(3):
            closed.clear()
            assert await taken(collector, one()) == 0
            await asyncio.wait_for(closed.wait(), 10.0)
        collector.close()


async def test_who_refuses_need_not_read_all_of_a_request(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(collector_module, "_PATIENCE", 0.5)
    async with rude(b"HTTP/1.1 413 Content Too Large\r\nContent-Length: 0\r\n\r\n") as (url, _):
        collector = Collector(SecretUrl(url))
        for _ in range(2):
            with pytest.raises(CollectorRefusesError, match="413"):
                await taken(collector, ENDLESS)
        collector.close()


@pytest.mark.parametrize("made", [one(), ENDLESS], ids=["small", "endless"])
async def test_who_does_not_answer_is_not_waited_for(made: bytes, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(collector_module, "_PATIENCE", 0.5)
    async with rude(b"") as (url, _):
        collector = Collector(SecretUrl(url))
        for _ in range(2):
            began = time.monotonic()
            with pytest.raises(CollectorAwayError, match=r"no answer within 0\.5 s"):
                await taken(collector, made)
            assert time.monotonic() - began >= 0.5
        collector.close()


@pytest.mark.parametrize(
    ("answer", "told"),
    [(b"", "without response"), (b"220 smtp.example ESMTP\r\n", "220 smtp")],
    ids=["none", "of another protocol"],
)
async def test_whoever_gives_no_answer_may_do_so_later(answer: bytes, told: str):
    async with rude(answer, closes=True) as (url, _):
        collector = Collector(SecretUrl(url))
        with pytest.raises(CollectorAwayError, match=told):
            await taken(collector, one())
        collector.close()


async def test_of_a_long_answer_not_all_is_read():
    long = 2**20
    async with rude(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % long + b"x" * long) as (url, _):
        collector = Collector(SecretUrl(url))
        for _ in range(2):
            assert await taken(collector, one()) == 0
        collector.close()
