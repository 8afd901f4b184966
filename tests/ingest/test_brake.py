"""The dead-letter brake stops reading when most jobs of many pets cannot be applied, and paces a pet that is alone."""

from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sploot_clusterd.health import Health
from sploot_clusterd.ingest.brake import Brake
from tests.support.clock import Clock


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def health(clock: Clock) -> Health:
    return Health(10.0, clock)


@pytest.fixture
def brake(health: Health, clock: Clock) -> Brake:
    return Brake(health, 10, clock)


def fail(brake: Brake, pets: Iterable[int], each: int = 1) -> None:
    for pet in pets:
        for _ in range(each):
            brake.bad(f"pet-{pet}")


def pass_pause(brake: Brake, clock: Clock) -> float:
    left = brake.seconds_left()
    clock.now += left + 0.1
    return left


def test_a_flood_of_many_pets_dead_letters_stops_reading_and_reddens_readiness(
    brake: Brake, clock: Clock, health: Health
):
    fail(brake, range(99))
    assert brake.seconds_left() == 0
    fail(brake, [99])
    assert brake.seconds_left() == 10
    assert health.reasons() == [
        "dead-letter brake: most jobs of 100 pets could not be applied; reading goes on in 10 s with a small quota"
    ]
    clock.now += 10.1
    assert brake.seconds_left() == 0
    assert health.reasons() == []


def test_after_a_pause_only_a_small_quota_passes_and_the_next_pause_is_longer(brake: Brake, clock: Clock):
    pauses = []
    for _ in range(8):
        assert brake.seconds_left() == 0
        fail(brake, range(100))
        pauses.append(pass_pause(brake, clock))
    assert pauses == [10, 20, 40, 80, 160, 300, 300, 300]


@pytest.mark.parametrize(("calm", "pause"), [(290, 40), (301, 10)])
def test_five_minutes_without_a_pause_make_it_forget(brake: Brake, clock: Clock, calm: float, pause: float):
    for _ in range(2):
        fail(brake, range(100))
        pass_pause(brake, clock)
    clock.now += calm
    fail(brake, range(100))
    assert brake.seconds_left() == pause


def test_some_bad_jobs_among_good_ones_do_not_trip_it(brake: Brake):
    for n in range(1000):
        fail(brake, [n])
        brake.good(f"pet-{n}", 2)
    assert brake.seconds_left() == 0


def test_a_few_busy_pets_good_jobs_do_not_hide_that_most_others_fail(brake: Brake):
    for pet in range(100):
        brake.good(f"busy-{pet}", 1000)
    fail(brake, range(100))
    assert brake.seconds_left() == 10


def test_it_counts_no_more_than_five_dead_letters_of_a_pet(brake: Brake):
    fail(brake, range(19), 1000)
    assert brake.seconds_left() == 0
    fail(brake, [19], 5)
    assert brake.seconds_left() == 10


def test_old_dead_letters_do_not_count(brake: Brake, clock: Clock):
    for n in range(1000):
        fail(brake, [n])
        clock.now += 0.7
    assert brake.seconds_left() == 0


def test_none_that_is_older_than_a_minute_counts(brake: Brake, clock: Clock):
    fail(brake, range(99))
    clock.now += 59
    brake.good("seldom")
    clock.now += 2
    fail(brake, [99])
    assert brake.seconds_left() == 0


def test_a_pet_with_many_dead_letters_is_put_off_alone_and_a_few_jobs_at_a_time(brake: Brake, clock: Clock):
    fail(brake, [1], 99)
    assert not brake.puts_off("pet-1")
    fail(brake, [1])
    fail(brake, [2])
    assert [brake.puts_off("pet-1") for _ in range(12)] == [True] * 10 + [False] * 2
    assert not brake.puts_off("pet-2")
    clock.now += 10
    assert brake.puts_off("pet-1")
    clock.now += 60
    assert not brake.puts_off("pet-1")


def test_a_pet_most_of_whose_jobs_are_applied_is_not_put_off(brake: Brake):
    brake.good("pet-1", 300)
    fail(brake, [1], 200)
    assert not brake.puts_off("pet-1")


def test_what_names_no_pet_is_one_pets_and_not_put_off(brake: Brake):
    for _ in range(1000):
        brake.bad("")
    assert brake.seconds_left() == 0
    assert not brake.puts_off("")


steps = st.tuples(st.sampled_from(["good", "bad", "wait"]), st.integers(0, 30), st.integers(1, 60))


@given(steps=st.lists(steps, max_size=60), few=st.integers(1, 19))
def test_fewer_than_twenty_pets_never_stop_the_others(steps: list[tuple[str, int, int]], few: int):
    brake, _ = run((kind, pet % few, amount) for kind, pet, amount in steps)
    assert brake.seconds_left() == 0


@given(steps=st.lists(steps, max_size=60))
def test_it_forgets_all_in_its_time(steps: list[tuple[str, int, int]]):
    brake, clock = run(steps)
    clock.now += 300 + 300
    assert brake.seconds_left() == 0
    assert not any(brake.puts_off(f"pet-{pet}") for pet in range(31))
    fail(brake, range(99))
    assert brake.seconds_left() == 0
    fail(brake, [99])
    assert brake.seconds_left() == 10


@given(before=st.lists(steps, max_size=60), each=st.integers(1, 5))
def test_once_every_pets_jobs_fail_it_stops_reading_soon(before: list[tuple[str, int, int]], each: int):
    brake, _ = run(before)
    for n in range(400):
        fail(brake, [n % 100], each)
        if brake.seconds_left():
            return
    pytest.fail("400 jobs of 100 pets failed, and no more than 31 pets had good ones before")


def run(steps: Iterable[tuple[str, int, int]]) -> tuple[Brake, Clock]:
    """A brake after all this."""
    clock = Clock()
    brake = Brake(Health(10.0, clock), 10, clock)
    for kind, pet, amount in steps:
        if kind == "wait":
            clock.now += amount
        elif kind == "good":
            brake.good(f"pet-{pet}", amount)
        else:
            fail(brake, [pet], amount)
    return brake, clock
