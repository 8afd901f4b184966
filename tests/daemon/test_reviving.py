"""Views that expired come back with the next read, byte for byte; those that were dropped wait for a job."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass

import msgspec
import pytest
from redis.asyncio import Redis

from sploot_clusterd import reviving
from sploot_clusterd.engine import Params
from sploot_clusterd.errors import BadStateError, BusyError, HistoryUnavailableError, LookupsExceededError
from sploot_clusterd.reviving import Reviver
from tests.support.side import Side, image, opened_side


@dataclass
class Expiring:
    """An ingest side, and what brings views back."""

    side: Side
    reviver: Reviver

    async def made(self, *pets: str) -> list[bytes]:
        """Pets with albums, and their views as they were stored, which then expire."""
        for pet in pets:
            await self.side.add(pet, payload=image("img"))
        await self.side.run()
        views = [await self.side.redis.get(self.side.keys.view(pet)) for pet in pets]
        await self.side.redis.delete(*map(self.side.keys.view, pets))
        return views


def reviver(side: Side, *, with_wants: bool = False, kept=None) -> Reviver:
    return Reviver(side.store, Params(), side.metrics, with_wants=with_wants, kept=kept)


@pytest.fixture
async def expiring(redis: Redis, redis_url: str) -> AsyncIterator[Expiring]:
    assert redis
    async with opened_side(redis_url, Params()) as side:
        yield Expiring(side, reviver(side))


async def test_a_view_comes_back_as_it_was_and_lives_as_long_as_ever(expiring: Expiring):
    side, (before,) = expiring.side, await expiring.made("pet")

    assert await expiring.reviver.revive("pet") == before

    assert await side.redis.get(side.keys.view("pet")) == before
    assert 0 < await side.redis.ttl(side.keys.view("pet")) <= 100
    assert await side.store.views.view("pet") == before
    assert side.count("views_revived_total", outcome="rendered") == 1


async def test_a_thousand_readers_of_one_pet_have_its_album_loaded_once(expiring: Expiring):
    side, (before,) = expiring.side, await expiring.made("pet")
    await side.redis.config_resetstat()

    answers = await asyncio.gather(*(expiring.reviver.revive("pet") for _ in range(1000)))

    assert set(answers) == {before}
    calls = await side.redis.info("commandstats")
    assert (calls["cmdstat_hgetall"]["calls"], calls["cmdstat_set"]["calls"]) == (1, 1)


async def test_of_a_pet_without_an_album_nothing_is_asked_again_for_a_while(expiring: Expiring):
    side = expiring.side
    await side.redis.config_resetstat()
    assert [await expiring.reviver.revive("nobody") for _ in range(5)] == [None] * 5
    assert (await side.redis.info("commandstats"))["cmdstat_exists"]["calls"] == 1
    assert side.count("views_revived_total", outcome="nothing") == 1

    (before,) = await expiring.made("nobody")
    expiring.reviver._missed.clear()
    assert await expiring.reviver.revive("nobody") == before


async def test_misses_are_remembered_of_so_many_pets_alone(expiring: Expiring, monkeypatch):
    monkeypatch.setattr(reviving, "_MISSES", 3)
    for n in range(9):
        await expiring.reviver.revive(f"p{n}")
    assert [*expiring.reviver._missed] == ["p6", "p7", "p8"]


async def test_beyond_so_many_pets_at_a_time_readers_are_told_to_come_again(expiring: Expiring, monkeypatch):
    monkeypatch.setattr(reviving, "_MOST_WAITING", 2)
    pets = [f"p{n}" for n in range(5)]
    views = await expiring.made(*pets)

    answers = await asyncio.gather(*map(expiring.reviver.revive, pets), return_exceptions=True)

    assert {type(each) for each in answers} == {bytes, BusyError}
    refused = sum(isinstance(each, BusyError) for each in answers)
    assert expiring.side.count("views_revived_total", outcome="refused") == refused
    assert all(isinstance(got, BusyError) or got == was for got, was in zip(answers, views, strict=True))
    assert [await expiring.reviver.revive(pet) for pet in pets] == views


@pytest.mark.parametrize("meanwhile", ["commit", "erase", "other reader"])
async def test_what_comes_between_wins(expiring: Expiring, monkeypatch, meanwhile: str):
    side, (before,) = expiring.side, await expiring.made("pet")
    load = side.store.partitions[0].albums.load_one

    async def interrupted(*asked):
        loaded = await load(*asked)
        monkeypatch.undo()
        if meanwhile == "commit":
            await side.add("pet", payload=image("other", 0.0, 1.0))
            await side.run()
        elif meanwhile == "erase":
            await side.store.views.erase("pet")
        else:
            await reviver(side).revive("pet")
        return loaded

    monkeypatch.setattr(side.store.partitions[0].albums, "load_one", interrupted)
    answer = await expiring.reviver.revive("pet")

    assert answer == await side.redis.get(side.keys.view("pet"))
    if meanwhile == "commit":
        assert msgspec.json.decode(answer)["version"] == 2
    else:
        assert answer == {"erase": None, "other reader": before}[meanwhile]


async def test_a_dropped_view_is_left_to_the_next_job_even_one_that_says_nothing(expiring: Expiring):
    side = expiring.side
    for _ in range(2):
        await side.add("pet", payload=image("img"), job_id="j")
        await side.run()
        before = await side.redis.get(side.keys.view("pet"))
        assert await side.store.views.invalidate("pet")
        assert not await side.store.views.invalidate("pet")
        assert await expiring.reviver.revive("pet") is None
        assert await side.store.views.view("pet") is None
        assert 0 < await side.redis.pttl(side.keys.pet("pet").dropped) <= 100_000
        expiring.reviver._missed.clear()
    assert msgspec.json.decode(before)["version"] == 1


async def test_an_album_that_cannot_be_read_is_said_to_be_so(expiring: Expiring):
    side = expiring.side
    await expiring.made("pet")
    await side.redis.hset(side.keys.pet("pet").album, "head", b"?")
    with pytest.raises(BadStateError, match="head"):
        await expiring.reviver.revive("pet")
    assert not await side.redis.exists(side.keys.view("pet"))


async def test_a_view_tells_how_many_insights_are_still_wanted(expiring: Expiring):
    side = expiring.side
    await expiring.made("pet")
    await side.redis.zadd(side.keys.pet("pet").wanted, {"img": 1, "other": 2})
    view = await reviver(side, with_wants=True).revive("pet")
    assert msgspec.json.decode(view)["metrics"]["insights_wanted"] == 2
    assert await side.redis.get(side.keys.view("pet")) == view


async def test_of_a_pet_without_an_album_the_last_view_that_history_has_is_given_and_not_stored(expiring: Expiring):
    side, asked = expiring.side, list[str]()

    async def kept(pet_id: str) -> bytes | None:
        asked.append(pet_id)
        return b"the last one" if pet_id == "lost" else None

    asking = reviver(side, kept=kept)
    assert [await asking.revive(pet) for pet in ("lost", "lost", "nobody", "nobody")] == [b"the last one"] * 2 + [
        None
    ] * 2
    assert asked == ["lost", "lost", "nobody"]
    assert [side.count("views_revived_total", outcome=each) for each in ("kept", "nothing")] == [2, 1]
    assert not await side.redis.exists(side.keys.view("lost"))
    await side.redis.hset(side.keys.erasing, "lost", 5)
    assert await asking.revive("lost") is None
    assert asked == ["lost", "lost", "nobody"]


async def test_a_thousand_readers_of_one_lost_pet_ask_history_once(expiring: Expiring):
    asked = list[str]()

    async def kept(pet_id: str) -> bytes | None:
        asked.append(pet_id)
        await asyncio.sleep(0)
        return b"the last one"

    asking = reviver(expiring.side, kept=kept)
    assert {*await asyncio.gather(*(asking.revive("lost") for _ in range(1000)))} == {b"the last one"}
    assert asked == ["lost"]


@pytest.mark.parametrize(("error", "told"), [(HistoryUnavailableError(), None), (LookupsExceededError(), "raised")])
async def test_a_history_that_is_away_hides_no_404_and_one_that_is_asked_too_much_says_so(expiring, error, told):
    async def kept(_pet_id: str) -> bytes | None:
        raise error

    asking = reviver(expiring.side, kept=kept)
    if told is None:
        assert await asking.revive("nobody") is None
    else:
        with pytest.raises(LookupsExceededError):
            await asking.revive("nobody")
