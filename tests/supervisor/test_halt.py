"""The fleet's pause as one process knows it: it ends by itself, whoever is away."""

import pytest

from sploot_clusterd.halt import Halt
from sploot_clusterd.health import Health
from sploot_clusterd.ingest.brake import Brake
from sploot_clusterd.metrics import Metrics
from tests.support.clock import Clock


@pytest.fixture
def clock() -> Clock:
    return Clock()


def paused(metrics: Metrics) -> float | None:
    return metrics.registry.get_sample_value("media_cluster_paused")


async def test_it_holds_until_its_end_and_tells_of_its_beginning_once(clock: Clock):
    health, metrics = Health(10.0, clock), Metrics()
    halt = Halt(health, metrics, clock)
    begun = []

    async def reads_end() -> None:
        assert halt.seconds_left() > 0, "a read that ends would begin anew"
        assert health.warnings() == [], "told before it is true"
        begun.append(clock.now)

    halt.at_begin = reads_end
    brake = Brake(health, 10, clock, halt.seconds_left)
    assert (halt.seconds_left(), brake.seconds_left(), paused(metrics)) == (0.0, 0.0, 0.0)

    await halt.hold("paused until noon: a deploy", 5.0)
    clock.now += 1.0
    await halt.hold("paused until noon: a deploy", 4.0)

    assert (halt.seconds_left(), brake.seconds_left(), paused(metrics)) == (4.0, 4.0, 1.0)
    assert len(begun) == 1
    assert (health.warnings(), health.reasons()) == (["paused until noon: a deploy"], [])
    clock.now += 4.0
    assert (brake.seconds_left(), health.warnings(), paused(metrics)) == (0.0, [], 0.0)
    await halt.hold("again", 5.0)
    assert len(begun) == 2
    halt.release()
    assert (brake.seconds_left(), health.warnings(), paused(metrics)) == (0.0, [], 0.0)


async def test_of_the_brakes_pause_and_the_fleets_the_longer_one_counts(clock: Clock):
    health = Health(10.0, clock)
    halt = Halt(health, Metrics(), clock)
    brake = Brake(health, 10, clock, halt.seconds_left)
    for n in range(100):
        brake.bad(f"pet-{n}")
    own = brake.seconds_left()
    assert own > 0
    await halt.hold("paused", own + 1)
    assert brake.seconds_left() == own + 1
    await halt.hold("paused", own / 2)
    assert brake.seconds_left() == own
