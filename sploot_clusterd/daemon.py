"""The composition root: builds every part from the settings, runs them, and stops them in order."""

import asyncio
import logging
import os
import signal
import sys
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Final

import uvloop

from sploot_clusterd import __version__, behind, config, garbage, logs, optional, output, terminal
from sploot_clusterd.config import Settings
from sploot_clusterd.due import DueEntries
from sploot_clusterd.engine import Params, load_algorithm
from sploot_clusterd.errors import ConfigError
from sploot_clusterd.fleet.heartbeat import Heartbeat
from sploot_clusterd.halt import Halt
from sploot_clusterd.health import Health
from sploot_clusterd.inflight import InFlight
from sploot_clusterd.ingest import POOL_THREADS, Compute, Ingest, Wanting
from sploot_clusterd.looplag import run_looplag
from sploot_clusterd.metrics import Metrics
from sploot_clusterd.notify import Notifier, run_watchdog
from sploot_clusterd.pauses import Pauses
from sploot_clusterd.spans import OFF
from sploot_clusterd.store import Store
from sploot_clusterd.stream_monitor import StreamMonitor
from sploot_clusterd.supervisor import Supervisor
from sploot_clusterd.troubles import Troubles
from sploot_clusterd.web import Auditor, HttpServer, Listening, Tokens, build_app, build_ops_app

if TYPE_CHECKING:
    from sploot_clusterd.fleet.watcher import FleetWatcher
    from sploot_clusterd.ui import Page

log = logging.getLogger(__name__)

Watch = Callable[[asyncio.Event], Coroutine[Any, Any, None]]
"""One more root task, given the event that tells it to end: a StartError of it ends the daemon."""

_SWITCH_INTERVAL: Final = 0.0001
"""Seconds after which a computing thread hands over to the loop: the default of 5 ms is what readers would wait, at
each of the several turns of the loop that a read takes.
"""
_LEAST_STALE_SECONDS: Final = 30.0
_SHELL_SECONDS: Final = 2.0
_SAME_SIGNAL_SECONDS: Final = 0.1
"""Wrappers that signal the process and then its group are asking once, not twice."""


def run(settings: Settings, *, on_ready: Callable[[], None] | None = None, watch: Watch | None = None) -> int:
    """Runs the daemon until a signal ends it; the process's exit code. Raises StartError, RootTaskFailedError."""
    logs.setup(settings.service.log_level, settings.service.log_format, settings.service.name)
    sys.setswitchinterval(_SWITCH_INTERVAL)
    for warning in settings.warnings:
        log.warning(warning)
    daemon = Daemon(settings)
    garbage.look_seldom()  # only now are the parts that settings turn on imported, too
    output.count_dropped(daemon.metrics.log_lines_dropped.inc)
    del settings  # the tokens in it, which the daemon keeps as digests
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(daemon.run(on_ready, watch))


