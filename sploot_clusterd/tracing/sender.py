"""What has ended is encoded, kept in a bounded queue, and sent to the collector: within the process that is for this.

What finds no room in the queue, or is not taken, is told of and forgotten.
"""

import socket
import time
from collections.abc import Callable
from threading import Event, Thread
from typing import Final

from opentelemetry.sdk.resources import Resource

from sploot_clusterd import __version__
from sploot_clusterd.config import SecretUrl
from sploot_clusterd.tracing.collector import Collector, CollectorAwayError
from sploot_clusterd.tracing.encoding import Batch, request
from sploot_clusterd.tracing.ended import EndedRows, Told
from sploot_clusterd.tracing.messages import Begin, Outcome
from sploot_clusterd.tracing.queue import Queue
from sploot_clusterd.tracing.rows import rows_of
from sploot_clusterd.waiting import backoff

_PATIENCE: Final = 10.0
"""Seconds for which the same spans are offered again."""
_FIRST_PAUSE: Final = 0.25
_LONGEST_PAUSE: Final = 2.0
_LAST_SECONDS: Final = 5.0
"""For what is left when the daemon was killed. One that stops waits for less."""


class Sender:
    """`add` by one thread, which ends with `close`; what was added is sent by a thread of its own."""

    def __init__(self, begin: Begin, tell: Callable[[Outcome], None]) -> None:
        """What becomes of spans goes to `tell`, from both threads."""
        self._pet_ids = begin.pet_ids
        self._resource = Resource.create(
            {
                "service.name": begin.service,
                "service.version": __version__,
                "service.instance.id": f"{socket.gethostname()}-{begin.instance}",
                "deployment.environment.name": begin.environment,
            }
        )
        self._collector = Collector(SecretUrl(begin.endpoint))
        self._queue = Queue()
        self._closing = Event()
        self._tell = tell
        self._thread = Thread(target=self._run, name="sends spans", daemon=True)
        self._thread.start()

    def add(self, told: Told) -> None:
        if self._queue.is_full:
            self._tell(Outcome(dropped=told.size))
            return
        try:
            self._queue.add(rows_of(told, tells_ids=self._pet_ids) if isinstance(told, EndedRows) else told)
        except Exception as error:  # noqa: BLE001 - whatever it is, the others go on
            self._tell(Outcome(lost=told.size, error=str(error)))

    def close(self) -> None:
        """What is left is offered, once, and for no longer than a moment. What that was too short for is told of by
        nobody.
        """
        self._closing.set()
        self._queue.close()
        self._thread.join(_LAST_SECONDS)

    def _run(self) -> None:
        while (batch := self._queue.next()) is not None:
            try:
                self._deliver(batch)
            except Exception as error:  # noqa: BLE001 - whatever it is, nothing but these spans suffers
                self._tell(Outcome(lost=batch.size, error=str(error)))
        self._collector.close()

    def _deliver(self, batch: Batch) -> None:
        """Until it is taken, refused, or not worth it any more. Raises CollectorAwayError, CollectorRefusesError."""
        began, failures = time.monotonic(), 0
        while True:
            is_last = self._closing.is_set()
            try:
                refused = self._collector.take(*request(self._resource.attributes, batch))
            except CollectorAwayError:
                failures += 1
                if is_last or time.monotonic() - began >= _PATIENCE:
                    raise
                self._closing.wait(backoff(failures, _FIRST_PAUSE, _LONGEST_PAUSE))
            else:
                self._tell(Outcome(sent=batch.size - refused, lost=refused))
                return
