"""A pet's jobs take effect in the order of the stream, whichever consumers and processes hold them."""

import asyncio
from collections.abc import Sequence

import pytest

from sploot_clusterd.errors import StoreUnavailableError
from sploot_clusterd.ingest import planner, waiting_jobs
from sploot_clusterd.store import ClaimKind, Entry, Handling
from tests.support.side import Side, image
from tests.support.stores import GROUP
from tests.support.waiting import eventually

GROUPS = {"a": (1.0, 0.0, 0.0), "b": (0.0, 1.0, 0.0), "c": (0.0, 0.0, 1.0)}


@pytest.fixture(autouse=True)
def little_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiting_jobs, "_PATIENCE", 0.1)


@pytest.fixture
async def sides(new_side) -> list[Side]:
    """Two processes."""
    return [await new_side(), await new_side()]


def three_clusters() -> dict:
    images = [
        {"image_id": f"{name}{n}", "embedding": [*vector, 0.05 * n]}
        for name, vector in GROUPS.items()
        for n in range(3)
    ]
    return {"images": images}


def move(photo: str, to: int) -> dict:
    return {"corrections": [{"op": "move", "image_ids": [photo], "to": f"pet-cluster-{to}"}]}


async def handed_out(sides: Sequence[Side], count: int) -> list[tuple[Side, list[Entry]]]:
    """So many new entries, one each, to the sides in turn."""
    return [(side := sides[n % len(sides)], await side.read(f"consumer-{n}", count=1)) for n in range(count)]


async def youngest_first(hands: Sequence[tuple[Side, list[Entry]]]) -> None:
    """Each batch is begun when all younger ones are waiting."""
    running = []
    for n, (side, entries) in reversed(list(enumerate(hands))):
        running.append(asyncio.create_task(side.process(entries, f"consumer-{n}")))
        await asyncio.sleep(0.005)
    await asyncio.gather(*running)


async def names(side: Side) -> set[str]:
    view = await side.view()
    return {each["image_id"] for cluster in view["clusters"] for each in cluster["members"]} | set(view["unclustered"])


@pytest.mark.parametrize("processes", [1, 2])
async def test_a_repeat_does_not_undo_what_came_between(sides: list[Side], processes: int):
    await sides[0].add(payload=image("other"))
    await sides[0].run()
    for job_id, payload in (("a", image("x")), ("b", {"removed_image_ids": ["x"]}), ("a", image("x"))):
        await sides[0].add(job_id=job_id, payload=payload)

    await youngest_first(await handed_out(sides[:processes], 3))

    assert await names(sides[0]) == {"other"}
    assert await sides[0].pending() == 0
    assert [side.count("conflicts_total") for side in sides] == [0, 0]


@pytest.mark.parametrize("processes", [1, 2])
async def test_of_two_corrections_the_later_one_stands(sides: list[Side], processes: int):
    await sides[0].add(payload=three_clusters())
    await sides[0].run()
    await sides[0].add(job_id="first", payload=move("a0", 1))
    await sides[0].add(job_id="then", payload=move("a0", 2))

    await youngest_first(await handed_out(sides[:processes], 2))

    assert not await sides[0].letters()
    view = await sides[0].view()
    (home,) = [c["id"] for c in view["clusters"] if "a0" in [each["image_id"] for each in c["members"]]]
    assert home == "pet-cluster-2"


async def test_merge_and_then_split_are_both_applied(sides: list[Side]):
    await sides[0].add(payload=three_clusters())
    await sides[0].run()
    await sides[0].add(
        payload={"corrections": [{"op": "merge", "clusters": ["pet-cluster-0", "pet-cluster-1"]}]}, job_id="m"
    )
    await sides[0].add(
        payload={"corrections": [{"op": "split", "cluster": "pet-cluster-0", "image_ids": ["b0", "b1"]}]}, job_id="s"
    )
    await youngest_first(await handed_out(sides, 2))
    assert not await sides[0].letters()
    assert [cluster["size"] for cluster in (await sides[0].view())["clusters"]] == [4, 3, 2]


