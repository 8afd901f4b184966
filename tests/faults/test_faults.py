"""Small runs of the fault experiments; `python -m tests.faults --full` has the large ones."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults import experiments
from tests.faults.experiments import Size
from tests.faults.fleet import Fleet

pytestmark = pytest.mark.timeout(180)


@pytest.fixture
def directory() -> Iterator[Path]:
    """Short, for the embedded server's socket lies in it."""
    with tempfile.TemporaryDirectory(prefix="faults-") as path:
        yield Path(path)


@pytest.mark.parametrize(
    ("experiment", "size"),
    [
        (experiments.kill_storm, Size(jobs=1500, rate=400, harms=4)),
        (experiments.stopped_daemon, Size(jobs=1000, rate=300, harms=2)),
        (experiments.hot_pet, Size(jobs=600, rate=200, harms=2)),
        (experiments.restarts, Size(jobs=800, rate=300, harms=2)),
        (experiments.lost_replies, Size(jobs=800, rate=300, harms=50)),
        (experiments.full_memory, Size(jobs=800, rate=300, harms=1)),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
async def test_each_job_has_its_effect_once(directory: Path, experiment, size: Size):
    result = await experiment(directory, 1, size)
    assert result.clean, result
    assert result.once == size.jobs


async def test_redis_comes_back_and_so_does_the_daemon(directory: Path):
    result = await experiments.redis_killed(directory, 1, Size(jobs=900, rate=300, harms=2))
    assert result.survived
    assert result.red
    assert result.green_after < 2.0
    assert not result.verdict.never, result
    assert not result.verdict.twice, result
    assert not result.verdict.dead_letters, result


@pytest.mark.parametrize("concurrent", [32, 256])
async def test_many_callers_get_no_server_error(directory: Path, concurrent: int):
    async with Fleet(directory, daemons=1) as fleet:
        statuses = await experiments.callers(fleet, concurrent, 4000)
    assert set(statuses) <= {200, 202, 404}, statuses
    assert sum(statuses.values()) == 4000


# What the suite would show of a commit that is wrong: it has to be able to fail.
_OWNER = "if #ours - 1 < ids.to - ids.from + 1 then return ours end"
_SETTLE = "for i = ids.from, ids.to do settle(stream, attempts_key, group, ARGV[i]) end"
_ACKNOWLEDGES_FIRST = (_OWNER, f"{_OWNER}\n{_SETTLE}")
_NO_VERSION = ("if (redis.call('HGET', album, 'token') or '') ~= ARGV[4] then return {'conflict'} end", "")


@pytest.mark.parametrize(
    ("sound", "broken"), [_ACKNOWLEDGES_FIRST, _NO_VERSION], ids=["acknowledges-first", "no-version-check"]
)
async def test_the_checker_catches_a_broken_commit(directory: Path, sound: str, broken: str):
    code = directory / "broken"
    package = Path(experiments.__file__).parents[2] / "sploot_clusterd"
    shutil.copytree(package, code / "sploot_clusterd", ignore=shutil.ignore_patterns("__pycache__"))
    script = code / "sploot_clusterd" / "store" / "lua" / "commit.lua"
    text = script.read_text()
    assert sound in text
    script.write_text(text.replace(sound, broken))
    result = await experiments.kill_storm(directory, 1, Size(jobs=1500, rate=600, harms=2), code)
    assert result.never + result.twice > 0, "two daemons on these pets must meet in conflicts"
