"""The pulse: asks Redis for the stream's figures, and so knows whether it answers. Probes and gauges only read that."""

import asyncio
from typing import Final

from sploot_clusterd.errors import StoreUnavailableError
from sploot_clusterd.health import Health
from sploot_clusterd.metrics import Metrics
from sploot_clusterd.store import Stats, Stream
from sploot_clusterd.supervisor import pause

_EVERY: Final = 0.5
"""Seconds. Readiness is to be green within two seconds of Redis being back."""
_REDIS: Final = "redis"
_BACKLOG: Final = "backlog"
_GROUP: Final = "group"


class Pulse:
    """`run` is a root task of every process, whether it consumes or only serves."""

    def __init__(self, stream: Stream, metrics: Metrics, health: Health, stopping: asyncio.Event, maxlen: int) -> None:
        self._stream = stream
        self._metrics = metrics
        self._health = health
        self._stopping = stopping
        self._maxlen = maxlen
        health.fault(_REDIS, "redis was not reached yet")

    async def run(self) -> None:
        while not self._stopping.is_set():
            try:
                self._note(await self._stream.stats())
            except StoreUnavailableError as error:
                self._health.fault(_REDIS, error.detail)
            else:
                self._health.mended(_REDIS)
            self._health.progress("pulse")
            await pause(self._stopping, _EVERY)

    def _note(self, stats: Stats) -> None:
        self._metrics.backlog.set(stats.unsettled)
        self._metrics.pending_jobs.set(max(stats.pending, 0))
        self._metrics.stream_lag.set(stats.oldest_pending_idle_ms / 1000)
        self._metrics.oldest_unsettled.set(stats.oldest_unsettled_ms / 1000)
        if stats.unsettled >= self._maxlen:
            self._health.warn(_BACKLOG, f"backlog full: {stats.unsettled} unsettled jobs, submits are refused")
        else:
            self._health.settled(_BACKLOG)
        if stats.pending < 0:
            self._health.warn(_GROUP, f"the consumer group {self._stream.group} is missing: no consumer has run yet")
        else:
            self._health.settled(_GROUP)
