"""Daemons whose output nobody takes, or that were given none: they work, and end as they are told."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
import termios
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import aiohttp
import msgspec
import psutil
import pytest

from sploot_clusterd.embedded import EmbeddedRedis
from tests.faults.fleet import TOKEN
from tests.support.nodes import free_port
from tests.support.waiting import eventually


class Process:
    """A daemon on ports that are known before it listens, for its log may be out of reach."""

    def __init__(self, redis_url: str) -> None:
        self.ports = [free_port(), free_port()]
        self.url, self.ops_url = (f"http://127.0.0.1:{port}" for port in self.ports)
        self.env = {
            **os.environ,
            "REDIS_URL": redis_url,
            "HTTP_PORT": str(self.ports[0]),
            "WORKER_METRICS_PORT": str(self.ports[1]),
            "WORKER_METRICS_HOST": "127.0.0.1",
            "INTERNAL_TOKEN": TOKEN,
            "LOG_FORMAT": "json",
        }
        self.process: subprocess.Popen[bytes] | None = None

    @contextmanager
    def running(self, *arguments: str, redirected: str = "", **streams: object) -> Iterator[subprocess.Popen[bytes]]:
        command = ["sh", "-c", f'exec "$0" -P -m sploot_clusterd "$@" {redirected}', sys.executable, *arguments]
        with subprocess.Popen(command, env=self.env, **streams) as self.process:
            try:
                yield self.process
            finally:
                self.process.kill()

    async def ready(self) -> None:
        await eventually(self._is_ready, what="the daemon to be ready", timeout=30)

    async def _is_ready(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None
        try:
            return (await self.ask("GET", f"{self.ops_url}/readyz"))[0] == 200
        except aiohttp.ClientError:
            return False

    async def ask(self, method: str, url: str, **more: object) -> tuple[int, str]:
        async with (
            aiohttp.ClientSession(headers={"X-Internal-Token": TOKEN}, timeout=aiohttp.ClientTimeout(20)) as client,
            client.request(method, url, **more) as answer,
        ):
            return answer.status, await answer.text()

    async def submit(self, jobs: int) -> None:
        """Each of them makes a line."""
        for first in range(0, jobs, 500):
            job = {"reason": "insights_ready", "payload": {"image_ids": ["i"], "labels": ["Portraits"]}}
            batch = [{**job, "pet_id": f"p{n % 20}", "job_id": f"j{n}"} for n in range(first, first + 500)]
            url = f"{self.url}/internal/cluster-jobs/batch"
            body = b"\n".join(msgspec.json.encode(each) for each in batch)
            headers = {"Content-Type": "application/x-ndjson"}
            assert (await self.ask("POST", url, data=body, headers=headers))[0] == 200

    async def applied(self, jobs: int) -> None:
        async def counted() -> bool:
            return await self.figure('jobs_processed_total{result="success"}') >= jobs

        await eventually(counted, what="every job to be applied", timeout=60)

    async def figure(self, name: str) -> float:
        _, text = await self.ask("GET", f"{self.ops_url}/metrics")
        found = [line.split()[-1] for line in text.splitlines() if line.startswith(f"media_cluster_{name} ")]
        return float(found[0]) if found else 0.0


@pytest.fixture
def daemon(directory: Path) -> Iterator[Process]:
    with EmbeddedRedis(directory / "r") as server:
        yield Process(f"unix://{server.socket}")


async def ended(process: subprocess.Popen[bytes], timeout: float = 20.0) -> int:
    await eventually(lambda: process.poll() is not None, what="the daemon to end", timeout=timeout)
    return process.returncode


@contextmanager
def stalled_pipe() -> Iterator[tuple[int, int]]:
    reading, writing = os.pipe()
    yield reading, writing
    os.close(reading)


@contextmanager
def stalled_terminal() -> Iterator[tuple[int, int]]:
    """As after Ctrl+S."""
    reading, writing = os.openpty()
    termios.tcflow(writing, termios.TCOOFF)
    yield reading, writing
    os.close(reading)


@contextmanager
def stalled_socket() -> Iterator[tuple[int, int]]:
    """As journald's, which cannot be opened again to make it non-blocking."""
    reading, writing = socket.socketpair()
    with reading:
        yield reading.fileno(), writing.detach()


