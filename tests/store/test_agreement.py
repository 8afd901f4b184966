"""Processes over one Redis compare what they go by: a difference is told, and one that endangers data is no start."""

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from dataclasses import replace
from typing import Any

import pytest
from redis.asyncio import Redis

from sploot_clusterd.errors import StartError
from sploot_clusterd.metrics import Metrics
from sploot_clusterd.store import Store
from tests.support.stores import settings

Opens = Callable[..., Store]


@pytest.fixture
async def process(redis: Redis, redis_url: str) -> AsyncIterator[Opens]:
    """Opens the store of one more process; keywords change its settings, `section__name`."""
    async with AsyncExitStack() as stack:

        def opens(**changes: Any) -> Store:
            given = settings(redis_url)
            for name, value in changes.items():
                section, _, key = name.partition("__")
                given = replace(given, **{section: replace(getattr(given, section), **{key: value})})
            store = Store.open(given, Metrics())
            stack.push_async_callback(store.close)
            return store

        yield opens


async def told(store: Store) -> list[str]:
    return [finding.text for finding in await store.look()]


async def test_those_who_agree_are_not_told(process: Opens):
    one, other = process(), process(albums__cache_bytes=0, stream__consumers=7, service__instance="b")
    for _ in range(2):
        assert await told(one) == await told(other) == []


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"limits__vector_length": 8}, "limits.vector_length is 8 here and 4096 at "),
        ({"stream__maxlen": 3}, "stream.maxlen is 3 here and 5 at "),
        ({"stream__group": "others"}, "stream.group is 'others' here and 'workers' at "),
        ({"stream__dead_letter": "elsewhere"}, "stream.dead_letter is 'elsewhere' here and 'jobs:dead' at "),
        ({"engine__min_cluster_size": 5}, "engine.min_cluster_size is 5 here and 2 at "),
        ({"clusters__max_cluster_size": 30}, "clusters.max_cluster_size is 30 here and 24 at "),
    ],
)
async def test_a_difference_is_told_with_both_values_and_whose_it_is(process: Opens, change: dict, says: str):
    one, other = process(service__instance="a"), process(**change)
    assert await told(one) == []
    for _ in range(2):
        (text,) = await told(other)
        assert text.startswith(f"processes disagree: {says}")
        assert "-a; set them alike" in text
        assert len(await told(one)) == 1
    await other.leave()
    assert await told(one) == []


async def test_two_namespaces_over_one_stream_do_not_start(process: Opens, redis: Redis):
    one, other = process(), process(clusters__namespace="another")
    await one.look()
    with pytest.raises(StartError, match=r"clusters\.namespace is 'another' here and 'ns' at .* over one stream"):
        await other.look()
    assert await told(one) == [], "the one that was refused is gone"
    reader = other.reader("me")
    with pytest.raises(StartError):
        await reader.open()
    assert not await redis.exists("jobs"), "it has not begun to read"
    await one.leave()
    assert await told(other) == []


@pytest.mark.parametrize(("first", "second"), [("prod", "prod:state"), ("prod:state", "prod"), ("p", "p:album:x")])
async def test_a_namespace_among_the_keys_of_another_does_not_start(process: Opens, first: str, second: str):
    one = process(clusters__namespace=first)
    other = process(clusters__namespace=second, stream__key="others", stream__dead_letter="others:dead")
    assert await told(one) == []
    with pytest.raises(StartError, match=f"namespace is '{second}' here, and '{first}' is in use"):
        await other.look()
    beside = process(clusters__namespace="prod-2", stream__key="others", stream__dead_letter="others:dead")
    assert await told(beside) == []


async def test_what_is_found_later_is_told_and_ends_nothing(process: Opens, redis: Redis):
    one = process(clusters__namespace="prod:state")
    assert await told(one) == []
    await redis.hset("prod:agreed", "somebody", "1 {}")
    (text,) = await told(one)
    assert "'prod' is in use on the same Redis" in text


async def test_a_process_that_is_gone_is_forgotten(process: Opens, redis: Redis):
    one = process()
    for register in ("jobs:agreement", "ns:agreed"):
        await redis.hset(
            register, mapping={"gone": '1 {"limits.vector_length": 8}', "odd": "garbage", b"\xff": b"\xff"}
        )
    assert await told(one) == []
    assert await redis.hlen("jobs:agreement") == 1


async def test_where_the_acl_forbids_it_is_told_and_stops_nothing(process: Opens, redis: Redis, redis_url: str):
    rights = ("on", "nopass", "+@all", "~jobs", "~jobs:attempts", "~jobs:dead", "~ns:*")
    await redis.execute_command("ACL", "SETUSER", "weak", *rights)
    try:
        store = process(redis__username="weak")
        (text,) = await told(store)
        assert text.startswith("settings of processes cannot be compared: redis refuses a command to our user")
    finally:
        await redis.execute_command("ACL", "DELUSER", "weak")
