"""What a pet is told of its jobs, by the very scripts that decide."""

import time
from dataclasses import replace

import pytest

from sploot_clusterd.config import JobsSettings, LimitsSettings
from sploot_clusterd.dead_letters import Replayed
from sploot_clusterd.entry_ids import EntryId, LetterId
from sploot_clusterd.jobs import JobState
from sploot_clusterd.metrics import Metrics
from sploot_clusterd.store import FailedRun, Retry, Store, job_states
from sploot_clusterd.store.told import MOST_EVENTS, states
from sploot_clusterd.wire import decode_request, encode_envelope
from tests.ingest.failing import failing_for
from tests.support import stores
from tests.support.side import Side, image
from tests.support.stores import MAX_ATTEMPTS
from tests.support.waiting import eventually


async def told(side: Side, pet: str = "pet") -> dict[str, JobState]:
    found, complete = await side.store.jobs.of_pet(pet)
    assert complete
    return {state.job_id: state for state in found}


async def outcomes(side: Side, pet: str = "pet") -> dict[str, tuple[object, ...]]:
    found = await told(side, pet)
    return {name: (each.state, each.version, each.reason, each.attempts) for name, each in found.items()}


def envelope(job_id: str, pet: str = "pet") -> bytes:
    body = b'{"pet_id":"%s","payload":{"image_ids":["i-%s"]}}' % (pet.encode(), job_id.encode())
    return encode_envelope(decode_request(body, LimitsSettings()), body, job_id, time.time())


async def make_due(side: Side) -> None:
    for key, record in (await side.redis.hgetall(side.keys.attempts)).items():
        attempts, _, *rest = record.split()
        await side.redis.hset(side.keys.attempts, key, b" ".join([attempts, b"1", *rest]))


async def test_a_job_is_queued_then_applied_whichever_way_it_came(side: Side):
    await side.store.views.submit("pet", envelope("by-http"))
    await side.add(job_id="by-xadd", payload={"image_ids": ["x"]})
    nameless = await side.redis.xadd("jobs", {"pet_id": "pet", "image_ids": '["y"]'})
    await side.add("other", job_id="others")
    queued = ("queued", None, None, None)
    assert await outcomes(side) == {"by-http": queued, "by-xadd": queued, nameless.decode(): queued}

    await side.run()

    applied = ("applied", 1, None, None)
    assert await outcomes(side) == {"by-http": applied, "by-xadd": applied, nameless.decode(): applied}
    assert (await side.view())["version"] == 1
    assert 0 < await side.redis.ttl(side.keys.jobs("pet")) <= 604_800


async def test_of_a_job_that_fails_each_try_is_told_and_then_its_end(side: Side, monkeypatch: pytest.MonkeyPatch):
    failing_for(monkeypatch, "bad")
    await side.add(job_id="bad", payload=image("img"))
    await side.add(job_id="good", payload=image("other"))
    await side.run()
    for attempt in range(1, MAX_ATTEMPTS):
        bad = (await told(side))["bad"]
        assert (bad.state, bad.attempts, bad.error) == ("retrying", attempt, "RuntimeError: boom")
        assert bad.next_at is not None
        assert bad.at < bad.next_at
        await make_due(side)
        await side.run_due()
    assert await outcomes(side) == {
        "bad": ("dead", None, "max_attempts", MAX_ATTEMPTS),
        "good": ("applied", 1, None, None),
    }
    (letter,) = await side.redis.xrange(side.keys.dead_letters)
    monkeypatch.undo()
    assert await side.store.letters.replay(LetterId(EntryId.parse(letter[0].decode()))) is Replayed.DONE
    assert (await told(side))["bad"].state == "queued"
    await side.run()
    assert (await outcomes(side))["bad"] == ("applied", 2, None, None)


async def test_what_is_put_off_for_others_is_told_to_be_queued(side: Side):
    entry = await side.add(job_id="j")
    await side.read()
    await side.stream.put_off("me", [(entry, 5)])
    assert (await told(side))["j"].state == "queued"


async def test_a_repetition_changes_nothing_of_what_was_applied(side: Side):
    job = {"job_id": "j", "payload": image("a")}
    await side.add(**job)
    await side.run()
    await side.add(job_id="k", payload=image("b"))
    await side.add(**job)
    await side.run()
    assert await outcomes(side) == {"j": ("applied", 1, None, None), "k": ("applied", 2, None, None)}
    await side.redis.delete(side.keys.jobs("pet"))
    await side.add(**job)
    await side.run()
    assert await outcomes(side) == {"j": ("applied", None, None, None)}, "when is not known any more"


