"""How good clusters are: by looks at some albums, which are bounded, and go on where the one before ended."""

import asyncio

import pytest

from sploot_clusterd import reviewing
from sploot_clusterd.engine import Params
from sploot_clusterd.errors import StoreUnavailableError
from sploot_clusterd.reviewing import Reviewer
from tests.support.side import Side, image


async def seeded(side: Side, pets: int) -> Reviewer:
    for n in range(pets):
        await side.add(f"pet_{n}", payload=image("a", 1.0, 0.1 * n) | {"model_version": "m@1"})
    await side.run()
    return Reviewer(side.store, Params(), None)


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reviewing, "_GOOD_FOR", 0.0)


async def test_all_albums_are_looked_at_where_there_are_few(side: Side):
    reviewer = await seeded(side, 5)
    report = await reviewer.report()
    sample = report.sample
    assert (sample.albums, sample.images, sample.complete, report.fleet) == (5, 5, True, None)
    assert [(each.model_version, each.images) for each in sample.models] == [("m@1", 5)]
    assert (await reviewer.report()).sample is sample, "for a minute"


@pytest.mark.usefixtures("impatient")
async def test_a_look_is_bounded_and_the_next_one_goes_on(side: Side, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(reviewing, "MOST_ALBUMS", 3)
    reviewer = await seeded(side, 5)
    looks = [(await reviewer.report()).sample for _ in range(3)]
    assert [each.albums for each in looks] == [3, 2, 3]
    assert [each.complete for each in looks] == [False] * 3


@pytest.mark.usefixtures("impatient")
async def test_a_look_that_takes_too_long_ends(side: Side, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(reviewing, "_LONGEST_LOOK", 0.0)
    reviewer = await seeded(side, 2)
    sample = (await reviewer.report()).sample
    assert (sample.albums, sample.complete) == (0, False)


async def test_who_asks_meanwhile_waits_for_the_same_look(side: Side):
    reviewer = await seeded(side, 2)
    reports = await asyncio.gather(*[reviewer.report() for _ in range(5)])
    assert len({id(each.sample) for each in reports}) == 1


async def test_an_album_that_cannot_be_read_is_counted(side: Side):
    reviewer = await seeded(side, 2)
    await side.redis.hset(side.keys.pet("pet_1").album, "head", "nonsense")
    sample = (await reviewer.report()).sample
    assert (sample.albums, sample.unreadable) == (1, 1)


async def test_encoders_are_told_of_in_words(side: Side):
    reviewer = await seeded(side, 3)
    assert [(each.model_version, each.generation) for each in (await reviewer.report()).encoders] == [("m@1", 0)]


async def test_where_redis_is_away_it_says_so_and_begins_anew_later(side: Side, monkeypatch: pytest.MonkeyPatch):
    reviewer = await seeded(side, 2)
    poll = side.store.profiles.poll

    async def away() -> None:
        raise StoreUnavailableError

    monkeypatch.setattr(side.store.profiles, "poll", away)
    with pytest.raises(StoreUnavailableError):
        await reviewer.report()
    monkeypatch.setattr(side.store.profiles, "poll", poll)
    assert (await reviewer.report()).sample.albums == 2
