"""A server on a real socket over a store in memory."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import replace
from typing import Any

import aiohttp
import pytest
import uvloop

from sploot_clusterd import wire
from sploot_clusterd.config import LimitsSettings, Settings, UiSettings
from sploot_clusterd.health import Health
from sploot_clusterd.inflight import InFlight
from sploot_clusterd.metrics import Metrics
from sploot_clusterd.model import JobRequest
from sploot_clusterd.spans import OFF, Tracer
from sploot_clusterd.ui import Page
from sploot_clusterd.web import Auditor, Behind, HttpServer, build_app
from tests.web.fake_store import FakeStore
from tests.web.service import (
    TOKEN,
    VIEW,
    FakeFleet,
    Serve,
    Service,
    tokens,
)


def pytest_asyncio_loop_factories(item: pytest.Item) -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    """The loop that the daemon runs on: transports differ in how they close. Tests may ask for asyncio's as well."""
    marker = item.get_closest_marker("asyncio")
    asked = marker.kwargs.get("loop_factories", ()) if marker else ()
    return {"uvloop": uvloop.new_event_loop} | ({"asyncio": asyncio.new_event_loop} if "asyncio" in asked else {})


@pytest.fixture
async def serve() -> AsyncIterator[Serve]:
    """Starts a server; keywords change settings of `http`, `store` takes another store; feed and history may be off."""
    running: list[Service] = []

    async def start(
        store: Any = None,
        shutdown_timeout: float = 1.0,
        *,
        feeds: bool = True,
        keeps: bool = True,
        image_url: str | None = None,
        tracer: Tracer = OFF,
        **http: Any,
    ) -> Service:
        http = {"port": 0, "ui": False, **http}
        settings = replace(Settings(), ui=UiSettings(image_url))
        settings = replace(settings, http=replace(settings.http, **http))
        store = store or FakeStore(views={"pet_123": VIEW})
        fake = store if isinstance(store, FakeStore) else FakeStore()
        live, metrics, health, in_flight = tokens(), Metrics(), Health(stale_after=60), InFlight()
        auditor = Auditor(fake)
        app = build_app(
            Behind(store, *[fake] * 8, auditor, fake, fake, fake if feeds else None, fake if keeps else None),
            live,
            settings,
            metrics,
            health,
            in_flight=in_flight,
            page=Page(live, settings, FakeFleet()) if settings.serves_page else None,
            tracer=tracer,
        )
        server = HttpServer(
            app, settings.http, name="http", metrics=metrics, health=health, shutdown_timeout=shutdown_timeout
        )
        await server.start()
        running.append(Service(server, store, live, metrics, health, in_flight, auditor))
        return running[-1]

    yield start
    for service in running:
        await service.end()


@pytest.fixture
def decoded(monkeypatch: pytest.MonkeyPatch) -> list[tuple[threading.Thread, bytes]]:
    """The jobs that are decoded, never two at once, and where."""
    jobs: list[tuple[threading.Thread, bytes]] = []
    decode, busy = wire.decode_request, threading.Lock()

    def watched(body: bytes, limits: LimitsSettings) -> JobRequest:
        jobs.append((threading.current_thread(), body))
        assert busy.acquire(blocking=False)
        try:
            return decode(body, limits)
        finally:
            busy.release()

    monkeypatch.setattr(wire, "decode_request", watched)
    return jobs


@pytest.fixture
async def service(serve: Serve) -> Service:
    return await serve()


@pytest.fixture
async def client(service: Service) -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(
        service.url, headers={"X-Internal-Token": TOKEN, "Content-Type": "application/json"}
    ) as session:
        yield session
