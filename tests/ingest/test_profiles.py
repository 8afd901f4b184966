"""Profiles on their way: sampled by commits, learned by one process, adopted by all, and never mixed up."""

from dataclasses import replace

import pytest

from sploot_clusterd.engine import decode_sampled, encode_profile, other_lengths
from sploot_clusterd.store import Offer, State
from sploot_clusterd.store import profiles as store_module
from tests.ingest.photo_fleet import PETS, add_photos, generations, ids, learn_first_profile, photos
from tests.support.side import Side


async def test_a_fleet_learns_its_profile_and_albums_move_with_their_ids(side: Side):
    await learn_first_profile(side)
    assert side.registry.states == {"v1": State(1)}
    before = ids(await side.view("pet-3"))
    assert await generations(side, "pet-3") == {"v1": 0}
    assert len(before) == 3
    await add_photos(side, range(3, 4), begin=12, count=1)
    await add_photos(side, range(900, 901))
    assert await generations(side, "pet-3") == await generations(side, "pet-900") == {"v1": 1}
    after = ids(await side.view("pet-3"))
    assert after.keys() == before.keys()
    assert all(before[cluster] <= after[cluster] for cluster in before)
    assert side.count("profile_moves_total") == side.count("profiles_learned_total") == 1
    assert (side.count("profile_generation"), side.count("profile_images")) == (1, side.count("sampled_images"))
    assert not await side.letters()


async def test_a_correction_that_comes_with_the_move_is_of_the_clusters_that_were_shown(side: Side):
    await learn_first_profile(side)
    before = ids(await side.view("pet-3"))
    first, off = next((cluster, min(images)) for cluster, images in before.items())
    split = [{"op": "split", "cluster": first, "image_ids": [off]}, {"op": "rename", "cluster": first, "label": "Rex"}]

    await side.add("pet-3", payload={**photos(3, 1, begin=12), "force": True})
    await side.add("pet-3", payload={"corrections": split})
    await side.run()

    after = await side.view("pet-3")
    assert await generations(side, "pet-3") == {"v1": 1}
    assert {off} in ids(after).values()
    assert before[first] - {off} <= ids(after)[first]
    assert next(cluster["label"] for cluster in after["clusters"] if cluster["id"] == first) == "Rex"
    assert not await side.letters()


async def test_moves_keep_to_their_pace_and_force_is_free(new_side):
    side = await new_side(moves_per_second=0.0)
    await learn_first_profile(side)
    await add_photos(side, range(3, 4), begin=12, count=1)
    assert await generations(side, "pet-3") == {"v1": 0}
    await side.add("pet-3", force=True, payload={})
    await side.run()
    assert await generations(side, "pet-3") == {"v1": 1}
    await add_photos(side, range(900, 901))
    assert await generations(side, "pet-900") == {"v1": 1}, "new albums adopt at once"


async def test_one_process_learns_and_another_reads_what_it_does_not_know_yet(side: Side, new_side):
    other = await new_side()
    await learn_first_profile(side)
    await add_photos(side, range(900, 901))
    await add_photos(other, range(900, 901), begin=12, count=2)
    assert other.registry.knows("v1", 1)
    assert await generations(side, "pet-900") == {"v1": 1}
    assert (await side.view("pet-900"))["metrics"]["num_images"] == 14
    await add_photos(other, range(901, 902))
    assert await generations(side, "pet-901") == {"v1": 0}, "to know it for an album is not to adopt it"
    await other.learner.refresh()
    await add_photos(other, range(901, 902), begin=12, count=1)
    assert await generations(side, "pet-901") == {"v1": 1}
    assert not await side.letters()


async def test_an_album_ahead_of_this_process_is_not_moved_back(side: Side, new_side):
    await learn_first_profile(side)
    other = await new_side()
    profile = side.registry.current("v1")
    assert profile is not None
    second = encode_profile(replace(profile, generation=2))
    assert await other.profiles.publish("v1", State(1), State(2), second)
    await other.learner.refresh()
    await add_photos(other, range(900, 901))
    await add_photos(side, range(900, 901), begin=12, count=1)
    assert side.registry.states == {"v1": State(1)}
    assert await generations(side, "pet-900") == {"v1": 2}


async def test_a_redis_that_lost_a_profile_gets_no_albums_by_it(side: Side):
    await learn_first_profile(side)
    await side.redis.delete("ns:profiles", "ns:profile:v1")
    await add_photos(side, range(900, 901))
    assert await generations(side, "pet-900") == {"v1": 0}
    assert await side.pending() == 0
    assert not await side.letters()


async def test_a_profile_that_was_learned_again_after_a_loss_is_not_taken_for_the_first(side: Side, new_side):
    await learn_first_profile(side)
    mine = await side.redis.hget("ns:profile:v1", "1")
    await side.redis.delete("ns:profiles", "ns:profile:v1", "ns:sample:v1", "ns:sampled:v1", "ns:learning")
    other = await new_side()
    await add_photos(other, range(200, 200 + PETS), count=11)
    await other.learner.refresh()
    await other.learner.refresh()
    assert await other.learner.learn()
    theirs = await side.redis.hget("ns:profile:v1", "1")
    assert theirs != mine
    await add_photos(other, range(900, 901))
    await add_photos(side, range(900, 901), begin=12, count=1)
    assert side.registry._current.digests["v1", 1] == store_module.digest(theirs)
    assert (await side.view("pet-900"))["metrics"]["num_images"] == 13


