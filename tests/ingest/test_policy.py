"""Decisions that need no Redis: what follows a failure, the brake, the memory of albums."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sploot_clusterd.engine import new_album
from sploot_clusterd.errors import BadJobError, BadStateError
from sploot_clusterd.health import Health
from sploot_clusterd.ingest.brake import Brake
from sploot_clusterd.ingest.cache import AlbumCache
from sploot_clusterd.ingest.policy import (
    Again,
    SetAside,
    after_failure,
    backoff_ms,
    conflict_pause,
    decode_in_thread,
    hops,
    in_thread,
)
from sploot_clusterd.metrics import Metrics


def test_what_can_never_work_is_set_aside_at_once():
    assert after_failure(BadJobError("dimension", "d"), 0, 5) == SetAside("dimension")
    assert after_failure(BadStateError("b"), 0, 5) == SetAside("bad_state")


def test_anything_else_gets_max_attempts_runs():
    decisions = [after_failure(OSError(), attempts, 3) for attempts in range(3)]
    assert [type(d) for d in decisions] == [Again, Again, SetAside]
    assert [d.attempts for d in decisions[:2]] == [1, 2]
    assert decisions[2] == SetAside("max_attempts")


@given(failures=st.integers(1, 1000))
def test_backoff_doubles_up_to_a_minute_and_is_never_zero(failures: int):
    ceiling = min(60_000, 1000 * 2 ** min(failures - 1, 20))
    assert ceiling / 2 <= backoff_ms(failures) <= ceiling


@given(tries=st.integers(0, 3), took=st.floats(0, 60))
def test_rivals_part_within_twice_of_what_they_compute(tries: int, took: float):
    assert 0 <= conflict_pause(tries, took) <= min(max(0.016, 2 * took), 0.1)


def test_only_large_pieces_go_to_the_pool():
    assert not in_thread([], busy=True)
    assert not in_thread([0.0002] * 10, busy=False)
    assert in_thread([0.0002, 0.02], busy=False)
    assert not in_thread([0.0002] * 100, busy=False), "each is done well within a slice"
    assert in_thread([0.0005] * 100, busy=False)
    assert in_thread([0.0002] * 10, busy=True), "beside a computing thread the loop would wait for each array"
    assert not decode_in_thread(10_000, busy=False)
    assert decode_in_thread(10_000, busy=True)
    assert decode_in_thread(100_000, busy=False)


@given(st.lists(st.floats(0, 3), max_size=30))
def test_a_batch_is_cut_into_parts_that_show_progress_and_nothing_is_left_out(estimates: list[float]):
    parts = list(hops(estimates))
    assert [e for part in parts for e in estimates[part]] == estimates
    assert all(sum(estimates[part]) <= 1.0 or part.stop - part.start == 1 for part in parts)


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def health(clock: Clock) -> Health:
    return Health(10.0, clock)


def test_a_flood_of_dead_letters_stops_reading_and_reddens_readiness(clock: Clock, health: Health):
    brake = Brake(health, clock)
    for _ in range(99):
        brake.bad()
    assert brake.seconds_left() == 0
    brake.bad()
    assert brake.seconds_left() == 10
    assert "dead-letter brake" in health.reasons()[0]
    clock.now += 10.1
    assert brake.seconds_left() == 0
    assert health.reasons() == []


def test_after_a_pause_only_a_small_quota_passes_and_the_next_pause_is_longer(clock: Clock, health: Health):
    brake = Brake(health, clock)
    pauses = []
    for _ in range(8):
        for _ in range(100):
            assert brake.seconds_left() == 0
            brake.bad()
        pauses.append(brake.seconds_left())
        clock.now += brake.seconds_left() + 0.1
    assert pauses == [10, 20, 40, 80, 160, 300, 300, 300]
    brake.good(200)
    for _ in range(100):
        brake.bad()
    assert brake.seconds_left() == 10, "a good time makes it forget"


def test_some_bad_jobs_among_good_ones_do_not_trip_it(clock: Clock, health: Health):
    brake = Brake(health, clock)
    for _ in range(1000):
        brake.bad()
        brake.good(2)
    assert brake.seconds_left() == 0


def test_the_cache_holds_the_albums_used_last_within_its_bytes():
    album = new_album("p")
    cache = AlbumCache(3 * album.nbytes, Metrics())
    for n in range(4):
        cache.put(f"p{n}", b"t", album)
        assert cache.peek("p0") == (b"t", album)
        cache.used("p0", hit=True)
    assert [bool(cache.peek(f"p{n}")[0]) for n in range(4)] == [True, False, True, True]
    cache.drop("p2")
    assert cache.peek("p2") == (b"", None)
    assert AlbumCache(0, Metrics()).put("p", b"t", album) is None


def test_values_observed_together_count_as_if_one_by_one():
    together, alone = Metrics(), Metrics()
    values = [1, 2, 2, 2, 3, 256, 257, 1000]
    together.clusters.observe_each(values)
    for value in values:
        alone.clusters.observe(value)
    assert samples(together) == samples(alone)


def samples(metrics: Metrics) -> list[tuple[str, dict[str, str], float]]:
    every = [sample for metric in metrics.clusters.collect() for sample in metric.samples]
    return [(each.name, each.labels, each.value) for each in every if not each.name.endswith("_created")]


async def test_one_pet_is_worked_on_by_one_batch_at_a_time_and_batches_never_wait_in_a_circle():
    cache = AlbumCache(0, Metrics())
    working: set[str] = set()

    async def work(pets: list[str]) -> None:
        async with cache.alone(pets):
            assert working.isdisjoint(pets)
            working.update(pets)
            for _ in range(3):
                await asyncio.sleep(0)
            working.difference_update(pets)

    async with asyncio.timeout(5):
        await asyncio.gather(
            *(work(pets) for pets in (["a", "b"], ["b", "a"], ["b", "c"], ["c", "a"]) for _ in range(20))
        )
    assert cache._in_hand == {}
