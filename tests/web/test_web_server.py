"""Starting and stopping."""

import asyncio
import inspect
import os
import resource
import subprocess
import sys

import pytest
from aiohttp import ClientPayloadError, ClientSession

from sploot_clusterd.config import LimitsSettings, Settings
from sploot_clusterd.errors import StartError
from sploot_clusterd.health import Health
from sploot_clusterd.inflight import InFlight
from sploot_clusterd.metrics import Metrics
from sploot_clusterd.store import ViewStore
from sploot_clusterd.web import Auditor, Behind, HttpServer, Listening, Tokens, build_app
from sploot_clusterd.web.backend import Backend
from sploot_clusterd.web.routing import App, Router
from tests.web.fake_store import FakeStore
from tests.web.service import (
    Serve,
    Service,
    raw,
)

NOTHING = App(Router(None, LimitsSettings(), Metrics(), InFlight()))


def server_on(listening: Listening, app: App | None = None) -> HttpServer:
    return HttpServer(app or NOTHING, listening, name="metrics", metrics=Metrics(), health=Health(stale_after=60))


async def test_port_0_becomes_a_real_one_and_0_again(service: Service):
    assert service.server.port > 0
    assert (await service.send(raw("GET", "/healthz"))).status == 200

    await service.server.stop()

    assert service.server.port == 0


@pytest.mark.parametrize("host", ["127.0.0.1", "no-such-host.invalid"])
async def test_a_place_that_cannot_be_had_is_named(service: Service, host):
    with pytest.raises(StartError, match=f"metrics: cannot listen on {host}:{service.server.port}"):
        await server_on(Listening(host, service.server.port)).start()


@pytest.mark.parametrize("host", ["::", "0::0"])
async def test_everywhere_is_both_families(host):
    server = server_on(Listening(host, 0))
    await server.start()

    for address in ("127.0.0.1", "::1"):
        _, writer = await asyncio.open_connection(address, server.port)
        writer.close()
    with pytest.raises(StartError, match=rf"metrics: cannot listen on \[{host}\]:{server.port}: "):
        await server_on(Listening(host, server.port)).start()

    await server.stop()


async def test_everywhere_may_be_shared():
    first = server_on(Listening("::", 0, reuse_port=True))
    await first.start()
    second = server_on(Listening("::", first.port, reuse_port=True))
    await second.start()

    assert first.port == second.port

    await first.stop()
    await second.stop()


async def test_one_address_of_ipv6_is_that_alone():
    server = server_on(Listening("::1", 0))
    await server.start()

    with pytest.raises(OSError, match="refused"):
        await asyncio.open_connection("127.0.0.1", server.port)
    _, writer = await asyncio.open_connection("::1", server.port)
    writer.close()

    await server.stop()


async def test_a_port_is_shared_where_all_agree():
    first = server_on(Listening("127.0.0.1", 0, reuse_port=True))
    await first.start()
    second = server_on(Listening("127.0.0.1", first.port, reuse_port=True))
    await second.start()

    assert first.port == second.port

    await first.stop()
    await second.stop()


async def test_a_start_makes_room_for_the_connections(serve: Serve):
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (300, before[1]))
        await serve(max_connections=500)
        assert resource.getrlimit(resource.RLIMIT_NOFILE) == (756, before[1])
        await serve(max_connections=10)
        assert resource.getrlimit(resource.RLIMIT_NOFILE) == (756, before[1])
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)


async def test_too_little_room_is_said(serve: Serve, caplog, monkeypatch):
    monkeypatch.setattr(resource, "getrlimit", lambda _: (100, 200))
    asked = []
    monkeypatch.setattr(resource, "setrlimit", lambda _, limits: asked.append(limits))

    await serve(max_connections=500)

    assert asked == [(200, 200)]
    assert [(record.message, record.data) for record in caplog.records] == [
        ("too few file descriptors", {"wanted": 756, "limit": 200})
    ]


def test_without_the_c_parser_it_does_not_start():
    program = (
        "import asyncio\n"
        "from sploot_clusterd.errors import StartError\n"
        "from sploot_clusterd.health import Health\n"
        "from sploot_clusterd.metrics import Metrics\n"
        "from sploot_clusterd.web import Behind, HttpServer, Listening, Tokens, build_ops_app\n"
        "metrics, health = Metrics(), Health(60)\n"
        "app = build_ops_app(metrics, health, Tokens())\n"
        "server = HttpServer(app, Listening('127.0.0.1', 0), name='x', metrics=metrics, health=health)\n"
        "try:\n"
        "    asyncio.run(server.start())\n"
        "except StartError as error:\n"
        "    print(error)\n"
    )
    ran = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "AIOHTTP_NO_EXTENSIONS": "1"},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )

    assert "C parser" in ran.stdout


def test_the_real_store_fits_the_room():
    for name in ("view", "submit", "submit_all", "has_album", "invalidate", "erase", "ping"):
        assert inspect.signature(getattr(ViewStore, name)) == inspect.signature(getattr(Backend, name))


async def test_starting_and_stopping_leaves_nothing_behind(serve: Serve):
    for _ in range(20):
        service = await serve()
        assert (await service.send(raw("GET", "/healthz"))).status == 200
        await service.server.stop()
        await service.server.stop()
        assert service.counted("http_connections") == 0


def test_building_needs_no_loop():
    settings = Settings()
    behind = Behind(*[FakeStore()] * 9, Auditor(FakeStore()), FakeStore(), FakeStore())
    app = build_app(behind, Tokens(), settings, Metrics(), Health(60), in_flight=InFlight())

    assert app.max_body_bytes == settings.http.max_body_bytes


async def test_errors_that_no_endpoint_caught_say_nothing(caplog):
    class Failing(Router):
        async def handle(self, request):
            if request.path == "/half":
                await request.writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf")
            raise RuntimeError("secret words")

    server = server_on(Listening("127.0.0.1", 0), App(Failing(None, LimitsSettings(), Metrics(), InFlight())))
    await server.start()
    async with ClientSession(f"http://127.0.0.1:{server.port}") as session:
        async with session.get("/fails") as answer:
            assert (answer.status, await answer.json()) == (500, {"detail": "internal error"})
        with pytest.raises(ClientPayloadError):
            async with session.get("/half") as answer:
                await answer.read()
    await server.stop()

    assert [record.data["error"] for record in caplog.records] == ["RuntimeError"]
    assert "secret" not in caplog.text


async def test_requests_are_counted_until_they_are_answered(serve: Serve):
    seen = []

    class Watching(FakeStore):
        async def view(self, pet_id: str) -> bytes | None:
            seen.append(service.in_flight.count)
            if pet_id == "bad":
                raise KeyError
            return await super().view(pet_id)

    service = await serve(Watching(views={"pet_1": b"{}"}))

    statuses = [(await service.send(raw("GET", f"/internal/pets/{pet}/clusters"))).status for pet in ("pet_1", "bad")]

    assert (statuses, seen, service.in_flight.count) == ([200, 500], [1, 1], 0)
