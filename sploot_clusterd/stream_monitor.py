"""Asks Redis for the stream's figures, and so knows whether it answers. Probes and gauges only read that.

Now and then it looks at the server itself, for a Redis that is set up as a cache loses what it should keep.
"""

import asyncio
import logging
from collections.abc import Mapping, Sequence
from typing import Final

from sploot_clusterd.config import StreamSettings
from sploot_clusterd.due import DueEntries
from sploot_clusterd.errors import StoreUnavailableError
from sploot_clusterd.halt import Halt
from sploot_clusterd.health import Health
from sploot_clusterd.metrics import Metrics
from sploot_clusterd.pauses import Pauses, named
from sploot_clusterd.store import FeedFigures, Finding, KeyFault, Stats, Store
from sploot_clusterd.waiting import pause

log = logging.getLogger(__name__)

_EVERY: Final = 1.0
_EVERY_WHILE_AWAY: Final = 0.5
"""Seconds. Readiness is to be green within two seconds of Redis being back; each look costs an idle daemon CPU."""
_CHECK_EVERY: Final = 60.0
_INSPECT_EVERY: Final = 5.0
"""Seconds between looks at what is under our keys; while something is wrong there, each pass looks."""
_REDIS: Final = "redis"
_BACKLOG: Final = "backlog"
_GROUP: Final = "group"
_SENTINELS: Final = "sentinels"
_PARTITIONS: Final = "partitions"
_PLAIN: Final = "plain stream"


