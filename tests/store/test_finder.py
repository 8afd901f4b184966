"""Finding what has an id, in bounded parts."""

import pytest
from redis.asyncio import Redis

from sploot_clusterd.errors import BadJobError
from sploot_clusterd.found import Found
from sploot_clusterd.store import Store, finder
from tests.support.moves import PETS, Opens, begun


async def all_found(store: Store, name: str) -> tuple[list[Found], int]:
    """What is found, and in how many parts."""
    found, place = await store.finder.find(name, "")
    parts = 1
    while place:
        more, place = await store.finder.find(name, place)
        found, parts = found + more, parts + 1
    return found, parts


@pytest.mark.parametrize("count", [1, 4])
async def test_each_thing_is_found_by_its_id(opens: Opens, redis: Redis, count: int):
    store, _ = await begun(opens, redis, count)
    pet = PETS[-1]
    letter, letters = None, 0
    for keys in store.layout.partitions:
        for key, fields in await redis.xrange(keys.dead_letters):
            letters += 1
            if fields[b"pet_id"].decode() == pet:
                letter = key.decode() if count == 1 else f"{keys.partition}:{key.decode()}"
    assert letter is not None
    of_pet = Found("dead_letter", pet, "job", dead_letter=letter, reason="invalid")
    assert (await all_found(store, pet))[0] == [Found("pet", pet), of_pet]
    assert (await all_found(store, letter))[0] == [of_pet]
    assert (await all_found(store, "nothing-is-called-so"))[0] == []
    last = f"img-{len(PETS) - 2}"
    assert (await all_found(store, last))[0] == [Found("image", pet, image_id=last)]
    jobs, _ = await all_found(store, "job")
    assert sum(each.what == "dead_letter" for each in jobs) == letters
    assert {each.pet_id for each in jobs if each.what == "job"} == {*PETS}


async def test_a_part_is_bounded_and_leads_to_the_next(opens: Opens, redis: Redis, monkeypatch: pytest.MonkeyPatch):
    store, _ = await begun(opens, redis, 1)
    whole, _ = await all_found(store, "job")
    monkeypatch.setattr(finder, "STEPS", 1)
    monkeypatch.setattr(finder, "_KEYS_A_PAGE", 5)
    found, parts = await all_found(store, "job")
    key = Found.__repr__
    assert sorted(found, key=key) == sorted(whole, key=key)
    assert parts > 3


async def test_what_is_in_another_keys_place_hides_nothing(opens: Opens, redis: Redis):
    store, _ = await begun(opens, redis, 1)
    await redis.delete(store.layout.plain.jobs(PETS[0]))
    await redis.set(store.layout.plain.jobs(PETS[0]), "no list")
    assert {each.pet_id for each in (await all_found(store, "job"))[0] if each.what == "job"} == {*PETS[1:]}


@pytest.mark.parametrize("place", ["x", "keys-0-1-2", "letters-0-7", "keys--0", "keys-0-", f"keys-0-{'1' * 21}"])
async def test_what_is_no_place_is_refused(store: Store, place: str):
    with pytest.raises(BadJobError, match=r"^after: expected what an answer had for `next`$"):
        await store.finder.find("job", place)
