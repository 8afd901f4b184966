"""Tracing that is on: what has ended is encoded, kept in a bounded queue, and sent by a task of its own.

It is encoded at once, or some together: those who ask meanwhile would wait for many. Visits are encoded a moment after
the last of them: who made it seldom comes alone, and the others wait for their answers.

Nobody waits for it. What finds no room in the queue, or is not taken, is counted and forgotten.
"""

import asyncio
import logging
import socket
import time
from collections import deque
from collections.abc import Sequence
from functools import lru_cache
from hashlib import blake2b
from typing import Final

from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace.sampling import TraceIdRatioBased

from sploot_clusterd import __version__
from sploot_clusterd.config import Settings
from sploot_clusterd.metrics import Metrics
from sploot_clusterd.spans import Sort, Told, Tracer, Visit, Visits
from sploot_clusterd.tracing.collector import Collector, CollectorAwayError, CollectorRefusesError
from sploot_clusterd.tracing.encoding import Piece, request
from sploot_clusterd.tracing.queue import Queue
from sploot_clusterd.tracing.rows import Rows
from sploot_clusterd.waiting import backoff

log = logging.getLogger(__name__)

_PATIENCE: Final = 10.0
"""Seconds for which the same spans are offered again."""
_FIRST_PAUSE: Final = 0.25
_LONGEST_PAUSE: Final = 2.0
_LAST_SECONDS: Final = 1.0
"""For what is left when the daemon stops."""
_LOG_EVERY: Final = 300.0
_HASH_BYTES: Final = 8
_MOMENT: Final = 0.001
"""Seconds; more than most requests take."""


class Recorder(Tracer):
    """`run` is a root task, `close` the end. To be told of spans by the loop's thread."""

    name: Final = "tracing"
    is_on = True

    def __init__(self, settings: Settings, metrics: Metrics, stopping: asyncio.Event) -> None:
        """`tracing.endpoint` has to be there."""
        tracing = settings.tracing
        assert tracing.endpoint is not None  # noqa: S101 - off without it
        self.destination = settings.stream.key
        self.group = settings.stream.group
        self.samples_all = tracing.sample_rate == 1
        self._pet_ids = tracing.pet_ids
        self._bound = TraceIdRatioBased.get_bound_for_rate(tracing.sample_rate)
        self._resource = Resource.create(
            {
                "service.name": tracing.service_name or settings.service.name,
                "service.version": __version__,
                "service.instance.id": f"{socket.gethostname()}-{settings.service.instance}",
                "deployment.environment.name": settings.service.environment,
            }
        )
        self._collector = Collector(tracing.endpoint)
        self._queue = Queue()
        self._visits: list[Visits] = []
        self._told = deque[tuple[Sort, Sequence[Visit]]]()
        """Visits to be encoded in a moment."""
        self._in_hand: Sequence[Piece] = ()
        """Of a request that is not yet taken."""
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
        return pet_id if self._pet_ids else _hash(pet_id).decode()

    def record(self, ended: Told | Rows) -> None:
        if self._queue.is_full:
            self._dropped.inc(ended.size)
            return
        try:
            self._queue.add(ended)
        except Exception as error:  # noqa: BLE001 - whatever it is, whose span it is goes on
            self._count_lost(ended.size, error)

    def visits_of(self, sort: Sort) -> Visits:
        visits = Visits(sort)
        self._visits.append(visits)
        return visits

    def tell(self, visits: Visits) -> None:
        if visits:
            self._told.append((visits.of, [*visits]))
            visits.clear()
            asyncio.get_running_loop().call_later(_MOMENT, self._encode_some)

    async def run(self) -> None:
        """Until the daemon stops, whatever becomes of the collector."""
        sending = asyncio.create_task(self._send(), name="sends spans")
        stopped = asyncio.create_task(self._stopping.wait())
        try:
            await asyncio.wait({sending, stopped}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (sending, stopped):
                task.cancel()
            await asyncio.wait({sending, stopped})

    async def close(self) -> None:
        """Offers what is left, once, and for no longer than a moment."""
        self._tell_all()
        while self._told:
            self._encode_some()
        try:
            async with asyncio.timeout(_LAST_SECONDS):
                while self._take_some():
                    await self._offer()
        except (TimeoutError, CollectorAwayError):
            self._lose(CollectorAwayError("the daemon ends, and the collector does not answer"))
            self._lost.inc(self._queue.size)
        await self._collector.close()

    async def _send(self) -> None:
        while True:
            await self._queue.gathered()
            try:
                self._tell_all()
                for _ in range(len(self._told)):
                    self._encode_some()
                    await asyncio.sleep(0)
                if self._take_some():
                    await self._offer_again()
            except Exception as error:  # noqa: BLE001 - whatever it is, nothing but these spans suffers
                self._lose(error)

    def _tell_all(self) -> None:
        for visits in self._visits:
            self.tell(visits)

    def _encode_some(self) -> None:
        """Of the visits that were told, those of one sort, unless it was done."""
        if self._told:
            sort, visits = self._told.popleft()
            began, ended, pet_ids = zip(*visits, strict=True)
            hidden = pet_ids[0] and not self._pet_ids  # all are about pets, or none
            self.record(Rows(sort, began, ended, [*map(_hash if hidden else str.encode, pet_ids)]))

    def _take_some(self) -> bool:
        """Whether there is a request in hand: one that was left, or the next."""
        self._in_hand = self._in_hand or self._queue.take()
        return bool(self._in_hand)

    async def _offer_again(self) -> None:
        """Until it is taken, refused, or not worth it any more."""
        began, failures = time.monotonic(), 0
        while True:
            try:
                await self._offer()
            except CollectorAwayError as error:
                failures += 1
                if time.monotonic() - began < _PATIENCE:
                    await asyncio.sleep(backoff(failures, _FIRST_PAUSE, _LONGEST_PAUSE))
                    continue
                self._lose(error)
            return

    async def _offer(self) -> None:
        """Raises CollectorAwayError; then it is still in hand."""
        size = sum(piece.size for piece in self._in_hand)
        try:
            refused = await self._collector.take(request(self._resource.attributes, self._in_hand))
        except CollectorRefusesError as error:
            self._lose(error)
            return
        self._in_hand = ()
        self._sent.inc(size - refused)
        self._lost.inc(refused)

    def _lose(self, error: Exception) -> None:
        """Of what is in hand."""
        if size := sum(piece.size for piece in self._in_hand):
            self._in_hand = ()
            self._count_lost(size, error)

    def _count_lost(self, size: int, error: Exception) -> None:
        self._lost.inc(size)
        if time.monotonic() - self._logged >= _LOG_EVERY:
            self._logged = time.monotonic()
            data = {"spans": size, "error": str(error)}
            log.warning("spans were lost; nothing else suffers", extra={"data": data})


@lru_cache(maxsize=4096)
def _hash(pet_id: str) -> bytes:
    return blake2b(pet_id.encode(), digest_size=_HASH_BYTES).hexdigest().encode()
