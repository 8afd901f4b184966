"""Loading a server from a process of its own, and the bare handler that servers are compared with."""

import math
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from statistics import mean
from typing import NamedTuple

import aiohttp
import msgspec
from msgspec import Struct

from tests.bench.client import marked
from tests.bench.figure import Size
from tests.bench.process import cpu_seconds
from tests.faults.fleet import TOKEN, Fleet

ENV = {"CLUSTER_STREAM_MAXLEN": "1000000"}
JOBS = "/internal/cluster-jobs"
ACCEPTED = (202, b'{"status":"accepted"}')
_ROOT = Path(__file__).parents[2]
_LISTED = '{"image_ids":["img-{number}"],"labels":["Portraits"],"coverage":{"portrait":0.6}}'


class Load(NamedTuple):
    """What a server did under load: requests a second, how many were answered within so many microseconds, and the CPU
    time that a request took of its process and those beneath it: other work on the machine changes that less than the
    rate.
    """

    rate: float
    micros: Mapping[int, int]
    cpu_us: float

    @property
    def p99_ms(self) -> float:
        left = 0.01 * sum(self.micros.values())
        for micros in sorted(self.micros, reverse=True):
            left -= self.micros[micros]
            if left <= 0:
                return micros / 1000
        return math.nan


class _Answer(Struct):
    """What the client prints."""

    seconds: float
    statuses: dict[str, int]
    micros: dict[int, int]


def pooled(loads: Sequence[Load]) -> Load:
    """Several of one server, of which each lasted as long."""
    micros = Counter[int]()
    for each in loads:
        micros.update(each.micros)
    return Load(mean(each.rate for each in loads), micros, mean(each.cpu_us for each in loads))


def asked(method: str, path: str, headers: str = "", body: str = "") -> bytes:
    """A request's bytes."""
    if body:
        headers += f"Content-Length: {len(body)}\r\n"
    head = f"{method} {path} HTTP/1.1\r\nHost: localhost\r\nX-Internal-Token: {TOKEN}\r\n{headers}\r\n"
    return (head + body).encode()


def a_job(more: str = "") -> str:
    """A job of a pet of its own; `more` sets apart those that are sent together."""
    text = f'{{"pet_id":"pet_{{number}}{more}","job_id":"job_{{number}}{more}","payload":{_LISTED}}}'
    return marked(text)


def a_submit() -> bytes:
    return asked("POST", JOBS, "Content-Type: application/json\r\n", a_job())


def load(server: tuple[int, int], size: Size, request: bytes, status: int, *, rate: int = 0, lead: float = 0.0) -> Load:
    """Loads the server of this process id and port. All answers have to have the status. `rate` is requests a second,
    0: as many as are answered. What is sent in the first `lead` seconds is in the CPU time alone.
    """
    pid, port = server
    before = cpu_seconds(pid)
    told = map(str, (port, size.connections, lead, size.seconds, rate))
    command = [sys.executable, "-m", "tests.bench.client", *told]
    ran = subprocess.run(command, input=request, stdout=subprocess.PIPE, cwd=_ROOT, check=True)
    spent = cpu_seconds(pid) - before
    answer = msgspec.json.decode(ran.stdout, type=_Answer)
    assert answer.statuses.keys() == {str(status)}, answer.statuses
    return Load(sum(answer.micros.values()) / answer.seconds, answer.micros, 1e6 * spent / answer.statuses[str(status)])


def serving(fleet: Fleet) -> tuple[int, int]:
    """Process id and port of the first daemon."""
    return fleet.daemons[0].pid, fleet.daemons[0].ports["http"]


@contextmanager
def bare_handler(status: int, body: bytes) -> Iterator[tuple[int, int]]:
    """Process id and port of a bare handler, which ends with the block."""
    command = [sys.executable, "-m", "tests.bench.bare", str(status)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=_ROOT) as process:
        try:
            process.stdin.write(body)
            process.stdin.close()
            yield process.pid, int(process.stdout.readline())
        finally:
            process.kill()


async def metrics(fleet: Fleet) -> str:
    async with aiohttp.ClientSession() as session, session.get(fleet.daemons[0].ops_url + "/metrics") as answer:
        return await answer.text()
