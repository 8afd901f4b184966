"""The loops: consumers and the reclaim loop, from start to stop, through losses of Redis and of the stream."""

import asyncio
import os
import signal
import tempfile
from collections import Counter
from pathlib import Path

import pytest
from redis.asyncio import Redis

from sploot_clusterd.due import DueEntries
from sploot_clusterd.embedded import EmbeddedRedis
from sploot_clusterd.errors import StoreUnavailableError
from sploot_clusterd.health import Health
from sploot_clusterd.ingest import leases as leases_module
from sploot_clusterd.ingest import reclaim as reclaim_module
from sploot_clusterd.ingest.consumer import Consumer
from sploot_clusterd.ingest.reclaim import Reclaimer
from sploot_clusterd.store import Retry
from tests.support.loops import running
from tests.support.side import Side, image
from tests.support.waiting import eventually


def consumer(side: Side, name: str = "me") -> Consumer:
    return side.ingest.consumer("consumer-0", name)


def reclaimer(side: Side) -> Reclaimer:
    return side.ingest.reclaimer("reclaim", ["me", "reclaim"])


async def test_a_consumer_finishes_its_own_entries_first_and_stops_from_a_blocked_read(side: Side):
    await side.add("left-behind", payload=image("a"))
    await side.read("me")  # and crashed
    await side.add("new", payload=image("b"))
    async with running(side, consumer(side)):
        await eventually(lambda: side.redis.exists("ns:state:left-behind", "ns:state:new"), what="both pets")
        await eventually(lambda: blocked(side.redis), what="a blocked read")
    assert await side.pending() == 0


async def blocked(redis: Redis) -> int:
    return (await redis.info("clients"))["blocked_clients"]


async def test_what_a_dead_process_held_is_done_by_the_reclaim_loop(side: Side):
    await side.add(payload=image("a"))
    (entry,) = await side.read("dead")
    await side.redis.xclaim("jobs", "workers", "dead", 0, [entry.key], idle=120_000, justid=True)
    side.ingest.name_confirmed.set()
    async with running(side, reclaimer(side)):
        await eventually(lambda: side.redis.exists("ns:state:pet"), what="the job to be done", timeout=20)
    assert side.count("reclaims_total", cause="idle") == 1


async def test_the_reclaim_loop_waits_for_the_consumers_name(side: Side):
    await side.add(payload=image("a"))
    (entry,) = await side.read("reclaim")
    async with running(side, reclaimer(side)):
        before = (await side.redis.xpending_range("jobs", "workers", entry.key, entry.key, 1))[0]["times_delivered"]
        side.ingest.name_confirmed.set()
        await eventually(lambda: side.redis.exists("ns:state:pet"), what="its own entry to be done")
    assert before == 1


@pytest.mark.parametrize("loss", ["flushall", "destroy"])
async def test_the_loops_live_through_the_loss_of_their_group(side: Side, loss: str):
    async with running(side, consumer(side), reclaimer(side)):
        await eventually(lambda: blocked(side.redis), what="a blocked read")
        await (side.redis.flushall() if loss == "flushall" else side.redis.xgroup_destroy("jobs", "workers"))
        await side.add(payload=image("after"))
        await eventually(lambda: side.redis.exists("ns:state:pet"), what="the job after the loss")


async def test_the_brake_holds_reading(side: Side):
    for n in range(150):
        await side.raw(b'{"pet_id": "ill-%d", "payload": 1}' % n)
    async with running(side, consumer(side)):
        await eventually(lambda: side.brake.seconds_left() > 0, what="the brake")
        await side.add(payload=image("waits"))
        assert 100 <= await side.redis.xlen(side.keys.dead_letters) <= 100 + 8, "what was read by then is still done"
        assert not await side.redis.exists("ns:state:pet")


async def test_floods_of_one_pets_bad_jobs_and_of_late_corrections_hold_up_nobody(side: Side):
    late = {"corrections": [{"op": "rename", "cluster": "late-cluster-7", "label": "Beach"}]}
    for _ in range(150):
        await side.add("late", payload=late)
        await side.raw(b'{"pet_id": "bad", "payload": 1}')
        await side.raw(b"{")
    await side.add("good", payload=image("img"))
    async with running(side, consumer(side)):
        await eventually(lambda: side.redis.exists("ns:state:good"), what="the good job behind the floods")
        await eventually(lambda: blocked(side.redis), what="an empty stream")
    assert side.brake.seconds_left() == 0
    assert not side.health.reasons()
    letters = Counter((letter[b"pet_id"], letter[b"reason"]) for letter in await side.letters())
    assert letters == {(b"late", b"stale_correction"): 150, (b"bad", b"invalid"): 100, (b"", b"malformed"): 150}
    assert await side.pending() == 50, "the others of the bad pet come later, with no attempt used"
    records = await side.redis.hvals(side.keys.attempts)
    assert {record.split()[0] for record in records} == {b"0"}


async def test_a_consumer_outlives_its_redis(new_side):
    with tempfile.TemporaryDirectory(prefix="loops-") as directory, EmbeddedRedis(Path(directory)) as server:
        side = await new_side(url=f"unix://{server.socket}")
        async with running(side, consumer(side)):
            await eventually(lambda: blocked(side.redis), what="a blocked read")
            os.kill(server.pid, signal.SIGKILL)
            server.stop()
            await eventually(side.health.reasons, what="readiness to say so")
            server.start()
            await eventually(lambda: not side.health.reasons(), what="recovery")
            await side.add(payload=image("after"))
            await eventually(lambda: side.redis.exists("ns:state:pet"), what="work after the restart")


