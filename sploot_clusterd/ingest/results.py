"""What becomes of jobs, told to Redis, to the metrics and to the log: applied, a later try, or a dead letter.

What was committed is told for several jobs at once: beside a computing thread each write of a line may have to wait for
the interpreter's lock.
"""

import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from itertools import chain
from typing import Final

from sploot_clusterd import logs
from sploot_clusterd.due import DueEntries
from sploot_clusterd.errors import ClusterdError, Reason, StrayJobError
from sploot_clusterd.ingest.batch import Batch, Delivery, Failure, log_fields
from sploot_clusterd.ingest.brake import Brake
from sploot_clusterd.ingest.dead_letter import AT_FIRST_SIGHT, error_text, letter_of
from sploot_clusterd.ingest.plan import JobResult, Ready
from sploot_clusterd.ingest.retry import TryAgain, after_failure, put_off_ms
from sploot_clusterd.ingest.runs import Runs
from sploot_clusterd.ingest.scheduling import Compute
from sploot_clusterd.ingest.wanting import Wanting
from sploot_clusterd.metrics import Metrics
from sploot_clusterd.model import Job
from sploot_clusterd.spans import Run
from sploot_clusterd.store import Entry, FailedRun, Retry, Stream
from sploot_clusterd.troubles import Troubles
from sploot_clusterd.wire import named_ids

log = logging.getLogger(__name__)

_LINES_A_WRITE: Final = 8
"""Many keep the loop's other work waiting: a computing thread wants its turns meanwhile."""
_DEFER_MS: Final = 100
_LATE: Final = {"stale_correction", "snapshot_gone"}
"""Reasons that say nothing but that somebody was late: no sign that anything is broken, however many there are."""


