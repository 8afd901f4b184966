"""`clusterd dlq` as an operator meets it."""

import asyncio
import json
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest
from redis.asyncio import Redis

from sploot_clusterd.cli import main
from sploot_clusterd.dlq import command

STREAM, LETTERS = "streams:media.cluster", "streams:media.cluster.deadletter"
HOUR_MS = 3_600_000


class Operator:
    """Types commands, and reads what they print."""

    def __init__(self, redis: Redis, capsys: pytest.CaptureFixture[str]) -> None:
        self.redis = redis
        self._capsys = capsys

    async def types(self, *words: str) -> tuple[int, str, str]:
        """Exit code, output, errors. In a thread, for the command runs an event loop of its own."""
        code = await asyncio.to_thread(main, ["dlq", *words])
        return code, *self._capsys.readouterr()

    async def sets_aside(self, age_ms: int = 0, **fields: str) -> str:
        given = {"payload": "{}", "reason": "invalid", "error": "why", "attempts": "0", "first_id": "1-1"}
        given |= {"pet_id": "pet_1", "job_id": "job_1"} | fields
        key = f"{int(time.time() * 1000) - age_ms}-*" if age_ms else "*"
        return (await self.redis.xadd(LETTERS, given, key)).decode()

    async def left(self) -> tuple[int, int]:
        """How many letters and how many jobs there are."""
        return await self.redis.xlen(LETTERS), await self.redis.xlen(STREAM)

    async def listed(self, *words: str) -> list[str]:
        """The job ids that `list` names."""
        code, out, _ = await self.types("list", "--json", *words)
        assert code == 0
        return [json.loads(line)["job_id"] for line in out.splitlines()]


