"""Samples and profiles: what a commit offers, what stays, what goes with a pet, and who may publish."""

import asyncio
import random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from redis.asyncio import Redis

from sploot_clusterd.errors import BadStateError, StoreRefusesError
from sploot_clusterd.store import (
    AlbumStore,
    Commit,
    CommitOutcome,
    Offer,
    ProfileStore,
    SampleSize,
    State,
    Stream,
    UsedProfile,
    ViewStore,
)
from sploot_clusterd.store import profiles as profiles_module
from sploot_clusterd.store.commit import Committed
from tests.support.producer import Producer
from tests.support.stores import MOST_SAMPLED
from tests.support.waiting import eventually


class Fleet:
    """Pets whose commits offer images to the samples."""

    def __init__(self, albums: AlbumStore, producer: Producer, profiles: ProfileStore) -> None:
        self._albums = albums
        self._producer = producer
        self._profiles = profiles

    async def entry(self) -> bytes:
        await self._producer.add()
        return (await self._producer.read("me"))[0].key

    async def commits(self, *offers: Offer, pet: str = "pet", **more: object) -> Committed:
        """A new album of the pet, from one entry."""
        await self._producer.redis.delete(f"ns:album:{pet}")
        fields = {"version": 1, "writes": {b"head": b"h"}, "offers": offers} | more
        given = replace(Commit(pet, [await self.entry()], b"", None), **fields)
        (reply,) = await self._albums.commit("me", [given])
        assert isinstance(reply, Committed), reply
        return reply

    async def sampled(self, model: str = "v1") -> dict[str, bytes]:
        """What is in the sample; both its keys have to say so."""
        images = await self._profiles.sample(model)
        slots = {slot.decode() for slot in await self._producer.redis.zrange(f"ns:sampled:{model}", 0, -1)}
        assert set(images) == slots
        return images


@pytest.fixture
def fleet(albums: AlbumStore, producer: Producer, profiles: ProfileStore, stream: Stream) -> Fleet:
    return Fleet(albums, producer, profiles)


def offer(slot: str, priority: float, image: bytes = b"image", model: str = "v1") -> Offer:
    return Offer(model, slot, priority, image)


async def test_a_commit_offers_images_and_a_taken_slot_keeps_its_first(fleet: Fleet, redis: Redis):
    offers = [offer("a#0", 0.5, b"\xff\x00"), offer("a#1", 0.25), offer("b#0", 1e-7, b"other", "v2 {x}")]
    assert (await fleet.commits(*offers)).outcome is CommitOutcome.COMMITTED
    await fleet.commits(offer("a#0", 0.5, b"later"), offer("a#2", 0.75))
    assert await fleet.sampled() == {"a#0": b"\xff\x00", "a#1": b"image", "a#2": b"image"}
    assert await fleet.sampled("v2 {x}") == {"b#0": b"other"}
    assert await redis.hgetall("ns:profiles") == {b"v1": b"0", b"v2 {x}": b"0"}
    assert await redis.zscore("ns:sampled:v2 {x}", "b#0") == 1e-7


async def test_a_commit_without_offers_touches_no_sample(fleet: Fleet, redis: Redis):
    assert (await fleet.commits()).outcome is CommitOutcome.COMMITTED
    assert not await redis.exists("ns:profiles")


async def test_the_slot_of_highest_priority_gives_way(fleet: Fleet, profiles: ProfileStore):
    for n in range(MOST_SAMPLED):
        assert (await profiles.poll(["v1"])).samples == {"v1": SampleSize(n, None)}
        await fleet.commits(offer(f"p{n}#0", n / 10))
    assert (await profiles.poll(["v1"])).samples == {"v1": SampleSize(MOST_SAMPLED, 0.5)}
    await fleet.commits(offer("high#0", 0.6), offer("equal#0", 0.5), offer("low#0", 0.45))
    assert set(await fleet.sampled()) == {"p0#0", "p1#0", "p2#0", "p3#0", "p4#0", "low#0"}


slots = st.dictionaries(
    st.tuples(st.sampled_from("abcdef"), st.integers(0, 7)).map(lambda pair: f"{pair[0]}#{pair[1]}"),
    st.floats(0, 1, exclude_max=True),
    min_size=1,
    max_size=25,
)


