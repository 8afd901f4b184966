"""A batch: what a consumer took up together, and the jobs in it."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from operator import attrgetter
from typing import TYPE_CHECKING, NamedTuple

from sploot_clusterd.config import LimitsSettings
from sploot_clusterd.errors import BadJobError
from sploot_clusterd.ingest.scheduling import Compute, decode_in_thread
from sploot_clusterd.model import Job
from sploot_clusterd.spans import Run
from sploot_clusterd.store import Entry
from sploot_clusterd.wire import decode_entry

if TYPE_CHECKING:
    from sploot_clusterd.ingest.runs import Runs


class Delivery(NamedTuple):
    """An entry, and the job in it."""

    entry: Entry
    job: Job


class Failure(NamedTuple):
    """A run that ended in an error. `job` is None where the entry could not even be decoded."""

    entry: Entry
    job: Job | None
    error: Exception


JobsByPet = Mapping[str, Sequence[Delivery]]
"""Each pet's, in the order of the stream."""


@dataclass(frozen=True, slots=True)
class Batch:
    """Entries that one consumer took up together.

    `consumer` is its name in the group, `progress` tells its watchdog that the work goes on, `start` is when it took
    them up, by `time.perf_counter`. `contiguous`: no other pending entry lies between its first and its last one, as
    they were read and not claimed.
    """

    consumer: str
    entries: Sequence[Entry]
    progress: Callable[[], None]
    contiguous: bool = False
    start: float = field(default_factory=time.perf_counter)
    runs: "Runs | None" = None
    """Their spans, where they are traced."""

    def part(self, entries: Sequence[Entry]) -> "Batch":
        """Some of the entries, as a batch that is taken up now."""
        return Batch(self.consumer, entries, self.progress, self.contiguous, runs=self.runs)

    def seconds(self) -> float:
        """How long it has been in hand."""
        return time.perf_counter() - self.start


def log_fields(entry: Entry, job: Job | None, run: Run | None = None) -> dict[str, object]:
    """What each log line about a job says of it."""
    if job is None:
        return {"entry_id": str(entry.id), "attempt": entry.attempts + 1}
    fields: dict[str, object] = {
        "job_id": job.job_id,
        "pet_id": job.pet_id,
        "entry_id": entry.key.decode(),
        "attempt": entry.attempts + 1,
        "trace": job.trace,
    }
    if run:
        fields |= run.log_fields()
    return fields


class Decoder:
    """Entries in, jobs by pet out, within the limits of a job; what can never be a job fails at once."""

    def __init__(
        self, compute: Compute, limits: LimitsSettings, misplaced: Callable[[str], BadJobError | None] | None = None
    ) -> None:
        """`misplaced` tells of a pet what is wrong where its jobs belong to another partition than is read here."""
        self._compute = compute
        self._limits = limits
        self._misplaced = misplaced

    async def decode(self, entries: Sequence[Entry]) -> tuple[JobsByPet, list[Failure]]:
        ordered = sorted(entries, key=attrgetter("id"))
        size = sum(len(value) for entry in ordered for value in entry.fields.values())
        in_thread = decode_in_thread(size, busy=self._compute.busy)
        jobs: dict[str, list[Delivery]] = {}
        failures: list[Failure] = []
        for each in await self._compute.each(self._decode_one, ordered, in_thread=in_thread):
            if isinstance(each, Failure):
                failures.append(each)
            else:
                jobs.setdefault(each.job.pet_id, []).append(each)
        return jobs, failures

    def _decode_one(self, entry: Entry) -> Delivery | Failure:
        try:
            job = decode_entry(entry.id, entry.fields, self._limits)
        except BadJobError as error:
            return Failure(entry, None, error)
        if self._misplaced and (wrong := self._misplaced(job.pet_id)):
            return Failure(entry, None, wrong)
        return Delivery(entry, job)
