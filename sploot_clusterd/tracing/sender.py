"""What has ended is encoded, kept in a bounded queue, and sent to the collector: within the process that is for this.

What finds no room in the queue, or is not taken, is told of and forgotten.
"""

import asyncio
import socket
import time
from collections.abc import Callable
from typing import Final

from opentelemetry.sdk.resources import Resource

from sploot_clusterd import __version__
from sploot_clusterd.config import SecretUrl
from sploot_clusterd.tracing.collector import Collector, CollectorAwayError, CollectorRefusesError
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
    """`run` is a task, `close` the end."""

    def __init__(self, begin: Begin, tell: Callable[[Outcome], None]) -> None:
        """What becomes of spans goes to `tell`."""
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
        self._in_hand: Batch | None = None
        """Of a request that is not yet taken."""
        self._tell = tell

    def add(self, told: Told) -> None:
        if self._queue.is_full:
            self._tell(Outcome(dropped=told.size))
            return
        try:
            self._queue.add(rows_of(told, tells_ids=self._pet_ids) if isinstance(told, EndedRows) else told)
        except Exception as error:  # noqa: BLE001 - whatever it is, the others go on
            self._tell(Outcome(lost=told.size, error=str(error)))

    async def run(self) -> None:
        """Until it is cancelled, whatever becomes of the collector."""
        while True:
            await self._queue.gathered()
            try:
                if self._take_some():
                    await self._offer_again()
            except Exception as error:  # noqa: BLE001 - whatever it is, nothing but these spans suffers
                self._lose(error)

    async def close(self) -> None:
        """Offers what is left, once, and for no longer than a moment."""
        try:
            async with asyncio.timeout(_LAST_SECONDS):
                while self._take_some():
                    await self._offer()
        except (TimeoutError, CollectorAwayError):
            self._lose(CollectorAwayError("the daemon ends, and the collector does not answer"))
            if left := self._queue.size:
                self._tell(Outcome(lost=left))
        await self._collector.close()

    def _take_some(self) -> bool:
        """Whether there is a batch in hand: one that was left, or the next."""
        self._in_hand = self._in_hand or self._queue.take()
        return self._in_hand is not None

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
        """What is in hand. Raises CollectorAwayError; then it still is."""
        batch = self._in_hand
        assert batch is not None  # noqa: S101 - whoever offers has taken some
        try:
            refused = await self._collector.take(*request(self._resource.attributes, batch))
        except CollectorRefusesError as error:
            self._lose(error)
            return
        self._in_hand = None
        self._tell(Outcome(sent=batch.size - refused, lost=refused))

    def _lose(self, error: Exception) -> None:
        """What is in hand."""
        batch, self._in_hand = self._in_hand, None
        if batch is not None:
            self._tell(Outcome(lost=batch.size, error=str(error)))
