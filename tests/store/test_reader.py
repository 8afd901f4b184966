"""A consumer's own connection: its name, its blocked reads, and streams that vanish."""

import asyncio
from dataclasses import replace

import pytest
from redis.asyncio import Redis

from sploot_clusterd.errors import ConsumerNameTakenError, StoreUnavailableError
from sploot_clusterd.metrics import Metrics
from sploot_clusterd.store import Reader, Stream, naming
from sploot_clusterd.store.gateway import Gateway
from sploot_clusterd.store.naming import ConsumerName
from sploot_clusterd.store.server import Servers
from tests.support.producer import Producer
from tests.support.stores import GROUP, settings
from tests.support.waiting import eventually


@pytest.fixture
def new_reader(gateway: Gateway, stream: Stream, redis_url: str, metrics: Metrics):
    def new(consumer: str = "me", block_ms: int = 5000) -> Reader:
        of_stream = replace(settings(redis_url).stream, read_timeout_ms=block_ms)
        look, name = Servers(gateway, in_cluster=False).look, ConsumerName(of_stream.group, consumer)
        return Reader(gateway, {0: stream}, of_stream, metrics, consumer=consumer, look=look, name=name)

    return new


async def blocked(redis: Redis) -> int:
    return (await redis.info("clients"))["blocked_clients"]


async def test_an_idle_stream_is_read_once_per_block_time(new_reader, redis: Redis):
    reader = new_reader(block_ms=50)
    await reader.open()
    assert await reader.read() == []
    await reader.close()
    assert (await redis.info("commandstats"))["cmdstat_xreadgroup"]["calls"] == 1


async def test_new_entries_end_the_wait(new_reader, producer: Producer, redis: Redis):
    reader = new_reader()
    await reader.open()
    reading = asyncio.ensure_future(reader.read())
    await eventually(lambda: blocked(redis), what="a blocked read")
    await producer.add(b"new")
    ((_, (entry,), _),) = await reading
    assert entry.fields == {b"payload": b"new"}
    await reader.close()


async def test_a_blocked_read_is_woken_and_not_cancelled(new_reader, redis: Redis):
    reader = new_reader(block_ms=60_000)
    await reader.open()
    reading = asyncio.ensure_future(reader.read())
    await eventually(lambda: blocked(redis), what="a blocked read")
    await reader.wake()
    assert await reading == []
    await reader.wake()  # nothing to wake
    await reader.close()


@pytest.mark.parametrize("loss", ["flushall", "delete", "destroy"])
async def test_a_vanished_group_is_made_again_and_nothing_after_it_is_missed(
    new_reader, producer: Producer, redis: Redis, loss: str
):
    reader = new_reader()
    await reader.open()
    reading = asyncio.ensure_future(reader.read())
    await eventually(lambda: blocked(redis), what="a blocked read")
    await {"flushall": redis.flushall, "delete": lambda: redis.delete("jobs")}.get(
        loss, lambda: redis.xgroup_destroy("jobs", "workers")
    )()
    await producer.add(b"after")
    assert await reading == []
    assert [entry.fields[b"payload"] for each in await reader.read() for entry in each.entries] == [b"after"]
    await reader.close()


@pytest.mark.parametrize("name", ["me", "a=b"])
async def test_a_name_in_use_by_another_process_is_refused(new_reader, redis: Redis, monkeypatch, name: str):
    first = new_reader(name)
    await first.open()
    monkeypatch.setattr(naming, "_PROCESS", "another")
    second = new_reader(name)
    with monkeypatch.context() as patched:
        patched.setattr(naming, "_PATIENCE", 0.1)
        with pytest.raises(ConsumerNameTakenError, match=rf"consumes as {name}: give .*CLUSTERD_INSTANCE"):
            await second.open()
    other_name = new_reader("someone-else")
    await other_name.open()
    await first.close()
    await second.open()  # the name is free as soon as Redis has seen the connection go
    for reader in (second, other_name):
        await reader.close()


async def test_closed_readers_leave_no_connection(new_reader, redis: Redis):
    before = len(await redis.client_list())
    for n in range(20):
        reader = new_reader(f"r{n}", 10)
        await reader.open()
        await reader.read()
        await reader.close()

    async def gone() -> bool:
        return len(await redis.client_list()) <= before + 1  # the pool of commands keeps one

    await eventually(gone, what="connections to be closed")


async def test_a_lost_connection_is_told_and_not_mended_in_silence(new_reader, redis: Redis):
    """On a new connection the consumer would have no name, and could not be woken."""
    reader = new_reader(block_ms=50)
    await reader.open()
    assert await reader.read() == []
    await redis.client_kill_filter(_id=reader._client_id)
    with pytest.raises(StoreUnavailableError):
        await reader.read()
    await reader.close()


async def test_a_name_that_another_user_took_is_no_process_of_ours(new_reader, redis: Redis, redis_url: str):
    await redis.execute_command("ACL", "SETUSER", "stranger", "on", "nopass", "+client|setname", "+ping")
    stranger = Redis.from_url(redis_url, username="stranger", password="", single_connection_client=True, protocol=2)
    try:
        await stranger.execute_command("CLIENT", "SETNAME", f"clusterd|{GROUP}|me|0123456789abcdef")
        reader = new_reader("me")
        await reader.open()
        await reader.close()
    finally:
        await stranger.aclose()
        await redis.execute_command("ACL", "DELUSER", "stranger")
