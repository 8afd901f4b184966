"""The change feed in Redis: written by the commit itself, gapless, and bounded."""

import json
from dataclasses import replace

import pytest
from redis.asyncio import Redis

from sploot_clusterd.config import FeedSettings
from sploot_clusterd.errors import BadStateError, StoreUnavailableError
from sploot_clusterd.keys import Keys
from sploot_clusterd.metrics import Metrics
from sploot_clusterd.store import Commit, CommitOutcome, Committed, Feed, Store
from tests.support.feeds import MOST_BYTES, PET, Writer, check_index, sequences
from tests.support.producer import Producer
from tests.support.stores import settings


async def test_a_commit_tells_of_itself(feed: Feed, write: Writer, redis: Redis, keys: Keys):
    first, second = await write(change=b'{"a":1}'), await write(change=b'{"a":2}')
    events, newest, is_whole = await feed.read(0, "0", 10)

    assert [(each.sequence, each.kind, each.pet_id) for each in events] == [(1, "changed", PET), (2, "changed", PET)]
    assert [(each.before, each.after) for each in events] == [
        ("", first.token.decode()),
        (first.token.decode(), second.token.decode()),
    ]
    assert [each.previous for each in events] == ["", events[0].id]
    assert newest == events[-1].id
    assert is_whole
    assert {each.incarnation for each in events} == {first.token.decode().partition(".")[0]}
    assert [bytes(each.change or b"") for each in events] == [b'{"a":1}', b'{"a":2}']
    await check_index(redis, keys)


async def test_what_changes_no_album_has_no_event(feed: Feed, write: Writer):
    await write()
    await write(version=None)
    await write(change=None)
    assert await sequences(feed) == [1]


async def test_what_is_refused_has_no_event(feed: Feed, write: Writer, redis: Redis, keys: Keys):
    await write()
    write.tokens[PET] = b"another.1"
    done = await write.try_to()
    assert isinstance(done, Committed)
    assert done.outcome is CommitOutcome.CONFLICT
    assert await sequences(feed) == [1]


@pytest.mark.parametrize("key", ["feed", "feed_index"])
async def test_where_something_else_is_in_its_place_nothing_is_written(
    write: Writer, redis: Redis, keys: Keys, producer: Producer, key: str
):
    await redis.set(getattr(keys, key), "mine")
    assert isinstance(await write.try_to(), StoreUnavailableError | BadStateError)
    assert not await redis.exists("ns:album:pet")
    assert await producer.pending() == 1


async def test_an_erased_pet_has_another_incarnation(feed: Feed, write: Writer, store: Store):
    await write()
    await store.views.erase(PET)
    await write.forget(PET)
    await write()
    erased, changed = (await feed.read(0, "", 10)).events
    assert (erased.kind, erased.pet_id, erased.after, erased.change) == ("erased", PET, "", None)
    assert erased.before.endswith(".1")
    assert erased.before.startswith(erased.incarnation)
    assert (changed.before, changed.kind) == ("", "changed")
    assert changed.incarnation not in ("", erased.incarnation)


async def test_it_takes_no_more_than_it_may(feed: Feed, write: Writer, redis: Redis, keys: Keys, metrics: Metrics):
    for number in range(500):
        await write(f"pet-{number % 7}", b'"%s"' % (b"x" * 5000))
        assert (await feed.figures())[0].bytes <= MOST_BYTES
    (figures,) = await feed.figures()
    trimmed = metrics.registry.get_sample_value("media_cluster_feed_trimmed_total", {"why": "bytes"})
    assert trimmed == 500 - figures.events
    assert figures.bytes > MOST_BYTES * 0.9
    await check_index(redis, keys)
    assert 0.75 < figures.bytes / await redis.memory_usage(keys.feed, 0) < 1.3
    entries = await redis.xrange(keys.feed)
    assert [int(key.partition(b"-")[0]) for key, _ in entries] == [*range(int(trimmed) + 1, 501)]


async def test_events_that_are_too_old_go(feed: Feed, write: Writer, redis: Redis, keys: Keys, metrics: Metrics):
    event = (
        '{"pet_id":"pet-%d","earlier":"","previous":"","kind":"changed","incarnation":"a","before":"","after":"a.1",'
        '"change":{}}'
    )
    events = {f"{sequence}-1000": event % sequence for sequence in range(1, 151)}
    for event_id, text in events.items():  # as commits did long ago
        await redis.xadd(keys.feed, {"event": text}, event_id)
        await redis.hset(keys.feed_index, json.loads(text)["pet_id"], event_id)
    await redis.hset(keys.feed_index, "*", f"150-1000 {sum(200 + len(text) for text in events.values())}")
    await write()
    assert (await feed.figures())[0].oldest_ms > 10**12
    assert await feed.trim(0) == 150
    assert metrics.registry.get_sample_value("media_cluster_feed_trimmed_total", {"why": "age"}) == 150
    assert await sequences(feed) == [151]
    await check_index(redis, keys)
    assert (await feed.figures())[0].oldest_ms < 60_000


async def test_of_a_feed_that_nobody_keeps_up_its_last_events_expire(
    feed: Feed, write: Writer, redis: Redis, keys: Keys
):
    await write()
    await feed.trim(0)
    assert 86400 < await redis.ttl(keys.feed) <= 86400 + 3600
    assert await redis.ttl(keys.feed_index) == -1