@given(slots=slots, order=st.randoms(use_true_random=False))
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_the_sample_is_the_lowest_slots_whatever_the_order(
    fleet: Fleet, redis: Redis, slots: dict[str, float], order: random.Random
):
    await redis.delete("ns:profiles", "ns:sample:v1", "ns:sampled:v1")
    distinct = {priority: slot for slot, priority in slots.items()}
    offers = [offer(slot, priority) for priority, slot in distinct.items()] * 2
    order.shuffle(offers)
    while offers:
        size = order.randrange(1, 6)
        await fleet.commits(*offers[:size])
        del offers[:size]
    lowest = sorted(distinct)[:MOST_SAMPLED]
    assert set(await fleet.sampled()) == {distinct[priority] for priority in lowest}


async def test_refused_commits_offer_nothing(fleet: Fleet, albums: AlbumStore, redis: Redis):
    key = await fleet.entry()
    (lost,) = await albums.commit("thief", [Commit("pet", [key], b"", None, 1, offers=[offer("a#0", 0.1)])])
    (conflict,) = await albums.commit("me", [Commit("pet", [key], b"x.1", None, 2, offers=[offer("a#0", 0.1)])])
    assert (lost.outcome, conflict.outcome) == (CommitOutcome.LOST, CommitOutcome.CONFLICT)
    assert not await redis.exists("ns:profiles", "ns:sample:v1", "ns:sampled:v1")


async def test_so_many_model_versions_are_sampled_and_no_more(fleet: Fleet, profiles: ProfileStore, redis: Redis):
    for n in range(20):
        await fleet.commits(offer("a#0", 0.1, model=f"m{n}"))
    open_ones = [f"m{n}" for n in range(16)]
    assert sorted((await profiles.poll()).states) == sorted(open_ones)
    assert await profiles.publish("m3", State(0), State(0, settled=True))
    await fleet.commits(offer("a#0", 0.1, model="m19"))
    assert "m19" in (await profiles.poll()).states, "one that is settled makes room for another"
    assert await redis.exists("ns:sample:m19")


async def test_erasing_a_pet_takes_its_slots_from_every_sample(fleet: Fleet, views: ViewStore, redis: Redis):
    for model in ("v1", "v2", ""):
        await fleet.commits(
            offer("pet#0", 0.1, model=model), offer("pet#7", 0.2, model=model), offer("pet2#0", 0.3, model=model)
        )
    assert await views.erase("pet") is True
    for model in ("v1", "v2", ""):
        assert set(await fleet.sampled(model)) == {"pet2#0"}
    await fleet.commits(offer("pet#1", 0.1, model="new since"))
    await redis.delete("ns:album:pet")
    assert await views.erase("pet") is True, "a sampled image is something that is kept of it"
    assert await fleet.sampled("new since") == {}
    assert await views.erase("pet") is False


async def test_an_erasure_racing_commits_leaves_no_slot_behind(fleet: Fleet, views: ViewStore, albums: AlbumStore):
    """Each commit offers under a model version of its own, most of which the erasing process has never heard of."""
    models = [f"m{n}" for n in range(12)]
    replies = set()
    for n in range(40):
        given = Commit("pet", [await fleet.entry()], b"", None, 1, {b"head": b"h"})
        given = replace(given, offers=[offer("pet#0", 0.1, model=models[n % 12])])
        (reply,), _ = await asyncio.gather(albums.commit("me", [given]), views.erase("pet"))
        replies.add(reply.outcome)
        assert [await fleet.sampled(model) for model in models] == [{}] * 12
    assert replies <= {CommitOutcome.COMMITTED, CommitOutcome.CONFLICT}


async def test_only_one_of_two_publishes(profiles: ProfileStore):
    assert await profiles.publish("v1", None, State(1), b"one")
    assert not await profiles.publish("v1", None, State(1), b"another")
    replies = await asyncio.gather(
        *(profiles.publish("v1", State(1), State(2), b"%d" % n) for n in range(5)),
    )
    assert sum(replies) == 1
    assert await profiles.fetch("v1", 1) == b"one"
    assert await profiles.fetch("v1", 2) == b"%d" % replies.index(True)
    with pytest.raises(BadStateError, match="generation 3 of the profile of 'v1' is not in Redis any more"):
        await profiles.fetch("v1", 3)
    assert (await profiles.poll()).states == {"v1": State(2)}


