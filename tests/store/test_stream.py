"""Delivery: claims by cause, what counts as an attempt, dead letters."""

from collections.abc import Awaitable, Callable

import pytest
from redis.asyncio import Redis

from sploot_clusterd.errors import StoreRefusesError
from sploot_clusterd.keys import Keys
from sploot_clusterd.metrics import Metrics
from sploot_clusterd.store import (
    AlbumStore,
    ClaimKind,
    Commit,
    Entry,
    Handling,
    Letter,
    LoneRun,
    Retry,
    Store,
    Stream,
    ViewStore,
)
from tests.support.producer import Producer
from tests.support.waiting import eventually


async def claimed(stream: Stream, kind: ClaimKind, consumer: str = "me") -> list[Entry]:
    return [entry async for page in stream.claim(consumer, kind) for entry in page]


async def abandon(redis: Redis, key: bytes, owner: str = "dead", idle_ms: int = 120_000) -> None:
    """As if `owner` had read it long ago and died: idle, without another delivery."""
    await redis.xclaim("jobs", "workers", owner, 0, [key], idle=idle_ms, justid=True)


def letter(entry: bytes, **more: object) -> Letter:
    base = Letter(entry, b"raw \xff", "invalid", "pet_id: required", 0, entry.decode(), "pet", "job", "now")
    return base._replace(**more)


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


async def test_two_deliveries_without_an_outcome_make_a_suspect_and_its_lone_runs_are_counted(
    stream: Stream, producer: Producer, redis: Redis
):
    key = await producer.add()
    await producer.read("dead")
    verdicts, runs = [], []
    for _ in range(6):
        await abandon(redis, key)
        (entry,) = await claimed(stream, ClaimKind.IDLE)
        verdicts.append(entry.handling)
        if entry.handling is Handling.ALONE:
            runs.append(await stream.begin_alone("me", key, harmless=False))
    assert verdicts == [Handling.RUN, *[Handling.ALONE] * 5]
    assert runs == [*[LoneRun.RUN] * 3, *[LoneRun.CRASH_LOOP] * 2]
    assert await stream.begin_alone("another", key, harmless=False) is LoneRun.LOST


async def test_to_be_claimed_with_a_suspect_is_no_lone_run(stream: Stream, producer: Producer, redis: Redis):
    keys = [await producer.add(b"%d" % n) for n in range(3)]
    await producer.read("dead")
    for _ in range(20):
        for key in keys:
            await abandon(redis, key)
        entries = await claimed(stream, ClaimKind.IDLE)
        assert len(entries) == 3
    assert [await stream.begin_alone("me", key, harmless=False) for key in keys] == [LoneRun.RUN] * 3


async def test_reconnects_do_not_move_a_healthy_job_towards_the_dead_letters(stream: Stream, producer: Producer):
    key = await producer.add()
    await producer.read("me")
    for _ in range(20):
        (entry,) = await claimed(stream, ClaimKind.OWN)
        assert entry.attempts == 0
        if entry.handling is Handling.ALONE:
            assert await stream.begin_alone("me", key, harmless=True) is LoneRun.RUN


Late = Callable[[Stream, AlbumStore, str, bytes], Awaitable[object]]


async def renews(stream: Stream, albums: AlbumStore, owner: str, key: bytes) -> object:
    return await stream.renew(owner, [key])


async def commits(stream: Stream, albums: AlbumStore, owner: str, key: bytes) -> object:
    return await albums.commit(owner, [Commit("pet", [key], b"", None)])


async def fails(stream: Stream, albums: AlbumStore, owner: str, key: bytes) -> object:
    return await stream.retry(owner, [Retry(key, 1, 0)])


async def puts_off(stream: Stream, albums: AlbumStore, owner: str, key: bytes) -> object:
    return await stream.put_off(owner, [(key, 0)])


async def sets_aside(stream: Stream, albums: AlbumStore, owner: str, key: bytes) -> object:
    return await stream.dead_letter(owner, letter(key))


