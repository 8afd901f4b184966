"""A replica takes over: after the primary died with what the replica had not yet got, or by arrangement."""

import os
import signal
import socket
import statistics
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

from redis.asyncio import Redis

from sploot_clusterd.embedded import EmbeddedRedis
from sploot_clusterd.keys import Keys
from sploot_clusterd.store import Commit, scripts
from sploot_clusterd.store.commit import CommitSettings, call
from sploot_clusterd.store.gateway import Call
from sploot_clusterd.store.script import Script
from tests.faults.checker import Verdict, verdict
from tests.faults.fleet import Fleet
from tests.faults.harm import PETS, Outcome, Size, harmed, recovered, wait_for_harm
from tests.faults.load import STREAM, Load
from tests.faults.proxy import Proxy
from tests.support.waiting import eventually

Judge = Callable[[Fleet], Awaitable[None]]

_CUT_OFF = 0.3
"""Seconds for which the primary goes on without its replica before it dies."""
_ROW = 2048
_KEYS = Keys("wait", STREAM, f"{STREAM}.deadletter")
_SETTINGS = CommitSettings("group", view_life=86400, album_life=0, most_sampled=0)


class _Server:
    """A redis-server that also has a port, which replication needs."""

    def __init__(self, directory: Path) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port: int = free.getsockname()[1]
        arguments = ("--bind", "127.0.0.1", "--port", str(self.port), "--repl-diskless-sync-delay", "0")
        self.redis = EmbeddedRedis(directory, *arguments)
        self.redis.start()
        self.client = Redis.from_url(f"unix://{self.redis.socket}", protocol=2)

    def kill(self) -> None:
        assert self.redis.pid is not None
        os.kill(self.redis.pid, signal.SIGKILL)
        self.redis.stop()

    async def close(self) -> None:
        await self.client.aclose()
        self.redis.stop()


class Pair:
    """A primary and its replica. Daemons and producers come by `front`, the replica by `link`."""

    def __init__(self, directory: Path) -> None:
        self.primary = _Server(directory / "a")
        self.replica = _Server(directory / "b")
        self.front = Proxy(directory / "front.sock", self.primary.redis.socket)
        self.link = Proxy(0, self.primary.port)

    @asynccontextmanager
    async def running(self) -> AsyncIterator["Pair"]:
        try:
            async with self.front, self.link:
                await self.follow()
                yield self
        finally:
            await self.primary.close()
            await self.replica.close()

    async def follow(self) -> None:
        """The replica gets all that the primary has."""
        self.link.target = self.primary.port
        await self.replica.client.replicaof("127.0.0.1", self.link.path)
        await eventually(self._follows, what="the replica to have everything", timeout=30)

    def swap(self) -> None:
        """The other one is the primary now; new connections lead there."""
        self.primary, self.replica = self.replica, self.primary
        self.front.target = self.primary.redis.socket

    async def _follows(self) -> bool:
        return (await self.replica.client.info("replication"))["master_link_status"] == "up"


async def promoted(
    directory: Path,
    seed: int,
    size: Size,
    *,
    env: Mapping[str, str] | None = None,
    judge: Judge | None = None,
) -> Outcome:
    """The primary dies 0.3 s after its replica was cut off, and the replica takes its place.

    What was acknowledged in that time may be lost; nothing else, and nothing is applied twice. `env` is for the
    daemons, and `judge` looks at the fleet before it goes.
    """
    cuts: list[tuple[float, float]] = []

    async def fail_over(pair: Pair) -> None:
        began = time.monotonic()
        await pair.primary.client.set("probe", "probe")
        assert await pair.primary.client.wait(1, 5000) == 1, "the replica has all that was answered before"
        pair.link.silence()
        await wait_for_harm(_CUT_OFF)
        pair.primary.kill()
        cuts.append((began, time.monotonic()))
        await pair.replica.client.replicaof("NO", "ONE")
        pair.swap()

    async def restart(pair: Pair) -> None:
        pair.link.speak(old=False)
        pair.replica.redis.start()
        await pair.follow()

    outcome, load = await _taken_over(directory, seed, size, fail_over, restart, env=env, judge=judge)
    excused = load.ledger.under_way(outcome.verdict.lost, cuts)
    outcome.breaches = outcome.verdict.breaches(never=excused)
    return outcome