class Daemon:
    """One process's parts. `run` may be called once."""

    def __init__(self, settings: Settings) -> None:
        self._tokens = Tokens(settings.http.tokens, settings.http.grants)
        self._scrapers = Tokens(settings.metrics.tokens or ())
        self.metrics = Metrics()
        self.health = Health(max(_LEAST_STALE_SECONDS, settings.stream.read_timeout_ms * 3 / 1000))
        self.stopping = asyncio.Event()
        told: dict[str, Any] = {"metrics": self.metrics, "health": self.health, "stopping": self.stopping}
        self._recorder = optional.recorder_of(settings, self.metrics, self.stopping)
        self._tracer = self._recorder or OFF
        self._insights = optional.insights_of(settings, tracer=self._tracer, **told)
        self._history = optional.history_of(settings, **told)
        self._settings = settings = settings.without_tokens()
        self._params = Params.of(settings)
        load_algorithm(self._params.algorithm)  # a name that nothing bears is to fail now, not at the first job
        self._asked_at = 0.0
        self._on_terminal = False
        self._supervisor = Supervisor(self.metrics, self.health)
        self._notifier = Notifier()
        # They take turns: two that compute small arrays side by side would only hold up each other, and the loop.
        self._pool = ThreadPoolExecutor(POOL_THREADS, thread_name_prefix="compute")
        self._in_flight = InFlight()
        self._store = Store.open(settings, self.metrics)
        self._auditor = Auditor(self._store.audit)
        self._watcher = self._new_watcher() if settings.serves_page else None
        self.http = self._new_http() if settings.http.enabled else None
        self.ops = self._new_ops() if settings.metrics.enabled else None

    async def run(self, on_ready: Callable[[], None] | None = None, watch: Watch | None = None) -> int:
        """Binds, runs the root tasks until told to stop, drains. 0 if nothing had to be cut off, else 1."""
        self._add_root_tasks()
        if watch:
            self._supervisor.add("watch", lambda: watch(self.stopping))
        try:
            await self._start()
            log.info("started", extra={"data": {"version": __version__, "consumers": self._settings.stream.consumers}})
            self._notifier.ready(f"running {__version__}")
            if on_ready:
                on_ready()
            drained = await self._supervisor.run(self.stopping)
        finally:
            await self._stop()
        log.info("stopped", extra={"data": {"drained": drained}})
        if not drained:
            output.drain()
            os._exit(1)  # a thread that still computes would keep the interpreter from ending
        return 0

    async def _start(self) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stop_asked, number)
        self._on_terminal = terminal.is_there()
        if not (self._on_terminal and signal.getsignal(signal.SIGHUP) is signal.SIG_IGN):  # else it was asked to stay
            loop.add_signal_handler(signal.SIGHUP, self._hung_up)
        for server in (self.ops, self.http):
            if server:
                await server.start()

    async def _stop(self) -> None:
        """In this order: who is still served needs Redis, and who asks for the metrics wants to see the drain."""
        self._notifier.stopping()
        for server in (self.http, self.ops):
            if server:
                await server.stop()
        await self._auditor.close()
        if self._insights:
            await self._insights.close()
        if self._recorder:
            await self._recorder.close()
        if self._history:
            self._history.close()
        await self._store.leave()
        await self._store.close()
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _stop_asked(self, number: signal.Signals) -> None:
        now = asyncio.get_running_loop().time()
        if self.stopping.is_set() and now - self._asked_at < _SAME_SIGNAL_SECONDS:
            return
        if self.stopping.is_set():
            log.warning("ended at once, by a second signal")
            output.drain()
            os._exit(128 + number)  # no clean-up: what was in hand stays pending
        self._asked_at = now
        log.info("stopping", extra={"data": {"signal": number.name}})
        self._notifier.stopping()
        self.stopping.set()
        if self.http:
            self._supervisor.spawn(self.http.stop(), "http stop")

    def _hung_up(self) -> None:
        """A service is asked to reload; what was started on a terminal that closes has to end."""
        if self.stopping.is_set():
            return  # the kernel and the shell both tell
        if self._end_without_terminal():
            return
        self._reload()
        # A shell that ends tells its jobs first, and closes the terminal then.
        asyncio.get_running_loop().call_later(_SHELL_SECONDS, self._end_without_terminal)

    def _end_without_terminal(self) -> bool:
        ends = self._on_terminal and not terminal.is_there()
        if ends and not self.stopping.is_set():
            self._stop_asked(signal.SIGHUP)
        return ends

    def _reload(self) -> None:
        """Tokens and log level, read again from where they came. What is wrong is logged, and nothing changes."""
        self._notifier.reloading()
        try:
            settings = config.reload(self._settings)
        except ConfigError as error:
            log.error("not reloaded", extra={"data": {"error": str(error)}})  # noqa: TRY400 - the text says it all
        else:
            self._tokens.replace(settings.http.tokens, settings.http.grants)
            self._scrapers.replace(settings.metrics.tokens or ())
            if self._insights:
                self._insights.replace_token(settings.insights.token)
            logs.set_level(settings.service.log_level)
            for warning in settings.warnings:  # who was told of a file at the start may have changed another one
                log.warning(warning)
            log.info(
                "reloaded", extra={"data": {"tokens": len(settings.http.tokens), "grants": len(settings.http.grants)}}
            )
        self._notifier.ready(f"running {__version__}")

    def _add_root_tasks(self) -> None:
        stop, health = self.stopping, self.health
        add = self._supervisor.add
        due = [DueEntries() for _ in self._store.partitions]
        pauses, halt, troubles = Pauses(len(due), health, self.metrics), Halt(health, self.metrics), Troubles()
        monitor = StreamMonitor(
            store=self._store,
            due=due,
            metrics=self.metrics,
            health=health,
            stopping=stop,
            settings=self._settings.stream,
            pauses=pauses,
            halt=halt,
        )
        add(monitor.name, monitor.run)
        heartbeat = Heartbeat(self._store.beats, self._settings, self.metrics, health, stop, troubles=troubles)
        add(heartbeat.name, heartbeat.run)
        if self._recorder:
            add(self._recorder.name, self._recorder.run)
        if self._watcher:
            add(self._watcher.name, self._watcher.run)
        add("looplag", lambda: run_looplag(self.metrics, stop))
        add("watchdog", lambda: run_watchdog(self._notifier, health, stop))
        if self._settings.stream.consumers:
            ingest = Ingest(
                settings=self._settings,
                params=self._params,
                store=self._store,
                due=due,
                compute=Compute(self._pool, self._in_flight),
                metrics=self.metrics,
                health=health,
                pauses=pauses,
                halt=halt,
                stopping=stop,
                troubles=troubles,
                wanting=self._wanting(),
                tracer=self._tracer,
            )
            for name, task in ingest.root_tasks():
                add(name, task)
        if self._insights:
            for name, task in self._insights.root_tasks(self._store):
                add(name, task)
        if self._history and self._settings.stream.consumers:
            for name, task in self._history.root_tasks(self._store):
                add(name, task)

    def _wanting(self) -> Wanting | None:
        if self._insights is None:
            return None
        return Wanting(self._insights.left, self.metrics, write_back=self._settings.insights.write_back)

    def _new_http(self) -> HttpServer:
        settings = self._settings
        app = build_app(
            behind.put_together(
                *(settings, self._store, self._params, self.metrics),
                auditor=self._auditor,
                history=self._history,
                watcher=self._watcher,
                stopping=self.stopping,
            ),
            self._tokens,
            settings,
            self.metrics,
            self.health,
            in_flight=self._in_flight,
            page=self._new_page(),
            tracer=self._tracer,
        )
        return HttpServer(app, settings.http, name="http", metrics=self.metrics, health=self.health)

    def _new_page(self) -> "Page | None":
        if self._watcher is None:
            return None
        from sploot_clusterd.ui import Page  # noqa: PLC0415 - costs nothing where it is off

        return Page(self._tokens, self._settings, self._watcher)

    def _new_watcher(self) -> "FleetWatcher":
        from sploot_clusterd.fleet.watcher import FleetWatcher  # noqa: PLC0415 - as the page

        return FleetWatcher(self._store.beats, self.metrics, self.stopping)

    def _new_ops(self) -> HttpServer:
        listening = Listening(self._settings.metrics.host, self._settings.metrics.port)
        app = build_ops_app(self.metrics, self.health, self._scrapers)
        return HttpServer(app, listening, name="metrics", metrics=self.metrics, health=self.health)