class Results:
    """Every outcome of a job, in one place. What writes to Redis raises StoreUnavailableError where it cannot."""

    def __init__(
        self,
        stream: Stream,
        *,
        brake: Brake,
        due: DueEntries,
        compute: Compute,
        metrics: Metrics,
        max_attempts: int,
        troubles: Troubles,
        wanting: Wanting | None = None,
        take_back: Callable[[Entry, str], Awaitable[None]] | None = None,
    ) -> None:
        """`take_back` takes entries of pets that have left the partition, where there are several."""
        self._stream = stream
        self._brake = brake
        self._due = due
        self._compute = compute
        self._metrics = metrics
        self._processed = metrics.jobs_processed
        self._max_attempts = max_attempts
        self._troubles = troubles
        self._wanting = wanting
        self._take_back = take_back
        self._success, self._skipped = (metrics.jobs_processed.labels(name) for name in ("success", "skipped"))

    async def committed(self, batch: Batch, plans: Sequence[Ready]) -> None:
        """These were written, and their entries acknowledged."""
        seconds = batch.seconds()
        jobs = [job for plan in plans for job in plan.jobs]
        self._brake.good_each([(plan.commit.pet_id, len(plan.jobs)) for plan in plans])
        self._count_changes(plans)
        if self._wanting is not None:
            self._wanting.committed([plan.commit for plan in plans])
        applied = sum(each.changed for each in jobs)
        self._success.inc(applied)
        self._skipped.inc(len(jobs) - applied)
        self._metrics.job_seconds.observe_each([seconds] * len(jobs))
        now = time.time()  # whose clock may be behind that of Redis
        visible = [max(0.0, now - each.delivery.entry.id.ms / 1000) for each in jobs]
        self._metrics.visible_seconds.observe_each(visible)
        if batch.runs is not None:
            self._show(batch.runs, [each.delivery.entry for each in jobs], seconds, visible)
            batch.runs.end([each.delivery.entry for each in jobs if each.changed], "success")
            batch.runs.end([each.delivery.entry for each in jobs if not each.changed], "skipped")
        latency_ms = round(seconds * 1000, 3)
        async with self._compute.time_slice() as time_slice:
            for first in range(0, len(jobs), _LINES_A_WRITE):
                self._tell(batch, jobs[first : first + _LINES_A_WRITE], latency_ms)
                await time_slice.checkpoint()

    def _tell(self, batch: Batch, jobs: Sequence[JobResult], latency_ms: float) -> None:
        lines = []
        for each in jobs:
            entry, job = each.delivery
            fields = log_fields(entry, job, _run(batch, entry))
            fields["latency_ms"] = latency_ms
            lines.append(("job done" if each.changed else "job skipped", fields))
        logs.info_each(log, lines)
        for (_, fields), each in zip(lines, jobs, strict=True):
            if each.says_otherwise:
                self._metrics.reused_job_ids.inc()
                log.warning("job skipped, as its id was another job's", extra={"data": fields})

    async def failed(self, batch: Batch, failures: Sequence[Failure]) -> None:
        """Each failure becomes a later try or a dead letter, as `after_failure` says.

        What would be one more dead letter of a pet that has many is put off, without an attempt used.
        """
        if not failures:
            return
        retries, put_off = [], dict[str, int]()
        for failure in failures:
            entry = failure.entry
            if self._take_back and isinstance(failure.error, StrayJobError):
                await self._take_back(entry, failure.error.pet_id)
                log.info("job moved on, its pet has left the partition", extra={"data": log_fields(entry, None)})
                continue
            decision = after_failure(failure.error, entry.attempts, self._max_attempts)
            if isinstance(decision, TryAgain):
                self._count_retry(batch, failure, decision)
                _end_runs(batch, [entry], "retry", _word(failure.error))
                retries.append(Retry(entry.key, *decision, _failed_run(failure)))
            elif decision.reason not in _LATE and self._brake.puts_off(pet_id := _pet_id(failure)):
                put_off[pet_id] = put_off.get(pet_id, 0) + 1
                _end_runs(batch, [entry], "put_off")
                retries.append(Retry(entry.key, entry.attempts, put_off_ms()))
            else:
                await self.set_aside(batch, entry, decision.reason, error_text(failure.error), failure.job)
        if put_off:
            log.warning("put off bad jobs of pets that have many", extra={"data": {"entries_of_pets": put_off}})
        if retries:
            await self._retry(batch, retries)

    async def deferred(self, batch: Batch, deliveries: Sequence[Delivery]) -> None:
        """Leaves entries of contended pets for a moment, without an attempt used."""
        log.info("left a contended pet for a moment", extra={"data": {"entries": len(deliveries)}})
        retries = [Retry(entry.key, entry.attempts, _DEFER_MS) for entry, _ in deliveries]
        _end_runs(batch, [entry for entry, _ in deliveries], "deferred")
        await self._retry(batch, retries)

    async def put_off(self, batch: Batch, waiting: Sequence[Entry], delay_ms: int) -> None:
        """Leaves entries that were not run for so many ms, as older ones of their pets come first."""
        if not waiting:
            return
        log.info("left jobs until older ones of their pets are done", extra={"data": {"entries": len(waiting)}})
        self._metrics.put_off.inc(len(waiting))
        _end_runs(batch, waiting, "put_off")
        self._due.put_off()
        await self._stream.put_off(batch.consumer, [(entry.key, delay_ms) for entry in waiting])

    async def _retry(self, batch: Batch, retries: Sequence[Retry]) -> None:
        self._due.put_off()  # before: the figures that are asked for meanwhile may not show it yet
        await self._stream.retry(batch.consumer, retries)

    async def set_aside(self, batch: Batch, entry: Entry, reason: Reason, error: str, job: Job | None = None) -> None:
        """Makes the entry a dead letter. At first sight it counts as invalid, else as a failure too."""
        letter = letter_of(entry, reason, error, job)
        if not await self._stream.dead_letter(batch.consumer, letter):
            self._skipped.inc()
            _end_runs(batch, [entry], "skipped")
            return
        if reason not in _LATE:
            self._brake.bad(letter.pet_id)
        for result in ("invalid",) if reason in AT_FIRST_SIGHT else ("failure", "dead_letter"):
            self._processed.labels(result).inc()
        told = {"pet_id": letter.pet_id, "reason": reason, "error": letter.error}
        fields = {**log_fields(entry, job, _run(batch, entry)), **told}
        log.warning("dead letter", extra={"data": fields})
        _end_runs(batch, [entry], "dead_letter", reason)

    def conflict(self) -> None:
        """A pet's album moved on while its jobs were in hand."""
        self._metrics.conflicts.inc()

    def lost(self, batch: Batch, entries: Sequence[Entry]) -> None:
        """Another consumer had taken these over when we came to commit."""
        self._metrics.lost_entries.inc(len(entries))
        _end_runs(batch, entries, "lost")

    def profile_lost(self, pet_id: str) -> None:
        """What the album was computed with is not in Redis any more."""
        log.warning("redis has not the profiles any more that were used", extra={"data": {"pet_id": pet_id}})

    def _show(self, runs: Runs, entries: Sequence[Entry], seconds: float, visible: Sequence[float]) -> None:
        """The first run of a commit that has a trace is an example of how long they take."""
        for entry, seen in zip(entries, visible, strict=True):
            run = runs.of(entry)
            if run and run.sampled:
                context = run.context
                self._metrics.job_seconds.show(seconds, context)
                self._metrics.visible_seconds.show(seen, context)
                return

    def _count_retry(self, batch: Batch, failure: Failure, decision: TryAgain) -> None:
        self._processed.labels("failure").inc()
        self._processed.labels("retry").inc()
        fields = log_fields(failure.entry, failure.job, _run(batch, failure.entry))
        self._troubles.add(error_text(failure.error), time.time())
        log.warning(
            "job failed, will be tried again",
            exc_info=None if isinstance(failure.error, ClusterdError) else failure.error,
            extra={"data": {**fields, "attempt": decision.attempts, "in_ms": decision.delay_ms}},
        )

    def _count_changes(self, plans: Sequence[Ready]) -> None:
        metrics = self._metrics
        metrics.profile_moves.inc(sum(plan.moved for plan in plans))
        changes = [plan.changes for plan in plans if plan.changes is not None]
        metrics.hero_changes.inc(sum([each.hero_changes for each in changes]))
        metrics.merges.inc(sum([each.merged for each in changes]))
        metrics.splits.inc(sum([each.split for each in changes]))
        metrics.tombstones_dropped.inc(sum([each.tombstones_dropped for each in changes]))
        metrics.rebuilds.inc(sum([each.rebuilt for each in changes]))
        for op, count in chain.from_iterable([each.corrections.items() for each in changes]):
            metrics.corrections.labels(op).inc(count)
        albums = [plan.album for plan in plans if plan.album is not None and plan.changes is not None]
        metrics.clusters.observe_each([album.shown_clusters for album in albums])
        unclustered = [(album.unclustered_images, album.num_vector_images) for album in albums]
        metrics.unclustered.observe_each([count for count, _ in unclustered])
        metrics.unclustered_share.observe_each([count / images for count, images in unclustered if images])
        silhouettes = [album.silhouette for album in albums]
        metrics.silhouette.observe_each([max(s, 0.0) for s in silhouettes if s is not None])  # a sum must not fall


def _run(batch: Batch, entry: Entry) -> Run | None:
    """Where it is traced."""
    return batch.runs.of(entry) if batch.runs is not None else None


def _end_runs(batch: Batch, entries: Sequence[Entry], outcome: str, error: str = "") -> None:
    if batch.runs is not None:
        batch.runs.end(entries, outcome, error)


def _word(error: Exception) -> str:
    """A word for what went wrong, which tells nothing of the job."""
    return type(error).__name__


def _pet_id(failure: Failure) -> str:
    """Empty where it names none."""
    return failure.job.pet_id if failure.job else named_ids(failure.entry.fields)[0]


def _failed_run(failure: Failure) -> FailedRun | None:
    job = failure.job
    return FailedRun(job.pet_id, job.job_id, str(job.sequence), error_text(failure.error)) if job else None
