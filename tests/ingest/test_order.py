"""A pet's jobs take effect in the order of the stream, whichever consumers and processes hold them."""

import asyncio

import pytest

from tests.ingest.order_scenes import handed_out, move, names, three_clusters, youngest_first
from tests.support.side import Side, image
from tests.support.waiting import eventually

pytestmark = pytest.mark.usefixtures("little_patience")


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
