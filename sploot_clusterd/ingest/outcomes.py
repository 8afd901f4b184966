"""Records how runs ended that did not end in a commit: a later try, or a dead letter with the reason."""

import logging
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final, NamedTuple

from sploot_clusterd.due import Due
from sploot_clusterd.errors import ClusterdError, Reason
from sploot_clusterd.ingest.brake import Brake
from sploot_clusterd.ingest.policy import SetAside, after_failure
from sploot_clusterd.metrics import Metrics
from sploot_clusterd.model import Job
from sploot_clusterd.store import Entry, Letter, Retry, Stream
from sploot_clusterd.wire import claimed_ids, first_place, flat_payload, other_pet

log = logging.getLogger(__name__)

_LONGEST_ERROR: Final = 512
_DEFER_MS: Final = 100


class Failure(NamedTuple):
    """A run that ended in an error. `job` is None where the entry could not even be decoded."""

    entry: Entry
    error: Exception
    job: Job | None = None


class Outcomes:
    """Writes outcomes beside the stream or to the dead letters. Raises StoreUnavailableError where it cannot."""

    def __init__(self, stream: Stream, brake: Brake, due: Due, metrics: Metrics, max_attempts: int) -> None:
        self._stream = stream
        self._brake = brake
        self._due = due
        self._results = metrics.jobs_processed
        self._max_attempts = max_attempts

    async def failed(self, consumer: str, failures: Sequence[Failure]) -> None:
        """Each failure becomes a later try or a dead letter, as the policy says."""
        retries = []
        for failure in failures:
            entry = failure.entry
            decision = after_failure(failure.error, entry.attempts, self._max_attempts)
            if isinstance(decision, SetAside):
                await self.set_aside(consumer, entry, decision.reason, _text(failure.error), failure.job)
                continue
            self._results.labels("failure").inc()
            self._results.labels("retry").inc()
            retries.append(Retry(entry.key, *decision))
            log.warning(
                "job failed, will be tried again",
                exc_info=None if isinstance(failure.error, ClusterdError) else failure.error,
                extra={
                    "data": {**_about(entry, failure.job), "attempt": decision.attempts, "in_ms": decision.delay_ms}
                },
            )
        if retries:
            await self._retry(consumer, retries)

    async def deferred(self, consumer: str, entries: Sequence[Entry]) -> None:
        """Leaves entries of a contended pet for a moment, without an attempt used."""
        await self._retry(consumer, [Retry(entry.key, entry.attempts, _DEFER_MS) for entry in entries])

    async def _retry(self, consumer: str, retries: Sequence[Retry]) -> None:
        self._due.later()  # before: what the pulse asks meanwhile may not have seen it
        await self._stream.retry(consumer, retries)

    async def set_aside(self, consumer: str, entry: Entry, reason: Reason, error: str, job: Job | None = None) -> None:
        """Makes the entry a dead letter. At first sight it counts as invalid, else as a failure too."""
        at_first_sight = reason in {"malformed", "invalid", "mismatch", "dimension", "stale_correction"}
        pet_id, job_id = (job.pet_id, job.job_id) if job else claimed_ids(entry.fields)
        letter = Letter(
            entry=entry.key,
            payload=_original(entry),
            reason=reason,
            error=error[:_LONGEST_ERROR],
            attempts=entry.attempts + (not at_first_sight),
            first_id=str(job.sequence if job else first_place(entry.id, entry.fields)),
            pet_id=pet_id,
            job_id=job_id,
            other_pet_id=other_pet(entry.fields) if reason == "mismatch" else "",
            failed_at=datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        )
        if not await self._stream.dead_letter(consumer, letter):
            self._results.labels("skipped").inc()
            return
        self._brake.bad()
        if at_first_sight:
            self._results.labels("invalid").inc()
        else:
            self._results.labels("failure").inc()
            self._results.labels("dead_letter").inc()
        log.warning(
            "dead letter",
            extra={"data": {**_about(entry, job), "pet_id": pet_id, "reason": reason, "error": letter.error}},
        )


def _original(entry: Entry) -> bytes:
    if not entry.fields:
        return b""
    payload = entry.fields.get(b"payload")
    return flat_payload(entry.fields) if payload is None else payload


def _text(error: Exception) -> str:
    return str(error) if isinstance(error, ClusterdError) else f"{type(error).__name__}: {error}"


def _about(entry: Entry, job: Job | None) -> dict[str, object]:
    about: dict[str, object] = {"entry_id": str(entry.id), "attempt": entry.attempts + 1}
    if job:
        about |= {"pet_id": job.pet_id, "job_id": job.job_id, "trace": job.trace}
    return about
