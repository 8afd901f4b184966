"""What is counted of many jobs at once."""

from sploot_clusterd.metrics import Metrics


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
