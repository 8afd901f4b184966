"""What was committed, told to the metrics and the log.

For several jobs at once: beside a computing thread each write of a line may have to wait for the interpreter's lock.
"""

import logging
import time
from collections.abc import Sequence
from itertools import chain
from typing import Final

from sploot_clusterd import logs
from sploot_clusterd.ingest.compute import Compute
from sploot_clusterd.ingest.plan import Plan, Work
from sploot_clusterd.metrics import Metrics

log = logging.getLogger(__name__)

_JOBS_A_PAGE: Final = 8
"""Lines in one write. Many keep the loop's other work waiting: a computing thread wants its turns meanwhile."""


class Tally:
    """Counts jobs, and what they made of their albums."""

    def __init__(self, metrics: Metrics, compute: Compute) -> None:
        self._metrics = metrics
        self._computing = compute
        self._success, self._skipped = (metrics.jobs_processed.labels(name) for name in ("success", "skipped"))

    async def committed(self, plans: Sequence[Plan], began: float) -> None:
        """`began`: when the batch that the plans are of was taken up, by `time.perf_counter`."""
        took = time.perf_counter() - began
        slices = self._computing.slices()
        self._count(plans)
        self._metrics.profile_moves.inc(sum(plan.moved for plan in plans))
        jobs = [pair for plan in plans for pair in zip(plan.works, plan.applied, strict=True)]
        applied = sum(changed for _, changed in jobs)
        self._success.inc(applied)
        self._skipped.inc(len(jobs) - applied)
        self._metrics.job_seconds.observe_each([took] * len(jobs))
        for first in range(0, len(jobs), _JOBS_A_PAGE):
            await slices.breathe()
            with logs.together():
                for work, changed in jobs[first : first + _JOBS_A_PAGE]:
                    logs.info(log, "job done" if changed else "job skipped", _about(work, took))

    def _count(self, plans: Sequence[Plan]) -> None:
        metrics = self._metrics
        every = [plan.changes for plan in plans if plan.changes is not None]
        metrics.hero_changes.inc(sum([changes.hero_changes for changes in every]))
        metrics.merges.inc(sum([changes.merged for changes in every]))
        metrics.splits.inc(sum([changes.split for changes in every]))
        metrics.rebuilds.inc(sum([changes.rebuilt for changes in every]))
        for op, count in chain.from_iterable([changes.corrections.items() for changes in every]):
            metrics.corrections.labels(op).inc(count)
        albums = [plan.album for plan in plans if plan.album is not None and plan.changes is not None]
        apart = [(album.unclustered_images, album.num_vector_images) for album in albums]
        metrics.clusters.observe_each([album.shown_clusters for album in albums])
        metrics.unclustered.observe_each([unclustered for unclustered, _ in apart])
        metrics.unclustered_share.observe_each([unclustered / images for unclustered, images in apart if images])
        silhouettes = [album.silhouette for album in albums]
        metrics.silhouette.observe_each([max(s, 0.0) for s in silhouettes if s is not None])  # a sum must not fall


def _about(work: Work, took: float) -> dict[str, object]:
    return {
        "job_id": work.job.job_id,
        "pet_id": work.job.pet_id,
        "entry_id": str(work.entry.id),
        "attempt": work.entry.attempts + 1,
        "trace": work.job.trace,
        "latency_ms": round(took * 1000, 3),
    }
