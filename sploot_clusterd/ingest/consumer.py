"""The consumers: each reads the stream under a name of its own and takes what it reads to an outcome."""

import asyncio
import logging
import random
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Final

from sploot_clusterd.config import Settings
from sploot_clusterd.errors import StoreUnavailableError
from sploot_clusterd.health import Health
from sploot_clusterd.ingest.brake import Brake
from sploot_clusterd.ingest.outage import Outage
from sploot_clusterd.ingest.process import Processor
from sploot_clusterd.metrics import Metrics
from sploot_clusterd.store import ClaimKind, Reader, Stream
from sploot_clusterd.supervisor import pause

log = logging.getLogger(__name__)

_FIRST_DELAY: Final = 0.05
_LONGEST_DELAY: Final = 0.8
"""Seconds between attempts to reach Redis. Short, for the promise is to be back within two seconds of it."""


def consumer_names(settings: Settings) -> list[str]:
    """The names of this process's consumers, one a slot, and last the reclaim loop's."""
    base = f"{settings.stream.consumer_name}-{socket.gethostname()}-{settings.service.instance}"
    return [*(f"{base}-{slot}" for slot in range(settings.stream.consumers)), f"{base}-reclaim"]


class Consumer:
    """One slot. `run` is a root task; a session lasts as long as a connection."""

    def __init__(
        self,
        *,
        name: str,
        new_reader: Callable[[str], Reader],
        stream: Stream,
        processor: Processor,
        brake: Brake,
        metrics: Metrics,
        health: Health,
        named: asyncio.Event,
        stopping: asyncio.Event,
    ) -> None:
        self._name = name
        self._new_reader = new_reader
        self._stream = stream
        self._processor = processor
        self._brake = brake
        self._wait_seconds = metrics.stage_seconds.labels("wait")
        self._health = health
        self._named = named
        self._stopping = stopping
        self._delay = _FIRST_DELAY
        self._outage = Outage("consumer waits for redis", consumer=name)
        health.fault(name, f"{name}: has not begun to read")

    async def run(self) -> None:
        """Reads until the daemon stops, whatever becomes of Redis. Raises ConsumerNameTakenError, StartError."""
        while not self._stopping.is_set():
            try:
                await self._session()
            except StoreUnavailableError as error:
                self._health.fault(self._name, f"{self._name}: {error.detail}")
                self._health.progress(self._name)  # to wait is what it should do now
                self._outage.goes_on(error)
                await self._stream.reconnect()
                await pause(self._stopping, self._delay * random.uniform(0.5, 1.0))  # noqa: S311 - spreads load
                self._delay = min(self._delay * 2, _LONGEST_DELAY)

    async def _session(self) -> None:
        async with self._open() as reader:
            # First what is ours already: read before a crash, or with a reply that got lost on the way.
            async for entries in self._stream.claim(self._name, ClaimKind.OWN):
                await self._processor.run(self._name, entries)
            self._delay = _FIRST_DELAY
            self._health.mended(self._name)
            self._outage.over()
            while not self._stopping.is_set():
                await self._pass(reader)

    async def _pass(self, reader: Reader) -> None:
        self._health.progress(self._name)
        if wait := self._brake.seconds_left():
            await pause(self._stopping, min(wait, 1.0))
            return
        began = asyncio.get_running_loop().time()
        entries = await reader.read()
        self._wait_seconds.inc(asyncio.get_running_loop().time() - began)
        if entries:
            await self._processor.run(self._name, entries)

    @asynccontextmanager
    async def _open(self) -> AsyncIterator[Reader]:
        reader = self._new_reader(self._name)
        waker = asyncio.create_task(self._wake_at_stop(reader), name=f"waker of {self._name}")
        try:
            await reader.open()
            self._named.set()
            yield reader
        finally:
            waker.cancel()
            await asyncio.wait({waker})
            await reader.close()

    async def _wake_at_stop(self, reader: Reader) -> None:
        """Ends the blocked read when the daemon stops: to cancel it could orphan a batch that is on the wire."""
        await self._stopping.wait()
        try:
            await reader.wake()
        except StoreUnavailableError as error:
            log.info("read not woken, it ends by itself", extra={"data": {"error": error.detail}})
