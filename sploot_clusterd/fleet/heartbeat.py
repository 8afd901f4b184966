"""Tells of this process, for as long as it lives and a little longer."""

import asyncio
import socket
import time
from contextlib import suppress
from typing import Final

import msgspec

from sploot_clusterd import __version__
from sploot_clusterd.config import Settings
from sploot_clusterd.errors import StoreUnavailableError
from sploot_clusterd.fleet.beat import Process, beat
from sploot_clusterd.health import Health
from sploot_clusterd.metrics import Metrics
from sploot_clusterd.store import FleetBeats
from sploot_clusterd.troubles import Troubles
from sploot_clusterd.waiting import pause

EVERY_S: Final = 5.0
_encode: Final = msgspec.json.Encoder().encode


class Heartbeat:
    """`run` is a root task of every process. Where Redis is away it tells nothing: others see that it is silent."""

    name: Final = "heartbeat"

    def __init__(
        self,
        beats: FleetBeats,
        settings: Settings,
        metrics: Metrics,
        health: Health,
        stopping: asyncio.Event,
        *,
        troubles: Troubles,
    ) -> None:
        self._beats = beats
        name = f"{socket.gethostname()}-{settings.service.instance}"
        self._process = Process(name, __version__, time.time(), settings.stream.consumers)
        self._metrics = metrics
        self._health = health
        self._troubles = troubles
        self._stopping = stopping

    async def run(self) -> None:
        """Until the daemon stops."""
        while not self._stopping.is_set():
            now = beat(self._process, time.time(), self._metrics, self._health, self._troubles)
            with suppress(StoreUnavailableError):
                await self._beats.tell(self._process.name, _encode(now))
            await pause(self._stopping, EVERY_S)
        with suppress(StoreUnavailableError):
            await self._beats.leave(self._process.name)
