"""`clusterd backfill` as an operator meets it."""

import asyncio
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from redis.asyncio import Redis

from sploot_clusterd import backfill
from sploot_clusterd.cli import main
from tests.support.waiting import eventually

WANTS, BACKFILLS = "sploot.media.clusters:wants", "sploot.media.clusters:backfills"
SERVICE = "http://storage:8000"


class Operator:
    """Types commands, and reads what they print."""

    def __init__(self, redis: Redis, capsys: pytest.CaptureFixture[str]) -> None:
        self.redis = redis
        self._capsys = capsys

    async def types(self, *words: str) -> tuple[int, str, str]:
        """Exit code, output, errors. In a thread, for the command runs an event loop of its own."""
        code = await asyncio.to_thread(main, ["backfill", *words])
        return code, *self._capsys.readouterr()

    async def wanted(self) -> set[str]:
        """The pets whose list is wanted."""
        pets = [pet.decode() for pet in await self.redis.zrange(WANTS, 0, -1)]
        lists = [await self.redis.zscore(f"sploot.media.clusters:wanted:{pet}", "*") for pet in pets]
        return {pet for pet, wanted in zip(pets, lists, strict=True) if wanted is not None}


@pytest.fixture
def operator(
    redis: Redis, redis_url: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Operator:
    monkeypatch.setenv("REDIS_URL", redis_url)
    monkeypatch.setenv("STORAGE_SERVICE_URL", SERVICE)
    return Operator(redis, capsys)


@pytest.fixture
def pets(tmp_path: Path) -> Path:
    file = tmp_path / "pets.txt"
    file.write_text("".join(f"pet_{number}\n" for number in range(50)))
    return file


ALL = {f"pet_{number}" for number in range(50)}


async def test_the_lists_of_a_files_pets_are_wanted(operator, pets):
    code, out, err = await operator.types(str(pets))
    assert (code, err) == (0, "")
    assert out.startswith("50 pets asked for\nthe daemon fetches them: media_cluster_insights_pets_waiting")
    assert await operator.wanted() == ALL
    assert not await operator.redis.exists(BACKFILLS)


async def test_blank_lines_repeats_and_a_mark_do_not_count(operator, tmp_path):
    (tmp_path / "pets.txt").write_bytes(b"\xef\xbb\xbfpet_1\r\n\n  pet_2  \npet_1\n")
    code, out, _ = await operator.types("pets.txt")
    assert (code, out.splitlines()[0]) == (0, "2 pets asked for")
    assert await operator.wanted() == {"pet_1", "pet_2"}


async def test_pets_may_come_by_standard_input(operator, pets, monkeypatch):
    with pets.open() as opened:
        monkeypatch.setattr("sys.stdin", opened)
        code, _, _ = await operator.types("-")
    assert code == 0
    assert await operator.wanted() == ALL


async def test_what_is_wanted_already_is_told(operator, pets):
    await operator.types(str(pets))
    _, out, _ = await operator.types(str(pets))
    assert out.startswith("50 pets asked for, 50 of them already\n")


async def test_all_known_pets(operator, redis):
    for pet in ("pet_1", "pet:2", "3"):
        await redis.hset(f"sploot.media.clusters:album:{pet}", "token", "x")
    await redis.hset("sploot.media.clusters.more:album:pet_9", "token", "x")
    await redis.set("sploot.media.clusters:state:pet_8", "x")
    code, out, _ = await operator.types("--known")
    assert (code, out.splitlines()[0]) == (0, "3 pets asked for")
    assert await operator.wanted() == {"pet_1", "pet:2", "3"}


async def test_a_namespace_with_what_patterns_use(operator, redis, monkeypatch):
    monkeypatch.setenv("NAMESPACE", "a[b]*c?")
    await redis.hset("a[b]*c?:album:pet_1", "token", "x")
    await redis.hset("abXc1:album:pet_2", "token", "x")
    _, out, _ = await operator.types("--known", "--dry-run")
    assert out == "would ask for 1 pets\n"


async def test_a_dry_run_asks_for_nothing(operator, pets):
    assert await operator.types(str(pets), "--dry-run") == (0, "would ask for 50 pets\n", "")
    assert await operator.wanted() == set()


@pytest.mark.parametrize("known", [False, True])
async def test_an_interrupted_one_goes_on(operator, pets, redis, monkeypatch, known):
    for pet in ALL if known else ():
        await redis.hset(f"sploot.media.clusters:album:{pet}", "token", "x")
    words = ["--known"] if known else [str(pets)]
    with monkeypatch.context() as patched:
        reach, times = backfill.Store.open, []

        def interrupted(settings, metrics):
            store = reach(settings, metrics)
            want = store.wants.want_lists

            async def want_lists(pet_ids):
                times.append(pet_ids)
                if len(times) == 3:
                    raise KeyboardInterrupt
                return await want(pet_ids)

            store.wants.want_lists = want_lists
            return store

        patched.setattr(backfill.Store, "open", interrupted)
        code, out, err = await operator.types(*words)
    assert code == 1
    assert out == "40 pets asked for\ninterrupted, 10 pets are left: the same command goes on from there\n"
    assert err == "clusterd: interrupted\n"
    told = "; 40 of 50 were by an earlier run (--restart: all of them again)"
    assert (await operator.types(*words, "--dry-run"))[1] == f"would ask for 10 pets{told}\n"
    assert (await operator.types(*words, "--dry-run", "--restart"))[1] == "would ask for 50 pets\n"
    _, out, _ = await operator.types(*words)
    assert out.startswith(f"10 pets asked for{told}\n")
    assert await operator.wanted() == ALL
    assert not await redis.exists(BACKFILLS)


async def test_a_signal_ends_it_in_order(operator, pets, redis_url):
    command = [sys.executable, "-m", "sploot_clusterd", "backfill", "--rate", "20", str(pets)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        await eventually(operator.wanted, what="the first pets to be asked for")
        process.send_signal(signal.SIGINT)
        out, err = await asyncio.to_thread(process.communicate, timeout=20)
    finally:
        process.kill()
    assert "the same command goes on from there" in out
    assert err == "clusterd: interrupted\n"
    assert process.returncode == 1


async def test_it_leaves_room_for_jobs(operator, pets, redis, monkeypatch):
    monkeypatch.setattr(backfill, "_MOST_WAITING", 20)
    monkeypatch.setattr(backfill, "_STUCK_SECONDS", 0.1)
    said, say = list[str](), backfill.stdio.say
    monkeypatch.setattr(backfill.stdio, "say", lambda text: (said.append(text), say(text)))
    running = asyncio.create_task(operator.types(str(pets), "--rate", "0"))

    async def taken_up() -> bool:
        """As by a daemon that is started when it is missed; never more than a call's pets too many are there."""
        assert await redis.zcard(WANTS) < 40
        if said:
            await redis.delete(WANTS)
        return running.done()

    await eventually(taken_up, what="all pets to be asked for")
    code, out, err = await running
    assert (code, out.splitlines()[0]) == (0, "50 pets asked for")
    assert "none is taken up: is a daemon running, with insights.url set?" in err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "one of the arguments FILE --known is required"),
        (["pets.txt", "--known"], "not allowed with argument"),
        (["pets.txt", "--rate", "-1"], "expected a number of 0 or more"),
    ],
)
async def test_wrong_usage(capsys, words, said):
    with pytest.raises(SystemExit) as ended:
        main(["backfill", *words])
    assert ended.value.code == 2
    assert said in capsys.readouterr().err


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "expected pet ids, one a line, found none"),
        ("pet_1\npet 2\n", "line 2: expected a pet's id, 1 to 128 of the characters A-Z a-z 0-9 . _ : -, got 'pet 2'"),
        ('{"pet_id": "x"}', "line 1: expected a pet's id"),
        ("..", "line 1: expected a pet's id"),
        ("x" * 129, "line 1: expected a pet's id"),
    ],
)
async def test_a_file_that_is_no_list_of_pets(operator, tmp_path, content, said):
    (tmp_path / "pets.txt").write_text(content)
    code, out, err = await operator.types("pets.txt")
    assert (code, out) == (2, "")
    assert said in err
    assert await operator.wanted() == set()


async def test_a_file_that_is_not_there(operator):
    code, _, err = await operator.types("missing.txt")
    assert (code, err) == (2, "clusterd: missing.txt: cannot be read: No such file or directory\n")


async def test_without_a_url_it_warns(operator, pets, monkeypatch):
    monkeypatch.delenv("STORAGE_SERVICE_URL")
    code, _, err = await operator.types(str(pets))
    assert code == 0
    assert "insights.url is not set here" in err


async def test_without_redis_it_says_where_it_asked(operator, pets, monkeypatch, tmp_path):
    monkeypatch.setenv("REDIS_URL", f"unix://{tmp_path}/none")
    code, _, err = await operator.types(str(pets))
    assert code == 1
    assert "is Redis running there" in err
