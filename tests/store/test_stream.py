"""Delivery: claims by cause, what counts as an attempt, dead letters."""

import pytest
from redis.asyncio import Redis

from sploot_clusterd.errors import StoreRefusesError
from sploot_clusterd.keys import Keys
from sploot_clusterd.metrics import Metrics
from sploot_clusterd.store import (
    ClaimKind,
    Handling,
    Retry,
    Store,
    Stream,
    ViewStore,
)
from tests.support.pending import abandon, claimed, letter
from tests.support.producer import Producer
from tests.support.waiting import eventually


async def test_our_own_entries_come_back_after_a_reconnect(stream: Stream, producer: Producer):
    for n in range(150):
        await producer.add(b"%d" % n)
    await producer.read("me", 150)
    again = await claimed(stream, ClaimKind.OWN)
    assert [entry.fields[b"payload"] for entry in again] == [b"%d" % n for n in range(150)]
    assert {entry.handling for entry in again} == {Handling.RUN}
    assert await claimed(stream, ClaimKind.OWN, "another") == []


async def test_only_abandoned_entries_are_claimed_as_idle(stream: Stream, producer: Producer, redis: Redis):
    fresh, old = await producer.add(b"fresh"), await producer.add(b"old")
    await producer.read("dead")
    await abandon(redis, old)
    (entry,) = await claimed(stream, ClaimKind.IDLE)
    assert entry.key == old
    assert (await redis.xpending_range("jobs", "workers", fresh, fresh, 1))[0]["consumer"] == b"dead"
    assert await claimed(stream, ClaimKind.IDLE) == []


async def test_a_failure_waits_until_it_is_due_and_keeps_its_count(stream: Stream, producer: Producer, redis: Redis):
    await producer.add()
    (entry,) = await producer.read("me")
    assert await stream.retry("me", [Retry(entry.key, 1, 60_000)]) == 1
    await abandon(redis, entry.key)
    for kind in ClaimKind:
        assert await claimed(stream, kind) == []

    assert await stream.retry("dead", [Retry(entry.key, 2, 0)]) == 1
    (again,) = await claimed(stream, ClaimKind.DUE)
    assert (again.attempts, again.handling) == (2, Handling.RUN)
    assert await claimed(stream, ClaimKind.DUE, "another") == [], "it is being run"


async def test_what_seems_due_in_an_hour_is_due_for_the_clock_went_back(stream: Stream, producer: Producer):
    await producer.add()
    (entry,) = await producer.read("me")
    await stream.retry("me", [Retry(entry.key, 1, 3_600_000)])
    assert [again.key for again in await claimed(stream, ClaimKind.DUE)] == [entry.key]


async def test_a_failure_of_what_is_no_longer_ours_is_not_written(
    stream: Stream, producer: Producer, keys: Keys, redis: Redis
):
    await producer.add()
    (entry,) = await producer.read("owner")
    assert await stream.retry("me", [Retry(entry.key, 1, 0)]) == 0
    assert not await redis.exists(keys.attempts)


async def test_a_deleted_payload_becomes_a_dead_letter_and_not_a_stuck_entry(
    stream: Stream, producer: Producer, redis: Redis, metrics: Metrics
):
    key = await producer.add()
    await producer.read("dead")
    await abandon(redis, key)
    await redis.xdel("jobs", key)
    assert await stream.renew("dead", [key]) == {key}  # a claim now would drop it from the pending entries
    assert await producer.pending() == 1
    (entry,) = await claimed(stream, ClaimKind.IDLE)
    assert entry.handling is Handling.GONE
    assert await stream.dead_letter("me", letter(key, reason="payload_lost"))
    assert await producer.pending() == 0
    assert await stream.dead_letter("me", letter(key, reason="payload_lost")) is False


async def test_one_idle_entry_is_found_behind_many_busy_ones(stream: Stream, producer: Producer, redis: Redis):
    for _ in range(500):
        await producer.add()
    entries = await producer.read("busy", 500)
    await abandon(redis, entries[-1].key)
    assert [entry.key for entry in await claimed(stream, ClaimKind.IDLE)] == [entries[-1].key]


async def test_renewal_keeps_an_entry_from_being_claimed_and_is_no_delivery(
    stream: Stream, producer: Producer, redis: Redis
):
    await producer.add()
    (entry,) = await producer.read("me")
    await abandon(redis, entry.key, "me")
    assert await stream.renew("me", [entry.key]) == {entry.key}
    assert await claimed(stream, ClaimKind.IDLE, "another") == []
    assert (await redis.xpending_range("jobs", "workers", "-", "+", 1))[0]["times_delivered"] == 1
    assert not await stream.renew("another", [entry.key]), "only what is ours: a claim would take it back"