async def test_what_settles_loses_its_sample_and_is_offered_nothing(fleet: Fleet, profiles: ProfileStore, redis: Redis):
    await fleet.commits(offer("a#0", 0.1))
    assert await profiles.publish("v1", State(0), State(1, settled=True), b"final")
    await fleet.commits(offer("a#0", 0.1))
    assert not await redis.exists("ns:sample:v1", "ns:sampled:v1")
    polled = await profiles.poll(["v1"])
    assert (polled.states, polled.samples) == ({"v1": State(1, settled=True)}, {"v1": SampleSize(0, None)})
    assert not await profiles.publish("v1", State(1), State(2), b"learned by one who did not see it")


async def test_to_settle_as_it_is_keeps_the_generation(profiles: ProfileStore, redis: Redis):
    await profiles.publish("v1", None, State(1), b"one")
    before = await redis.hgetall("ns:profile:v1")
    assert await profiles.publish("v1", State(1), State(1, settled=True))
    assert await redis.hgetall("ns:profile:v1") == before
    assert (await profiles.poll()).states == {"v1": State(1, settled=True)}


async def test_a_commit_wants_the_very_profiles_that_it_was_computed_with(
    fleet: Fleet, profiles: ProfileStore, redis: Redis
):
    await profiles.publish("v1", None, State(1), b"one")
    await profiles.publish("v2", None, State(4), b"four")
    right = UsedProfile("v1", 1, profiles_module.digest(b"one")), UsedProfile("v2", 4, profiles_module.digest(b"four"))
    assert (await fleet.commits(offer("a#0", 0.1), used_profiles=right)).outcome is CommitOutcome.COMMITTED
    for wrong in (
        right[0]._replace(generation=2),
        right[0]._replace(digest=profiles_module.digest(b"another one")),
        right[0]._replace(model_version="v3"),
    ):
        reply = await fleet.commits(offer("b#0", 0.1), used_profiles=(right[1], wrong), pet="other")
        assert reply.outcome is CommitOutcome.PROFILE_CHANGED
    assert not await redis.exists("ns:album:other")
    assert set(await fleet.sampled()) == {"a#0"}


async def test_one_process_learns_and_the_right_to_it_passes_by_itself(
    profiles: ProfileStore, redis: Redis, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(profiles_module, "LEARNING_MS", 200)
    assert sorted(await asyncio.gather(*(profiles.may_learn() for _ in range(5)))) == [False] * 4 + [True]
    await eventually(profiles.may_learn, what="the right of a process that died to pass on")
    assert 0 < await redis.pttl("ns:learning") <= 200


async def test_large_samples_are_read_whole(profiles: ProfileStore, redis: Redis):
    images = {f"p{n}#0": b"%d" % n * 100 for n in range(1000)}
    await redis.hset("ns:sample:v1", mapping=images)
    assert await profiles.sample("v1") == images


@pytest.mark.parametrize("text", ["", "x", "1settled", " settled", "-1", "1 settled settled", b"\xff", "²"])
async def test_a_state_that_is_none_is_told(profiles: ProfileStore, redis: Redis, text: str | bytes):
    await redis.hset("ns:profiles", mapping={"v1": text, "v2": "3", b"\xff": "1"})
    states, _, (bad_state, bad_name) = await profiles.poll()
    assert states == {"v2": State(3)}
    assert "not the state of a profile" in bad_state
    assert bad_name == "b'\\xff' in ns:profiles: no UTF-8; HDEL it there, or mend it"


async def test_a_full_redis_refuses_to_publish(profiles: ProfileStore, redis: Redis):
    await redis.config_set("maxmemory", 1)
    for attempt in (profiles.may_learn(), profiles.publish("v1", None, State(1), b"one")):
        with pytest.raises(StoreRefusesError):
            await attempt
