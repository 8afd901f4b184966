"""Partitions that pause: named to the probes, by their reason, and to a gauge."""

from sploot_clusterd.health import Health
from sploot_clusterd.metrics import Metrics
from sploot_clusterd.pauses import Pauses


def test_they_are_named_by_their_reasons_until_nobody_says_so_any_more():
    health, metrics = Health(60.0), Metrics()
    pauses = Pauses(8, health, metrics)

    def paused() -> list[int]:
        sample = metrics.registry.get_sample_value
        return [n for n in range(8) if sample("media_cluster_partition_paused", {"partition": str(n)}) == 1]

    assert (health.warnings(), paused()) == ([], [])
    pauses.begin(3, "pulse", "a node is away")
    assert health.warnings() == ["partition 3 pauses: a node is away"]
    pauses.begin(1, "pulse", "a node is away")
    pauses.begin(1, "consumer-0", "a node is away")
    pauses.begin(6, "consumer-0", "it is being moved")
    assert health.warnings() == ["partitions 1, 3 pause: a node is away", "partition 6 pauses: it is being moved"]
    assert paused() == [1, 3, 6]
    pauses.end(1, "pulse")
    pauses.end(3, "pulse")
    pauses.end(3, "consumer-0")
    assert health.warnings() == ["partition 1 pauses: a node is away", "partition 6 pauses: it is being moved"]
    assert paused() == [1, 6]
    pauses.end(1, "consumer-0")
    pauses.end(6, "consumer-0")
    assert (health.warnings(), health.reasons(), paused()) == ([], [], [])


def test_one_partition_has_no_gauge():
    metrics = Metrics()
    Pauses(1, Health(60.0), metrics)
    assert metrics.registry.get_sample_value("media_cluster_partition_paused", {"partition": "0"}) is None
