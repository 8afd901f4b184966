"""Entries that fail, that end their process or that Redis refuses: tried again, run alone, set aside."""

import pytest
from msgspec.structs import replace

from sploot_clusterd.errors import StoreRefusesError, StoreUnavailableError
from sploot_clusterd.ingest import planner as planner_module
from sploot_clusterd.store import AlbumStore, ClaimKind, Handling
from tests.ingest.failing import failing_for
from tests.support.side import Side, image
from tests.support.stores import MAX_ATTEMPTS


async def test_a_failing_job_is_tried_again_alone_of_its_batch_and_then_set_aside(
    side: Side, monkeypatch: pytest.MonkeyPatch
):
    failing_for(monkeypatch, "bad")
    for name in ("good-1", "bad", "good-2"):
        await side.add(job_id=name, payload=image(name))
    await side.add("other", payload=image("img"))
    await side.run()
    assert (await side.view())["metrics"]["num_images"] == 2
    assert (await side.view("other"))["metrics"]["num_images"] == 1
    for attempt in range(1, MAX_ATTEMPTS):
        ((key, record),) = (await side.redis.hgetall(side.keys.attempts)).items()
        attempts, *rest = record.split()
        assert int(attempts) == attempt
        await side.redis.hset(side.keys.attempts, key, b" ".join([attempts, b"1", *rest[1:]]))  # due now
        async for entries in side.stream.claim("me", ClaimKind.DUE):
            await side.process(entries)
    (letter,) = await side.letters()
    assert (letter[b"reason"], letter[b"attempts"]) == (b"max_attempts", b"3")
    assert b"RuntimeError: boom" in letter[b"error"]
    assert await side.pending() == 0
    assert side.count("jobs_processed_total", result="failure") == MAX_ATTEMPTS
    assert side.count("jobs_processed_total", result="retry") == MAX_ATTEMPTS - 1


async def test_an_album_that_cannot_be_read_is_kept_and_its_jobs_are_set_aside(side: Side):
    album = side.keys.pet("pet").album
    await side.redis.hset(album, mapping={"token": "x.1", "head": b"\x00rubbish"})
    await side.add(payload=image("img"))
    await side.add("good", payload=image("img"))
    await side.run()
    assert [letter[b"reason"] for letter in await side.letters()] == [b"bad_state"]
    assert await side.redis.hget(album, "head") == b"\x00rubbish"
    assert (await side.view("good"))["version"] == 1


async def test_a_redis_that_refuses_writes_uses_up_no_attempt(side: Side):
    await side.add(payload=image("img"))
    entries = await side.read()
    await side.redis.config_set("maxmemory", 1)
    with pytest.raises(StoreRefusesError):
        await side.process(entries)
    await side.redis.config_set("maxmemory", 0)
    assert not await side.redis.exists(side.keys.attempts)
    assert await side.pending() == 1
    await side.process(entries)
    assert (await side.view())["version"] == 1


async def test_lone_runs_that_ended_because_redis_was_away_do_not_count(side: Side, monkeypatch: pytest.MonkeyPatch):
    await side.add(payload=image("img"))
    (entry,) = await side.read()
    suspect = replace(entry, handling=Handling.ALONE)

    async def away(*_: object) -> None:
        raise StoreUnavailableError

    with monkeypatch.context() as patch:
        patch.setattr(AlbumStore, "load", away)
        for _ in range(MAX_ATTEMPTS + 1):
            with pytest.raises(StoreUnavailableError):
                await side.process([suspect])
    await side.process([suspect])
    assert (await side.view())["version"] == 1
    assert not await side.letters()


async def test_a_lost_payload_is_set_aside(side: Side):
    await side.add(payload=image("img"))
    (entry,) = await side.read()
    await side.process([replace(entry, handling=Handling.GONE)])
    assert [letter[b"reason"] for letter in await side.letters()] == [b"payload_lost"]


async def test_the_one_job_that_ends_its_process_is_set_aside_and_those_behind_it_are_done(
    side: Side, monkeypatch: pytest.MonkeyPatch
):
    for name in ("good-1", "poison", "good-2"):
        await side.add(name, job_id=name, payload=image(name))
    entries = [replace(entry, handling=Handling.ALONE) for entry in await side.read()]

    class ProcessEndedError(BaseException):
        """Nothing of ours runs after it."""

    real = planner_module.apply

    def apply(album, jobs, *args, **kwargs):
        if any(job.job_id == "poison" for job in jobs):
            raise ProcessEndedError
        return real(album, jobs, *args, **kwargs)

    monkeypatch.setattr(planner_module, "apply", apply)
    for _ in range(MAX_ATTEMPTS):  # each time it comes first, with the healthy one behind it
        with pytest.raises(ProcessEndedError):
            await side.process(entries[1:])
    await side.process(entries)
    assert [(letter[b"pet_id"], letter[b"reason"]) for letter in await side.letters()] == [(b"poison", b"crash_loop")]
    assert [(await side.view(name))["version"] for name in ("good-1", "good-2")] == [1, 1]
    assert await side.pending() == 0


async def test_rows_that_cannot_be_read_are_a_bad_state_of_that_pet_alone(side: Side):
    for pet in ("pet", "other"):
        await side.add(pet, payload=image("img"))
    await side.run()
    images = side.keys.pet("pet").images
    await side.redis.delete(images)
    await side.redis.set(images, "not a hash")
    for pet in ("pet", "other"):
        await side.add(pet, force=True, payload={})
    await side.run()
    assert [(letter[b"pet_id"], letter[b"reason"]) for letter in await side.letters()] == [(b"pet", b"bad_state")]
    assert (await side.view("other"))["version"] == 2
    assert await side.pending() == 0
