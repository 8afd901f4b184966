"""Albums in memory, and who works on a pet."""

import asyncio

import pytest

from sploot_clusterd.engine import album_nbytes, new_album
from sploot_clusterd.ingest.cache import AlbumCache
from sploot_clusterd.metrics import Metrics
from tests.engine.pet import Pet, direction, insight, job, photos


def test_the_cache_holds_the_albums_used_last_within_its_bytes():
    album = new_album("p")
    cache = AlbumCache(3 * album_nbytes(album), Metrics())
    for n in range(4):
        cache.put(f"p{n}", b"t", album)
        assert cache.peek("p0") == (b"t", album)
        cache.count_uses(["p0"], 0)
    assert [bool(cache.peek(f"p{n}")[0]) for n in range(4)] == [True, False, True, True]
    cache.drop("p2")
    assert cache.peek("p2") == (b"", None)
    assert AlbumCache(0, Metrics()).put("p", b"t", album) is None


def test_the_cache_counts_what_its_albums_hold_now():
    metrics, pet = Metrics(), Pet()
    cache = AlbumCache(2**20, metrics)
    for number in range(3):
        pet.apply(job(number, *photos({number: 3}), labels=[f"label {n}" * 10 for n in range(50 * number)]))
        cache.put("p", b"t", pet.album)
        held = metrics.registry.get_sample_value("media_cluster_album_cache_bytes")
        assert held == album_nbytes(pet.album) > 50 * number * 80
    cache.drop("p")
    assert metrics.registry.get_sample_value("media_cluster_album_cache_bytes") == 0


def test_what_the_cache_counts_stays_close_though_not_each_state_is_measured():
    metrics, pet = Metrics(), Pet()
    cache = AlbumCache(2**30, metrics)
    counted = []
    for number in range(60):
        pet.apply(job(number, insight(f"img-{number}", direction(number % 7, 0.3, number), 0.5)))
        cache.put("p", b"t", pet.album)
        held = metrics.registry.get_sample_value("media_cluster_album_cache_bytes")
        assert held == pytest.approx(album_nbytes(pet.album), rel=0.25)
        counted.append(held)
    assert 10 < len(set(counted)) < 40
    pet.apply(job(60, removed=[f"img-{number}" for number in range(5, 60)]))
    cache.put("p", b"t", pet.album)
    assert metrics.registry.get_sample_value("media_cluster_album_cache_bytes") == album_nbytes(pet.album)


async def test_one_pet_is_worked_on_by_one_batch_at_a_time_and_batches_never_wait_in_a_circle():
    cache = AlbumCache(0, Metrics())
    working: set[str] = set()

    async def work(pets: list[str]) -> None:
        async with cache.exclusive(pets):
            assert working.isdisjoint(pets)
            working.update(pets)
            for _ in range(3):
                await asyncio.sleep(0)
            working.difference_update(pets)

    async with asyncio.timeout(30):
        await asyncio.gather(
            *(work(pets) for pets in (["a", "b"], ["b", "a"], ["b", "c"], ["c", "a"]) for _ in range(20))
        )