async def test_an_erased_pet_is_told_nothing_of_what_was_accepted_before(side: Side, monkeypatch: pytest.MonkeyPatch):
    failing_for(monkeypatch, "dies")
    await side.add(job_id="dies", payload=image("img"))
    for _ in range(MAX_ATTEMPTS - 1):
        await side.run()
        await make_due(side)
        await side.run_due()
    await side.add(job_id="works", payload=image("img"))
    assert await side.store.views.erase("pet")
    await side.run()
    await make_due(side)
    await side.run_due()
    assert await told(side) == {}
    assert await side.redis.exists(side.keys.jobs("pet")) == 0
    assert await side.pending() == 0


async def test_a_failure_of_before_an_erasure_is_not_told_after_it(side: Side, monkeypatch: pytest.MonkeyPatch):
    failing_for(monkeypatch, "fails")
    await side.add(job_id="fails", payload=image("img"))
    retry = side.stream.retry

    async def retry_after_erasure(*args) -> int:
        await side.store.views.erase("pet")
        return await retry(*args)

    monkeypatch.setattr(side.stream, "retry", retry_after_erasure)
    await side.run()
    assert await side.redis.hlen(side.keys.attempts) == 1
    assert await side.redis.exists(side.keys.jobs("pet")) == 0


async def test_nothing_is_told_of_a_letter_that_names_two_pets(side: Side):
    await side.raw(b'{"pet_id":"pet","job_id":"j","payload":{"pet_id":"other","payload":{"image_ids":["i"]}}}')
    await side.raw(b'{"pet_id":"pet","job_id":"m","payload":{"pet_id":"pet","payload":{"quality_score":2}}}')
    await side.run()
    assert await outcomes(side) == {"m": ("dead", None, "invalid", 0)}
    assert await told(side, "other") == {}


async def test_it_is_bounded_in_number_and_in_bytes(side: Side):
    for n in range(2 * MOST_EVENTS):
        await side.add(job_id=f"j-{n}")
    while entries := await side.read():
        await side.process(entries)

    async def are_done() -> bool:
        return await side.pending() == 0

    await eventually(are_done, what="all jobs to be applied")
    assert await side.redis.llen(side.keys.jobs("pet")) == MOST_EVENTS
    assert [*await told(side)] == [f"j-{n}" for n in reversed(range(MOST_EVENTS, 2 * MOST_EVENTS))]

    longest = "j" * 128
    failed = FailedRun("pet", longest, "1-1", "x" * 10_000)
    for _ in range(MOST_EVENTS):
        await side.add()
    retries = [Retry(entry.key, 1, 60_000, failed) for entry in await side.read()]
    assert await side.stream.retry("me", retries) == MOST_EVENTS
    events = await side.redis.lrange(side.keys.jobs("pet"), 0, -1)
    assert [state.job_id for state in states(events)] == [longest]
    assert await side.redis.memory_usage(side.keys.jobs("pet")) < 32 * 1024


async def test_no_job_suffers_from_what_is_in_its_place(side: Side):
    await side.redis.set(side.keys.jobs("pet"), "no list")
    await side.store.views.submit("pet", envelope("a"))
    await side.add(job_id="b", payload={"quality_score": 2})
    await side.run()
    assert (await side.view())["version"] == 1
    assert len(await side.letters()) == 1
    assert await side.store.views.erase("pet")
    assert await told(side) == {}


async def test_where_it_is_off_nothing_is_kept(side: Side, redis_url: str):
    off = replace(stores.settings(redis_url), jobs=JobsSettings(ttl_seconds=0))
    store = Store.open(off, Metrics())
    await store.views.submit("pet", envelope("a"))
    assert await side.redis.exists(side.keys.jobs("pet")) == 0
    assert [state.job_id for state in (await store.jobs.of_pet("pet"))[0]] == ["a"], "it waits all the same"
    await store.close()


async def test_of_a_long_stream_a_part_is_looked_through(side: Side, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(job_states, "LOOKS", 2)
    monkeypatch.setattr(job_states, "ENTRIES_A_LOOK", 3)
    await side.add(job_id="old")
    for n in range(4):
        await side.add("other", job_id=f"{n}")
    await side.add(job_id="new")
    assert [state.job_id for state in (await side.store.jobs.of_pet("pet"))[0]] == ["new", "old"]
    assert await side.store.jobs.of_job("pet", "old") != (None, True)
    await side.add("other", job_id="one more")
    found, complete = await side.store.jobs.of_pet("pet")
    assert ([state.job_id for state in found], complete) == (["new"], False)
    assert await side.store.jobs.of_job("pet", "old") == (None, False)


def test_what_we_have_not_written_is_passed_over():
    events = [b"", b"q", b"q x j", b"z 1 j", b"a 1 j x", b"d 1 j nonsense 1 e", b"r 1 j 1", b"\xff 1 j", b"q 1000 j"]
    assert states(events) == [JobState("j", "queued", "1970-01-01T00:00:01.000Z")]