class StreamMonitor:
    """`run` is a root task of every process, whether it consumes or only serves."""

    name: Final = "pulse"  # dashboards know it by that

    def __init__(
        self,
        *,
        store: Store,
        due: Sequence[DueEntries],
        metrics: Metrics,
        health: Health,
        stopping: asyncio.Event,
        settings: StreamSettings,
        pauses: Pauses,
        halt: Halt,
    ) -> None:
        """`due` are those of each partition. Where there come to be more, they are added by whoever reads them."""
        self._store = store
        self._due = due
        self._metrics = metrics
        self._health = health
        self._stopping = stopping
        self._pauses = pauses
        self._halt = halt
        self._group = settings.group
        self._maxlen = -(-settings.maxlen // len(due))
        """Of a partition."""
        self._check_at = self._inspect_at = 0.0
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
                await self._follow()
                await self._see_change()
                await self._see_pause()
                if clock() >= self._check_at:
                    self._report_findings(await self._store.look())
                    self._check_at = clock() + _CHECK_EVERY
                if self._key_faults or clock() >= self._inspect_at:
                    self._report_key_faults(await self._store.inspect())
                    self._inspect_at = clock() + _INSPECT_EVERY
                times_put_off = [each.times_put_off for each in self._due]
                figures = self._there(await self._store.stats())
                for number, times in enumerate(times_put_off):
                    if number in figures:
                        self._due[number].update(figures[number].pending, times)
                self._report_stats(figures)
                await self._report_unrouted()
                if self._store.feed:
                    self._report_feed(await self._store.feed.figures())
            except StoreUnavailableError as error:
                self._report_outage(error.detail)
                self._check_at = 0.0  # what answers next may be another server
                every = _EVERY_WHILE_AWAY
            else:
                self._report_outage("")
            self._health.progress(self.name)
            await pause(self._stopping, every)

    def _report_feed(self, figures: Sequence[FeedFigures]) -> None:
        self._metrics.feed_events.set(sum(each.events for each in figures))
        self._metrics.feed_bytes.set(sum(each.bytes for each in figures))
        self._metrics.feed_oldest.set(max(each.oldest_ms for each in figures) / 1000)

    def _report_outage(self, reason: str) -> None:
        """`reason` is empty while Redis answers. Logged where it changes: a daemon that only serves has nobody else who
        would.
        """
        self._metrics.redis_up.set(not reason)
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

    async def _follow(self) -> None:
        """At each pass, if there are Sentinels: a primary that was replaced, but is alive, takes what will be lost."""
        try:
            address = await self._store.followed_primary()
        except StoreUnavailableError as error:  # which need not hinder what is connected
            self._health.set_warning(_SENTINELS, f"a failover may go unseen: {error.detail}")
            return
        self._health.clear_warning(_SENTINELS)
        if address != self._primary:
            log.info("redis has another primary", extra={"data": {"before": self._primary, "now": address}})
            self._check_at = 0.0
            self._primary = address

    async def _see_change(self) -> None:
        """Of the number of partitions: who began it may not be there any more."""
        try:
            await self._store.follow()
        except StoreUnavailableError as error:
            if self._store.is_one_server:
                raise
            text = f"partitions stay as they are, whether their number changes is not told: {error.detail}"
            self._health.set_warning(_PARTITIONS, text)
            return
        placing = self._store.layout.placing
        if placing.target:
            self._health.set_warning(_PARTITIONS, f"partitions are being moved: {placing.progress}")
        else:
            self._health.clear_warning(_PARTITIONS)

    async def _see_pause(self) -> None:
        """Of the whole fleet. Where it cannot be asked for, it is as it was, and ends when it was to."""
        self._halt.seconds_left()
        try:
            paused = await self._store.pause.look()
        except StoreUnavailableError:
            if self._store.is_one_server:
                raise
            return  # of several it may be the one node that is away
        if paused is None:
            self._halt.release()
        else:
            await self._halt.hold(f"paused until {paused.until}: {paused.reason}", paused.seconds_left)

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

    def _there(self, figures: Sequence[Stats | StoreUnavailableError]) -> dict[int, Stats]:
        """By partition, of those whose server tells; the others pause."""
        there: dict[int, Stats] = {}
        for number, stats in enumerate(figures):
            if isinstance(stats, StoreUnavailableError):
                self._pauses.begin(number, self.name, stats.detail)
            else:
                self._pauses.end(number, self.name)
                there[number] = stats
        return there

    async def _report_unrouted(self) -> None:
        if not self._store.plain:
            return
        try:
            unrouted = await self._store.plain.stats()
        except StoreUnavailableError as error:  # of a cluster it may be the one stream whose node is away
            self._health.set_warning(_PLAIN, f"{self._store.layout.plain.stream} is not moved on: {error.detail}")
            return
        self._health.clear_warning(_PLAIN)
        self._metrics.unrouted.set(unrouted.unsettled)
        self._metrics.unrouted_oldest.set(unrouted.oldest_unsettled_ms / 1000)

    def _report_stats(self, figures: Mapping[int, Stats]) -> None:
        """Those of all partitions together, and of several each one's."""
        all_figures, several = figures.values(), len(self._due) > 1
        unsettled = sum(stats.unsettled for stats in all_figures)
        self._metrics.backlog.set(unsettled)
        self._metrics.pending_jobs.set(sum(max(stats.pending, 0) for stats in all_figures))
        self._metrics.stream_lag.set(max(stats.oldest_pending_idle_ms for stats in all_figures) / 1000)
        self._metrics.oldest_unsettled.set(max(stats.oldest_unsettled_ms for stats in all_figures) / 1000)
        self._metrics.history_erasures_pending.set(sum(stats.erasing for stats in all_figures))
        if several:
            for number, stats in figures.items():
                self._metrics.partition_backlog.labels(str(number)).set(stats.unsettled)
                self._metrics.partition_oldest.labels(str(number)).set(stats.oldest_unsettled_ms / 1000)
        full = [number for number, stats in figures.items() if stats.unsettled >= self._maxlen]
        if full:
            of_which = f" in {named(full)}" if several else ""
            self._health.set_warning(
                _BACKLOG, f"backlog full{of_which}: {unsettled} unsettled jobs, submits are refused"
            )
        else:
            self._health.clear_warning(_BACKLOG)
        missing = [number for number, stats in figures.items() if stats.pending < 0]
        if missing:
            of_which = f" in {named(missing)}" if several else ""
            self._health.set_warning(
                _GROUP, f"the consumer group {self._group} is missing{of_which}: no consumer has run yet"
            )
        else:
            self._health.clear_warning(_GROUP)