async def test_an_album_whose_profile_is_lost_is_a_bad_state(side: Side, new_side):
    await learn_first_profile(side)
    await add_photos(side, range(900, 901))
    await side.redis.delete("ns:profiles", "ns:profile:v1")
    other = await new_side()
    await add_photos(other, range(900, 901), begin=12, count=1)
    (letter,) = await other.letters()
    assert letter[b"reason"] == b"bad_state"
    assert b"generation 1 of the profile of 'v1' is not in Redis any more" in letter[b"error"]
    assert (await generations(side, "pet-900")) == {"v1": 1}


async def test_a_new_model_version_begins_without_a_profile_and_gets_its_own(side: Side):
    await learn_first_profile(side)
    await side.add("pet-3", payload={**photos(3, begin=20), "model_version": "v2"})
    await side.run()
    assert await generations(side, "pet-3") == {"v1": 1, "v2": 0}
    for pet in range(PETS):
        await side.add(f"pet-{pet}", payload={**photos(pet, begin=20), "model_version": "v2"})
    await side.run()
    await side.redis.delete("ns:learning")
    await side.learner.refresh()
    await side.learner.refresh()
    assert await side.learner.learn()
    assert side.registry.states == {"v1": State(1), "v2": State(1)}


async def test_albums_of_other_lengths_under_the_same_name_stay_as_they_are(side: Side):
    await side.add("odd", payload=photos(5, length=32))
    await side.run()
    await learn_first_profile(side)
    await side.add("odd", payload=photos(5, begin=12, count=1, length=32))
    await side.run()
    assert await generations(side, "odd") == {"v1": 0}
    assert not await side.letters()


async def test_what_is_settled_or_full_is_offered_nothing(side: Side, monkeypatch: pytest.MonkeyPatch):
    await add_photos(side, range(2))
    await side.learner.refresh()
    await side.learner.refresh()
    sampled = await side.profiles.sample("v1")
    await side.profiles.publish("v1", State(0), State(0, settled=True))
    await side.learner.refresh()
    offered: list[Offer] = []
    real = side.registry.offers

    def offers(*args: object, is_new: bool) -> list[Offer]:
        offered.extend(found := real(*args, is_new=is_new))
        return found

    monkeypatch.setattr(side.registry, "offers", offers)
    await add_photos(side, range(3, 5))
    assert sampled
    assert offered == []
    assert not await side.redis.exists("ns:sample:v1")


async def test_a_profile_of_another_encoder_under_the_same_name_is_not_adopted(side: Side):
    await learn_first_profile(side)
    for force in (False, True):
        payload = photos(900 + force, length=16)
        await side.add(f"short-{force}", payload=payload, force=force)
        await side.run()
        assert await generations(side, f"short-{force}") == {"v1": 0}
        assert (await side.view(f"short-{force}"))["metrics"]["num_images"] == 12
    await side.add("short-False", payload=photos(900, begin=12, count=2, length=16), force=True)
    await side.run()
    assert await generations(side, "short-False") == {"v1": 0}
    assert not await side.letters()
    await side.learner.refresh()
    assert any("embedding of 'v1' has 64 values and 16" in warning for warning in side.health.warnings())


async def test_a_kind_that_comes_later_with_another_length_does_without_the_profile(side: Side):
    both = [photos(pet) for pet in range(PETS)]
    for pet, payload in enumerate(both):
        images = [{**image, "pose": image["embedding"][:8]} for image in payload["images"]]
        await side.add(f"pet-{pet}", payload={**payload, "images": images})
    await side.run()
    await side.learner.refresh()
    await side.learner.refresh()
    assert await side.learner.learn()
    await add_photos(side, range(900, 901))
    assert await generations(side, "pet-900") == {"v1": 1}
    images = [{**image, "pose": image["embedding"][:12]} for image in photos(900, 2, begin=12)["images"]]
    await side.add("pet-900", payload={"images": images, "model_version": "v1"})
    await side.run()
    assert (await side.view("pet-900"))["metrics"]["num_images"] == 14
    assert not await side.letters()


async def test_a_sample_of_two_encoders_settles_nothing(side: Side):
    await add_photos(side, range(PETS))
    await add_photos(side, range(PETS, PETS + 20), length=16)
    await side.learner.refresh()
    await side.learner.refresh()
    assert await side.learner.learn()
    assert not side.registry.states["v1"].settled
    sample = [decode_sampled(raw) for raw in (await side.profiles.sample("v1")).values()]
    assert other_lengths(side.registry.current("v1"), sample)
    await side.redis.delete(side.keys.learning)
    assert not await side.learner.learn(), "of the one that was learned there are no more"
    await add_photos(side, range(PETS + 20, 2 * PETS))
    await side.learner.refresh()
    await side.redis.delete(side.keys.learning)
    assert await side.learner.learn(), "the other one does not stop it"
    assert side.registry.states["v1"].generation == 2
