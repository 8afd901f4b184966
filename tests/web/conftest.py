"""A server on a real socket over a store in memory."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import replace
from typing import Any

import aiohttp
import pytest
import uvloop
from web_service import TOKEN, VIEW, FakeStore, Serve, Service

from sploot_clusterd.config import Secret, Settings
from sploot_clusterd.health import Health
from sploot_clusterd.metrics import Metrics
from sploot_clusterd.traffic import Traffic
from sploot_clusterd.web import HttpServer, Tokens, build_app


def pytest_asyncio_loop_factories(item: pytest.Item) -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    """The loop that the daemon runs on: transports differ in how they close. Tests may ask for asyncio's as well."""
    marker = item.get_closest_marker("asyncio")
    asked = marker.kwargs.get("loop_factories", ()) if marker else ()
    return {"uvloop": uvloop.new_event_loop} | ({"asyncio": asyncio.new_event_loop} if "asyncio" in asked else {})


@pytest.fixture
async def serve() -> AsyncIterator[Serve]:
    """Starts a server; keywords change settings of `http`, `store` takes another store."""
    running: list[Service] = []

    async def start(store: Any = None, shutdown_timeout: float = 1.0, **http: Any) -> Service:
        settings = Settings()
        settings = replace(settings, http=replace(settings.http, **{"port": 0, **http}))
        store = store or FakeStore(views={"pet_123": VIEW})
        tokens, metrics, health, traffic = Tokens([Secret(TOKEN)]), Metrics(), Health(stale_after=60), Traffic()
        app = build_app(store, tokens, settings, metrics, health, traffic=traffic)
        server = HttpServer(
            app, settings.http, name="http", metrics=metrics, health=health, shutdown_timeout=shutdown_timeout
        )
        await server.start()
        running.append(Service(server, store, tokens, metrics, health, traffic))
        return running[-1]

    yield start
    for service in running:
        await service.end()


@pytest.fixture
async def service(serve: Serve) -> Service:
    return await serve()


@pytest.fixture
async def client(service: Service) -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(
        service.url, headers={"X-Internal-Token": TOKEN, "Content-Type": "application/json"}
    ) as session:
        yield session
