"""All that is wrong with jobs, through both doors of a real daemon: an answer or a dead letter for each, no harm."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from itertools import cycle, islice
from pathlib import Path

import aiohttp
import psutil
import pytest

from tests.faults.fleet import TOKEN, Daemon, Fleet
from tests.support.api import Api
from tests.support.waiting import eventually
from tests.web.raw_corpus import BADLY_FRAMED, MALFORMED, OVERSIZED, POST
from tests.wire.corpus import CORPUS
from tests.wire.entries import ENTRIES

STREAM, LETTERS = "streams:media.cluster", "streams:media.cluster.deadletter"
JOBS = "/internal/cluster-jobs"
CALLER = {"X-Internal-Token": TOKEN, "Content-Type": "application/json"}
STATUS = {"malformed": 400, "invalid": 422}
RAW = [
    *MALFORMED.values(),
    *OVERSIZED.values(),
    *(POST + b"Transfer-Encoding: chunked\r\n\r\n" + body for body in BADLY_FRAMED.values()),
]


@pytest.fixture
async def fleet(directory: Path) -> AsyncIterator[Fleet]:
    async with Fleet(directory, daemons=1) as fleet:
        await fleet.ready()
        yield fleet


@pytest.fixture
def daemon(fleet: Fleet) -> Daemon:
    return fleet.daemons[0]


async def shout(daemon: Daemon, data: bytes) -> int:
    """Sends bytes as they are; the answer's status."""
    reader, writer = await asyncio.open_connection("127.0.0.1", daemon.ports["http"])
    writer.write(data)
    status = (await asyncio.wait_for(reader.readline(), 10)).split(b" ")[1]
    writer.close()
    return int(status)


def no_harm(daemon: Daemon) -> None:
    assert daemon.alive()
    assert [line for line in daemon.log() if line["level"] in {"ERROR", "CRITICAL"}] == []


def test_each_corpus_is_large():
    assert min(len(CORPUS) + len(RAW), len(ENTRIES)) >= 150


async def test_every_bad_request_is_answered_and_none_is_a_job(fleet: Fleet, daemon: Daemon):
    for bad in CORPUS:
        async with fleet.http.post(daemon.url + JOBS, headers=CALLER, data=bad.body) as answer:
            assert answer.status == STATUS[bad.reason], bad.name
            assert bad.names in (await answer.json())["detail"], bad.name
    assert {await shout(daemon, data) for data in RAW} <= {400, 401, 431}
    assert await fleet.redis.xlen(STREAM) == await fleet.redis.xlen(LETTERS) == 0
    no_harm(daemon)


async def test_every_broken_entry_is_one_dead_letter_with_its_reason_and_stops_no_other(
    fleet: Fleet, daemon: Daemon, api: Api
):
    sent = {}
    for n, bad in enumerate(ENTRIES):
        sent[await fleet.redis.xadd(STREAM, dict(bad.fields))] = bad
        for image in (f"a{n}", f"b{n}"):  # two good ones for each bad one, or the brake would put them off
            await fleet.redis.xadd(STREAM, {"pet_id": "pet", "image_ids": f'["{image}"]'})
    await fleet.settled()
    letters = [fields for _, fields in await fleet.redis.xrange(LETTERS)]
    assert Counter(letter[b"entry_id"] for letter in letters) == Counter(sent.keys())
    for letter in letters:
        bad = sent[letter[b"entry_id"]]
        assert letter[b"reason"].decode() in bad.reasons, bad.name
        assert letter[b"error"], bad.name
    view = await api.view("pet")
    assert view is not None
    assert view["metrics"]["num_images"] == 2 * len(ENTRIES)
    no_harm(daemon)


async def flood(daemon: Daemon, requests: int) -> Counter[int]:
    """Bad requests of every kind, from twelve clients; how often each status was answered."""
    statuses: Counter[int] = Counter()
    posts = [(JOBS, CALLER, bad.body) for bad in CORPUS]
    nowhere = (JOBS, "/internal/pets/a b", "/nowhere", "/healthz", "/internal/" + "x" * 999)
    posts += [(path, {}, b"x") for path in nowhere]
    posts += [(JOBS, {**CALLER, "Content-Encoding": "gzip"}, b"x"), (JOBS, {"X-Internal-Token": TOKEN}, b"x")]

    async def post(share: int, start: int) -> None:
        async with aiohttp.ClientSession(daemon.url) as http:
            for path, headers, body in islice(cycle(posts), start, start + share):
                async with http.post(path, headers=headers, data=body) as answer:
                    statuses[answer.status] += 1

    async def rave(share: int, start: int) -> None:
        for data in islice(cycle(RAW), start, start + share):
            statuses[await shout(daemon, data)] += 1

    each = requests // 12
    await asyncio.gather(*(post(each, n * 31) for n in range(8)), *(rave(each, n * 7) for n in range(4)))
    return statuses


def resident(daemon: Daemon) -> float:
    return psutil.Process(daemon.pid).memory_info().rss / 2**20


@pytest.mark.faults
@pytest.mark.timeout(240)
async def test_ten_thousand_bad_requests_are_few_lines_and_no_memory(fleet: Fleet, daemon: Daemon, api: Api):
    await flood(daemon, 10_000)  # what the first ones leave is the size of buffers and pools
    before, lines = resident(daemon), len(daemon.output().splitlines())
    statuses = await flood(daemon, 10_000)
    assert statuses.total() >= 9_900
    assert statuses.keys() <= {400, 401, 404, 405, 415, 422, 431}
    assert len(daemon.output().splitlines()) - lines < 100

    async def connections_are_gone() -> bool:
        async with fleet.http.get(daemon.ops_url + "/metrics") as answer:
            return "media_cluster_http_connections 1.0" in await answer.text()  # this one

    await eventually(connections_are_gone, what="the clients' connections to be gone")
    assert resident(daemon) - before < 3, f"{before:.1f} MB before, {resident(daemon):.1f} MB after"
    await api.submit({"pet_id": "p", "payload": {"image_ids": ["i"]}})
    await api.seen("p")
    no_harm(daemon)
