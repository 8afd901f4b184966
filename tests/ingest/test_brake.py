"""The dead-letter brake stops reading when most jobs cannot be applied."""

import pytest

from sploot_clusterd.health import Health
from sploot_clusterd.ingest.brake import Brake


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
