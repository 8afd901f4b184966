"""Spans of a batch's runs: one for each delivery of an entry, from its read to its outcome, and its stages below it.

Their ids follow from the job, the entry and the number of the delivery. So whoever runs an entry again knows the span
of the run before, and links to it, also where that ended with its process and was never told.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from functools import lru_cache
from hashlib import blake2b
from time import perf_counter
from typing import Final

from sploot_clusterd.ingest.batch import Delivery, JobsByPet
from sploot_clusterd.model import Job
from sploot_clusterd.spans import Context, Ended, Kind, Run, Sort, Stage, Tracer, Value, context_of
from sploot_clusterd.store import Entry

_STAGES: Final = {name: Sort(name, Kind.INTERNAL) for name in ("load", "compute", "commit")}
_HASH: Final = blake2b(digest_size=24)
"""Copied for each: to make a new one takes longer than to hash an id. As many bytes as a trace's id and a span's."""
_FAILED: Final = frozenset({"retry", "dead_letter"})


class Runs:
    """Those of one batch. Entries are told apart by their keys, whose hash is kept by them."""

    def __init__(self, tracer: Tracer) -> None:
        self._tracer = tracer
        self._runs: dict[bytes, Run] = {}
        self._sampled: dict[bytes, Run] = {}
        self._running: dict[bytes, Run] = {}
        """Of those that are sampled."""

    def begin(self, jobs: JobsByPet, began: float) -> None:
        """These were decoded; they were taken up at `began`, by `time.perf_counter`."""
        runs = {}
        for pet_id, of_pet in jobs.items():
            pet = self._tracer.pet(pet_id)
            for entry, job in of_pet:
                runs[entry.key] = self._run(entry, job, pet, began)
        sampled = {key: run for key, run in runs.items() if run.sampled}
        self._runs |= runs
        self._sampled |= sampled
        self._running |= sampled

    def of(self, entry: Entry) -> Run | None:
        """None of an entry that could not be decoded."""
        return self._runs.get(entry.key)

    def context(self, entries: Iterable[Entry]) -> Context | None:
        """The first of theirs that is sampled."""
        runs = (self._sampled.get(entry.key) for entry in entries)
        return next((run.context for run in runs if run), None)

    def stage(self, name: str, began: float, jobs: Iterable[Sequence[Delivery]]) -> None:
        """What was done for all these together, and ends now."""
        keys = [entry.key for of_pet in jobs for entry, _ in of_pet]
        parents = [*filter(None, map(self._sampled.get, keys))]
        if parents:
            size = {"clusterd.stage.jobs": len(keys)}
            self._tracer.record(Stage(_STAGES[name], began, perf_counter(), parents, size))

    def end(self, entries: Iterable[Entry], outcome: str, error: str = "") -> None:
        """Those that have not ended yet do now. `error` is a word for what went wrong."""
        alike = defaultdict[tuple[int, int, float], list[Run]](list)
        for entry in entries:
            run = self._running.pop(entry.key, None)
            if run is not None:
                alike[entry.attempts, entry.delivery, run.began].append(run)
        error = error if outcome in _FAILED else ""
        for (attempts, delivery, began), runs in alike.items():
            sort = _ended(self._tracer, attempts + 1, delivery, outcome, error)
            self._tracer.record(Ended(sort, began, perf_counter(), runs))

    def _run(self, entry: Entry, job: Job, pet: str, began: float) -> Run:
        key, number = entry.key, entry.delivery
        parent = context_of(*job.carried) if job.carried else None
        if parent is not None:
            trace_id, parent_id, sampled, state = parent
            first = _first(trace_id, key)
        else:  # nobody began a trace: all runs of the job are to have the same
            is_first = entry.id == job.sequence
            place = key if is_first else b"%d-%d" % job.sequence
            ids = _hashed(b"\0".join((job.pet_id.encode(), job.job_id.encode(), place)))
            trace_id, state = ids[:16], ""
            first = ids[16:] if is_first else _first(trace_id, key)
            parent_id = b"" if number == 1 else first
            sampled = self._tracer.samples_all or self._tracer.samples(trace_id)
        span_id, before = (first, b"") if number == 1 else (_later(first, number), _later(first, number - 1))
        return Run(trace_id, span_id, sampled, state, parent_id, before, key, pet, began)


@lru_cache(maxsize=256)
def _ended(tracer: Tracer, attempt: int, delivery: int, outcome: str, error: str) -> Sort:
    destination, group = tracer.destination, tracer.group
    attributes: dict[str, Value] = {
        "messaging.system": "redis",
        "messaging.operation.name": "process",
        "messaging.operation.type": "process",
        "messaging.destination.name": destination,
        "messaging.consumer.group.name": group,
        "clusterd.attempt": attempt,
        "clusterd.delivery": delivery,
        "clusterd.outcome": outcome,
    }
    return Sort(f"process {destination}", Kind.CONSUMER, attributes, error)


def _first(trace_id: bytes, entry: bytes) -> bytes:
    """The span of an entry's first delivery."""
    return _hashed(trace_id + entry)[16:]


def _later(first: bytes, delivery: int) -> bytes:
    """That of any delivery, by the first one's."""
    return first if delivery == 1 else _hashed(b"%b%d" % (first, delivery))[16:]


def _hashed(told: bytes) -> bytes:
    hashing = _HASH.copy()
    hashing.update(told)
    return hashing.digest()
