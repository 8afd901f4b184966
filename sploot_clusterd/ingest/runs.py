"""Spans of a batch's runs: one for each delivery of an entry, from its read to its outcome, and its stages below it.

Their ids follow from the job, the entry and the number of the delivery. So whoever runs an entry again knows the span
of the run before, and links to it, also where that ended with its process and was never told.
"""

from collections.abc import Iterable, Sequence
from functools import lru_cache
from hashlib import blake2b
from time import perf_counter
from typing import TYPE_CHECKING, Final

from sploot_clusterd.ingest.batch import Delivery, JobsByPet
from sploot_clusterd.spans import PET, Context, Kind, Sort, Span, Stage, Tracer, Value, context_of
from sploot_clusterd.store import Entry

if TYPE_CHECKING:
    from sploot_clusterd.entry_ids import EntryId

_STAGES: Final = {name: Sort(name, Kind.INTERNAL) for name in ("load", "compute", "commit")}
_UNDER_WAY: Final = Sort("", Kind.CONSUMER)
_FAILED: Final = frozenset({"retry", "dead_letter"})


class Runs:
    """Those of one batch."""

    def __init__(self, tracer: Tracer) -> None:
        self._tracer = tracer
        self._spans: dict[EntryId, Span] = {}

    def begin(self, jobs: JobsByPet, began: float) -> None:
        """These were decoded; they were taken up at `began`, by `time.perf_counter`."""
        for of_pet in jobs.values():
            for delivery in of_pet:
                self._spans[delivery.entry.id] = self._span(delivery, began)

    def of(self, entry: Entry) -> Span | None:
        """None of an entry that could not be decoded."""
        return self._spans.get(entry.id)

    def context(self, entries: Iterable[Entry]) -> Context | None:
        """The first of theirs that is sampled."""
        spans = (self._spans.get(entry.id) for entry in entries)
        return next((span.context for span in spans if span and span.context.sampled), None)

    def stage(self, name: str, began: float, jobs: Iterable[Sequence[Delivery]]) -> None:
        """What was done for all these together, and ends now."""
        entries = [entry for of_pet in jobs for entry, _ in of_pet]
        spans = [self._spans.get(entry.id) for entry in entries]
        parents = [span.context for span in spans if span and span.context.sampled]
        if parents:
            size = {"clusterd.stage.jobs": len(entries)}
            self._tracer.record(Stage(_STAGES[name], began, perf_counter(), parents, size))

    def end(self, entry: Entry, outcome: str, error: str = "") -> None:
        """`error` is a word for what went wrong."""
        span = self._spans.get(entry.id)
        if span and not span.ended:
            failed = error if outcome in _FAILED else ""
            span.sort = _ended(self._tracer, entry.attempts + 1, entry.delivery, outcome, failed)
            span.end()

    def _span(self, delivery: Delivery, began: float) -> Span:
        entry, job = delivery
        tracer, key = self._tracer, entry.key
        parent = context_of(*job.carried) if job.carried else None
        if parent is not None:
            trace_id, parent_id, sampled, state = parent
        else:  # nobody began a trace: all runs of the job are to have the same
            told = f"{job.pet_id}\0{job.job_id}\0{job.sequence}".encode()
            trace_id, state = blake2b(told, digest_size=16).digest(), ""
            parent_id = b"" if entry.delivery == 1 else _span_id(trace_id, key, 1)
            sampled = tracer.samples_all or tracer.samples(trace_id)
        context = Context(trace_id, _span_id(trace_id, key, entry.delivery), sampled, state)
        span = Span(tracer, _UNDER_WAY, context=context, parent_id=parent_id, began=began)
        if sampled:
            span.attributes = {"messaging.message.id": key.decode(), PET: tracer.pet(job.pet_id)}
            if entry.delivery > 1:
                span.links = [context._replace(span_id=_span_id(trace_id, key, entry.delivery - 1))]
        return span


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


def _span_id(trace_id: bytes, entry: bytes, delivery: int) -> bytes:
    return blake2b(b"%s %d" % (entry, delivery), digest_size=8, key=trace_id).digest()
