"""What the process costs when it starts, when it idles, and when it is asked how it is."""

import asyncio
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from urllib.parse import urlsplit

import psutil

from tests.bench.figure import Figure, Size
from tests.faults.fleet import Fleet

_ROOT = Path(__file__).parents[2]
_CHECKS = 10
USUAL = {"CLUSTER_READ_TIMEOUT_MS": "5000", "CLUSTER_RETRY_IDLE_MS": "60000"}
"""The daemon's defaults: a fleet's shorter ones would wake it more often."""


def process(size: Size) -> list[Figure]:
    return asyncio.run(_process(size))


async def _process(size: Size) -> list[Figure]:
    starts = []
    with tempfile.TemporaryDirectory(prefix="bench-") as path:
        compiled = {"PYTHONDONTWRITEBYTECODE": "", "PYTHONPYCACHEPREFIX": f"{path}/compiled"}
        fleet = Fleet(Path(path), daemons=1, env={**USUAL, **compiled})
        daemon = fleet.daemons[0]
        try:
            await daemon.start()  # compiles, as an installation does once
            await fleet.ready()
            for _ in range(size.repeats):
                daemon.stop()
                began = time.perf_counter()
                await daemon.start()
                await fleet.ready()
                starts.append(time.perf_counter() - began)
            watched = psutil.Process(daemon.pid)
            before = cpu_seconds(daemon.pid)
            await asyncio.sleep(size.idle_seconds)
            cpu = 100 * (cpu_seconds(daemon.pid) - before) / size.idle_seconds
            memory = watched.memory_info().rss / 2**20
            ours, bare = _checks(urlsplit(daemon.ops_url).port, size, compiled)
        finally:
            await fleet.close()
    return [
        Figure("start until ready", "s", starts),
        Figure("idle CPU", "% of a core", [cpu]),
        Figure("idle memory", "MiB", [memory]),
        Figure("clusterd --check", "ms", ours, bare),
    ]


def cpu_seconds(pid: int) -> float:
    """What a process has taken, and those beneath it. As the scheduler counts it, in nanoseconds: the clock's ticks are
    too coarse for a process that hardly runs.
    """
    pids = [pid, *(child.pid for child in psutil.Process(pid).children(recursive=True))]
    threads = (thread for each in pids for thread in Path(f"/proc/{each}/task").glob("*/schedstat"))
    return sum(int(thread.read_text().split()[0]) for thread in threads) / 1e9


def _checks(port: int, size: Size, compiled: dict[str, str]) -> tuple[list[float], list[float]]:
    """Milliseconds of `clusterd --check`, and of a bare interpreter that imports http.client."""
    env = {**os.environ, **compiled, "WORKER_METRICS_PORT": str(port), "PYTHONPATH": str(_ROOT)}
    check = [sys.executable, "-P", "-m", "sploot_clusterd", "--check"]
    bare = [sys.executable, "-P", "-c", "import http.client"]
    pairs = [(_median_ms(check, env), _median_ms(bare, env)) for _ in range(size.repeats)]
    return [ours for ours, _ in pairs], [other for _, other in pairs]


def _median_ms(command: list[str], env: dict[str, str]) -> float:
    times = []
    for _ in range(_CHECKS):
        began = time.perf_counter()
        subprocess.run(command, env=env, stdout=subprocess.DEVNULL, check=True)
        times.append(time.perf_counter() - began)
    return 1000 * sorted(times)[_CHECKS // 2]
