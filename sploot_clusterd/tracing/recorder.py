"""Tracing that is on, as the daemon sees it: what has ended goes to a process of its own, which encodes and sends it.

Nobody waits for that. What finds no room on its way, or is not taken, is counted and forgotten.
"""

import asyncio
import logging
import time
from typing import Final

from opentelemetry.sdk.trace.sampling import TraceIdRatioBased

from sploot_clusterd.config import Settings
from sploot_clusterd.metrics import Metrics
from sploot_clusterd.spans import Ended, Sort, Span, Stage, Tracer, Visits
from sploot_clusterd.tracing.ended import Told, of_runs, of_span, of_stage, of_visits
from sploot_clusterd.tracing.messages import Begin, Outcome, Outgoing, framed
from sploot_clusterd.tracing.pets import hashed
from sploot_clusterd.tracing.sending_process import SendingProcess
from sploot_clusterd.waiting import pause

log = logging.getLogger(__name__)

_GATHER: Final = 0.25
"""Seconds for which what has ended waits for other to go with."""
_MANY: Final = 32 * 2**10
"""Bytes that go at once: each time, the process has to be woken."""
_MOST_WAITING: Final = 4 * 2**20
"""Bytes that wait for the process, which reads all the time."""
_LOG_EVERY: Final = 300.0


class Recorder(Tracer):
    """`run` is a root task, `close` the end. To be told of spans by the loop's thread."""

    name: Final = "tracing"
    is_on = True

    def __init__(self, settings: Settings, metrics: Metrics, stopping: asyncio.Event) -> None:
        """`tracing.endpoint` has to be there."""
        tracing, service = settings.tracing, settings.service
        assert tracing.endpoint is not None  # noqa: S101 - off without it
        self.destination = settings.stream.key
        self.group = settings.stream.group
        self.samples_all = tracing.sample_rate == 1
        self._pet_ids = tracing.pet_ids
        self._bound = TraceIdRatioBased.get_bound_for_rate(tracing.sample_rate)
        self._visits: list[Visits] = []
        self._outgoing = Outgoing()
        self._unanswered = 0
        """Spans of which the process did not say yet what became of them."""
        begin = Begin(
            endpoint=tracing.endpoint.reveal(),
            service=tracing.service_name or service.name,
            instance=service.instance,
            environment=service.environment,
            pet_ids=tracing.pet_ids,
        )
        self._process = SendingProcess(framed(begin), self._write, self._count, self._lose_unanswered)
        self._sent, self._lost, self._dropped = (
            metrics.tracing_spans.labels(outcome) for outcome in ("sent", "lost", "dropped")
        )
        self._logged = -_LOG_EVERY
        self._stopping = stopping

    def samples(self, trace_id: bytes) -> bool:
        """By the trace's id alone, as other services' SDKs do, so that all agree."""
        return (int.from_bytes(trace_id) & TraceIdRatioBased.TRACE_ID_LIMIT) < self._bound

    def pet(self, pet_id: str) -> str:
        """A hash, the same in all processes, where ids are not to leave this one."""
        return pet_id if self._pet_ids else hashed(pet_id).decode()

    def record(self, ended: Span | Stage | Ended) -> None:
        if isinstance(ended, Span):
            self._give(of_span(ended))
        elif isinstance(ended, Stage):
            self._give(of_stage(ended))
        else:
            for told in of_runs(ended):
                self._give(told)

    def visits_of(self, sort: Sort) -> Visits:
        visits = Visits(sort)
        self._visits.append(visits)
        return visits

    def tell(self, visits: Visits) -> None:
        if visits.pets:
            self._give(of_visits(visits))
            visits.clear()

    async def run(self) -> None:
        """Until the daemon stops. What ends after that is for `close`."""
        self._process.start()
        while not await pause(self._stopping, _GATHER):
            self._hand_over()

    async def close(self) -> None:
        """What is left has a moment to be sent."""
        self._hand_over()
        await self._process.close()
        self._lose_unanswered("the daemon has ended")

    def _give(self, told: Told) -> None:
        if len(self._outgoing.waiting) + self._process.unread >= _MOST_WAITING:
            self._dropped.inc(told.size)
            return
        try:
            self._outgoing.add(told)
        except Exception as error:  # noqa: BLE001 - whatever it is, whose span it is goes on
            self._lose(told.size, str(error))
            return
        self._unanswered += told.size
        if len(self._outgoing.waiting) >= _MANY:
            self._write()

    def _hand_over(self) -> None:
        for visits in self._visits:
            self.tell(visits)
        self._write()

    def _write(self) -> None:
        if self._process.is_there and self._outgoing.waiting:
            self._process.write(self._outgoing.take())

    def _count(self, outcome: Outcome) -> None:
        self._unanswered -= outcome.size
        self._sent.inc(outcome.sent)
        self._dropped.inc(outcome.dropped)
        if outcome.lost:
            self._lose(outcome.lost, outcome.error)

    def _lose_unanswered(self, error: str) -> None:
        """There is no process that knows of them any more, and the next one knows no sort."""
        self._outgoing = Outgoing()
        lost, self._unanswered = self._unanswered, 0
        if lost:
            self._lose(lost, error)

    def _lose(self, size: int, error: str) -> None:
        self._lost.inc(size)
        if time.monotonic() - self._logged >= _LOG_EVERY:
            self._logged = time.monotonic()
            log.warning("spans were lost; nothing else suffers", extra={"data": {"spans": size, "error": error}})