@pytest.mark.parametrize("comes_late", [renews, commits, fails, puts_off, sets_aside])
async def test_what_slow_processes_take_from_each_other_is_no_suspect(
    stream: Stream, albums: AlbumStore, producer: Producer, redis: Redis, comes_late: Late
):
    key = await producer.add()
    await producer.read("slow-0")
    for number in range(10):
        await abandon(redis, key, f"slow-{number}")
        (entry,) = await claimed(stream, ClaimKind.IDLE, f"slow-{number + 1}")
        assert entry.handling is Handling.RUN
        await comes_late(stream, albums, f"slow-{number}", key)
        await comes_late(stream, albums, f"slow-{number}", key)
    assert await producer.pending() == 1


async def test_who_comes_late_hides_no_process_that_died_since(
    stream: Stream, albums: AlbumStore, producer: Producer, redis: Redis
):
    key = await producer.add()
    await producer.read("slow")
    await abandon(redis, key)
    await claimed(stream, ClaimKind.IDLE, "dead")
    await renews(stream, albums, "slow", key)
    await commits(stream, albums, "slow", key)
    await abandon(redis, key)
    await claimed(stream, ClaimKind.IDLE, "dead")
    await abandon(redis, key)
    (entry,) = await claimed(stream, ClaimKind.IDLE)
    assert entry.handling is Handling.ALONE


async def test_a_lone_run_that_ends_late_does_not_count(
    stream: Stream, albums: AlbumStore, producer: Producer, redis: Redis
):
    key = await producer.add()
    await producer.read("dead")
    for _ in range(2):
        await abandon(redis, key)
        await claimed(stream, ClaimKind.IDLE, "slow")
    for _ in range(5):
        assert await stream.begin_alone("slow", key, harmless=False) is LoneRun.RUN
        await abandon(redis, key, "another")
        await renews(stream, albums, "slow", key)
        await commits(stream, albums, "slow", key)
        await abandon(redis, key, "slow")


async def test_what_is_done_in_time_nowhere_is_found_out_as_well(
    stream: Stream, albums: AlbumStore, producer: Producer, redis: Redis
):
    key = await producer.add()
    await producer.read("slow-0")
    handled = []
    for number in range(30):
        await abandon(redis, key, f"slow-{number}")
        (entry,) = await claimed(stream, ClaimKind.IDLE, f"slow-{number + 1}")
        handled.append(entry.handling)
        await renews(stream, albums, f"slow-{number}", key)
    assert handled.index(Handling.ALONE) == 20


async def test_lost_connections_of_a_process_that_lives_make_no_suspect(stream: Stream, producer: Producer):
    await producer.add()
    await producer.read("me")
    for _ in range(10):
        ((entry,),) = [page async for page in stream.claim("me", ClaimKind.OWN, lives=True)]
        assert entry.handling is Handling.RUN


async def test_an_outcome_ends_the_suspicion(stream: Stream, producer: Producer, redis: Redis):
    key = await producer.add()
    await producer.read("me")
    for _ in range(3):
        await abandon(redis, key, "me")
        (entry,) = await claimed(stream, ClaimKind.IDLE)
    assert entry.handling is Handling.ALONE
    await stream.retry("me", [Retry(key, 1, 0)])
    (again,) = await claimed(stream, ClaimKind.DUE)
    assert again.handling is Handling.RUN


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
    assert (await store.stats())[0] == (0, 0, 0, 0)
    await producer.add()
    key = await producer.add()
    await producer.read("me", 1)
    await abandon(redis, (await redis.xpending_range("jobs", "workers", "-", "+", 1))[0]["message_id"], "me", 5000)
    stats = (await store.stats())[0]
    assert (stats.unsettled, stats.pending) == (2, 1)
    assert stats.oldest_pending_idle_ms >= 5000
    await redis.xdel("jobs", key)  # ahead of the group: the server's own lag would now be unknown
    assert (await store.stats())[0].unsettled == 1
    await redis.xgroup_destroy("jobs", "workers")
    assert (await store.stats())[0].pending == -1
    await redis.delete("jobs")
    assert (await store.stats())[0] == (0, -1, 0, 0)


async def test_a_group_begins_with_the_first_entry(producer: Producer, redis: Redis, stream: Stream):
    await redis.delete("jobs")
    await producer.add(b"before the group")
    await stream.ensure_group()
    await stream.ensure_group()
    assert [entry.fields[b"payload"] for entry in await producer.read("me")] == [b"before the group"]
