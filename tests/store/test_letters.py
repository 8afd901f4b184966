"""The dead letters: read in pages, put back in one step, deleted."""

import pytest
from redis.asyncio import Redis

from sploot_clusterd.dead_letters import Replayed
from sploot_clusterd.entry_ids import EntryId
from sploot_clusterd.errors import StoreRefusesError
from sploot_clusterd.keys import Keys
from sploot_clusterd.store import Letters, LetterSummary, Stream, ViewStore
from sploot_clusterd.store.gateway import Gateway
from tests.store.dead_letters import put
from tests.support.producer import Producer


@pytest.fixture
def letters(gateway: Gateway) -> Letters:
    return Letters(gateway, most_jobs=3)


async def found(letters: Letters, since_ms: int | None = None, until_ms: int | None = None) -> list[LetterSummary]:
    return [letter async for page in letters.pages(since_ms, until_ms) for letter in page]


async def test_all_are_found_oldest_first_and_without_their_payloads(letters: Letters, redis: Redis, keys: Keys):
    ids = [await put(redis, keys, payload=b"x" * n) for n in range(250)]
    listed = await found(letters)
    assert [letter.id for letter in listed] == ids
    assert [letter.payload_bytes for letter in listed] == list(range(250))
    assert {frozenset(letter.fields) for letter in listed} == {frozenset({"reason", "first_id", "pet_id", "job_id"})}


async def test_a_page_is_short_where_payloads_are_large(letters: Letters, redis: Redis, keys: Keys):
    for _ in range(5):
        await put(redis, keys, payload=b"x" * 3 * 2**20)
    assert [len(page) async for page in letters.pages()] == [2, 2, 1]


async def test_no_letter_is_no_fault(letters: Letters):
    assert await found(letters) == []
    assert await found(letters, 5, 10) == []
    assert await letters.whole(EntryId(1, 1)) is None
    assert await letters.drop([EntryId(1, 1)]) == 0


@pytest.mark.parametrize(
    ("times", "expected"),
    [
        ((None, None), "abcd"),
        ((2000, None), "bcd"),
        ((None, 2000), "abc"),
        ((2000, 2000), "bc"),
        ((2001, 2999), ""),
        ((9, 5), ""),
    ],
)
async def test_times_bound_a_listing_on_both_sides(
    letters: Letters, redis: Redis, keys: Keys, times: tuple[int | None, int | None], expected: str
):
    for name, key in zip("abcd", ("1000-0", "2000-0", "2000-7", "3000-0"), strict=True):
        await put(redis, keys, key, job_id=name)
    assert "".join(letter.fields["job_id"] for letter in await found(letters, *times)) == expected


async def test_what_comes_in_meanwhile_is_not_for_this_listing(letters: Letters, redis: Redis, keys: Keys):
    for _ in range(150):
        await put(redis, keys)
    seen = 0
    async for page in letters.pages():
        seen += len(page)
        for _ in page:
            await put(redis, keys)
    assert seen == 150


async def test_fields_that_are_no_text_are_shown_by_escapes(letters: Letters, redis: Redis, keys: Keys):
    key = await put(redis, keys, error=b"\xff", payload=b"raw \xff")
    assert (await found(letters))[0].fields["error"] == "\\xff"
    assert (await letters.whole(key))[b"payload"] == b"raw \xff"


async def test_a_replay_moves_the_bytes_and_the_place_and_takes_the_letter(letters: Letters, redis: Redis, keys: Keys):
    key = await put(redis, keys, payload=b"raw \xff", first_id="17-4")
    assert await letters.replay(key) is Replayed.DONE
    ((_, fields),) = await redis.xrange(keys.stream)
    assert fields == {b"payload": b"raw \xff", b"first_id": b"17-4"}
    assert await redis.xlen(keys.dead_letters) == 0


async def test_a_second_replay_changes_nothing(letters: Letters, redis: Redis, keys: Keys):
    key = await put(redis, keys)
    assert [await letters.replay(key), await letters.replay(key)] == [Replayed.DONE, Replayed.GONE]
    assert await redis.xlen(keys.stream) == 1


@pytest.mark.parametrize("first_id", [None, "", "nonsense", "1-2-3"])
async def test_a_letter_without_its_place_takes_its_own(
    letters: Letters, redis: Redis, keys: Keys, first_id: str | None
):
    key = await put(redis, keys, first_id=first_id)
    assert await letters.replay(key) is Replayed.DONE
    ((_, fields),) = await redis.xrange(keys.stream)
    assert fields[b"first_id"] == str(key).encode()


@pytest.mark.parametrize("payload", [None, b""])
async def test_without_a_payload_there_is_nothing_to_put_back(
    letters: Letters, redis: Redis, keys: Keys, payload: bytes | None
):
    key = await put(redis, keys, payload=payload)
    assert await letters.replay(key) is Replayed.EMPTY
    assert (await redis.xlen(keys.dead_letters), await redis.exists(keys.stream)) == (1, 0)


async def test_a_full_stream_refuses_and_the_letter_stays(
    letters: Letters, redis: Redis, keys: Keys, producer: Producer
):
    key = await put(redis, keys)
    for _ in range(3):
        last = await producer.add()
    assert await letters.replay(key) is Replayed.FULL
    assert (await redis.xlen(keys.dead_letters), await redis.xlen(keys.stream)) == (1, 3)
    await redis.xdel(keys.stream, last)
    assert await letters.replay(key) is Replayed.DONE


async def test_without_memory_the_letter_stays(letters: Letters, redis: Redis, keys: Keys):
    key = await put(redis, keys)
    await redis.config_set("maxmemory", 1)
    with pytest.raises(StoreRefusesError):
        await letters.replay(key)
    assert (await redis.xlen(keys.dead_letters), await redis.exists(keys.stream)) == (1, 0)


async def test_a_letter_of_an_erased_pet_is_refused(letters: Letters, redis: Redis, keys: Keys):
    before, same, after = [await put(redis, keys, first_id=first_id) for first_id in ("9-9", "10-1", "10-2")]
    await redis.hset(keys.erased, "pet", "10-1")
    outcomes = [await letters.replay(key) for key in (before, same, after)]
    assert outcomes == [Replayed.ERASED, Replayed.ERASED, Replayed.DONE]
    assert await redis.xlen(keys.dead_letters) == 2


async def test_an_erasure_marks_the_pet_while_there_are_letters(
    letters: Letters, views: ViewStore, keys: Keys, stream: Stream, producer: Producer
):
    """Else one of the pet's letters could be put back while its letters are being deleted, after its album was."""
    redis, entry = producer.redis, await producer.add()
    await redis.xdel(keys.stream, entry)
    await put(redis, keys, pet_id="another")
    assert await views.erase("pet") is False
    late = await put(redis, keys, first_id=entry.decode())
    assert await letters.replay(late) is Replayed.ERASED
    assert await stream.sweep_erase_marks() == 1


async def test_dropped_ones_are_counted(letters: Letters, redis: Redis, keys: Keys):
    ids = [await put(redis, keys) for _ in range(3)]
    assert await letters.drop([*ids[:2], EntryId(1, 1)]) == 2
    assert [letter.id for letter in await found(letters)] == ids[2:]
