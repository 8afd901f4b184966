"""The daemon's look at its Redis: at the start, each minute, and when it comes back."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from sploot_clusterd import stream_monitor
from sploot_clusterd.config import StreamSettings
from sploot_clusterd.due import DueEntries
from sploot_clusterd.errors import StoreUnavailableError
from sploot_clusterd.halt import Halt
from sploot_clusterd.health import Health
from sploot_clusterd.keys import Layout
from sploot_clusterd.metrics import Metrics
from sploot_clusterd.pauses import Pauses
from sploot_clusterd.probe import check
from sploot_clusterd.store import Finding, KeyFault, Stats
from sploot_clusterd.stream_monitor import StreamMonitor
from tests.faults.fleet import Fleet
from tests.support.waiting import eventually

EVICTS = Finding("eviction", False, "redis may delete views")
FORGETS = Finding("durability", False, "redis keeps no append-only file")


class NotPaused:
    async def look(self) -> None:
        """The fleet takes jobs."""


class Server:
    """Stands in for the store and its stream: a server whose faults change."""

    def __init__(self) -> None:
        self.found: list[Finding] = []
        self.error: StoreUnavailableError | None = None
        self.looks = self.asked = self.erasing = 0
        self.plain = self.feed = None
        self.layout = Layout("ns", "jobs", "jobs:dead", 1)
        self.pause = NotPaused()

    async def follow(self) -> None:
        """There is one partition."""

    async def look(self) -> list[Finding]:
        self.looks += 1
        return self.found

    async def inspect(self) -> list[KeyFault]:
        return []

    async def followed_primary(self) -> str:
        return ""

    async def stats(self) -> list[Stats]:
        self.asked += 1
        if self.error:
            raise self.error
        return [Stats(0, 0, 0, 0, erasing=self.erasing)]

    async def rounds(self, times: int = 3) -> None:
        """Waits for some more rounds of the monitor."""
        aim = self.asked + times
        await eventually(lambda: self.asked >= aim, what="the monitor to ask again")


@pytest.fixture
def health() -> Health:
    return Health(60.0)


@pytest.fixture
def metrics() -> Metrics:
    return Metrics()


@pytest.fixture
async def server(health: Health, metrics: Metrics, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Server]:
    """With a monitor that asks quickly and looks at the server once, but for what the test changes."""
    monkeypatch.setattr(stream_monitor, "_EVERY", 0.001)
    server, stopping = Server(), asyncio.Event()
    monitor = StreamMonitor(
        store=server,
        due=[DueEntries()],
        metrics=metrics,
        health=health,
        stopping=stopping,
        settings=StreamSettings(maxlen=10),
        pauses=Pauses(1, health, metrics),
        halt=Halt(health, metrics),
    )
    task = asyncio.create_task(monitor.run())
    yield server
    stopping.set()
    await task


async def test_a_gauge_tells_whether_redis_answers(server: Server, metrics: Metrics, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(stream_monitor, "_EVERY_WHILE_AWAY", 0.001)

    def up() -> float | None:
        return metrics.registry.get_sample_value("media_cluster_redis_up")

    await server.rounds(2)
    assert up() == 1
    server.error = StoreUnavailableError("refused")
    await eventually(lambda: up() == 0, what="the outage")
    server.error = None
    await eventually(lambda: up() == 1, what="the end of the outage")


async def test_a_gauge_tells_how_many_erasures_are_pending(server: Server, metrics: Metrics):
    def pending() -> float | None:
        return metrics.registry.get_sample_value("media_cluster_history_erasures_pending")

    for server.erasing in (3, 0):
        await eventually(lambda: pending() == server.erasing, what="the gauge")


async def test_it_is_looked_at_once_a_minute(server: Server):
    await server.rounds(20)
    assert server.looks == 1
    assert stream_monitor._CHECK_EVERY == 60.0


async def test_warnings_come_and_go_and_each_is_logged_once(
    server: Server, health: Health, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    monkeypatch.setattr(stream_monitor, "_CHECK_EVERY", 0.0)
    server.found = [EVICTS]
    server.error = StoreUnavailableError()
    await server.rounds()
    server.error = None
    await server.rounds()
    assert (health.warnings(), health.reasons()) == ([EVICTS.text], [])
    server.found = [EVICTS, FORGETS]
    await server.rounds()
    assert health.warnings() == [EVICTS.text, FORGETS.text]
    server.found = [FORGETS]
    await server.rounds()
    assert health.warnings() == [FORGETS.text]
    server.found = []
    await server.rounds()
    assert health.warnings() == []
    records = [record for record in caplog.records if record.levelno >= logging.WARNING]
    told = [(record.getMessage(), record.data.get("warning")) for record in records]
    as_it_should_be = "redis is not set up as it should be"
    assert told == [("redis is away", None), (as_it_should_be, EVICTS.text), (as_it_should_be, FORGETS.text)]


async def test_what_comes_back_is_looked_at_again(server: Server):
    await server.rounds()
    server.error = StoreUnavailableError()
    await server.rounds()
    server.error = None
    looks = server.looks
    await server.rounds(10)
    assert server.looks <= looks + 1
    assert looks > 1


@pytest.mark.parametrize("consumers", ["0", "2"])
async def test_it_does_not_start_where_everything_is_evicted(directory: Path, consumers: str):
    async with Fleet(directory, daemons=0) as fleet:
        await fleet.redis.config_set("maxmemory-policy", "allkeys-lru")
        daemon = fleet.add_daemon({"CLUSTER_CONSUMERS": consumers})
        with contextlib.suppress(AssertionError):  # it may have ended before it is seen to listen
            await daemon.start()
        await eventually(lambda: not daemon.alive(), what="the daemon to end")
        assert daemon.exit_code == 1
        assert "set maxmemory-policy noeviction, not allkeys-lru" in daemon.output().splitlines()[-1]
        assert await fleet.redis.xlen("streams:media.cluster") == 0


async def test_warnings_are_in_readiness_and_in_the_probe(directory: Path, capsys: pytest.CaptureFixture[str]):
    async with Fleet(directory, daemons=0) as fleet:
        await fleet.redis.config_set("maxmemory-policy", "volatile-ttl")
        await fleet.redis.config_set("appendonly", "no")
        daemon = fleet.add_daemon({})
        await daemon.start()
        await fleet.ready()

        async def group_is_there() -> bool:
            async with fleet.http.get(daemon.ops_url + "/readyz") as answer:
                return not any("group" in warning for warning in (await answer.json())["warnings"])

        await eventually(group_is_there, what="the consumer group to be seen")
        assert await asyncio.to_thread(check, daemon.ops_url + "/readyz") == 0
        out, err = capsys.readouterr()
        assert out == "ready\n"
        evicts, forgets = err.splitlines()
        assert evicts.startswith("warning: redis may delete views")
        assert forgets.startswith("warning: redis keeps no append-only file")
        logged = [line["warning"] for line in daemon.log() if "not set up" in line["message"]]
        assert [f"warning: {text}" for text in logged] == [evicts, forgets]


async def test_the_embedded_server_causes_no_warning(fleet: Fleet):
    async def as_it_should_be() -> bool:
        async with fleet.http.get(fleet.daemons[0].ops_url + "/readyz") as answer:
            return await answer.json() == {"status": "ready", "reasons": [], "warnings": []}

    await eventually(as_it_should_be, what="readiness without a warning")
    assert "not set up as it should be" not in fleet.daemons[0].output()