@pytest.fixture
def operator(
    redis: Redis, redis_url: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Operator:
    monkeypatch.setenv("REDIS_URL", redis_url)
    return Operator(redis, capsys)


async def test_list_is_a_table(operator: Operator):
    key = await operator.sets_aside(3 * HOUR_MS, reason="dimension", attempts="2", error="e" * 500)
    code, out, err = await operator.types("list")
    head, row = out.splitlines()
    assert (code, err) == (0, "")
    assert head.split() == ["age", "id", "reason", "pet", "job", "attempts", "error"]
    assert row.split()[:6] == ["3h", key, "dimension", "pet_1", "job_1", "2"]
    assert row.endswith("eee…")
    assert len(row) <= 160


async def test_list_for_machines_is_an_object_a_line(operator: Operator):
    key = await operator.sets_aside(payload="x" * 9, attempts="2", entry_id="1-2", failed_at="then")
    await operator.sets_aside(attempts="many")
    _, out, _ = await operator.types("list", "--json")
    first, second = map(json.loads, out.splitlines())
    assert first == {
        "id": key,
        "reason": "invalid",
        "error": "why",
        "attempts": 2,
        "first_id": "1-1",
        "pet_id": "pet_1",
        "job_id": "job_1",
        "entry_id": "1-2",
        "failed_at": "then",
        "payload_bytes": 9,
    }
    assert second["attempts"] == "many"


async def test_without_letters_it_says_so(operator: Operator):
    assert await operator.types("list") == (0, "", "no dead letter matches\n")
    assert await operator.types("replay", "--all") == (0, "0 replayed, 0 not\n", "")
    assert await operator.types("drop", "--all") == (0, "0 dropped\n", "")


async def test_filters(operator: Operator):
    now = datetime.now(UTC).timestamp()
    await operator.sets_aside(50 * HOUR_MS, job_id="a", reason="malformed", pet_id="")
    await operator.sets_aside(5 * HOUR_MS, job_id="b", reason="invalid", pet_id="pet_2")
    await operator.sets_aside(3 * HOUR_MS, job_id="c", reason="dimension", pet_id="pet_2")
    await operator.sets_aside(job_id="d", reason="invalid", pet_id="pet_3")
    four_hours_ago = datetime.fromtimestamp(now - 4 * 3600, UTC)
    assert await operator.listed() == list("abcd")
    assert await operator.listed("--reason", "invalid") == list("bd")
    assert await operator.listed("--reason", "invalid", "--reason", "malformed") == list("abd")
    assert await operator.listed("--pet", "pet_2") == list("bc")
    assert await operator.listed("--pet", "pet_2", "--pet", "pet_3", "--reason", "invalid") == list("bd")
    assert await operator.listed("--since", "4h") == list("cd")
    assert await operator.listed("--until", "2d") == list("a")
    assert await operator.listed("--since", "2d", "--until", "240m") == list("b")
    assert await operator.listed("--since", four_hours_ago.isoformat()) == list("cd")
    assert await operator.listed("--until", four_hours_ago.replace(tzinfo=None).isoformat()) == list("ab")
    assert await operator.listed("--limit", "3") == list("abc")
    assert await operator.listed("--limit", "1", "--reason", "dimension") == list("c")


async def test_a_mismatch_is_of_both_pets_that_it_names(operator: Operator):
    await operator.sets_aside(job_id="a", reason="mismatch", pet_id="pet_1", other_pet_id="pet_2")
    for pet, found in (("pet_1", ["a"]), ("pet_2", ["a"]), ("pet_3", [])):
        assert await operator.listed("--pet", pet) == found


async def test_a_limit_holds_over_pages(operator: Operator):
    for _ in range(250):
        await operator.sets_aside()
    assert len(await operator.listed("--limit", "201")) == 201


async def test_show_prints_one_whole(operator: Operator):
    key = await operator.sets_aside(payload='{\n"a": "é \x1b[31m"}' + "x" * 5000, error="e" * 500)
    code, out, _ = await operator.types("show", key)
    assert code == 0
    assert out.startswith("reason: invalid\nerror: " + "e" * 500 + "\nattempts: 0\n")
    assert out.endswith('payload (5018 bytes):\n{\n"a": "é \\x1b[31m"}' + "x" * 5000 + "\n")


async def test_nothing_in_a_letter_reaches_the_terminal_raw(operator: Operator):
    key = await operator.sets_aside(pet_id="a\x1b[2Jb\nc", error="\r\x07 \u202e", payload="\x9b")
    for words in (("list",), ("show", key), ("list", "--json")):
        _, out, _ = await operator.types(*words)
        assert not set(out) & set("\x1b\r\x07\u202e\x9b")
        assert "a\\x1b[2Jb\\nc" in out or "a\\u001b[2Jb\\nc" in out


async def test_what_is_not_there_is_exit_1(operator: Operator):
    assert await operator.types("show", "1-1") == (
        1,
        "",
        "clusterd: 1-1: there is no such dead letter; `clusterd dlq list` shows those there are\n",
    )
    said = {
        ("replay",): "0 replayed, 1 not",
        ("drop",): "0 dropped",
        ("drop", "--dry-run"): "dry run: 0 would be dropped",
    }
    for words, counted in said.items():
        code, out, _ = await operator.types(*words, "1-1")
        assert (code, out.splitlines()[0]) == (1, counted)
        assert out.splitlines()[1].startswith("  1 x gone: no such letter")


async def test_replay_puts_back_in_order_and_says_how_many(operator: Operator):
    for n in range(150):
        await operator.sets_aside(payload=str(n), reason=("invalid", "max_attempts")[n % 2])
    assert await operator.types("replay", "--reason", "max_attempts", "--rate", "0") == (0, "75 replayed, 0 not\n", "")
    assert await operator.left() == (75, 75)
    jobs = [fields[b"payload"] for _, fields in await operator.redis.xrange(STREAM)]
    assert jobs == [b"%d" % n for n in range(1, 150, 2)]


async def test_replay_and_drop_of_named_ones(operator: Operator):
    first, second, third = [await operator.sets_aside() for _ in range(3)]
    assert (await operator.types("replay", second, second))[1].startswith("1 replayed, 1 not\n  1 x gone")
    assert await operator.types("drop", first) == (0, "1 dropped\n", "")
    assert [key.decode() for key, _ in await operator.redis.xrange(LETTERS)] == [third]


async def test_replay_says_what_was_refused_and_why(operator: Operator):
    await operator.redis.hset("sploot.media.clusters:erased", "pet_9", "5-0")
    await operator.sets_aside(pet_id="pet_9", first_id="4-0")
    await operator.sets_aside(payload="")
    await operator.sets_aside()
    code, out, _ = await operator.types("replay", "--all", "--rate", "0")
    counted, *why = out.splitlines()
    assert (code, counted) == (1, "1 replayed, 2 not")
    assert [line.partition(":")[0] for line in why] == ["  1 x empty", "  1 x erased"]
    assert await operator.left() == (2, 1)


async def test_a_full_stream_ends_a_replay(operator: Operator, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("CLUSTER_STREAM_MAXLEN", "2")
    for _ in range(5):
        await operator.sets_aside()
    code, out, _ = await operator.types("replay", "--all", "--rate", "0")
    assert (code, out.splitlines()[0]) == (1, "2 replayed, 1 not")
    assert out.splitlines()[1].startswith("  1 x full")
    assert await operator.left() == (3, 2)


async def test_a_redis_that_refuses_is_told_as_one(operator: Operator):
    await operator.sets_aside()
    await operator.redis.config_set("maxmemory", 1)
    code, out, err = await operator.types("replay", "--all")
    assert (code, out, err.count("\n")) == (1, "0 replayed, 0 not\n", 1)
    assert err.startswith("clusterd: redis refuses writes: ")
    assert "redis.url" not in err
    assert await operator.left() == (1, 0)


@pytest.mark.parametrize(("action", "done"), [("replay", "replayed"), ("drop", "dropped")])
async def test_a_dry_run_counts_and_changes_nothing(operator: Operator, action: str, done: str):
    for reason in ("invalid", "dimension", "invalid"):
        key = await operator.sets_aside(reason=reason)
    before = await operator.redis.xrange(LETTERS)
    assert await operator.types(action, "--all", "--dry-run") == (
        0,
        f"dry run: 3 would be {done}\n  2 x invalid\n  1 x dimension\n",
        "",
    )
    assert (await operator.types(action, "--reason", "dimension", "--dry-run"))[1].startswith("dry run: 1 would")
    assert (await operator.types(action, key, "1-1", "--dry-run"))[0] == 1
    assert await operator.redis.xrange(LETTERS) == before
    assert await operator.left() == (3, 0)


async def test_a_dry_run_of_a_replay_does_not_count_a_letter_that_cannot_go_back(operator: Operator):
    await operator.sets_aside()
    await operator.sets_aside(payload="", reason="payload_lost")
    code, out, _ = await operator.types("replay", "--all", "--dry-run")
    said = out.splitlines()
    assert (code, said[:2]) == (1, ["dry run: 1 would be replayed", "  1 x invalid"])
    assert said[2].startswith("  1 x empty: the payload was lost")
    assert (await operator.types("drop", "--all", "--dry-run"))[:2] == (
        0,
        "dry run: 2 would be dropped\n  1 x invalid\n  1 x payload_lost\n",
    )


async def test_the_rate_is_kept(operator: Operator, monkeypatch: pytest.MonkeyPatch):
    pauses: list[float] = []

    async def sleep(seconds: float) -> None:
        pauses.append(seconds)

    monkeypatch.setattr(command.asyncio, "sleep", sleep)
    for _ in range(4):
        await operator.sets_aside()
    assert (await operator.types("replay", "--all", "--rate", "0.01"))[0] == 0
    assert [round(pause, -1) for pause in pauses] == [100.0, 200.0, 300.0]


async def test_progress_is_for_terminals(operator: Operator, monkeypatch: pytest.MonkeyPatch):
    await operator.sets_aside()
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    code, out, err = await operator.types("replay", "--all")
    assert (code, out, err) == (0, "1 replayed, 0 not\n", "\r1 replayed\n")


@pytest.mark.parametrize("words", [["list"], ["show", "1-1"], ["replay", "1-1"], ["drop", "--all"]])
def test_without_redis_it_says_what_to_do(words, tmp_path: Path, monkeypatch, capsys):
    monkeypatch.setenv("REDIS_PASSWORD", "hunter2")
    file = tmp_path / "c.toml"
    file.write_text('[redis]\nurl = "redis://user:hunter2@127.0.0.1:1/0"\n')
    assert main(["dlq", *words, "--config", str(file)]) == 1
    out, err = capsys.readouterr()
    assert err.startswith(
        f"clusterd: redis unavailable (redis.url is redis://user:********@127.0.0.1:1/0, from {file}): is Redis running"
    )
    assert "hunter2" not in out + err


async def test_a_reader_that_has_seen_enough_ends_it_quietly(operator: Operator, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[2]))
    for _ in range(600):
        await operator.sets_aside(error="e" * 300)
    line = f"{sys.executable} -m sploot_clusterd dlq list --json | head -n 1; exit ${{PIPESTATUS[0]}}"
    done = await asyncio.to_thread(subprocess.run, ["bash", "-c", line], check=False, capture_output=True, text=True)
    assert (done.returncode, done.stdout.count("\n"), done.stderr) == (1, 1, "")
