"""What all tests share: a real redis-server; and skipped tests fail on CI."""

import asyncio
import importlib.util
import os
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # as the daemon does; read when numpy is imported

import pytest
from hypothesis import HealthCheck, settings
from redis.asyncio import Redis

from sploot_clusterd.embedded import EmbeddedRedis
from tests.support.cluster import Cluster
from tests.support.neighbours import NEIGHBOUR

settings.register_profile("any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any machine")

_BY_EXTRAS = {
    "ui": {"browser": "playwright"},
    "packages": {"packages": "kubernetes_validate"},
    "manual": {"browser": "playwright", "docs": "zensical"},
}
"""Folders whose tests need extras that .ci/run installs: of each extra a module, by which it is known to be there."""
_LACKING = {
    folder: lacking
    for folder, extras in _BY_EXTRAS.items()
    if (lacking := [extra for extra, module in extras.items() if not importlib.util.find_spec(module)])
}
collect_ignore = list(_LACKING)


@pytest.fixture(scope="session")
def redis_server() -> Iterator[EmbeddedRedis]:
    """One redis-server for the run, in a directory whose path is short enough for a unix socket."""
    with tempfile.TemporaryDirectory(prefix="clusterd-") as directory, EmbeddedRedis(Path(directory)) as server:
        yield server


@pytest.fixture
def redis_url(redis_server: EmbeddedRedis) -> str:
    return f"unix://{redis_server.socket}"


@pytest.fixture
async def redis(redis_url: str) -> AsyncIterator[Redis]:
    """A client of an empty Redis, which is emptied again."""
    client = Redis.from_url(redis_url, protocol=2)
    await client.flushall()
    await client.script_flush()  # what one test called is not known to the next
    await client.config_resetstat()
    yield client
    await client.config_set("maxmemory", 0)
    await client.flushall()
    await client.aclose()


@pytest.fixture(scope="session")
def running_cluster() -> Iterator[Cluster]:
    """One cluster for the run, for tests with the mark `cluster`."""
    with tempfile.TemporaryDirectory(prefix="cluster-") as directory, asyncio.Runner() as runner:
        cluster = Cluster(Path(directory))
        try:
            runner.run(cluster.start())
            yield cluster
        finally:
            runner.run(cluster.close())


@pytest.fixture
async def cluster(running_cluster: Cluster) -> AsyncIterator[Cluster]:
    """Whole and empty, with clients of this test's loop."""
    cluster = running_cluster
    for node in cluster.nodes:
        node.connect()
    await cluster.formed()
    await cluster.empty()
    yield cluster
    for node in cluster.nodes:
        await node.client.aclose()


@pytest.fixture
def give_away(monkeypatch: pytest.MonkeyPatch) -> Callable[[Path], None]:
    """Makes a file or link a neighbour's; where only root could do that, all that is ours becomes one's."""

    def give(path: Path) -> None:
        if os.geteuid() == 0:
            os.chown(path, NEIGHBOUR, NEIGHBOUR, follow_symlinks=False)
        else:
            monkeypatch.setattr(os, "geteuid", lambda: NEIGHBOUR)

    return give


def pytest_configure(config: pytest.Config) -> None:
    """On CI the tests that need an extra are not left out without a word."""
    if os.environ.get("CI") == "true" and config.option.markexpr == "system" and collect_ignore:
        extras = ",".join(sorted({extra for lacking in _LACKING.values() for extra in lacking}))
        raise pytest.UsageError(f"{' and '.join(collect_ignore)} cannot be collected: pip install -e '.[{extras}]'")


def pytest_sessionfinish(session: pytest.Session) -> None:
    """On CI a test that was skipped, or is expected to fail, fails the run: nobody would ever read of it."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if os.environ.get("CI") == "true" and reporter and reporter.stats.keys() & {"skipped", "xfailed", "xpassed"}:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
