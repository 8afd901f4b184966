"""Which entries are suspected of ending processes, and which only came late."""

from collections.abc import Awaitable, Callable

import pytest
from redis.asyncio import Redis

from sploot_clusterd.store import (
    AlbumStore,
    ClaimKind,
    Commit,
    Handling,
    LoneRun,
    Retry,
    Stream,
)
from tests.support.pending import abandon, claimed, letter
from tests.support.producer import Producer


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
