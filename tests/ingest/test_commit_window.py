"""How many pets are taken together: fewer while others commit them too, more while nobody does."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sploot_clusterd.ingest.scheduling import CommitWindow
from sploot_clusterd.store import AlbumStore
from tests.support.side import Side, image

MOST = 64


@given(st.lists(st.floats(0, 1), max_size=50))
def test_whatever_came_before_few_attempts_bring_it_to_either_end(shares: list[float]):
    window = CommitWindow()

    def attempts(share: float) -> int:
        window.record(window.pets, round(share * window.pets))
        assert 1 <= window.pets <= MOST
        return window.pets

    for share in shares:
        attempts(share)
    assert [attempts(1.0) for _ in range(6)][-1] == 1
    assert [attempts(0.0) for _ in range(6)][-1] == MOST


def test_a_rare_conflict_is_borne_and_a_small_batch_says_nothing_about_large_ones():
    window = CommitWindow()
    before = window.pets
    window.record(before, 1)
    window.record(before - 1, 0)
    assert window.pets == before


async def test_a_batch_of_many_pets_is_committed_in_few_steps_while_nobody_interferes(side: Side):
    await side.add("first", payload=image("img"))  # then Redis knows the script
    await side.run()
    for steps in (3, 1):  # 8, 16 and 6 pets, and then all of them
        before = side.count("redis_round_trips_total", kind="commit")
        for n in range(30):
            await side.add(f"pet-{n}", payload=image("img"), force=steps == 1)
        await side.run()
        assert side.count("redis_round_trips_total", kind="commit") - before == steps
    assert side.count("conflicts_total") == 0


async def test_pets_are_taken_in_no_order(side: Side, monkeypatch: pytest.MonkeyPatch):
    """Rivals that come by them in the same order would meet at each."""
    pets = [f"pet-{n:02}" for n in range(30)]
    for pet in pets:
        await side.add(pet, payload=image("img"))
    load, taken = AlbumStore.load, list[str]()

    async def noted(store: AlbumStore, wanted):
        taken.extend(each.pet_id for each in wanted)
        return await load(store, wanted)

    monkeypatch.setattr(AlbumStore, "load", noted)
    await side.run()
    assert sorted(taken) == pets
    assert taken != pets  # by chance once in 30!


async def test_whoever_is_overtaken_takes_fewer_pets_together(side: Side, new_side, monkeypatch: pytest.MonkeyPatch):
    rival: Side = await new_side()
    pets = [f"pet-{n}" for n in range(8)]
    for pet in pets:
        await side.add(pet, payload=image("b"))
    await rival.fail_once("rival")
    for pet in pets:
        await side.add(pet, payload=image("a"))
    load = AlbumStore.load

    async def overtaken(store: AlbumStore, wanted):
        monkeypatch.undo()
        loaded = await load(store, wanted)
        await rival.run_due("rival")
        return loaded

    monkeypatch.setattr(AlbumStore, "load", overtaken)
    await side.run()
    assert side.count("conflicts_total") == 8
    assert side.count("redis_round_trips_total", kind="commit") == 1 + 2  # 8 in vain, then twice 4
    assert [(await side.view(pet))["metrics"]["num_images"] for pet in pets] == [2] * 8
