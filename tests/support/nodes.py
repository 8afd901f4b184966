"""Redis servers with ports, as replication needs them, and Sentinels that watch over them: all on loopback."""

import ctypes
import os
import random
import signal
import socket
import subprocess
from contextlib import suppress
from pathlib import Path
from typing import Any

from redis import Redis as BlockingRedis
from redis.asyncio import Redis
from redis.exceptions import RedisError, ResponseError

from sploot_clusterd.embedded import EmbeddedRedis, find_binary
from tests.support.waiting import wait_until

SERVICE = "mymaster"
SENTINEL_PASSWORD = "the-sentinels-password"
_FAILOVER_MS = 3000
"""For each step of a promotion. It has to be well above a second: so seldom a Sentinel looks whether a replica that it
told to is the primary by now.
"""
_QUICK = ("info-period", 200, "publish-period", 1000, "ping-period", 100)
"""Milliseconds between a Sentinel's looks, which are 10, 2 and 1 s else. Whoever has heard nothing of a new primary for
four times the second one makes it a replica again: so not too quick, or a busy machine is too slow.
"""
_ASK_SECONDS = 1.0
_LEAST_PORT = 10_000


def free_port() -> int:
    """None that the kernel gives to who connects, or somebody would have it while a killed server is away."""
    least = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    while True:
        port = random.randrange(_LEAST_PORT, max(least, 2 * _LEAST_PORT))
        with socket.socket() as free, suppress(OSError):
            free.bind(("127.0.0.1", port))
            return port


class Node:
    """A redis-server with a port. A second `start` may give it other arguments."""

    def __init__(self, directory: Path, *arguments: str) -> None:
        self.port = free_port()
        self._directory = directory
        self._arguments = (
            "--bind",
            "127.0.0.1",
            "--port",
            str(self.port),
            "--repl-diskless-sync-delay",
            "0",
            *arguments,
        )
        self.start()
        self.connect()

    def connect(self) -> None:
        """Gives it a new client, for another event loop."""
        self.client = self._client()

    def start(self, *more: str) -> None:
        self.redis = EmbeddedRedis(self._directory, *self._arguments, *more)
        self.redis.start()

    def start_as_replica(self, of: "Node") -> None:
        self.start("--replicaof", f"127.0.0.1 {of.port}")

    def kill(self) -> None:
        """Kill -9, for to end in order it would wait for its replicas."""
        if self.redis.pid is not None:
            os.kill(self.redis.pid, signal.SIGKILL)
        self.redis.stop()

    async def tells(self, *command: str) -> Any:
        """Its reply, on a connection of its own, for servers close all when roles change; None if it gives none."""
        try:
            return await self.ask(*command)
        except RedisError:
            return None

    async def ask(self, *command: str | int) -> Any:
        """As `tells`. Raises RedisError."""
        async with self._client() as client:
            return await client.execute_command(*command)

    async def is_primary(self) -> bool:
        info = await self.tells("INFO", "replication")
        return bool(info) and info["role"] == "master"

    async def follows(self) -> bool:
        """Whether it has all that its primary has."""
        info = await self.tells("INFO", "replication")
        return bool(info) and info.get("master_link_status") == "up"

    async def has_no_readers(self) -> bool:
        """Whether it says that no consumer is connected to it."""
        clients = await self.tells("CLIENT LIST")
        return clients is not None and not any(client["name"].startswith("clusterd|") for client in clients)

    async def close(self) -> None:
        await self.client.aclose()
        self.kill()

    def _client(self) -> Redis:
        return Redis.from_url(f"unix://{self.redis.socket}", protocol=2)