async def test_what_is_between_two_of_a_batch_is_waited_for_by_the_second_only(sides: list[Side]):
    """Or the two processes waited for each other."""
    for n in range(3):
        await sides[0].add(job_id=f"j{n}", payload={"images": image("x")["images"], "labels": [f"label {n}"]})
    first, second = await sides[0].read("one", count=1), await sides[1].read("two", count=1)
    third = await sides[0].read("one", count=1)
    ours = asyncio.create_task(sides[0].process([*first, *third], "one"))
    await eventually(lambda: sides[0].count("jobs_processed_total", result="success"), what="the first to be applied")
    await sides[1].process(second, "two")
    await ours
    assert (await sides[0].view())["version"] == 3
    assert await sides[0].pending() == 0


async def test_other_pets_of_the_batch_do_not_wait(sides: list[Side]):
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
    assert (lease.consumer, lease.entries, lease.waits) == ("one", (entries[0].key,), True)
    await sides[0].process(entries, "one")  # as after a reconnection
    assert len(sides[0].leases._leases) == 1
    await sides[1].process(held, "two")
    await sides[0].processor.drained()
    assert sides[0].count("jobs_processed_total", result="success") == 1


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
        patch.setattr(sides[0].store.albums, "load", away)
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


async def now_due(side: Side) -> None:
    for key, record in (await side.redis.hgetall(side.keys.attempts)).items():
        attempts, due, *rest = record.split()
        if due != b"0":
            await side.redis.hset(side.keys.attempts, key, b" ".join((attempts, b"1", *rest)))


async def test_what_failed_is_not_waited_for_and_its_repeat_takes_its_place(sides: list[Side]):
    await sides[1].add(job_id="a", payload=image("x"))
    await sides[1].fail_once("two")
    for job_id, payload in (("b", {"removed_image_ids": ["x"]}), ("a", image("x"))):
        await sides[0].add(job_id=job_id, payload=payload)
        await sides[0].run()
    assert await names(sides[0]) == set(), "the repeat is as old as what failed"
    assert sides[0].count("put_off_total") == 0

    await sides[1].run_due("two")
    assert await names(sides[0]) == set()
    assert sides[1].count("jobs_processed_total", result="skipped") == 1
    assert await sides[0].pending() == 0


async def test_a_repeat_in_the_batch_takes_the_place_of_the_one_that_fails_there(
    side: Side, monkeypatch: pytest.MonkeyPatch
):
    apply, failed = planner.apply, list[int]()

    def fails_once(album, jobs, *args, **kwargs):
        if any(job.job_id == "a" and job.sequence == job_a and job.repeats is None for job in jobs):
            failed.append(1)
            raise RuntimeError("boom")
        return apply(album, jobs, *args, **kwargs)

    await side.add(job_id="a", payload=image("x"))
    await side.add(job_id="b", payload={"removed_image_ids": ["x"]})
    await side.add(job_id="a", payload=image("x"))
    entries = await side.read()
    job_a = entries[0].id
    monkeypatch.setattr(planner, "apply", fails_once)
    await side.process(entries)
    assert failed
    assert await side.pending() == 1
    assert (await side.view())["metrics"]["num_images"] == 0


async def test_a_repeat_in_the_batch_takes_the_place_of_the_one_that_failed_before_another_ones_turn(
    sides: list[Side], monkeypatch: pytest.MonkeyPatch
):
    apply = planner.apply

    def fails_once(album, jobs, *args, **kwargs):
        if any(job.job_id == "a" for job in jobs) and not sides[0].count("jobs_processed_total", result="failure"):
            raise RuntimeError("boom")
        return apply(album, jobs, *args, **kwargs)

    monkeypatch.setattr(planner, "apply", fails_once)
    for job_id, payload in (("a", image("x")), ("b", {"removed_image_ids": ["x"]}), ("a", image("x"))):
        await sides[0].add(job_id=job_id, payload=payload)
    first, removal = await sides[0].read("one", count=1), await sides[1].read("two", count=1)
    again = await sides[0].read("one", count=1)
    ours = asyncio.create_task(sides[0].process([*first, *again], "one"))
    await eventually(lambda: sides[0].count("jobs_processed_total", result="failure"), what="the first to fail")
    await sides[1].process(removal, "two")
    await ours
    assert (await sides[0].view())["metrics"]["num_images"] == 0


async def test_a_repeat_that_was_accepted_after_an_erasure_is_a_new_job(side: Side):
    await side.add(job_id="a", payload=image("x"))
    await side.fail_once()
    await side.store.views.erase("pet")
    await side.add(job_id="a", payload=image("x"))
    await side.run()
    assert await names(side) == {"x"}
    await now_due(side)
    await side.run_due()
    assert await side.pending() == 0


