"""Looks at all heartbeats every few seconds, in a process that shows the page."""

import asyncio
import time
from collections.abc import Mapping
from contextlib import suppress
from typing import Final

import msgspec

from sploot_clusterd.errors import BadStateError, StoreUnavailableError
from sploot_clusterd.fleet.beat import Beat, decode
from sploot_clusterd.fleet.heartbeat import EVERY_S
from sploot_clusterd.fleet.history import History
from sploot_clusterd.metrics import Metrics
from sploot_clusterd.store import FleetBeats
from sploot_clusterd.waiting import pause

SILENT_S: Final = 30.0
"""After so many seconds without a beat a process is not of the fleet any more."""


class FleetWatcher:
    """`run` is a root task; `told` is what is known by now."""

    name: Final = "fleet"

    def __init__(self, beats: FleetBeats, metrics: Metrics, stopping: asyncio.Event) -> None:
        self._beats = beats
        self._history = History(metrics.job_seconds.bounds, metrics.loop_lag.bounds)
        self._stopping = stopping

    async def run(self) -> None:
        """Until the daemon stops."""
        while not self._stopping.is_set():
            with suppress(StoreUnavailableError, BadStateError):
                await self.look()
            await pause(self._stopping, EVERY_S)

    def told(self, *, fine: bool) -> Mapping[str, object]:
        """Processes and points: of the last 15 minutes, or of the last 8 hours."""
        return {"at": time.time(), "processes": self._history.processes, "points": self._history.points(fine=fine)}

    async def look(self) -> None:
        """Once. Raises StoreUnavailableError; BadStateError where something else is under the key."""
        now = time.time()
        found: list[Beat] = []
        silent: list[str] = []
        for name, told in (await self._beats.all()).items():
            try:
                beat = decode(told)
            except msgspec.DecodeError:
                silent.append(name)  # of another version, or not a process's own
                continue
            if now - beat.at < SILENT_S:
                found.append(beat)
            else:
                silent.append(name)
        if silent:
            await self._beats.forget(silent)
        self._history.add(found, now)
