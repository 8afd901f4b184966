"""Images are offered to a sample's slot until one has come, and again where that may be gone."""

import pytest
from msgspec.structs import replace

from sploot_clusterd.ingest.offered import Offered
from sploot_clusterd.store import Commit, Offer
from sploot_clusterd.store.profiles import SampleSize
from tests.ingest.photo_fleet import add_photos
from tests.support.side import Side

COMMIT = Commit("pet", [b"1-0"], b"nonce.1", None, 2, offers=[Offer("v1", "pet#3", 0.5, b"image")])
SLOT = {("v1", "pet#3")}


@pytest.fixture
def sent(side: Side, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The slots that commits offered images to, in their order."""
    slots: list[str] = []
    real = side.registry.committed

    def committed(commit: Commit) -> None:
        slots.extend(offer.slot for offer in commit.offers)
        real(commit)

    monkeypatch.setattr(side.registry, "committed", committed)
    return slots


async def test_a_slot_is_offered_one_image(side: Side, sent: list[str]):
    await add_photos(side, range(1), count=12)
    first = set(sent)
    await add_photos(side, range(1), begin=12, count=40)
    assert len(sent) == len(set(sent))
    assert first < set(sent)
    assert set(await side.profiles.sample("v1")) == set(sent)


async def test_an_erased_pet_has_no_slots(side: Side, sent: list[str]):
    await add_photos(side, range(1), count=40)
    before = set(sent)
    await side.store.views.erase("pet-0")
    assert not await side.profiles.sample("v1")
    for begin in range(40):
        await add_photos(side, range(1), begin=begin, count=1)
    assert set(await side.profiles.sample("v1")) == before


async def test_what_a_sample_lost_is_offered_again(side: Side, sent: list[str]):
    await add_photos(side, range(1), count=40)
    await side.learner.refresh()
    await side.learner.refresh()
    await side.redis.delete("ns:sample:v1", "ns:sampled:v1")
    await side.learner.refresh()
    await add_photos(side, range(1), begin=40, count=40)
    assert set(await side.profiles.sample("v1")) == set(sent)


def test_what_was_not_committed_is_not_taken_for_offered():
    offered = Offered()
    assert offered.of("pet") == frozenset()
    offered.committed(COMMIT)
    assert (offered.of("pet"), offered.of("other")) == (SLOT, frozenset())
    offered.committed(replace(COMMIT, offers=[Offer("v2", "pet#3", 0.5, b"image")]))
    assert offered.of("pet") == SLOT | {("v2", "pet#3")}
    offered.committed(replace(COMMIT, token=b"", offers=()))
    assert offered.of("pet") == frozenset()


@pytest.mark.parametrize(
    ("before", "now", "stays"),
    [
        ({}, {"v1": SampleSize(1, None)}, True),
        ({"v1": SampleSize(4, None)}, {"v1": SampleSize(4, 0.5)}, True),
        ({"v1": SampleSize(4, None)}, {"v1": SampleSize(3, None)}, False),
        ({"v1": SampleSize(4, None)}, {}, False),
    ],
)
def test_a_sample_that_became_smaller_has_lost_images(before: dict, now: dict, stays: bool):
    offered = Offered()
    offered.committed(COMMIT)
    offered.polled(before, now)
    assert bool(offered.of("pet")) is stays


def test_all_is_offered_again_after_a_while_and_pets_without_end_are_not_kept():
    now = [0.0]
    offered = Offered(lambda: now[0])
    offered.committed(COMMIT)
    now[0] = 601.0
    offered.polled({}, {})
    assert not offered.of("pet")
    for pet in range(16_385):
        offered.committed(replace(COMMIT, pet_id=f"pet-{pet}"))
    assert not offered.of("pet-0")
    assert offered.of("pet-16384")
