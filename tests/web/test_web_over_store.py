"""Handlers over the real store, where plain commands are all they need: a fake server in this process answers those."""

import asyncio
import json
import threading
from collections.abc import AsyncIterator, Iterator

import pytest
from fakeredis import FakeStrictRedis, TcpFakeServer

from sploot_clusterd.config import RedisSettings, SecretUrl, Settings
from sploot_clusterd.metrics import Metrics
from sploot_clusterd.store import Store
from tests.web.service import CLUSTERS, CORRECTIONS, VIEW, Serve, Service, raw

NAMESPACE = "sploot.media.clusters"


@pytest.fixture
def fake_redis() -> Iterator[TcpFakeServer]:
    with TcpFakeServer(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def stored(fake_redis: TcpFakeServer) -> FakeStrictRedis:
    """What the server holds."""
    return FakeStrictRedis(server=fake_redis.fake_server)


@pytest.fixture
async def over_store(fake_redis: TcpFakeServer, serve: Serve) -> AsyncIterator[Service]:
    url = SecretUrl(f"redis://127.0.0.1:{fake_redis.server_address[1]}/0")
    store = Store.open(Settings(redis=RedisSettings(url=url)), Metrics())
    yield await serve(store.views)
    await store.close()


async def test_a_view_is_read_as_it_was_stored_and_not_sent_again(over_store: Service, stored: FakeStrictRedis):
    missing = await over_store.send(raw("GET", CLUSTERS))
    assert (missing.status, json.loads(missing.body)) == (404, {"detail": "cluster state not found"})
    stored.set(f"{NAMESPACE}:state:pet_123", VIEW)
    first = await over_store.send(raw("GET", CLUSTERS))
    assert (first.status, first.body) == (200, VIEW)
    again = await over_store.send(raw("GET", CLUSTERS, If_None_Match=first.headers["etag"]))
    assert (again.status, again.body) == (304, b"")


async def test_readers_who_come_together_each_get_their_own(over_store: Service, stored: FakeStrictRedis):
    pets = [f"pet_{number}" for number in range(40)]
    views = [VIEW.replace(b"pet_123", pet.encode()) for pet in pets[::2]]
    for pet, view in zip(pets[::2], views, strict=True):
        stored.set(f"{NAMESPACE}:state:{pet}", view)
    replies = await asyncio.gather(*(over_store.send(raw("GET", f"/internal/pets/{pet}/clusters")) for pet in pets))
    assert [reply.status for reply in replies] == [200, 404] * 20
    assert [reply.body for reply in replies[::2]] == views


async def test_a_pet_without_an_album_has_nothing_to_correct(over_store: Service):
    reply = await over_store.send(raw("POST", "/internal/pets/pet_123/corrections", CORRECTIONS))
    assert reply.status == 404
