"""Small runs of the fault experiments; `python -m tests.faults --full` has the large ones."""

import asyncio
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import aiohttp
import pytest

from tests.faults import kills, order
from tests.faults.broken import broken
from tests.faults.checker import Verdict
from tests.faults.fleet import Fleet
from tests.faults.harm import Outcome, Size
from tests.faults.plans import PLANS
from tests.faults.table import Row, refreshed

pytestmark = pytest.mark.timeout(180)
_ROOM = 5.0
"""How many times as long as in the large runs something may take: other tests run beside these."""
_MARKS = {"faketime": pytest.mark.system, "cluster": pytest.mark.cluster}


@pytest.fixture
def directory() -> Iterator[Path]:
    """Short, for the embedded server's socket lies in it."""
    with tempfile.TemporaryDirectory(prefix="faults-") as path:
        yield Path(path)


def small_runs() -> Iterator[object]:
    for plan in PLANS:
        if plan.small is None:
            continue
        marks = [pytest.mark.skipif(bool(plan.missing()), reason=plan.missing() or "nothing is missing")]
        if plan.needs in _MARKS:
            marks.append(_MARKS[plan.needs])
        elif not plan.by_default:
            marks.append(pytest.mark.faults)
        yield pytest.param(plan.run, plan.small, id=plan.name, marks=marks)


@pytest.mark.parametrize(("experiment", "size"), [*small_runs()])
async def test_the_rule_holds_under(directory: Path, experiment, size: Size):
    outcome: Outcome = await experiment(directory, 1, size)
    assert not outcome.breaches, outcome
    assert not outcome.too_slow(_ROOM), outcome
    assert outcome.verdict.once + outcome.verdict.never > 0 or outcome.figures


@pytest.mark.parametrize("concurrent", [pytest.param(32, marks=pytest.mark.faults), 256])
async def test_many_callers_get_no_server_error(directory: Path, concurrent: int):
    async with Fleet(directory, daemons=1) as fleet:
        statuses = await answers_to_callers(fleet, concurrent, 4000)
    assert set(statuses) <= {200, 202, 404}, statuses
    assert sum(statuses.values()) == 4000


async def answers_to_callers(fleet: Fleet, concurrent: int, requests: int) -> Counter[int]:
    """`requests` GETs and POSTs by that many callers at once; how often each status came."""
    statuses: Counter[int] = Counter()
    left = iter(range(requests))
    url = fleet.daemons[0].url

    async def caller(session: aiohttp.ClientSession) -> None:
        for n in left:
            body = {"pet_id": f"pet-{n % 50}", "payload": {"image_ids": [f"img-{n}"]}}
            request = (
                session.post(f"{url}/internal/cluster-jobs", json=body)
                if n % 2
                else session.get(f"{url}/internal/pets/pet-{n % 50}/clusters")
            )
            async with request as answer:
                await answer.read()
                statuses[answer.status] += 1

    connector = aiohttp.TCPConnector(limit=concurrent)
    async with aiohttp.ClientSession(headers=fleet.http.headers, connector=connector) as session:
        await asyncio.gather(*(caller(session) for _ in range(concurrent)))
    return statuses


# What the suite would show of code that is wrong: it has to be able to fail.
_OWNER = "  return ours\nend"
_SETTLE = "for i = entries.from, entries.to do settle(stream, attempts, group, ARGV[i]) end"
_ACKNOWLEDGES_FIRST = ("store/lua/commit.lua", _OWNER, f"{_OWNER}\n{_SETTLE}")
_NO_VERSION = (
    "store/lua/commit.lua",
    "if (redis.call('HGET', album, 'token') or '') ~= token then return {'conflict'} end",
    "",
)
_WAITS_FOR_NOBODY = (
    "ingest/order.py",
    "return {key: consumer for key, consumer in older.items() if key not in ours}",
    "return {}",
)


@pytest.mark.faults
@pytest.mark.parametrize(
    "breaks",
    [[each, _WAITS_FOR_NOBODY] for each in (_ACKNOWLEDGES_FIRST, _NO_VERSION)],
    ids=["acknowledges-first", "no-version-check"],
)
async def test_the_checker_catches_a_broken_commit(directory: Path, breaks):
    code = broken(directory, breaks)
    outcome = await kills.kill_storm(directory, 1, Size(jobs=1500, rate=600, harms=2), code)
    counts = outcome.verdict
    assert counts.never + counts.twice > 0, "two daemons on these pets must meet in conflicts"
    assert outcome.breaches


@pytest.mark.faults
async def test_jobs_are_seen_to_be_applied_after_later_ones_if_nobody_waits(directory: Path):
    code = broken(directory, [_WAITS_FOR_NOBODY])
    outcome = await order.inversions(directory, 1, Size(jobs=1500, rate=600, harms=1), code)
    assert outcome.figures["applied after a later one"] > 0


def test_what_is_too_slow_fails_a_large_run_and_has_room_in_a_small_one():
    outcome, row = Outcome(Verdict(), 0, []), Row("a")
    outcome.recovers(3.0, within=2.0)
    row.add(outcome, 1.0)
    assert (row.passed, outcome.too_slow(), outcome.too_slow(_ROOM)) == (False, ["until all works again: 3.00 s"], [])


def test_the_table_takes_the_rows_of_what_was_run_and_keeps_the_others():
    old = "head\n---\n| b | old |\n| a (failed) | old |\n"
    page = f"before\n<!-- table faults -->\n{old}<!-- end of table faults -->\nend\n"
    lines = refreshed(page, Row("a", runs=3, once=5), order=["a", "b"]).splitlines()
    assert lines[:4] == ["before", "<!-- table faults -->", *Row.HEAD]
    assert lines[4:6] == ["| a | 3 | 0 | 5 | 5 | 0 | 0 | 0 | - | 0 |", "| b | old |"]
    assert lines[6:] == ["<!-- end of table faults -->", "end"]
