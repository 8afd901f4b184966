"""The read path and the submit path beside a bare handler that answers the same bytes."""

import asyncio
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import aiohttp
import msgspec

from tests.bench.client import marked
from tests.bench.figure import Figure, Size
from tests.conftest import eventually
from tests.faults.fleet import TOKEN, Fleet

_ROOT = Path(__file__).parents[2]
_ENV = {"CLUSTER_STREAM_MAXLEN": "1000000"}
_VIEW = "/internal/pets/pet_1/clusters"
_JOBS = "/internal/cluster-jobs"
_LISTED = '{"image_ids":["img-{number}"],"labels":["Portraits"],"coverage":{"portrait":0.6}}'


def reads(size: Size) -> list[Figure]:
    return asyncio.run(_reads(size))


def submits(size: Size) -> list[Figure]:
    return asyncio.run(_submits(size, consumers=0)) + asyncio.run(_submits(size, consumers=2))


async def _reads(size: Size) -> list[Figure]:
    with tempfile.TemporaryDirectory(prefix="bench-") as path:
        async with Fleet(Path(path), daemons=1, env=_ENV) as fleet:
            await fleet.ready()
            body, etag = await _seeded(fleet)
            port = fleet.daemons[0].ports["http"]
            get = _compare("GET a view", size, port, _request("GET", _VIEW), (200, body))
            known = _request("GET", _VIEW, f"If-None-Match: {etag}\r\n")
            return [*get, *_compare("GET, 304", size, port, known, (304, b""))]


async def _seeded(fleet: Fleet) -> tuple[bytes, str]:
    """A view of twenty images, with its ETag."""
    url = fleet.daemons[0].url
    images = [f"img_{number}" for number in range(20)]
    job = {"pet_id": "pet_1", "job_id": "first", "payload": {"image_ids": images, "labels": ["a", "b"]}}
    async with fleet.http.post(url + _JOBS, json=job) as answer:
        assert answer.status == 202, await answer.text()
    found: list[tuple[bytes, str]] = []

    async def there() -> bool:
        async with fleet.http.get(url + _VIEW) as answer:
            if answer.status == 200:
                found.append((await answer.read(), answer.headers["ETag"]))
        return bool(found)

    await eventually(there, what="the view")
    return found[0]


async def _submits(size: Size, consumers: int) -> list[Figure]:
    name = "POST while consuming" if consumers else "POST without consumers"
    text = marked(f'{{"pet_id":"pet_{{number}}","job_id":"job_{{number}}","payload":{_LISTED}}}')
    headers = f"Content-Type: application/json\r\nContent-Length: {len(text)}\r\n"
    request = _request("POST", _JOBS, headers, text)
    env = {**_ENV, "CLUSTER_CONSUMERS": str(consumers)}
    with tempfile.TemporaryDirectory(prefix="bench-") as path:
        async with Fleet(Path(path), daemons=1, env=env) as fleet:
            return _compare(name, size, fleet.daemons[0].ports["http"], request, (202, b'{"status":"accepted"}'))


def _request(method: str, path: str, headers: str = "", body: str = "") -> bytes:
    head = f"{method} {path} HTTP/1.1\r\nHost: localhost\r\nX-Internal-Token: {TOKEN}\r\n{headers}\r\n"
    return (head + body).encode()


def _compare(name: str, size: Size, port: int, request: bytes, answer: tuple[int, bytes]) -> list[Figure]:
    """Our rate and the bare handler's, in turns; and our 99th percentile."""
    ours, bare, late = [], [], []
    status, body = answer
    with bare_handler(status, body) as other:
        for _ in range(size.repeats):
            loaded = _load(port, size, request, status)
            ours.append(loaded["rate"])
            late.append(loaded["p99_ms"])
            bare.append(_load(other, size, request, status)["rate"])
    return [Figure(name, "requests/s", ours, bare), Figure(f"{name}, p99", "ms", late)]


def _load(port: int, size: Size, request: bytes, status: int) -> dict:
    command = [sys.executable, "-m", "tests.bench.client", str(port), str(size.connections), str(size.seconds)]
    ran = subprocess.run(command, input=request, stdout=subprocess.PIPE, cwd=_ROOT, check=True)
    answer = msgspec.json.decode(ran.stdout)
    assert answer["statuses"].keys() == {str(status)}, answer
    return answer


@contextmanager
def bare_handler(status: int, body: bytes) -> Iterator[int]:
    """The port of a bare handler's process, which ends with the block."""
    command = [sys.executable, "-m", "tests.bench.bare", str(status)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=_ROOT) as process:
        try:
            process.stdin.write(body)
            process.stdin.close()
            yield int(process.stdout.readline())
        finally:
            process.kill()


async def metrics(fleet: Fleet) -> str:
    async with aiohttp.ClientSession() as session, session.get(fleet.daemons[0].ops_url + "/metrics") as answer:
        return await answer.text()
