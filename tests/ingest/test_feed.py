"""What commits tell the feed of jobs, whatever becomes of them."""

from collections.abc import AsyncIterator

import msgspec
import pytest
from redis.asyncio import Redis

from sploot_clusterd.changes import Change, Event
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
    for number, payload in enumerate(({"image_ids": ["img"]}, {})):
        await side.add(job_id=f"job-{number}", payload=payload)
        await side.run()
    told = await changes(side)
    assert [(each.version, each.jobs, bool(each.clusters)) for each in told] == [
        (1, ["job-0"], True),
        (1, ["job-1"], False),
    ]
    first, second = await events(side)
    assert second.before == first.after


async def test_a_job_that_cannot_be_applied_is_not_told(side: Side):
    await side.add(job_id="good", payload=image("a", 1.0, 0.0))
    await side.add(job_id="bad", payload=image("b", 1.0, 0.0, 0.0))
    await side.run()
    assert [each.jobs for each in await changes(side)] == [["good"]]
    assert len(await side.letters()) == 1


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
