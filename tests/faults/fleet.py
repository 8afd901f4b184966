"""Real daemons as processes over one real redis-server, to be killed, stopped and watched."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

import aiohttp
import msgspec
from redis.asyncio import Redis

from sploot_clusterd.embedded import EmbeddedRedis
from sploot_clusterd.keys import Layout
from tests.support.waiting import eventually

TOKEN = "a-token-for-the-fault-suite"
RETRY_IDLE_MS = 600
ROOT = Path(__file__).parents[2]


class Daemon:
    """One clusterd process. Its ports are its own; its instance number keeps its consumers' names apart."""

    def __init__(
        self,
        directory: Path,
        redis_url: str,
        instance: int,
        code: Path,
        env: Mapping[str, str],
        *,
        module: str = "sploot_clusterd",
    ) -> None:
        self.instance = instance
        self._module = module
        self._log = directory / f"daemon-{instance}.log"
        self._code = code
        self._env = {
            **os.environ,
            "PYTHONPATH": os.pathsep.join(map(str, (code, ROOT))),
            "REDIS_URL": redis_url,
            "CLUSTERD_INSTANCE": str(instance),
            "HTTP_PORT": "0",
            "WORKER_METRICS_PORT": "0",
            "WORKER_METRICS_HOST": "127.0.0.1",
            "INTERNAL_TOKEN": TOKEN,
            "LOG_FORMAT": "json",
            "LOG_LEVEL": "INFO",
            "CLUSTER_RETRY_IDLE_MS": str(RETRY_IDLE_MS),
            "CLUSTER_READ_TIMEOUT_MS": "500",
            **env,
        }
        self._process: subprocess.Popen[bytes] | None = None
        self.ports: dict[str, int] = {}

    def launch(self) -> int:
        """Starts the process; where its log begins."""
        began = self._log.stat().st_size if self._log.exists() else 0
        with self._log.open("ab") as log:
            command = [sys.executable, "-P", "-m", self._module]
            self._process = subprocess.Popen(command, env=self._env, stderr=log, stdout=log, cwd=self._log.parent)
        return began

    async def start(self) -> None:
        """Starts the process and waits until it listens."""
        began = self.launch()

        def listening() -> bool:
            alive = self.alive()  # asked first: who has ended by then has logged all
            lines = [msgspec.json.decode(line) for line in _whole_lines(self._log.read_bytes()[began:])]
            if not any(line["message"] == "started" for line in lines):
                assert alive, f"the daemon ended at its start:\n{self._log.read_text()[-2000:]}"
                return False
            self.ports = {line["server"]: line["port"] for line in lines if line["message"] == "listening"}
            return True

        await eventually(listening, what="the daemon to listen", timeout=30)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.ports['http']}"

    @property
    def ops_url(self) -> str:
        return f"http://127.0.0.1:{self.ports['metrics']}"

    def alive(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def signal(self, number: signal.Signals) -> None:
        assert self._process is not None
        self._process.send_signal(number)

    def kill(self) -> None:
        """Kill -9, and no trace of the process left."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def stop(self, timeout: float = 40.0) -> int:
        """SIGTERM; the exit code."""
        assert self._process is not None
        self._process.terminate()
        return self._process.wait(timeout)

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    @property
    def exit_code(self) -> int | None:
        return self._process.poll() if self._process else None

    def output(self) -> str:
        """All that it has printed and logged."""
        return self._log.read_text()

    def forget_log(self) -> None:
        os.truncate(self._log, 0)

    def log(self) -> list[dict[str, object]]:
        return [msgspec.json.decode(line) for line in _whole_lines(self._log.read_bytes())]


class Fleet:
    """A redis-server and daemons over it. Leaves nothing running."""

    def __init__(
        self,
        directory: Path,
        daemons: int = 2,
        *,
        code: Path = ROOT,
        env: Mapping[str, str] | None = None,
        redis: Sequence[str] = (),
        partitions: int = 1,
    ) -> None:
        """`redis` are more arguments for the redis-server."""
        env = {**(env or {}), "CLUSTER_PARTITIONS": str(partitions)}
        self.layout = Layout(
            "sploot.media.clusters", "streams:media.cluster", "streams:media.cluster.deadletter", partitions
        )
        self.directory = directory
        self._code = code
        self.server = EmbeddedRedis(directory / "r", *redis)
        self.server.start()
        self.redis_url = f"unix://{self.server.socket}"
        self.redis = Redis.from_url(self.redis_url, protocol=2)
        self.daemons = [Daemon(directory, self.redis_url, n, code, env) for n in range(daemons)]
        self.http = aiohttp.ClientSession(headers={"X-Internal-Token": TOKEN})

    async def __aenter__(self) -> Self:
        try:
            await asyncio.gather(*(daemon.start() for daemon in self.daemons))
        except BaseException:
            await self.close()
            raise
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None):
        await self.close()

    def add_daemon(self, env: Mapping[str, str], module: str = "sploot_clusterd") -> Daemon:
        """One more, not started."""
        daemon = Daemon(self.directory, self.redis_url, len(self.daemons), self._code, env, module=module)
        self.daemons.append(daemon)
        return daemon

    async def close(self) -> None:
        for daemon in self.daemons:
            daemon.kill()
        await self.http.close()
        await self.redis.aclose()
        self.server.stop()

    def kill_redis(self) -> None:
        """Kill -9; `server.start()` brings it back on the same file."""
        assert self.server.pid is not None
        os.kill(self.server.pid, signal.SIGKILL)
        self.server.stop()

    async def readiness(self, daemon: Daemon) -> tuple[int, list[str]]:
        """Status and reasons of /readyz."""
        async with self.http.get(daemon.ops_url + "/readyz") as answer:
            return answer.status, (await answer.json())["reasons"]

    async def ready(self, timeout: float = 20.0) -> None:
        async def all_ready() -> bool:
            return all([(await self.readiness(daemon))[0] == 200 for daemon in self.daemons])

        await eventually(all_ready, what="every daemon to be ready", timeout=timeout)

    async def settled(self, timeout: float = 60.0) -> float:
        """Waits until the streams are empty; how long that took, in seconds."""
        began = time.monotonic()
        await eventually(self.is_empty, what="every job to be settled", timeout=timeout)
        return time.monotonic() - began

    async def is_empty(self) -> bool:
        """One stream after the other, in the order in which entries are moved on: none is overlooked on its way."""
        streams = dict.fromkeys(keys.stream for keys in (self.layout.plain, *self.layout.partitions))
        return not any([await self.redis.xlen(stream) for stream in streams])

    async def letters(self) -> list[dict[bytes, bytes]]:
        """Those of all partitions."""
        replies = [await self.redis.xrange(keys.dead_letters) for keys in self.layout.partitions]
        return [fields for letters in replies for _, fields in letters]


def _whole_lines(text: bytes) -> list[bytes]:
    return [line for line in text.split(b"\n")[:-1] if line.startswith(b"{")]
