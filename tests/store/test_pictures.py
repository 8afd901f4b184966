"""Albums as they are kept, whole."""

from typing import Any

import pytest
from redis.asyncio import Redis

from sploot_clusterd.keys import Keys
from sploot_clusterd.store import Pictures, Store
from sploot_clusterd.store.gateway import Gateway

TOKEN = "5f0c6d2ab81e4973.7"


@pytest.fixture
def pictures(store: Store) -> Pictures:
    return store.pictures(0)


async def put(redis: Redis, keys: Keys, pet: str, images: int = 2, token: str = TOKEN) -> None:
    at = keys.pet(pet)
    await redis.hset(at.album, mapping={"token": token, "incarnation": "a", "head": b"\xff"})
    await redis.hset(at.images, mapping={f"{pet}-{number}": b"\xff%d" % number for number in range(images)})


@pytest.mark.parametrize("images", [2, 3000])
async def test_rows_are_all_there(redis: Redis, keys: Keys, pictures: Pictures, images: int):
    await put(redis, keys, "pet", images)
    await redis.set(keys.pet("pet").view, "{}")
    ((picture,), torn) = await pictures.take(["pet"])
    assert picture.fields == {b"token": TOKEN.encode(), b"incarnation": b"a", b"head": b"\xff"}
    assert picture.rows == {f"pet-{number}": b"\xff%d" % number for number in range(images)}
    assert (picture.token, picture.incarnation, picture.view, torn) == (TOKEN, "a", b"{}", [])


async def test_of_many_each_has_what_is_its_own(redis: Redis, keys: Keys, pictures: Pictures):
    pets = [f"pet-{number}" for number in range(20)]
    for pet in pets[::2]:
        await put(redis, keys, pet)
    found, torn = await pictures.take(pets)
    assert [each.pet_id for each in found] == pets[::2]
    assert all([*each.rows] == [f"{each.pet_id}-0", f"{each.pet_id}-1"] for each in found)
    assert torn == []
    assert await pictures.take([]) == ([], [])


async def test_what_is_of_another_type_is_left_out(redis: Redis, keys: Keys, pictures: Pictures):
    for pet in ("rows", "album", "view", "fine", "strange"):
        await put(redis, keys, pet, token="mine" if pet == "strange" else TOKEN)
    for key in (keys.pet("rows").images, keys.pet("album").album):
        await redis.set(key, "x")
    await redis.hset(keys.pet("view").view, "a", "b")
    found, torn = await pictures.take(["rows", "album", "view", "fine", "strange"])
    assert {each.pet_id: len(each.rows) for each in found} == {"rows": 0, "view": 2, "fine": 2}
    assert torn == []


async def test_one_that_changes_meanwhile_is_for_later(
    redis: Redis, keys: Keys, pictures: Pictures, monkeypatch: pytest.MonkeyPatch
):
    await put(redis, keys, "large", 3000)
    await put(redis, keys, "small")
    read = Gateway.read

    async def changed(gateway: Gateway, *asked: Any) -> Any:
        await redis.hset(keys.pet("large").album, "token", "5f0c6d2ab81e4973.8")
        return await read(gateway, *asked)

    monkeypatch.setattr(Gateway, "read", changed)
    found, torn = await pictures.take(["large", "small"])
    assert [each.pet_id for each in found] == ["small"]
    assert torn == ["large"]


@pytest.mark.parametrize("case", [(20, 8), (80_000, 3), (800_000, 1)], ids=["small", "some", "large"])
async def test_large_ones_are_read_by_few_at_a_time(
    redis: Redis, keys: Keys, pictures: Pictures, monkeypatch: pytest.MonkeyPatch, case: tuple[int, int]
):
    nbytes, most = case
    pets = [f"pet-{number}" for number in range(20)]
    for pet in pets:
        await put(redis, keys, pet)
        await redis.hset(keys.pet(pet).images, f"{pet}-0", b"x" * nbytes)
    asked = []
    read_each = Gateway.read_each

    async def counted(gateway: Gateway, what: str, commands: Any) -> Any:
        asked.append(sum(command[0] == "HGETALL" for _, command in commands))
        return await read_each(gateway, what, commands)

    monkeypatch.setattr(Gateway, "read_each", counted)
    found, _ = await pictures.take(pets)
    assert [each.pet_id for each in found] == pets
    assert all(each.nbytes > nbytes for each in found)
    assert asked[0] == 1, "nothing is known of their size"
    assert max(asked) == most
    assert sum(asked) == len(pets)
