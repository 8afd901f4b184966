"""Jobs that are put back from the dead letters, taken to their outcome by the real ingest side."""

import pytest

from sploot_clusterd.dead_letters import Replayed
from sploot_clusterd.entry_ids import EntryId
from sploot_clusterd.store import Letter, Letters
from sploot_clusterd.wire import flat_payload
from tests.support.side import Side


@pytest.fixture
def letters(side: Side) -> Letters:
    return Letters(side.store.gateway, most_jobs=100)


async def set_aside(side: Side) -> EntryId:
    """Makes the one new entry a dead letter, whatever is in it; the letter's id."""
    (entry,) = await side.read()
    payload = entry.fields.get(b"payload") or flat_payload(entry.fields)
    letter = Letter(entry.key, payload, "max_attempts", "it failed", 3, str(entry.id), "pet", "job", "now")
    assert await side.stream.dead_letter("me", letter)
    return EntryId.parse((await side.redis.xrevrange(side.keys.dead_letters, count=1))[0][0].decode())


def images(**qualities: float) -> dict[str, object]:
    return {"images": [{"image_id": name, "embedding": [1, 0], "quality": q} for name, q in qualities.items()]}


def members(view: dict) -> dict[str, float]:
    return {m["image_id"]: m["quality_score"] for cluster in view["clusters"] for m in cluster["members"]}


async def test_it_takes_effect_once(side: Side, letters: Letters):
    await side.add(payload=images(a=0.5, b=0.5))
    letter = await set_aside(side)
    assert await letters.replay(letter) is Replayed.DONE
    assert await letters.replay(letter) is Replayed.GONE
    await side.run()
    assert members(await side.view()) == {"a": 0.5, "b": 0.5}
    assert (await side.view())["version"] == 1
    assert await side.letters() == []
    assert await side.redis.xlen(side.keys.stream) == await side.pending() == 0


async def test_a_job_that_was_sent_again_meanwhile_is_not_applied_twice(side: Side, letters: Letters):
    job = {"job_id": "j", "payload": images(a=0.5, b=0.5)}
    await side.add(**job)
    letter = await set_aside(side)
    await side.add(**job)
    await side.run()
    before = await side.view()
    await letters.replay(letter)
    await side.run()
    assert await side.view() == before
    assert side.count("jobs_processed_total", result="skipped") == 1


async def test_it_does_not_undo_what_came_later(side: Side, letters: Letters):
    await side.add(payload=images(a=0.1, b=0.1, c=0.1, d=0.1))
    letter = await set_aside(side)
    await side.add(payload=images(a=0.9, b=0.9))
    await side.add(payload={"removed_image_ids": ["c"]})
    await side.run()
    assert await letters.replay(letter) is Replayed.DONE
    await side.run()
    assert members(await side.view()) == {"a": 0.9, "b": 0.9, "d": 0.1}


async def test_a_flat_entry_comes_back_whole(side: Side, letters: Letters):
    flat = {"pet_id": "pet", "image_ids": '["a", "b"]', "labels": '["Portraits"]', "coverage": '{"portrait": 1}'}
    await side.redis.xadd("jobs", flat)
    assert await letters.replay(await set_aside(side)) is Replayed.DONE
    await side.run()
    view = await side.view()
    assert [(cluster["label"], cluster["size"]) for cluster in view["clusters"]] == [("Portraits", 2)]


@pytest.mark.parametrize("payload", [b"not JSON", b"raw \xff", b'{"pet_id": 7}', b'{"fields": {"pet_id": "a b"}}'])
async def test_a_malformed_one_comes_back_as_a_letter(side: Side, letters: Letters, payload: bytes):
    first = await side.raw(payload)
    await side.run()
    (before,) = await side.letters()
    (page,) = [page async for page in letters.pages()]
    assert await letters.replay(page[0].id) is Replayed.DONE
    await side.run()
    (after,) = await side.letters()
    for name in (b"payload", b"reason", b"error", b"pet_id", b"first_id"):
        assert after[name] == before[name]
    assert after[b"first_id"] == first
    assert after[b"entry_id"] != first
    assert side.count("dead_letters_total", reason=before[b"reason"].decode()) == 2


async def test_an_erased_pet_stays_erased(side: Side, letters: Letters):
    """Put back, and erased before it is applied."""
    await side.add(payload=images(a=0.5, b=0.5))
    letter = await set_aside(side)
    assert await letters.replay(letter) is Replayed.DONE
    (entry,) = await side.redis.xrange("jobs")
    await side.redis.hset(side.keys.erased, "pet", entry[0])
    await side.run()
    assert await side.redis.get(side.keys.view("pet")) is None
    assert side.count("jobs_processed_total", result="skipped") == 1
