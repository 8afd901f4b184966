"""Jobs that wait for older ones: how long, beside whom, and what becomes of them when something ends."""

import asyncio

import pytest
from msgspec.structs import replace

from sploot_clusterd.errors import StoreUnavailableError
from sploot_clusterd.ingest import leases as leases_module
from sploot_clusterd.ingest import waiting_jobs
from sploot_clusterd.store import ClaimKind, Handling
from tests.ingest.order_scenes import names, now_due
from tests.support.side import Side, image
from tests.support.stores import GROUP
from tests.support.waiting import eventually

pytestmark = pytest.mark.usefixtures("little_patience")


async def test_other_pets_of_the_batch_do_not_wait(sides: list[Side], monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(waiting_jobs, "_PATIENCE", 60.0)  # the batch itself waits
    await sides[1].add("held", payload=image("x"))
    held = await sides[1].read("two")
    for pet in ("held", "free"):
        await sides[0].add(pet, payload=image("y"))
    running = asyncio.create_task(sides[0].run("one"))
    await eventually(lambda: sides[0].redis.exists(sides[0].keys.view("free")), what="the other pet's view")
    assert not running.done()
    await sides[1].process(held, "two")
    await running
    assert (await sides[0].view("held"))["metrics"]["num_images"] == 2


async def test_what_waits_long_holds_up_nobody_and_is_applied_in_order(sides: list[Side]):
    await sides[1].add(job_id="j0", payload=image("x"))
    held = await sides[1].read("two")
    for payload in ({"removed_image_ids": ["x"]}, image("y"), {"removed_image_ids": ["y"]}, image("z")):
        await sides[0].add(payload=payload)
        await sides[0].run("one")
    await sides[0].add("other", payload=image("x"))
    await sides[0].run("one")
    assert (await sides[0].view("other"))["version"] == 1
    assert await sides[0].pending() == 5

    await sides[1].process(held, "two")
    await sides[0].processor.drained()
    assert await names(sides[0]) == {"z"}
    assert await sides[0].pending() == await sides[0].redis.hlen(sides[0].keys.attempts) == 0


async def test_what_is_behind_jobs_that_nobody_waits_for_is_done_together(sides: list[Side]):
    pets = [f"pet-{n}" for n in range(16)]
    for pet in pets:
        await sides[1].add(pet, payload=image("x"))
    held = await sides[1].read("two")
    for name in ("y", "z", "w"):
        for pet in pets:
            await sides[0].add(pet, payload=image(name))
        await sides[0].run("one")

    await sides[1].process(held, "two")
    await sides[0].processor.drained()
    assert [(await sides[0].view(pet))["metrics"]["num_images"] for pet in pets] == [4] * len(pets)
    round_trips = sides[0].count("redis_round_trips_total", kind="commit")
    assert round_trips <= len(pets), "three batches of eight or sixteen pets at a time, not each pet by itself"


async def test_what_waits_is_handed_over_when_the_daemon_stops(sides: list[Side]):
    await sides[1].add(payload=image("x"))
    held = await sides[1].read("two")
    await sides[0].add(payload={"removed_image_ids": ["x"]})
    await sides[0].run("one")
    sides[0].stopping.set()
    await sides[0].processor.drained()
    assert sides[0].count("put_off_total") == 1
    assert await sides[0].redis.hvals(sides[0].keys.attempts) != []

    await sides[1].process(held, "two")
    await now_due(sides[1])
    await sides[1].run_due("two")
    assert await names(sides[1]) == set()
    assert await sides[1].pending() == await sides[1].redis.hlen(sides[1].keys.attempts) == 0


async def test_what_waits_is_renewed_however_long_and_not_taken_up_twice(sides: list[Side]):
    await sides[1].add(payload=image("x"))
    held = await sides[1].read("two")
    await sides[0].add(payload=image("y"))
    entries = await sides[0].read("one")
    await sides[0].process(entries, "one")
    (lease,) = sides[0].leases._leases
    assert (lease.consumer, lease.entries, lease.runs_since) == ("one", [entries[0].key], None)
    await sides[0].process(entries, "one")  # as after a reconnection
    assert len(sides[0].leases._leases) == 1
    await sides[1].process(held, "two")
    await sides[0].processor.drained()
    assert sides[0].count("jobs_processed_total", result="success") == 1


async def test_what_comes_after_an_entry_that_another_process_took_over_waits_for_it(sides: list[Side]):
    for name in ("x", "y", "z"):
        await sides[0].add(payload=image(name))
    first, second, third = await sides[0].read("one")
    await sides[1].redis.xclaim("jobs", GROUP, "two", 0, [second.key])

    await sides[0].process([first, second, third], "one")
    assert await names(sides[0]) == {"x"}
    assert sides[0].count("lost_entries_total") == 1

    await sides[1].process([second], "two")
    assert await names(sides[1]) == {"x", "y"}
    await now_due(sides[0])
    await sides[0].run_due("one")
    assert await names(sides[0]) == {"x", "y", "z"}
    assert await sides[0].pending() == await sides[0].redis.hlen(sides[0].keys.attempts) == 0


async def test_many_short_turns_are_renewed_as_one_long_one(side: Side, monkeypatch: pytest.MonkeyPatch):
    first, second = [(await side.add()) for _ in range(2)]
    await side.read()
    now = 1000.0
    monkeypatch.setattr(leases_module.time, "monotonic", lambda: now)
    with side.leases.lease("me", [first, second]) as lease:
        for _ in range(10):
            now += 120
            with lease.waiting():
                now += 3600
                assert await side.leases.renew_all() == 2
            now += 120
            assert await side.leases.renew_all() == 2, "each of them ran for a moment only"
        lease.keep([second])
        assert await side.leases.renew_all() == 1
        now += 3600
        assert await side.leases.renew_all() == 0, "it hangs"


async def test_what_ends_the_run_of_a_waiting_job_is_raised_in_its_consumers_loop(
    sides: list[Side], monkeypatch: pytest.MonkeyPatch
):
    async def away(*_: object) -> None:
        raise StoreUnavailableError

    await sides[1].add(payload=image("x"))
    held = await sides[1].read("two")
    await sides[0].add(payload=image("y"))
    await sides[0].run("one")
    with monkeypatch.context() as patch:
        patch.setattr(sides[0].store.partitions[0].albums, "load", away)
        await sides[1].process(held, "two")
        await sides[0].processor.drained()
    sides[0].processor.raise_failure("another")
    with pytest.raises(StoreUnavailableError):
        sides[0].processor.raise_failure("one")
    async for entries in sides[0].stream.claim("one", ClaimKind.OWN):
        await sides[0].process(entries, "one")
    assert await names(sides[0]) == {"x", "y"}


async def test_a_dead_process_is_waited_for_until_its_entries_are_taken_over(sides: list[Side]):
    await sides[1].add(job_id="a", payload=image("x"))
    (entry,) = await sides[1].read("dead")
    await sides[0].redis.xclaim("jobs", GROUP, "dead", 0, [entry.key], idle=120_000, justid=True)
    await sides[0].add(job_id="b", payload={"removed_image_ids": ["x"]})
    await sides[0].run()
    assert await sides[0].pending() == 2

    async for entries in sides[0].stream.claim("reclaim", ClaimKind.IDLE):
        await sides[0].process(entries, "reclaim")
    await sides[0].processor.drained()
    assert await names(sides[0]) == set()
    assert await sides[0].pending() == 0


async def test_a_suspect_is_waited_for_until_its_third_lone_run(sides: list[Side]):
    await sides[1].add(job_id="suspect", payload=image("x"))
    (suspect,) = await sides[1].read("two")
    for _ in range(2):
        await sides[1].stream.begin_alone("two", suspect.key, harmless=False)
    await sides[0].add(payload=image("y"))
    await sides[0].run()
    assert await sides[0].pending() == 2

    await sides[1].stream.begin_alone("two", suspect.key, harmless=False)
    await sides[0].processor.drained()
    assert await names(sides[0]) == {"y"}


async def test_a_lone_run_that_has_to_wait_leaves_the_suspect_one(sides: list[Side]):
    await sides[1].add(payload=image("x"))
    held = await sides[1].read("two")
    await sides[0].add(payload=image("y"))
    (entry,) = await sides[0].read()
    for _ in range(2):  # as if two processes had ended with it
        await sides[0].redis.xclaim("jobs", GROUP, "me", 0, [entry.key])
    await sides[0].process([replace(entry, handling=Handling.ALONE)])
    assert await sides[0].redis.hvals(sides[0].keys.attempts) != []
    await sides[1].process(held, "two")
    await now_due(sides[0])
    (taken,) = [each async for entries in sides[0].stream.claim("me", ClaimKind.DUE) for each in entries]
    assert taken.handling is Handling.ALONE
    await sides[0].process([taken])
    assert await names(sides[0]) == {"x", "y"}


async def test_with_too_many_waiting_a_consumer_reads_no_more(sides: list[Side], monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(waiting_jobs, "_MOST_WAITING", 1)
    await sides[1].add(payload=image("x"))
    held = await sides[1].read("two")
    for name in ("y", "z"):
        await sides[0].add(payload=image(name))
    running = asyncio.create_task(sides[0].run())
    done, _ = await asyncio.wait({running}, timeout=2 * waiting_jobs._PATIENCE)
    assert not done
    await sides[1].process(held, "two")
    await running
    assert await names(sides[0]) == {"x", "y", "z"}