@pytest.mark.parametrize("stalled", [stalled_pipe, stalled_terminal, stalled_socket])
async def test_a_reader_who_stalls_holds_up_nothing_and_is_told_what_he_missed(daemon: Process, stalled):
    with stalled() as (reading, writing), daemon.running(stdout=writing, stderr=writing) as process:
        os.close(writing)
        await daemon.ready()
        await daemon.submit(4500)
        await daemon.applied(4500)
        assert (await daemon.ask("GET", f"{daemon.url}/internal/pets/p1/clusters"))[0] == 200
        assert await daemon.figure("log_lines_dropped_total") > 0
        if stalled is not stalled_terminal:
            dropped = await asyncio.wait_for(asyncio.to_thread(dropped_of, 4500, reading), 30)
            assert await daemon.figure("log_lines_dropped_total") == dropped
        process.terminate()
        assert await ended(process) == 0


def dropped_of(jobs: int, reading: int) -> int:
    """How many lines were dropped, as the lines tell, which are read until all these jobs are accounted for."""
    text, dropped, told = b"", 0, 0
    while told < jobs:
        text += os.read(reading, 2**20)
        messages = [msgspec.json.decode(line)["message"] for line in text.split(b"\n")[:-1]]
        dropped = sum(int(each.split()[0]) for each in messages if each.endswith(" lines were dropped"))
        told = messages.count("job done") + dropped
    return dropped


async def test_a_second_signal_ends_a_daemon_at_once_whose_reader_has_stalled(daemon: Process):
    with stalled_pipe() as (_, writing), daemon.running(stdout=writing, stderr=writing) as process:
        os.close(writing)
        await daemon.ready()
        await daemon.submit(2000)
        await daemon.applied(2000)
        with socket.create_connection(("127.0.0.1", daemon.ports[0])) as unfinished:
            unfinished.sendall(
                b"POST /internal/cluster-jobs HTTP/1.1\r\nHost: h\r\nContent-Type: application/json\r\n"
                b"X-Internal-Token: %s\r\nContent-Length: 9\r\n\r\n{" % TOKEN.encode()
            )
            await eventually(lambda: holds(daemon, 1), what="the request under way")
            process.terminate()

            async def stops() -> bool:
                return "draining" in (await daemon.ask("GET", f"{daemon.ops_url}/readyz"))[1]

            await eventually(stops, what="the stop")
            await asyncio.sleep(0.15)  # what comes sooner counts as the same signal
            process.terminate()
            assert await ended(process) == 128 + signal.SIGTERM


async def holds(daemon: Process, connections: int) -> bool:
    return await daemon.figure("http_connections") >= connections


async def test_the_last_lines_reach_a_reader_who_is_there(daemon: Process):
    with daemon.running(stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as process:
        await daemon.ready()
        await daemon.submit(1000)
        await daemon.applied(1000)
        process.terminate()
        _, err = await asyncio.to_thread(process.communicate, timeout=20)
        messages = [msgspec.json.decode(line)["message"] for line in err.splitlines()]
        assert process.returncode == 0
        assert messages.count("job done") == 1000
        others = [message for message in messages if message != "job done"]
        assert others[-3:] == ["stopping", "change", "stopped"], "submits are counted until the door is closed"


@pytest.mark.parametrize("output", ["full disk", "reader has gone", "terminal has gone"])
async def test_what_cannot_be_written_is_counted_and_harms_nothing(daemon: Process, output: str):
    reading, writing = os.openpty() if output == "terminal has gone" else os.pipe()
    if output == "full disk":
        writing = os.open("/dev/full", os.O_WRONLY)
    with daemon.running(stdout=writing, stderr=writing) as process:
        os.close(writing)
        os.close(reading)
        await daemon.ready()
        await daemon.submit(500)
        await daemon.applied(500)
        await eventually(lambda: lost(daemon, 500), what="the lines to be counted")
        process.terminate()
        assert await ended(process) == 0


async def lost(daemon: Process, lines: int) -> bool:
    return await daemon.figure("log_lines_dropped_total") >= lines


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
@pytest.mark.parametrize("embedded", [False, True])
async def test_descriptors_that_are_closed_are_as_good_as_dev_null(
    directory: Path, daemon: Process, closed: str, embedded: bool
):
    arguments = ["--embedded", str(directory / "e")] if embedded else []
    with daemon.running(*arguments, redirected=closed, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        await daemon.ready()
        await daemon.submit(500)
        await daemon.applied(500)
        wanted = 2 * embedded  # Redis, and what writes history
        await eventually(lambda: len(psutil.Process(process.pid).children()) == wanted, what="children", timeout=30)
        children = psutil.Process(process.pid).children()
        process.terminate()
        out, err = await asyncio.to_thread(process.communicate, timeout=30)
        assert process.returncode == 0, err
        assert (b"is ready" in out) is (embedded and ">&-" not in closed.split())
        assert (b'"stopped"' in err) is ("2>&-" not in closed)
        assert not any(child.is_running() for child in children)
