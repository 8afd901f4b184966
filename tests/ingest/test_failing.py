"""Entries that fail, that end their process or that Redis refuses: tried again, run alone, set aside."""

import pytest

from sploot_clusterd.errors import StoreRefusesError, StoreUnavailableError
from sploot_clusterd.ingest import plan as plan_module
from sploot_clusterd.store import ClaimKind, Delivery
from tests.ingest.conftest import MAX_ATTEMPTS, Side, image


def failing_for(monkeypatch: pytest.MonkeyPatch, *bad: str) -> None:
    """The engine raises for jobs with these ids."""
    real = plan_module.apply

    def apply(album, jobs, *args, **kwargs):
        if any(job.job_id in bad for job in jobs):
            raise RuntimeError("boom")
        return real(album, jobs, *args, **kwargs)

    monkeypatch.setattr(plan_module, "apply", apply)


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
            await side.processor.run("me", entries)
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
        await side.processor.run("me", entries)
    await side.redis.config_set("maxmemory", 0)
    assert not await side.redis.exists(side.keys.attempts)
    assert await side.pending() == 1
    await side.processor.run("me", entries)
    assert (await side.view())["version"] == 1


async def test_suspects_run_alone_and_are_remembered_as_harmless_if_only_redis_was_away(
    side: Side, monkeypatch: pytest.MonkeyPatch
):
    await side.add(payload=image("img"))
    (entry,) = await side.read()
    suspect = entry._replace(delivery=Delivery.ALONE)

    async def away(*_: object) -> None:
        raise StoreUnavailableError

    with monkeypatch.context() as patch:
        patch.setattr(side.processor._albums, "load", away)
        with pytest.raises(StoreUnavailableError):
            await side.processor.run("me", [suspect])
    assert side.processor._harmless == {entry.key}
    await side.processor.run("me", [suspect])
    assert side.processor._harmless == set()
    assert (await side.view())["version"] == 1


async def test_a_lost_payload_is_set_aside(side: Side):
    await side.add(payload=image("img"))
    (entry,) = await side.read()
    await side.processor.run("me", [entry._replace(delivery=Delivery.GONE)])
    assert [letter[b"reason"] for letter in await side.letters()] == [b"payload_lost"]


async def test_the_one_job_that_ends_its_process_is_set_aside_and_those_behind_it_are_done(
    side: Side, monkeypatch: pytest.MonkeyPatch
):
    for name in ("good-1", "poison", "good-2"):
        await side.add(name, job_id=name, payload=image(name))
    entries = [entry._replace(delivery=Delivery.ALONE) for entry in await side.read()]

    class ProcessEndedError(BaseException):
        """Nothing of ours runs after it."""

    real = plan_module.apply

    def apply(album, jobs, *args, **kwargs):
        if any(job.job_id == "poison" for job in jobs):
            raise ProcessEndedError
        return real(album, jobs, *args, **kwargs)

    monkeypatch.setattr(plan_module, "apply", apply)
    for _ in range(MAX_ATTEMPTS):  # each time it comes first, with the healthy one behind it
        with pytest.raises(ProcessEndedError):
            await side.processor.run("me", entries[1:])
    await side.processor.run("me", entries)
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