async def test_a_dead_letter_keeps_the_bytes_and_settles(stream: Stream, producer: Producer, redis: Redis, keys: Keys):
    await producer.add()
    (entry,) = await producer.read("me")
    await stream.retry("me", [Retry(entry.key, 1, 0)])
    assert await stream.dead_letter("other", letter(entry.key)) is False
    assert await stream.dead_letter("me", letter(entry.key, attempts=2))
    ((_, fields),) = await redis.xrange(keys.dead_letters)
    assert fields[b"payload"] == b"raw \xff"
    assert set(fields) == {
        *(b"payload", b"error", b"reason", b"attempts", b"entry_id"),
        *(b"first_id", b"pet_id", b"job_id", b"failed_at"),
    }
    assert (fields[b"reason"], fields[b"attempts"], fields[b"entry_id"]) == (b"invalid", b"2", entry.key)
    assert await redis.xlen("jobs") == await producer.pending() == 0
    assert not await redis.exists(keys.attempts)


async def test_the_cap_on_dead_letters_is_kept_and_counted(
    stream: Stream, producer: Producer, redis: Redis, keys: Keys, metrics: Metrics
):
    for _ in range(12):
        await producer.add()
    for entry in await producer.read("me"):
        assert await stream.dead_letter("me", letter(entry.key))
    kept = await redis.xlen(keys.dead_letters)
    dropped = metrics.registry.get_sample_value("media_cluster_dead_letters_dropped_total")
    assert (kept, dropped) == (5, 7)


async def test_without_memory_a_dead_letter_is_refused_and_the_job_stays(
    stream: Stream, producer: Producer, redis: Redis
):
    await producer.add()
    (entry,) = await producer.read("me")
    await redis.config_set("maxmemory", 1)
    with pytest.raises(StoreRefusesError):
        await stream.dead_letter("me", letter(entry.key))
    assert await producer.pending() == 1


async def test_no_dead_letter_of_an_erased_pet_is_kept(
    stream: Stream, views: ViewStore, producer: Producer, redis: Redis, keys: Keys
):
    await producer.add()
    (entry,) = await producer.read("me")
    await views.erase("pet")
    assert await stream.dead_letter("me", letter(entry.key)) is False
    assert await redis.xlen(keys.dead_letters) == await producer.pending() == 0


async def test_erase_marks_live_as_long_as_something_older_is_unsettled(
    stream: Stream, views: ViewStore, producer: Producer, redis: Redis, keys: Keys
):
    await producer.add()
    (entry,) = await producer.read("me")
    await views.erase("pet")
    assert await stream.sweep_erase_marks() == 0
    assert await redis.hget(keys.erased, "pet") == entry.key
    await stream.dead_letter("me", letter(entry.key, pet_id="other"))
    assert await stream.sweep_erase_marks() == 1
    assert not await redis.exists(keys.erased)


async def test_only_idle_consumers_without_entries_are_forgotten(stream: Stream, producer: Producer, redis: Redis):
    await producer.add()
    await producer.read("holds")
    for name in ("empty", "alive"):
        await producer.read(name)
    idle_ms = 20

    async def idle_long_enough() -> bool:
        return all(c["idle"] > idle_ms for c in await redis.xinfo_consumers("jobs", "workers"))

    await eventually(idle_long_enough, what="consumers to be idle")
    assert await stream.forget_idle_consumers(idle_ms, ["alive"]) == 1
    left = {c["name"] for c in await redis.xinfo_consumers("jobs", "workers")}
    assert left == {b"holds", b"alive"}
    assert await producer.pending() == 1


async def test_figures_tell_what_is_unsettled_and_that_a_group_is_missing(
    store: Store, stream: Stream, producer: Producer, redis: Redis
):
    assert (await store.stats())[0] == (0, 0, 0, 0, 0)
    await producer.add()
    key = await producer.add()
    await producer.read("me", 1)
    await abandon(redis, (await redis.xpending_range("jobs", "workers", "-", "+", 1))[0]["message_id"], "me", 5000)
    await redis.hset(store.gateway.keys.erasing, mapping={"a": 1, "b": 2})
    stats = (await store.stats())[0]
    assert (stats.unsettled, stats.pending, stats.erasing) == (2, 1, 2)
    assert stats.oldest_pending_idle_ms >= 5000
    await redis.xdel("jobs", key)  # ahead of the group: the server's own lag would now be unknown
    assert (await store.stats())[0].unsettled == 1
    await redis.xgroup_destroy("jobs", "workers")
    assert (await store.stats())[0].pending == -1
    await redis.delete("jobs")
    await redis.set(store.gateway.keys.erasing, "another hand's")
    assert (await store.stats())[0] == (0, -1, 0, 0, 0)


async def test_a_group_begins_with_the_first_entry(producer: Producer, redis: Redis, stream: Stream):
    await redis.delete("jobs")
    await producer.add(b"before the group")
    await stream.ensure_group()
    await stream.ensure_group()
    assert [entry.fields[b"payload"] for entry in await producer.read("me")] == [b"before the group"]


async def test_what_a_producer_calls_attempts_counts_for_nothing(stream: Stream, redis: Redis):
    """Entries of former producers have such a field, in the envelope or beside it."""
    await redis.xadd("jobs", {"pet_id": "pet", "image_ids": '["a"]', "attempts": "9"})
    await redis.xreadgroup("workers", "me", {"jobs": ">"})
    assert [entry.attempts for entry in await claimed(stream, ClaimKind.OWN)] == [0]