async def test_when_all_of_it_has_expired_the_sequence_goes_on(feed: Feed, write: Writer, redis: Redis, keys: Keys):
    for number in range(3):
        await write(f"pet-{number}")
    place = (await feed.read(0, "", 10)).newest
    await redis.delete(keys.feed)
    assert await feed.read(0, place, 10) == ([], place, True)
    assert not (await feed.read(0, "2", 10)).is_whole
    assert (await feed.figures())[0][:2] == (0, 0)
    await write()
    (event,) = (await feed.read(0, place, 10)).events
    assert (event.sequence, event.previous) == (4, place)
    await check_index(redis, keys)


async def test_a_reader_goes_on_from_its_place(feed: Feed, write: Writer):
    for _ in range(5):
        await write()
    first = await feed.read(0, "", 2)
    second = await feed.read(0, first.events[-1].id, 2)
    assert [each.sequence for each in (*first.events, *second.events)] == [1, 2, 3, 4]
    assert [each.sequence for each in (await feed.read(0, "3", 2)).events] == [4, 5]
    assert first.is_whole
    assert second.is_whole


async def test_of_large_events_fewer_are_read(feed: Feed, write: Writer):
    for _ in range(5):
        await write(change=b'"%s"' % (b"x" * 400_000))
    found = await feed.read(0, "", 100)
    assert [each.sequence for each in found.events] == [1, 2, 3]
    assert found.events[-1].id != found.newest


async def test_what_was_trimmed_unread_is_noticed(feed: Feed, write: Writer, redis: Redis, keys: Keys):
    for _ in range(6):
        await write()
    events = (await feed.read(0, "", 10)).events
    await redis.xtrim(keys.feed, maxlen=2, approximate=False)
    assert not (await feed.read(0, "0", 10)).is_whole
    assert not (await feed.read(0, events[2].id, 10)).is_whole
    assert (await feed.read(0, events[3].id, 10)).is_whole
    assert (await feed.read(0, "4", 10)).is_whole
    assert (await feed.read(0, "", 10)).is_whole


async def test_what_was_erased_is_no_gap(feed: Feed, write: Writer, store: Store):
    await write("other")
    await write()
    await write()
    events = (await feed.read(0, "", 10)).events
    await write("other")
    await store.views.erase(PET)
    for place in (events[0].id, "1"):
        assert await sequences(feed, place) == [4, 5]
        assert (await feed.read(0, place, 10)).is_whole
    assert (await feed.read(0, events[2].id, 10)).is_whole


@pytest.mark.parametrize("more", [0, 2, 5])
async def test_events_in_the_place_of_lost_ones_are_noticed(
    feed: Feed, write: Writer, redis: Redis, keys: Keys, more: int
):
    """As when a replica takes over that had not got the last commits; the reader had read them."""
    await write()
    held = {key: await redis.dump(getattr(keys, key)) for key in ("feed", "feed_index")}
    for _ in range(3):
        await write("other")
    place = (await feed.read(0, "", 10)).newest
    for key, dumped in held.items():
        await redis.restore(getattr(keys, key), 0, dumped, replace=True)
    for number in range(more):
        await write(f"new-{number}")
    found = await feed.read(0, place, 10)
    assert not found.is_whole
    assert found.newest != place


@pytest.mark.parametrize("event_id", ["100-1", "18446744073709551615-18446744073709551615"])
async def test_what_another_hand_adds_stops_no_commit(
    store: Store, feed: Feed, write: Writer, redis: Redis, event_id: str
):
    await write()
    await redis.xadd("ns:feed", {"mine": "x"}, event_id)
    with pytest.raises((BadStateError, StoreUnavailableError)):
        await feed.read(0, "", 10)
    assert await store.inspect() == []
    await write()
    await write()
    assert await sequences(feed, "1") == [2, 3]


async def test_without_its_index_it_begins_anew(feed: Feed, write: Writer, redis: Redis, keys: Keys):
    for _ in range(3):
        await write()
    place = (await feed.read(0, "", 10)).newest
    await redis.delete(keys.feed_index)
    assert not (await feed.read(0, "2", 10)).is_whole or await sequences(feed, "2") == [3]
    await write()
    assert await sequences(feed) == [1]
    assert not (await feed.read(0, place, 10)).is_whole


async def test_each_partition_has_its_own(redis: Redis, redis_url: str, metrics: Metrics):
    given = settings(redis_url)
    given = replace(given, stream=replace(given.stream, partitions=4), feed=FeedSettings(enabled=True))
    store = Store.open(given, metrics)
    await store.follow()
    assert store.feed is not None
    pets = [f"pet-{number}" for number in range(12)]
    for pet in pets:
        partition = store.of(pet)
        await partition.stream.ensure_group()
        await redis.xadd(partition.keys.stream, {"payload": "{}"})
        ((_, ((entry, _),)),) = await redis.xreadgroup("workers", "me", {partition.keys.stream: ">"})
        commit = Commit(pet, [entry], b"", None, 1, {b"head": b"h"}, change=b"{}")
        (done,) = await partition.albums.commit("me", [commit])
        assert isinstance(done, Committed)
        assert done.outcome is CommitOutcome.COMMITTED
    await store.views.erase(pets[0])

    assert store.feed.partitions == 4
    told = []
    for number, partition in enumerate(store.partitions):
        events, newest, _ = await store.feed.read(number, "0", 100)
        assert {store.layout.number(each.pet_id) for each in events} <= {number}
        assert newest == events[-1].id == await store.feed.newest(number)
        assert await redis.exists(partition.keys.feed)
        told += [(each.pet_id, each.kind) for each in events]
    assert sorted(told) == sorted([(pet, "changed") for pet in pets[1:]] + [(pets[0], "erased")])
    assert sum(figures.events for figures in await store.feed.figures()) == len(pets)
    await store.close()
