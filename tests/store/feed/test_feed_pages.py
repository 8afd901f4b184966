"""The change feed is read in pages: what goes between two of them is noticed."""

from typing import Any

import pytest
from redis.asyncio import Redis

from sploot_clusterd.keys import Keys
from sploot_clusterd.store import Feed
from sploot_clusterd.store.gateway import Gateway
from tests.support.feeds import Writer, sequences


async def test_what_goes_between_two_pages_is_not_skipped(
    feed: Feed, write: Writer, redis: Redis, keys: Keys, monkeypatch: pytest.MonkeyPatch
):
    for _ in range(200):
        await write()
    assert await sequences(feed) == [*range(1, 201)]
    read_each = Gateway.read_each

    async def then_trimmed(gateway: Gateway, *asked: Any) -> list[Any]:
        replies = await read_each(gateway, *asked)
        await redis.xtrim(keys.feed, maxlen=10, approximate=False)
        return replies

    monkeypatch.setattr(Gateway, "read_each", then_trimmed)
    found = await feed.read(0, "", 1000)
    assert [each.sequence for each in found.events] == [*range(1, len(found.events) + 1)]
    assert found.newest.startswith("200-")
    assert not (await feed.read(0, found.events[-1].id, 1000)).is_whole
