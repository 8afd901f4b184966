"""A heartbeat: what a process tells of itself."""

from collections.abc import Iterable
from typing import Any, Final, NamedTuple

from msgspec import Struct, json
from prometheus_client.metrics import MetricWrapperBase

from sploot_clusterd.health import Health
from sploot_clusterd.metrics import Metrics
from sploot_clusterd.quality import Totals
from sploot_clusterd.troubles import Trouble, Troubles


class Beat(Struct):
    """Counts are since the process's start."""

    at: float
    """When, in seconds since 1970."""
    process: str
    version: str
    since: float
    """When the process began, in seconds since 1970; it tells two lives of one name apart."""
    consumers: int
    reasons: list[str]
    """Why it is not ready."""
    warnings: list[str]
    done: int
    failed: int
    """Runs that failed, to be tried again or not."""
    dead: int
    restarts: int
    """Of its root tasks."""
    backlog: int
    """Of the whole stream, as the process saw it last; and the age of the oldest entry, in seconds."""
    oldest_s: float
    latencies: list[int]
    """Jobs in each bucket of `media_cluster_job_processing_seconds`."""
    lags: list[int]
    """The same of `media_cluster_loop_lag_seconds`."""
    quality: Totals = Totals()
    """Nothing, of a version that does not tell."""
    settled: int = 0
    """Jobs that are in the stream no more, whatever became of them. Who has no such field is of a version before."""
    wants: int = 0
    """Pets that want insights."""
    generation: int = 0
    """The highest of the profiles in use."""
    troubles: list[Trouble] = []
    """Why runs failed lately."""


decode: Final = json.Decoder(Beat).decode


class Process(NamedTuple):
    """What stays the same of a process for as long as it lives."""

    name: str
    version: str
    since: float
    consumers: int


_SETTLED: Final = ("success", "skipped", "invalid", "dead_letter")
"""Results after which a job is in the stream no more."""


def beat(process: Process, now: float, metrics: Metrics, health: Health, troubles: Troubles) -> Beat:
    """What the process's figures are now."""
    results = _by_label(metrics.jobs_processed, "result")
    return Beat(
        now,
        *process,
        health.reasons(),
        health.warnings(),
        int(results.get("success", 0)),
        int(results.get("failure", 0)),
        int(_sum(metrics.dead_letters)),
        int(_sum(metrics.restarts)),
        int(_sum(metrics.backlog)),
        _sum(metrics.oldest_unsettled),
        metrics.job_seconds.counts,
        metrics.loop_lag.counts,
        _quality(metrics),
        int(sum(results.get(each, 0) for each in _SETTLED)),
        int(_sum(metrics.insights_pets_waiting)),
        int(_sum(metrics.profile_generation)),
        troubles.latest(now),
    )


def _quality(metrics: Metrics) -> Totals:
    corrections = _by_label(metrics.corrections, "op")
    silhouettes, shares = metrics.silhouette, metrics.unclustered_share
    return Totals(
        merges=int(_sum(metrics.merges)),
        splits=int(_sum(metrics.splits)),
        hero_changes=int(_sum(metrics.hero_changes)),
        rebuilds=int(_sum(metrics.rebuilds)),
        corrections={op: int(count) for op, count in corrections.items() if count},
        silhouettes=silhouettes.sum,
        silhouette_count=sum(silhouettes.counts),
        unclustered_shares=shares.sum,
        unclustered_count=sum(shares.counts),
    )


def _samples(metric: MetricWrapperBase) -> Iterable[Any]:
    return (each for family in metric.collect() for each in family.samples if not each.name.endswith("_created"))


def _sum(metric: MetricWrapperBase) -> float:
    return float(sum(each.value for each in _samples(metric)))


def _by_label(metric: MetricWrapperBase, label: str) -> dict[str, float]:
    return {each.labels[label]: each.value for each in _samples(metric)}
