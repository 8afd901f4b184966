"""Looks at all heartbeats every few seconds, in a process that shows the page."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Final

import msgspec

from sploot_clusterd.errors import BadStateError, StoreUnavailableError
from sploot_clusterd.fleet.beat import Beat, decode
from sploot_clusterd.fleet.heartbeat import EVERY_S
from sploot_clusterd.fleet.history import SPANS, History, Mark, Point, Process, Span
from sploot_clusterd.fleet.quality import QualityHistory
from sploot_clusterd.metrics import Metrics
from sploot_clusterd.store import FleetBeats
from sploot_clusterd.waiting import pause

SILENT_S: Final = 30.0
"""After so many seconds without a beat a process is not of the fleet any more."""


class Told(msgspec.Struct):
    """What somebody who follows is told at once."""

    at: float
    whole: bool
    """Whether `points` are all there are; else those that are new."""
    processes: list[Process]
    points: dict[Span, list[Point]]
    """Of each span, so that one stream is enough for whoever chooses among them."""
    marks: list[Mark]
    """As with the points."""


class FleetWatcher:
    """`run` is a root task; `follow` is for those who want to see."""

    name: Final = "fleet"

    def __init__(self, beats: FleetBeats, metrics: Metrics, stopping: asyncio.Event) -> None:
        self._beats = beats
        self._history = History(metrics.job_seconds.bounds, metrics.loop_lag.bounds)
        self.quality = QualityHistory()
        self._stopping = stopping
        self._looked = asyncio.Event()

    async def run(self) -> None:
        """Until the daemon stops."""
        while not self._stopping.is_set():
            with suppress(StoreUnavailableError, BadStateError):
                await self.look()
            await pause(self._stopping, EVERY_S)
        self._looked.set()

    async def follow(self) -> AsyncIterator[Told]:
        """What is known, then what each look adds, until the daemon stops."""
        newest: dict[Span, float] = dict.fromkeys(SPANS, 0.0)
        whole, marked = True, 0.0
        while not self._stopping.is_set():
            looked = self._looked
            points = {span: [each for each in self._history.points(span) if each.at > newest[span]] for span in SPANS}
            marks = [each for each in self._history.marks if whole or each.seen_at > marked]
            yield Told(time.time(), whole, self._history.processes, points, marks)
            whole, marked = False, marks[-1].seen_at if marks else marked
            newest |= {span: added[-1].at for span, added in points.items() if added}
            await looked.wait()

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
        self.quality.add(found, now)
        self._looked.set()  # whoever waited for this one goes on, and waits for the next
        self._looked = asyncio.Event()
