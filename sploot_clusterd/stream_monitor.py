"""Asks Redis for the stream's figures, and so knows whether it answers. Probes and gauges only read that.

Now and then it looks at the server itself, for a Redis that is set up as a cache loses what it should keep.
"""

import asyncio
import logging
from collections.abc import Sequence
from typing import Final

from sploot_clusterd.due import DueEntries
from sploot_clusterd.errors import StoreUnavailableError
from sploot_clusterd.health import Health
from sploot_clusterd.metrics import Metrics
from sploot_clusterd.store import Finding, KeyFault, Stats, Store
from sploot_clusterd.waiting import pause

log = logging.getLogger(__name__)

_EVERY: Final = 1.0
_EVERY_WHILE_AWAY: Final = 0.5
"""Seconds. Readiness is to be green within two seconds of Redis being back; each look costs an idle daemon CPU."""
_CHECK_EVERY: Final = 60.0
_INSPECT_EVERY: Final = 5.0
"""Seconds between looks at what is under our keys; while something is wrong there, each pass looks."""
_FOLLOW_EVERY: Final = 2.0
"""Seconds between questions to Sentinels, if there are any: a primary that was replaced, but is alive, still takes what
will be lost.
"""
_REDIS: Final = "redis"
_BACKLOG: Final = "backlog"
_GROUP: Final = "group"


class StreamMonitor:
    """`run` is a root task of every process, whether it consumes or only serves."""

    name: Final = "pulse"  # dashboards know it by that

    def __init__(
        self,
        *,
        store: Store,
        due: DueEntries,
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
        self._check_at = self._inspect_at = self._follow_at = 0.0
        self._primary = ""
        self._key_faults: dict[str, str] = {}
        self._warnings: dict[str, str] = {}
        self._outage = ""
        health.expect(self.name)
        health.set_fault(_REDIS, "redis was not reached yet")

    async def run(self) -> None:
        """Until the daemon stops. Raises StartError for a server that the daemon does not start on."""
        clock = asyncio.get_running_loop().time
        while not self._stopping.is_set():
            every = _EVERY
            try:
                if clock() >= self._follow_at:
                    self._report_primary(await self._store.followed_primary())
                    self._follow_at = clock() + _FOLLOW_EVERY
                if clock() >= self._check_at:
                    self._report_findings(await self._store.look())
                    self._check_at = clock() + _CHECK_EVERY
                if self._key_faults or clock() >= self._inspect_at:
                    self._report_key_faults(await self._store.inspect())
                    self._inspect_at = clock() + _INSPECT_EVERY
                times_put_off = self._due.times_put_off
                stats = await self._store.stream.stats()
                self._due.update(stats.pending, times_put_off)
                self._report_stats(stats)
            except StoreUnavailableError as error:
                self._report_outage(error.detail)
                self._check_at = self._follow_at = 0.0  # what answers next may be another server
                every = _EVERY_WHILE_AWAY
            else:
                self._report_outage("")
            self._health.progress(self.name)
            await pause(self._stopping, every)

    def _report_outage(self, reason: str) -> None:
        """`reason` is empty while Redis answers. Logged where it changes: a daemon that only serves has nobody else who
        would.
        """
        if reason:
            self._health.set_fault(_REDIS, reason)
        else:
            self._health.clear_fault(_REDIS)
        if reason != self._outage:
            if reason:
                log.warning("redis is away", extra={"data": {"error": reason}})
            else:
                log.info("redis is back", extra={"data": {"component": self.name}})
            self._outage = reason

    def _report_primary(self, address: str) -> None:
        """Where Sentinels lead us; empty where nobody does."""
        if address != self._primary:
            log.info("redis has another primary", extra={"data": {"before": self._primary, "now": address}})
            self._check_at = 0.0
            self._primary = address

    def _report_key_faults(self, key_faults: Sequence[KeyFault]) -> None:
        faults = {f"key {fault.key}": fault.text for fault in key_faults}
        for name in self._key_faults.keys() - faults.keys():
            self._health.clear_fault(name)
        for name, text in faults.items():
            self._health.set_fault(name, text)
            if self._key_faults.get(name) != text:
                log.error("a key in redis is not as it should be", extra={"data": {"error": text}})
        self._key_faults = faults

    def _report_findings(self, findings: Sequence[Finding]) -> None:
        warnings = {f"{_REDIS} {finding.name}": finding.text for finding in findings}
        for name in self._warnings.keys() - warnings.keys():
            self._health.clear_warning(name)
        for name, text in warnings.items():
            self._health.set_warning(name, text)
            if self._warnings.get(name) != text:
                log.warning("redis is not set up as it should be", extra={"data": {"warning": text}})
        self._warnings = warnings

    def _report_stats(self, stats: Stats) -> None:
        self._metrics.backlog.set(stats.unsettled)
        self._metrics.pending_jobs.set(max(stats.pending, 0))
        self._metrics.stream_lag.set(stats.oldest_pending_idle_ms / 1000)
        self._metrics.oldest_unsettled.set(stats.oldest_unsettled_ms / 1000)
        if stats.unsettled >= self._maxlen:
            self._health.set_warning(_BACKLOG, f"backlog full: {stats.unsettled} unsettled jobs, submits are refused")
        else:
            self._health.clear_warning(_BACKLOG)
        if stats.pending < 0:
            self._health.set_warning(
                _GROUP, f"the consumer group {self._store.stream.group} is missing: no consumer has run yet"
            )
        else:
            self._health.clear_warning(_GROUP)
