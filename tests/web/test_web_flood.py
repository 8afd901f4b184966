"""Many at once, and floods of nonsense."""

import asyncio

import aiohttp
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sploot_clusterd.web.throttle import Throttle
from tests.web.service import JOB, JOBS, TOKEN, Service, raw, read_reply


@pytest.mark.parametrize("callers", [32, 256])
async def test_concurrent_callers_get_no_5xx(service: Service, callers):
    statuses: list[int] = []

    async def call(session: aiohttp.ClientSession) -> None:
        for _ in range(5):
            async with session.get("/internal/pets/pet_123/clusters") as answer:
                statuses.append(answer.status)
            async with session.post(JOBS, data=JOB) as answer:
                statuses.append(answer.status)

    headers = {"X-Internal-Token": TOKEN, "Content-Type": "application/json"}
    connector = aiohttp.TCPConnector(limit=callers)
    async with aiohttp.ClientSession(service.url, headers=headers, connector=connector) as session:
        await asyncio.gather(*(call(session) for _ in range(callers)))

    assert statuses.count(200) == statuses.count(202) == callers * 5
    assert len(service.store.jobs) == callers * 5


async def test_a_flood_of_malformed_requests_is_one_line(service: Service, caplog):
    async def shout() -> None:
        for n in range(100):
            assert (await service.send(b"nonsense %d\r\n\r\n" % n)).status == 400

    await asyncio.gather(*(shout() for _ in range(20)))

    assert service.counted("http_bad_requests_total") == 2000
    assert len(caplog.records) <= 4  # one line in ten seconds


async def test_a_flood_of_bad_tokens_is_silent(service: Service, caplog):
    reader, writer = await service.connect()
    for _ in range(500):
        writer.write(raw("POST", JOBS, b"x", X_Internal_Token="wrong"))
        assert (await read_reply(reader)).status == 401

    assert caplog.records == []


def test_a_throttle_counts_what_it_holds_back():
    now = 0.0
    throttle = Throttle(every=10.0, clock=lambda: now)

    assert [throttle.passes() for _ in range(4)] == [0, None, None, None]
    now = 9.9
    assert throttle.passes() is None
    now = 10.0
    assert [throttle.passes() for _ in range(2)] == [4, None]


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
keys = st.sampled_from(
    ["pet_id", "job_id", "reason", "force", "payload", "metadata", "images", "image_ids", "coverage"]
)
odd_jobs = st.dictionaries(keys, values, max_size=6).map(
    lambda job: repr(job).replace("'", '"').encode(errors="replace")
)
torn_jobs = st.tuples(st.integers(0, len(JOB)), st.binary(max_size=4)).map(
    lambda cut: JOB[: cut[0]] + cut[1] + JOB[cut[0] :]
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(body=st.binary(max_size=2048) | odd_jobs | torn_jobs)
async def test_any_body_gets_an_answer_that_fits(serve, body):
    service = await serve(max_body_bytes=1024)

    answer = await service.send(raw("POST", JOBS, body))

    assert answer.status in {202, 400, 413, 422}
    assert (answer.status == 413) == (len(body) > 1024)
    assert len(service.store.jobs) == (answer.status == 202)
    await service.server.stop()


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.binary(max_size=300) | st.binary(max_size=64).map(lambda part: raw("GET", "/healthz")[:30] + part))
async def test_any_bytes_end_in_an_answer_or_a_closed_connection(serve, data):
    service = await serve(keepalive_s=0.05)
    reader, writer = await service.connect()

    writer.write(data + b"\r\n\r\n")
    got = await asyncio.wait_for(reader.read(), 10)

    assert got == b"" or got.startswith(b"HTTP/1.")
    assert b" 500 " not in got.partition(b"\r\n")[0]
    writer.close()
    await service.server.stop()