@pytest.mark.parametrize(
    "older",
    [
        {b"payload": b"{"},
        {b"payload": b'{"pet_id": 7}'},
        {b"payload": b'{"pet_id": "other", "payload": {"image_ids": ["pet_id", "pet"]}}'},
        {b"payload": b'{"pet_id": "oth\\u0065r"}'},
        {b"payload": b"\xff\\"},
        {b"pet_id": b"other"},
        {b"pet_id": b"\xff", b"force": b"pet"},
    ],
)
async def test_other_pets_and_what_is_no_job_are_not_waited_for(sides: list[Side], older: dict[bytes, bytes]):
    await sides[1].redis.xadd("jobs", older)
    await sides[1].read("two")
    await sides[0].add(payload=image("y"))
    await sides[0].run()
    assert await names(sides[0]) == {"y"}
    assert sides[0].count("put_off_total") == 0


@pytest.mark.parametrize(
    "older",
    [
        {b"payload": b'{"pet_id" :\n "pet"}'},
        {b"payload": b'{"payload": {"image_ids": ["a"]}, "pet_id": "pet"}'},
        {b"payload": b'{"p\\u0065t_id": "p\\u0065t"}'},
        {b"payload": b'{"pet_id": "pet", "metadata": {"note": "a \\"quoted\\" word"}}'},
        {b"payload": b'{"pet_id": "pet", "job_id": "j", "payload": {"pet_id": "pet", "payload": {}}}'},
        {b"payload": b'{"fields": {"pet_id": "pet", "image_ids": "[\\"a\\"]"}}'},
        {b"pet_id": b"pet", b"image_ids": b'["a"]'},
    ],
)
async def test_every_form_of_an_entry_is_waited_for(sides: list[Side], older: dict[bytes, bytes]):
    await sides[1].redis.xadd("jobs", older)
    held = await sides[1].read("two")
    await sides[0].add(payload=image("y"))
    await sides[0].run()
    assert await sides[0].pending() == 2
    await sides[1].process(held, "two")
    await sides[0].processor.drained()
    assert (await sides[0].view())["version"] == 2, "it was a job"


async def test_what_was_deleted_while_it_was_pending_is_not_waited_for(sides: list[Side]):
    await sides[1].add(payload=image("x"))
    (entry,) = await sides[1].read("two")
    await sides[1].redis.xdel("jobs", entry.key)
    await sides[0].add(payload=image("y"))
    await sides[0].run()
    assert await names(sides[0]) == {"y"}


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
    await sides[0].process([entry._replace(handling=Handling.ALONE)])
    assert await sides[0].redis.hvals(sides[0].keys.attempts) != []
    await sides[1].process(held, "two")
    await now_due(sides[0])
    (taken,) = [each async for entries in sides[0].stream.claim("me", ClaimKind.DUE) for each in entries]
    assert taken.handling is Handling.ALONE
    await sides[0].process([taken])
    assert await names(sides[0]) == {"x", "y"}


async def test_many_pending_entries_are_looked_through_in_pages(sides: list[Side], monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("sploot_clusterd.store.pending._PAGE", 3)
    for n in range(8):
        await sides[1].add(f"pet-{n}", payload=image("x"))
    held = await sides[1].read("two")
    for n in range(8):
        await sides[0].add(f"pet-{n}", payload=image("y"))
    await sides[0].run()
    assert await sides[0].pending() == 16
    await sides[1].process(held, "two")
    await sides[0].processor.drained()
    assert [(await sides[0].view(f"pet-{n}"))["version"] for n in range(8)] == [2] * 8


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


async def test_one_process_alone_asks_no_more_than_who_is_there(side: Side):
    for _ in range(3):
        for n in range(5):
            await side.add(f"pet-{n}", payload=image("x"))
        await side.run()
    assert side.count("redis_round_trips_total", kind="order") == 3


async def test_records_of_entries_that_are_gone_are_swept(side: Side):
    await side.add(payload=image("x"))
    await side.fail_once()
    await side.redis.hset(side.keys.attempts, "1-1", "1 5 0 1")
    assert await side.stream.sweep_records() == 1
    assert await side.redis.hlen(side.keys.attempts) == 1
