"""A Redis that is set up wrongly: the daemon says what to mend, stays up, and goes on when that is done."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest

from sploot_clusterd.cli import main
from sploot_clusterd.embedded import EmbeddedRedis
from tests.docs.pages import ROOT
from tests.faults.fleet import TOKEN, Daemon
from tests.store.misconfigured import answer_all
from tests.support.waiting import eventually


@asynccontextmanager
async def wrong(directory: Path, *arguments: str) -> AsyncIterator[None]:
    with EmbeddedRedis(directory, *arguments):
        yield


@asynccontextmanager
async def proxy(directory: Path) -> AsyncIterator[None]:
    """One that knows nothing of what we ask, in words of its own."""
    async with await asyncio.start_unix_server(answer_all(b"-no healthy upstream\r\n"), directory / "redis.sock"):
        yield
    (directory / "redis.sock").unlink()


CASES = {
    "a database that is not there": (lambda at: wrong(at, "--databases", "1"), "redis has no database 3"),
    "EVALSHA renamed away": (lambda at: wrong(at, "--rename-command", "EVALSHA", ""), "redis lacks a command"),
    "XREADGROUP renamed away": (lambda at: wrong(at, "--rename-command", "XREADGROUP", ""), "redis lacks a command"),
    "a proxy's own words": (proxy, "redis, or a proxy before it, refuses what we ask: no healthy upstream"),
}


async def reasons(daemon: Daemon) -> list[str]:
    async with aiohttp.ClientSession() as http, http.get(daemon.ops_url + "/readyz") as answer:
        return (await answer.json())["reasons"]


@pytest.mark.parametrize("case", CASES)
async def test_the_daemon_waits_until_it_is_mended(
    directory: Path, case: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    server, reason = CASES[case]
    url = f"unix://{directory}/redis.sock?db=3"
    daemon = Daemon(directory, url, 0, ROOT, {})

    async def told() -> bool:
        return any(reason in each for each in await reasons(daemon))

    async def ready() -> bool:
        return await reasons(daemon) == []

    try:
        async with server(directory):
            await daemon.start()
            await eventually(told, what="readiness to say what is wrong")
            await eventually(lambda: reason in daemon.output(), what="the log to say so")
            if "XREADGROUP" not in case:  # which commands do not need
                monkeypatch.setenv("REDIS_URL", url)
                for words in (["dlq", "list"], ["profile", "list"]):
                    assert await asyncio.to_thread(main, words) == 1
                    out, err = capsys.readouterr()
                    assert (out, len(err.splitlines()), reason in err) == ("", 1, True), err
        with EmbeddedRedis(directory):
            await eventually(ready, what="the daemon to go on", timeout=20)
            async with aiohttp.ClientSession(daemon.url, headers={"X-Internal-Token": TOKEN}) as http:
                job = {"pet_id": "p", "payload": {"image_ids": ["i"]}}
                assert (await http.post("/internal/cluster-jobs", json=job)).status == 202

                async def seen() -> bool:
                    return (await http.get("/internal/pets/p/clusters")).status == 200

                await eventually(seen, what="the job to be applied")
            assert daemon.stop() == 0
        assert not [line for line in daemon.log() if line["level"] in ("ERROR", "CRITICAL")]
    finally:
        daemon.kill()


async def test_a_daemon_that_only_serves_says_so_too(directory: Path):
    daemon = Daemon(directory, f"unix://{directory}/redis.sock?db=99", 0, ROOT, {"CLUSTER_CONSUMERS": "0"})
    try:
        with EmbeddedRedis(directory):
            await daemon.start()
            await eventually(lambda: "redis is away" in daemon.output(), what="the log to say so")
            (reason,) = await reasons(daemon)
            assert reason.startswith("redis has no database 99, name another one in redis.url: ")
            async with aiohttp.ClientSession(daemon.url, headers={"X-Internal-Token": TOKEN}) as http:
                for path in ("/internal/health/redis", "/internal/pets/p/clusters"):
                    async with http.get(path) as answer:
                        assert (answer.status, reason) == (503, (await answer.json())["detail"])
            assert daemon.stop() == 0
    finally:
        daemon.kill()