async def test_a_loop_has_one_name_for_the_supervisor_and_the_probes(new_side):
    now = 0.0
    health = Health(10.0, lambda: now)
    side = await new_side(health=health)
    loops = [side.leases, side.learner, consumer(side), reclaimer(side)]
    assert [loop.name for loop in loops] == ["leases", "profiles", "consumer-0", "reclaim"]
    assert health.reasons() == ["consumer-0: has not begun to read"]
    now = 1000.0
    assert health.reasons()[1:] == [f"{loop.name}: no completed pass for 1000 s" for loop in loops]


async def test_leases_are_renewed_while_work_is_in_hand_and_not_when_it_hangs(side: Side, monkeypatch):
    await side.add()
    (entry,) = await side.read("me")
    await side.redis.xclaim("jobs", "workers", "me", 0, [entry.key], idle=50_000, justid=True)
    now = 1000.0
    monkeypatch.setattr(leases_module.time, "monotonic", lambda: now)

    async def idle() -> int:
        return (await side.redis.xpending_range("jobs", "workers", "-", "+", 1))[0]["time_since_delivered"]

    with side.leases.lease("me", [entry.key]):
        assert await side.leases.renew_all() == 0, "too soon to be worth a round trip"
        now += 20
        assert await side.leases.renew_all() == 1
        assert await idle() < 10_000
        await side.redis.xclaim("jobs", "workers", "me", 0, [entry.key], idle=50_000, justid=True)
        now += 60 * 21
        assert await side.leases.renew_all() == 0, "a hung run must not hold its jobs for ever"
        assert await idle() >= 50_000
    assert await side.leases.renew_all() == 0


async def test_what_another_took_over_is_renewed_no_more(side: Side, monkeypatch):
    lost, kept = [(await side.add()) for _ in range(2)]
    await side.read("me")
    now = 1000.0
    monkeypatch.setattr(leases_module.time, "monotonic", lambda: now)
    with side.leases.lease("me", [lost, kept]) as lease, side.leases.lease("me", [kept]):
        now += 20
        await side.redis.xclaim("jobs", "workers", "another", 0, [lost])
        assert await side.leases.renew_all() == 1
        assert lease.entries == [kept]
        assert await side.redis.hkeys(side.keys.attempts) == [lost]


async def test_a_process_takes_nothing_over_from_itself(side: Side, monkeypatch):
    await side.add()
    (entry,) = await side.read("me")
    now = 1000.0
    monkeypatch.setattr(leases_module.time, "monotonic", lambda: now)
    with side.leases.lease("me", [entry.key]):
        now += 90  # in which the machine let nothing of it run
        await side.redis.xclaim("jobs", "workers", "me", 0, [entry.key], idle=90_000, justid=True)
        assert await reclaimer(side).claim_idle() == 0
    assert (await side.redis.xpending_range("jobs", "workers", "-", "+", 1))[0]["consumer"] == b"me"


async def test_leases_end_with_the_drain_and_not_before(side: Side):
    task = asyncio.create_task(side.leases.run())
    with side.leases.lease("me", [b"1-1"]):
        side.stopping.set()
        for _ in range(5):
            await asyncio.sleep(0)
        assert not task.done()
    async with asyncio.timeout(30):
        await task


async def test_what_is_due_is_looked_for_only_while_something_may_be(side: Side):
    reclaim = reclaimer(side)
    side.due.update((await side.store.stats())[0].pending, 0)
    round_trips = side.count("redis_round_trips_total", kind="claim")
    assert await reclaim.claim_due() == 0
    assert side.count("redis_round_trips_total", kind="claim") == round_trips
    await side.add(payload=image("a"))
    (entry,) = await side.read("me")
    side.due.put_off()
    await side.stream.retry("me", [Retry(entry.key, 1, 0)])
    assert await reclaim.claim_due() == 1, "this process put it off, and need not wait for the pulse"


async def test_what_a_dead_process_put_off_is_taken_up_once_the_pulse_saw_it(side: Side):
    reclaim = reclaimer(side)
    side.due.update((await side.store.stats())[0].pending, 0)
    await side.add(payload=image("a"))
    (entry,) = await side.read("dead")
    await side.redis.hset("jobs:attempts", entry.key, "1 1 0 1")
    side.due.update((await side.store.stats())[0].pending, 0)
    assert await reclaim.claim_due() == 1


def test_what_was_asked_before_an_entry_was_put_off_does_not_hide_it():
    due = DueEntries()
    before = due.times_put_off
    due.put_off()
    due.update(0, before)
    assert due.possible
    due.update(0, due.times_put_off)
    assert not due.possible


async def test_upkeep_forgets_marks_and_says_how_many(side: Side):
    await side.redis.hset(side.keys.erased, mapping={"a": "1-1", "b": "2-1"})
    assert await reclaimer(side).upkeep() == 2


async def test_consumers_of_processes_long_gone_are_forgotten_after_an_hour_and_not_before(side: Side, monkeypatch):
    await side.read("of-a-pod-that-is-gone")
    upkeep = reclaimer(side).upkeep

    async def listed() -> int:
        return len(await side.redis.xinfo_consumers("jobs", "workers"))

    assert reclaim_module._IDLE_CONSUMER_MS == 3_600_000
    assert (await upkeep(), await listed()) == (0, 1)
    monkeypatch.setattr(reclaim_module, "_IDLE_CONSUMER_MS", 10)

    async def forgotten() -> bool:
        return await upkeep() == 1

    await eventually(forgotten, what="it was idle for so long")
    assert await listed() == 0


async def test_an_unreachable_redis_is_no_end_of_a_pass(side: Side, monkeypatch):
    async def away(*_: object) -> None:
        raise StoreUnavailableError

    monkeypatch.setattr(side.stream, "renew", away)
    task = asyncio.create_task(side.leases.run())
    await asyncio.sleep(0)
    side.stopping.set()
    async with asyncio.timeout(30):
        await task
