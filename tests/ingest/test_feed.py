"""What commits tell the feed of jobs, whatever becomes of them."""

from collections.abc import AsyncIterator

import msgspec
import pytest
from redis.asyncio import Redis

from sploot_clusterd.changes import Change, DeadJob, Event
from sploot_clusterd.engine import Params
from tests.support.replaying import Replayed
from tests.support.side import Side, image, opened_side


@pytest.fixture
async def side(redis: Redis, redis_url: str) -> AsyncIterator[Side]:
    async with opened_side(redis_url, Params(), feeds=True) as side:
        yield side


async def events(side: Side) -> list[Event]:
    assert side.store.feed is not None
    return (await side.store.feed.read(0, "", 1000)).events


async def changes(side: Side) -> list[Change]:
    return [msgspec.json.decode(bytes(each.change), type=Change) for each in await events(side)]


async def test_events_replayed_are_what_the_view_shows(side: Side):
    known = Replayed()
    for number in range(6):
        await side.add(payload=image(f"img-{number}", 1.0, number % 2, 0.1 * number))
        await side.add(payload={"image_ids": [f"named-{number}"], "labels": ["Portraits"]})
        if number % 2:
            await side.add(payload={"removed_image_ids": [f"img-{number - 1}"]})
        await side.run()
    for each in await events(side):
        known.apply(msgspec.json.decode(bytes(each.change)))
    assert known == Replayed.of(await side.view())


async def test_jobs_of_one_commit_are_named_together(side: Side):
    for number in range(3):
        await side.add(job_id=f"job-{number}", payload={"image_ids": [f"img-{number}"]})
    await side.run()
    assert [each.jobs for each in await changes(side)] == [["job-0", "job-1", "job-2"]]


async def test_a_job_that_comes_again_is_no_news(side: Side):
    for _ in range(2):
        await side.add(job_id="job")
        await side.run()
    assert [each.jobs for each in await changes(side)] == [["job"]]


async def test_a_job_that_says_nothing_is_told_with_the_version_that_stays(side: Side):
    for number, payload in enumerate(({"image_ids": ["img"]}, {}, {"image_ids": ["other"]})):
        await side.add(job_id=f"job-{number}", payload=payload)
        await side.run()
    told = await changes(side)
    assert [(each.version, each.jobs, bool(each.clusters)) for each in told] == [
        (1, ["job-0"], True),
        (1, ["job-1"], False),
        (2, ["job-2"], True),
    ]
    tokens = [(each.before, each.after) for each in await events(side)]
    assert [before for before, _ in tokens] == ["", *(after for _, after in tokens[:-1])]
    nonces, versions = zip(*(after.split(".") for _, after in tokens), strict=True)
    assert (len({*nonces}), versions) == (3, ("1", "1", "2"))


async def test_a_job_that_cannot_be_applied_is_told_as_a_dead_one(side: Side):
    await side.add(job_id="good", payload=image("a", 1.0, 0.0))
    key = await side.add(job_id="bad", payload=image("b", 1.0, 0.0, 0.0))
    await side.run()
    applied, dead = sorted(await events(side), key=lambda each: each.kind)
    (letter,) = await side.letters()
    assert (dead.kind, dead.pet_id, dead.change) == ("dead", "pet", None)
    assert dead.before == dead.after
    job = msgspec.json.decode(bytes(dead.job), type=DeadJob)
    assert job == DeadJob("bad", "dimension", letter[b"error"].decode(), 0, key.decode())
    assert {dead.sequence, applied.sequence} == {1, 2}


async def test_a_dead_event_leaves_the_chain_of_tokens_as_it_is(side: Side):
    await side.add(job_id="one")
    await side.run()
    await side.add(job_id="bad", payload={"image_ids": "none"})
    await side.run()
    await side.add(job_id="two", payload={"image_ids": ["other"]})
    await side.run()
    first, dead, second = await events(side)
    assert (first.after, dead.after, second.before) == (first.after,) * 3
    assert dead.incarnation == first.incarnation
    assert [each.kind for each in (first, dead, second)] == ["changed", "dead", "changed"]


@pytest.mark.parametrize(
    "payload", [b"no json", b'{"pet_id": "pet", "payload": 1}', b'{"pet_id": "p\\"t", "job_id": "job"}']
)
async def test_what_names_no_pet_and_job_by_ids_is_a_dead_letter_without_an_event(side: Side, payload: bytes):
    await side.raw(payload)
    await side.run()
    assert len(await side.letters()) == 1
    assert await events(side) == []


async def test_nothing_of_a_dead_job_outlasts_its_pet(side: Side):
    await side.add(job_id="bad", payload={"image_ids": "none"})
    await side.run()
    await side.store.views.erase("pet")
    assert [each.kind for each in await events(side)] == ["erased"]


async def test_jobs_from_before_an_erasure_are_not_told(side: Side):
    await side.add()
    await side.run()
    await side.add(job_id="old")
    entries = await side.read()
    await side.store.views.erase("pet")
    await side.process(entries)
    assert [each.kind for each in await events(side)] == ["erased"]


async def test_upkeep_drops_what_is_too_old(side: Side):
    assert side.store.feed is not None
    await side.redis.xadd(side.keys.feed, {"event": '{"pet_id":"pet","earlier":"","previous":""}'}, "1-1000")
    reclaimer = side.ingest.reclaimer("reclaim", ["reclaim"])
    assert await reclaimer.upkeep() == 1
    assert await side.redis.xlen(side.keys.feed) == 0
    assert side.count("feed_trimmed_total", why="age") == 1
