"""Dead letters by a filter, a part at a time."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from redis.asyncio import Redis

from sploot_clusterd.dead_letters import DeadLetter, LetterFilter, Replayed, moment
from sploot_clusterd.entry_ids import LetterId
from sploot_clusterd.errors import BadJobError
from sploot_clusterd.keys import Keys
from sploot_clusterd.metrics import Metrics
from sploot_clusterd.store import Store, letter_search
from tests.store.dead_letters import put
from tests.support import stores

EVERY = LetterFilter()


@pytest.fixture(params=[1, 3])
async def store(request: pytest.FixtureRequest, redis: Redis, redis_url: str) -> AsyncIterator[Store]:
    """With one partition, and with three."""
    settings = stores.settings(redis_url)
    stream = replace(settings.stream, partitions=request.param, maxlen=1000)
    store = Store.open(replace(settings, stream=stream), Metrics())
    if request.param > 1:
        await store.look()
    yield store
    await store.close()


async def every(store: Store, wanted: LetterFilter = EVERY, most: int = 7) -> list[DeadLetter]:
    """By as many searches as it takes."""
    found: list[DeadLetter] = []
    after = ""
    while True:
        part = await store.letter_search.search(wanted, after, most)
        assert len(part.letters) <= most
        found += [each.letter for each in part.letters]
        if not part.next:
            return found
        after = part.next


def keys_of(store: Store) -> list[Keys]:
    return [partition.keys for partition in store.partitions]


async def test_all_are_found_once_whatever_a_part_holds(store: Store, redis: Redis):
    for n in range(23):
        await put(redis, keys_of(store)[n % len(store.partitions)], job_id=f"job_{n}")
    for most in (1, 5, 23, 100):
        found = await every(store, most=most)
        assert sorted(letter.job_id for letter in found) == sorted(f"job_{n}" for n in range(23))
        assert len({letter.id for letter in found}) == 23


async def test_a_part_is_bounded_though_nothing_fits(store: Store, redis: Redis, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(letter_search, "STEPS", 1)
    for _ in range(150):
        await put(redis, keys_of(store)[0])
    await put(redis, keys_of(store)[-1], pet_id="rare")
    part = await store.letter_search.search(LetterFilter(pet="rare"), "", 10)
    assert (list(part.letters), bool(part.next)) == ([], True)
    assert [each.pet_id for each in await every(store, LetterFilter(pet="rare"))] == ["rare"]


def at(ms: int) -> datetime:
    return datetime.fromtimestamp(ms / 1000, UTC)


FILTERS = [
    (EVERY, "abcd"),
    (LetterFilter(reason="dimension"), "b"),
    (LetterFilter(pet="other"), "c"),
    (LetterFilter(pet="pet", reason="invalid"), "acd"),
    (LetterFilter(since=at(2000)), "bcd"),
    (LetterFilter(until=at(2000)), "abc"),
    (LetterFilter(since=at(2000), until=at(2000), reason="invalid"), "c"),
    (LetterFilter(pet="nobody"), ""),
    (LetterFilter(since=at(9000), until=at(1000)), ""),
]


async def test_a_filter_takes_what_all_of_it_lets_through(store: Store, redis: Redis):
    keys = keys_of(store)[-1]
    await put(redis, keys, "1000-0", job_id="a")
    await put(redis, keys, "2000-0", job_id="b", reason="dimension")
    await put(redis, keys, "2000-7", job_id="c", other_pet_id="other")
    await put(redis, keys, "3000-0", job_id="d")
    found = ["".join(letter.job_id for letter in await every(store, wanted, most=1)) for wanted, _ in FILTERS]
    assert found == [expected for _, expected in FILTERS]


async def test_what_comes_in_meanwhile_is_not_meant(store: Store, redis: Redis):
    """Or what fails again would be put back without an end."""
    for _ in range(5):
        await put(redis, keys_of(store)[0])
    first = await store.letter_search.search(EVERY, "", 2)
    for each in first.letters:
        assert await store.letter_search.replay(LetterId.parse(each.letter.id)) is Replayed.DONE
        await put(redis, keys_of(store)[0], job_id="again")
    rest = await store.letter_search.search(EVERY, first.next, 100)
    assert [each.letter.job_id for each in rest.letters] == ["job"] * 3
    assert rest.next == ""


async def test_a_search_that_is_asked_again_after_a_lost_answer_puts_nothing_back_twice(store: Store, redis: Redis):
    for _ in range(4):
        await put(redis, keys_of(store)[0])
    for _ in range(2):
        part = await store.letter_search.search(EVERY, "", 2)
        outcomes = [await store.letter_search.replay(LetterId.parse(each.letter.id)) for each in part.letters]
        assert outcomes == [Replayed.DONE] * 2
    assert (await every(store), await redis.xlen(keys_of(store)[0].stream)) == ([], 4)
    assert await store.letter_search.replay(LetterId.parse(part.letters[0].letter.id)) is Replayed.GONE
    assert await redis.xlen(keys_of(store)[0].stream) == 4


async def test_a_payload_that_was_put_right_takes_the_place_of_the_letters_own(store: Store, redis: Redis):
    keys = keys_of(store)[0]
    for payload in (b"{bad", b""):
        await put(redis, keys, payload=payload, first_id="1-7")
        (letter,) = await every(store)
        assert await store.letter_search.replay(LetterId.parse(letter.id), b"{good}") is Replayed.DONE
        [(entry, fields)] = await redis.xrange(keys.stream)
        assert fields == {b"payload": b"{good}", b"first_id": b"1-7"}
        await redis.xdel(keys.stream, entry)


async def test_one_whole(store: Store, redis: Redis):
    key = await put(redis, keys_of(store)[-1], payload=b"\xff{}", attempts="2", error="why", first_id="3-4")
    (letter,) = await every(store)
    found = await store.letter_search.whole(LetterId.parse(letter.id))
    assert found is not None
    whole, payload = found
    assert (whole.letter, whole.first_id, whole.payload, payload) == (letter, "3-4", "\\xff{}", b"\xff{}")
    assert letter == DeadLetter(letter.id, moment(key.ms), "invalid", "why", "pet", "", "job", 2, 3)
    assert await store.letter_search.whole(LetterId.parse("5-5")) is None


async def test_letters_of_another_hand_are_told_as_they_are(store: Store, redis: Redis):
    await redis.xadd(keys_of(store)[0].dead_letters, {"x": "y"}, f"{2**64 - 1}-5")
    (letter,) = await every(store)
    assert (letter.at[:4], letter.reason, letter.attempts, letter.payload_bytes) == ("9999", "", None, 0)


async def test_what_is_no_place_is_said(store: Store):
    for after in ("x", "0", "0_1", "0_1-0_", "0__1-0-0", "a_1-0_1-0", "0_1-0_1-0\n"):
        with pytest.raises(BadJobError, match="after: expected what an answer had"):
            await store.letter_search.search(EVERY, after, 1)
