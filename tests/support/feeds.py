"""Commits that tell the change feed of themselves, and what is in it."""

import json

from msgspec.structs import replace
from redis.asyncio import Redis

from sploot_clusterd.keys import Keys
from sploot_clusterd.store import Commit, CommitOutcome, Committed, Feed, Store
from tests.support.producer import Producer

MOST_BYTES = 2**21
PET = "pet"


class Writer:
    """Commits to pets' albums, one version after the other."""

    def __init__(self, store: Store, producer: Producer) -> None:
        self._albums = store.partitions[0].albums
        self._producer = producer
        self.tokens: dict[str, bytes] = {}

    async def try_to(self, pet_id: str = PET, change: bytes | None = b"{}", **more: object) -> Committed | Exception:
        await self._producer.add()
        entry = (await self._producer.read("me"))[0].key
        token = self.tokens.get(pet_id, b"")
        version = int(token.partition(b".")[2] or 0) + 1
        commit = Commit(pet_id, [entry], token, None, version, {b"head": b"h"}, view=b"{}", change=change)
        (done,) = await self._albums.commit("me", [replace(commit, **more)])
        return done

    async def __call__(self, pet_id: str = PET, change: bytes | None = b"{}", **more: object) -> Committed:
        done = await self.try_to(pet_id, change, **more)
        assert isinstance(done, Committed)
        assert done.outcome is CommitOutcome.COMMITTED
        self.tokens[pet_id] = done.token
        return done

    async def forget(self, pet_id: str) -> None:
        self.tokens.pop(pet_id, None)


async def sequences(feed: Feed, place: str = "") -> list[int]:
    return [event.sequence for event in (await feed.read(0, place, 1000)).events]


async def check_index(redis: Redis, keys: Keys) -> None:
    """The index says what is in the stream."""
    entries = await redis.xrange(keys.feed)
    index = await redis.hgetall(keys.feed_index)
    _, total = index.pop(b"*").split()
    assert int(total) == sum(200 + len(fields[b"event"]) for _, fields in entries)
    assert index == {json.loads(fields[b"event"])["pet_id"].encode(): key for key, fields in entries}