class SentinelProcess:
    """One of three that watch a primary."""

    def __init__(self, directory: Path, primary: int, down_after_ms: int, *lines: str) -> None:
        directory.mkdir()
        self.port = free_port()
        file = directory / "sentinel.conf"
        monitor = f"sentinel monitor {SERVICE} 127.0.0.1 {primary} 2"
        times = [
            f"sentinel {name} {SERVICE} {ms}"
            for name, ms in (("down-after-milliseconds", down_after_ms), ("failover-timeout", _FAILOVER_MS))
        ]
        text = [
            "bind 127.0.0.1",
            f"port {self.port}",
            f"dir {directory}",
            f"logfile {directory}/log",
            monitor,
            *times,
            *lines,
        ]
        file.write_text("\n".join(text) + "\n")
        command = [find_binary().path, str(file), "--sentinel"]
        self._process = subprocess.Popen(command, preexec_fn=_end_with_us)  # noqa: PLW1509 - it is one call of the kernel

    @property
    def pid(self) -> int:
        return self._process.pid

    def ask(self, *command: str | int) -> Any:
        """Its reply. Raises RedisError."""
        limits = {"socket_timeout": _ASK_SECONDS, "socket_connect_timeout": _ASK_SECONDS}
        with BlockingRedis(port=self.port, password=SENTINEL_PASSWORD, protocol=2, **limits) as client:
            return client.execute_command(*command)

    def names(self) -> int:
        """The primary's port."""
        _, port = self.ask("SENTINEL GET-MASTER-ADDR-BY-NAME", SERVICE)
        return int(port)

    def sees_all(self) -> bool:
        """Whether it knows the other two Sentinels and the replica."""
        reply = self.ask("SENTINEL MASTER", SERVICE)
        return (int(reply["num-other-sentinels"]), int(reply["num-slaves"])) == (2, 1)

    def leaves(self, primary: Node) -> bool:
        """Whether it has promoted another one, as ordered. An order that it took it gives up where it has heard nothing
        of the replica for a moment, as on a busy machine: then it is ordered again.
        """
        if self.names() != primary.port:
            return True
        with suppress(ResponseError):  # it is at it, or knows of no good replica yet
            self.ask("SENTINEL FAILOVER", SERVICE)
        return False

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()


class Watched:
    """Two servers, of which one is the primary at first, and three Sentinels, which have a password of their own."""

    def __init__(self, directory: Path, *, down_after_ms: int = 300) -> None:
        """Who says nothing for so long is down to a Sentinel."""
        self.nodes = [Node(directory / "a"), Node(directory / "b")]
        self.nodes[1].redis.stop()
        self.nodes[1].start_as_replica(self.nodes[0])
        login = f"requirepass {SENTINEL_PASSWORD}", f"sentinel sentinel-pass {SENTINEL_PASSWORD}"
        self.sentinels = [
            SentinelProcess(directory / f"s{n}", self.nodes[0].port, down_after_ms, *login) for n in range(3)
        ]

    @property
    def url(self) -> str:
        return f"redis+sentinel://{','.join(f'127.0.0.1:{each.port}' for each in self.sentinels)}/{SERVICE}"

    def wait_until_seen(self, *, quick: bool = True) -> None:
        """Until each Sentinel knows the others and the replica, and so can agree on another primary. `quick`: they look
        more often than they do in earnest.
        """
        for sentinel in self.sentinels:
            wait_until(lambda each=sentinel: _answers(each), what="a sentinel to answer")
            if quick:
                sentinel.ask("SENTINEL DEBUG", *_QUICK)
        wait_until(
            lambda: all(each.sees_all() for each in self.sentinels),
            what="the sentinels to see each other and the replica",
        )

    @property
    def env(self) -> dict[str, str]:
        """What leads a daemon here."""
        return {"REDIS_URL": self.url, "REDIS_SENTINEL_PASSWORD": SENTINEL_PASSWORD}

    def ready_again(self, primary: Node) -> bool:
        """Whether all Sentinels agree on the primary, and can promote the other one."""
        return all(each.names() == primary.port and each.sees_all() for each in self.sentinels)

    def primary(self) -> Node:
        """By the account of the last Sentinel."""
        port = self.sentinels[-1].names()
        return next(node for node in self.nodes if node.port == port)

    def other(self, node: Node) -> Node:
        return self.nodes[1 - self.nodes.index(node)]

    async def close(self) -> None:
        for sentinel in self.sentinels:
            sentinel.kill()
        for node in self.nodes:
            await node.close()


def _answers(sentinel: SentinelProcess) -> bool:
    try:
        return bool(sentinel.ask("PING"))
    except OSError:
        return False


def _end_with_us() -> None:
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)
