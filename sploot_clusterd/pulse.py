"""The pulse: asks Redis for the stream's figures, and so knows whether it answers. Probes and gauges only read that.

Now and then it looks at the server itself, for a Redis that is set up as a cache loses what it should keep.
"""

import asyncio
import logging
from collections.abc import Sequence
from typing import Final

from sploot_clusterd.due import Due
from sploot_clusterd.errors import StoreUnavailableError
from sploot_clusterd.health import Health
from sploot_clusterd.metrics import Metrics
from sploot_clusterd.store import Finding, Stats, Store
from sploot_clusterd.supervisor import pause

log = logging.getLogger(__name__)

_EVERY: Final = 1.0
_EVERY_WHILE_AWAY: Final = 0.5
"""Seconds. Readiness is to be green within two seconds of Redis being back; each look costs an idle daemon CPU."""
_LOOK_EVERY: Final = 60.0
_REDIS: Final = "redis"
_BACKLOG: Final = "backlog"
_GROUP: Final = "group"


class Pulse:
    """`run` is a root task of every process, whether it consumes or only serves."""

    def __init__(
        self,
        *,
        store: Store,
        due: Due,
        metrics: Metrics,
        health: Health,
        stopping: asyncio.Event,
        maxlen: int,
    ) -> None:
        self._store = store
        self._due = due
        self._metrics = metrics
        self._health = health
        self._stopping = stopping
        self._maxlen = maxlen
        self._look_at = 0.0
        self._found: dict[str, str] = {}
        self._away = ""
        health.fault(_REDIS, "redis was not reached yet")

    async def run(self) -> None:
        """Until the daemon stops. Raises StartError for a server that the daemon does not start on."""
        clock = asyncio.get_running_loop().time
        while not self._stopping.is_set():
            every = _EVERY
            try:
                if clock() >= self._look_at:
                    self._tell(await self._store.look())
                    self._look_at = clock() + _LOOK_EVERY
                put_off = self._due.put_off
                stats = await self._store.stream.stats()
                self._due.seen(stats.pending, put_off)
                self._note(stats)
            except StoreUnavailableError as error:
                self._is_away(error.detail)
                self._look_at = 0.0  # what answers next may be another server
                every = _EVERY_WHILE_AWAY
            else:
                self._is_back()
            self._health.progress("pulse")
            await pause(self._stopping, every)

    def _is_away(self, why: str) -> None:
        self._health.fault(_REDIS, why)
        if why != self._away:
            self._away = why
            log.warning("redis is away", extra={"data": {"error": why}})

    def _is_back(self) -> None:
        self._health.mended(_REDIS)
        if self._away:
            self._away = ""
            log.info("redis is back", extra={"data": {"component": "pulse"}})

    def _tell(self, findings: Sequence[Finding]) -> None:
        found = {f"{_REDIS} {finding.name}": finding.text for finding in findings}
        for name in self._found.keys() - found.keys():
            self._health.settled(name)
        for name, text in found.items():
            self._health.warn(name, text)
            if self._found.get(name) != text:
                log.warning("redis is not set up as it should be", extra={"data": {"warning": text}})
        self._found = found

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
            self._health.warn(
                _GROUP, f"the consumer group {self._store.stream.group} is missing: no consumer has run yet"
            )
        else:
            self._health.settled(_GROUP)
