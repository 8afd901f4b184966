"""A recorder at work, and what it counts."""

import asyncio
import logging
import os
import time
from dataclasses import replace

import psutil
import pytest

from sploot_clusterd.config import SecretUrl, Settings, TracingSettings
from sploot_clusterd.metrics import Metrics
from sploot_clusterd.spans import Context, Kind, Sort, Span, Visits
from sploot_clusterd.tracing import recorder as recorder_module
from sploot_clusterd.tracing.recorder import Recorder
from tests.support.children import SENDING, children
from tests.support.waiting import eventually

WORK = Sort("work", Kind.INTERNAL)


class Traced:
    """A recorder, and what it counts."""

    def __init__(self, url: str, **tracing: object) -> None:
        self.metrics, self.stopping = Metrics(), asyncio.Event()
        settings = TracingSettings(endpoint=SecretUrl(url), **tracing)
        self.recorder = Recorder(replace(Settings(), tracing=settings), self.metrics, self.stopping)
        self.before = children(os.getpid(), SENDING)
        self.task = asyncio.create_task(self.recorder.run())

    def counted(self) -> dict[str, float]:
        found = self.metrics.registry.get_sample_value
        names = ("sent", "lost", "dropped")
        counts = {name: found("media_cluster_tracing_spans_total", {"outcome": name}) or 0.0 for name in names}
        return {name: count for name, count in counts.items() if count}

    def span(self, parent: Context | None = None) -> Span:
        span = self.recorder.start(WORK, parent)
        span.end()
        return span

    async def process(self) -> psutil.Process:
        """The one that sends."""
        found: list[psutil.Process] = []

        def is_there() -> bool:
            found[:] = [each for each in children(os.getpid(), SENDING) if each not in self.before]
            return bool(found)

        await eventually(is_there, what="the process that sends")
        return found[0]

    async def stop(self) -> float:
        """How long that took."""
        began = time.monotonic()
        self.stopping.set()
        await self.task
        await self.recorder.close()
        return time.monotonic() - began


def add(visits: Visits, *pets: str, ended: float = 2.0) -> None:
    visits.times += [1.0, ended] * len(pets)
    visits.pets += pets


def warnings(caplog: pytest.LogCaptureFixture) -> list[dict[str, object]]:
    mine = (each for each in caplog.records if each.name == recorder_module.__name__)
    return [each.data for each in mine if each.levelno >= logging.WARNING]