async def switched_over(directory: Path, seed: int, size: Size) -> Outcome:
    """FAILOVER: the primary hands over and becomes a replica that refuses writes on all old connections."""

    async def fail_over(pair: Pair) -> None:
        await pair.primary.client.execute_command("FAILOVER", "TO", "127.0.0.1", pair.replica.port)

        async def handed_over() -> bool:
            return (await pair.replica.client.info("replication"))["role"] == "master"

        await eventually(handed_over, what="the replica to take over")
        pair.swap()

    async def follow(pair: Pair) -> None:
        await pair.follow()

    outcome, _ = await _taken_over(directory, seed, size, fail_over, follow)
    return outcome


async def _taken_over(
    directory: Path,
    seed: int,
    size: Size,
    fail_over: Callable[[Pair], Awaitable[None]],
    mend: Callable[[Pair], Awaitable[None]],
    *,
    env: Mapping[str, str] | None = None,
    judge: Judge | None = None,
) -> tuple[Outcome, Load]:
    slowest = 0.0
    async with Pair(directory).running() as pair, Fleet(directory, daemons=0) as fleet:
        url = f"unix://{pair.front.path}"
        await fleet.redis.aclose()
        fleet.redis = Redis.from_url(url, protocol=2)
        for _ in range(2):
            await fleet.add_daemon({"REDIS_URL": url, **(env or {})}).start()

        async def harm(fleet: Fleet, _: int) -> None:
            nonlocal slowest
            await fail_over(pair)
            slowest = max(slowest, await recovered(fleet))
            await mend(pair)

        load = Load(fleet, seed, pets=PETS, jobs=size.jobs, rate=size.rate)
        await harmed(load, fleet, seed, size, harm)
        counts = await verdict(fleet, load.ledger, one_history=False)
        if judge:
            await judge(fleet)
        for daemon in fleet.daemons:  # before the pair goes
            daemon.kill()
    outcome = Outcome(counts, size.harms, counts.breaches())
    outcome.recovers(slowest)
    return outcome, load


async def wait_cost(directory: Path, _seed: int, size: Size) -> Outcome:
    """What it would cost to wait for a replica (WAIT 1) after each submit and each commit, one at a time."""
    async with Pair(directory).running() as pair:
        client = Redis(unix_socket_path=str(pair.primary.redis.socket), protocol=2, single_connection_client=True)
        figures = {}
        for name, call in (("submit", _submit), ("commit", _commit)):
            for wait in (False, True):
                times = [await _timed(client, call, number, wait=wait) for number in range(size.jobs)]
                figures[f"{name}{' and WAIT 1' * wait}, ms"] = statistics.median(times)
        await client.aclose()
    return Outcome(Verdict(), 0, [], figures)


async def _timed(client: Redis, call: Callable[[Redis, str], Awaitable[object]], number: int, *, wait: bool) -> float:
    """Milliseconds."""
    began = time.perf_counter()
    await call(client, f"{'waited' if wait else 'bare'}-{number}")
    if wait:
        assert await client.wait(1, 1000) == 1
    return (time.perf_counter() - began) * 1000


async def _submit(client: Redis, name: str) -> object:
    return await _run(
        client, scripts.SUBMIT, Call({"most": 10**9, "jobs_life": 0, "payloads": [name.encode() + bytes(_ROW)]})
    )


async def _commit(client: Redis, name: str) -> object:
    """A new album with one image, as it is written."""
    writes = {b"head": bytes(200), b"c0": bytes(400)}
    commit = Commit(name, [], b"", None, version=1, writes=writes, rows={"a": bytes(_ROW)}, view=bytes(_ROW))
    return await _run(client, scripts.COMMIT, call(_KEYS, _SETTINGS, "consumer", commit, b"nonce.1"))


async def _run(client: Redis, script: Script, call: Call) -> object:
    keys = [*_KEYS.named(script.keys, call.values.get("pet_id", "")), *call.more_keys]
    return await client.eval(script.text, len(keys), *keys, *script.in_order(call.values))
