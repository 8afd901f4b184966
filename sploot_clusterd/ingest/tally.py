"""What was committed, told to the metrics and the log.

For several jobs at once: beside a computing thread each write of a line may have to wait for the interpreter's lock.
"""

import logging
import time
from collections.abc import Sequence
from typing import Final

from sploot_clusterd import logs
from sploot_clusterd.engine import Album, Changes
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
        for plan in plans:
            await slices.breathe()
            if plan.album is not None and plan.changes is not None:
                self._count(plan.album, plan.changes)
        self._metrics.profile_moves.inc(sum(plan.moved for plan in plans))
        jobs = [pair for plan in plans for pair in zip(plan.works, plan.applied, strict=True)]
        applied = sum(changed for _, changed in jobs)
        self._success.inc(applied)
        self._skipped.inc(len(jobs) - applied)
        for first in range(0, len(jobs), _JOBS_A_PAGE):
            await slices.breathe()
            self._tell(jobs[first : first + _JOBS_A_PAGE], took)

    def _tell(self, jobs: Sequence[tuple[Work, bool]], took: float) -> None:
        wanted = log.isEnabledFor(logging.INFO)
        with logs.together():
            for work, applied in jobs:
                self._metrics.job_seconds.observe(took)
                if wanted:
                    log.info("job done" if applied else "job skipped", extra={"data": _about(work, took)})

    def _count(self, album: Album, changes: Changes) -> None:
        for counter, count in (
            (self._metrics.hero_changes, changes.hero_changes),
            (self._metrics.merges, changes.merged),
            (self._metrics.splits, changes.split),
            (self._metrics.rebuilds, changes.rebuilt),
        ):
            if count:
                counter.inc(count)
        for op, count in changes.corrections.items():
            self._metrics.corrections.labels(op).inc(count)
        self._metrics.clusters.observe(album.shown_clusters)
        unclustered, images = album.unclustered_images, album.num_vector_images
        self._metrics.unclustered.observe(unclustered)
        if images:
            self._metrics.unclustered_share.observe(unclustered / images)
        silhouette = album.silhouette
        if silhouette is not None:
            self._metrics.silhouette.observe(max(silhouette, 0.0))  # a histogram's sum must not fall


def _about(work: Work, took: float) -> dict[str, object]:
    return {
        "job_id": work.job.job_id,
        "pet_id": work.job.pet_id,
        "entry_id": str(work.entry.id),
        "attempt": work.entry.attempts + 1,
        "trace": work.job.trace,
        "latency_ms": round(took * 1000, 3),
    }
