"""Commands as processes whose standard streams are stalled, full, closed, gone or too narrow for a letter."""

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import numpy as np
import pytest
from aiohttp import web
from redis.asyncio import Redis

from tests.support.waiting import eventually

ROOT = Path(__file__).parents[2]
LETTERS = "streams:media.cluster.deadletter"
PROFILES = "sploot.media.clusters:profiles"
PET = "питомец"
EVERY = ["config", "dlq list", "profile list", "eval a.npz"]
"""Commands that print something and succeed, where `prepared` was."""
INTERRUPTED = "clusterd: interrupted\n"

TELLING = """
from pathlib import Path
from sploot_clusterd.engine.mixture import Mixture

class Telling(Mixture):
    def attach(self, *given):
        Path(__file__).with_name("begun").touch()
        return super().attach(*given)
"""


@pytest.fixture
async def prepared(redis: Redis, redis_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A dead letter, a model version, albums, jobs; and commands that find them in the working directory."""
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setenv("REDIS_URL", redis_url)
    monkeypatch.setenv("INTERNAL_TOKEN", "a-token-of-some-length")
    monkeypatch.delenv("PYTHONUNBUFFERED", raising=False)
    letter = {"payload": "{}", "reason": "invalid", "error": PET, "attempts": "0", "first_id": "1-1", "pet_id": PET}
    await redis.xadd(LETTERS, letter, "1-1")
    await redis.hset(PROFILES, "m", "0")
    members = np.arange(200)
    images = {"embedding": np.random.default_rng(0).normal(size=(200, 8)).astype("f4"), "label": members % 3}
    np.savez(tmp_path / "a.npz", **images, album_offset=np.arange(0, 201, 20), album_member=members)
    (tmp_path / "jobs.jsonl").write_text('{"pet_id": "p"}\n' * 40)


def command(words: str) -> list[str]:
    return [sys.executable, "-P", "-m", "sploot_clusterd", *words.split()]


async def ran(words: str, redirected: str = "", **env: str) -> tuple[int, str, str]:
    """Exit code, output, errors of a command, with this behind it in a shell."""
    shell = ["bash", "-c", f'"$@" {redirected}', "bash", *command(words)]
    done = await asyncio.to_thread(
        subprocess.run, shell, capture_output=True, check=False, env={**os.environ, **env}, timeout=60
    )
    return done.returncode, done.stdout.decode(), done.stderr.decode()


@pytest.mark.usefixtures("prepared")
@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.parametrize("words", [*EVERY, "--help"])
async def test_a_full_disk_is_one_line_and_exit_1(words: str, unbuffered: str):
    told = "clusterd: standard output: No space left on device\n"
    assert await ran(words, ">/dev/full", PYTHONUNBUFFERED=unbuffered) == (1, "", told)
    assert (await ran(words, ">/dev/full 2>/dev/full", PYTHONUNBUFFERED=unbuffered))[0] == 1


@pytest.mark.usefixtures("prepared")
async def test_errors_that_nobody_can_read_do_not_change_the_exit_code():
    for words, code in (("config --config none", 2), ("dlq show 9-9", 1), ("--nonsense", 2), ("dlq list", 0)):
        for redirected in ("2>/dev/full", "2>&-"):
            assert (await ran(words, redirected))[0] == code, words


@pytest.mark.usefixtures("prepared")
@pytest.mark.parametrize(
    ("words", "closed"),
    [("dlq list", closed) for closed in ("<&-", ">&-", "2>&-")]
    + [(words, "<&- >&- 2>&-") for words in (*EVERY, "replay -", "config x")],
)
async def test_what_is_closed_is_as_good_as_dev_null(words: str, closed: str):
    assert await ran(words, closed) == await ran(words, closed.replace("&-", "/dev/null"))


@pytest.mark.usefixtures("prepared")
@pytest.mark.parametrize("words", EVERY)
async def test_a_reader_who_has_gone_ends_it_quietly(words: str):
    reading, writing = os.pipe()
    os.close(reading)
    with subprocess.Popen(command(words), stdout=writing, stderr=subprocess.PIPE) as process:
        os.close(writing)
        _, err = await asyncio.to_thread(process.communicate, timeout=60)
    assert (process.returncode, err) == (1, b"")


@pytest.mark.usefixtures("prepared")
@pytest.mark.parametrize("env", [{"PYTHONIOENCODING": "ascii"}, {"PYTHONIOENCODING": "latin-1:strict"}])
async def test_letters_that_the_output_lacks_are_escaped(env: dict[str, str]):
    escaped = PET.encode("ascii", "backslashreplace").decode()
    code, out, err = await ran("dlq show 1-1", **env)
    assert (code, f"pet_id: {escaped}\n" in out, err) == (0, True, "")
    code, out, err = await ran("dlq list", **env)
    assert (code, escaped in out, err) == (0, True, "")
    code, out, err = await ran(f"profile show {PET}", LC_ALL="C", PYTHONUTF8="0", PYTHONCOERCECLOCALE="0", **env)
    assert (code, out, "Traceback" in err) == (1, "", False)
    code, out, err = await ran(f"config --config {PET}", **env)
    assert (code, out, err) == (2, "", f"clusterd: {escaped}: cannot be read: No such file or directory\n")


@pytest.mark.usefixtures("prepared")
@pytest.mark.parametrize(
    "words", [*EVERY[:-1], "eval a.npz --report r --json j", "replay j", "--embedded", "--embedded d"]
)
async def test_a_working_directory_that_is_gone_and_no_home(words: str, tmp_path: Path):
    (tmp_path / "gone").mkdir()
    gone = f'cd {tmp_path}/gone && rmdir {tmp_path}/gone && unset HOME && exec "$@"'
    done = await asyncio.to_thread(
        subprocess.run, ["bash", "-c", gone, "bash", *command(words)], capture_output=True, check=False, timeout=60
    )
    finds_nothing = any(word in words for word in ("eval", "replay", "--embedded"))
    assert done.returncode == (2 if finds_nothing else 0), done.stderr
    assert len(done.stderr.splitlines()) == finds_nothing
    assert not finds_nothing or done.stderr.startswith(b"clusterd: ")


@pytest.fixture
def full_pipe() -> Iterator[int]:
    """A pipe that takes nothing more, and that nobody reads."""
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    while True:
        try:
            os.write(writing, b"x" * 4096)
        except BlockingIOError:
            break
    os.set_blocking(writing, True)
    yield writing
    os.close(reading)
    os.close(writing)


@pytest.mark.usefixtures("prepared")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize(
    "words", [*EVERY, "--nonsense", "--check --url http://127.0.0.1:1", "replay - --url http://127.0.0.1:1"]
)
async def test_a_signal_ends_what_waits_for_a_reader(words: str, number: signal.Signals, full_pipe: int):
    with subprocess.Popen(command(words), stdin=subprocess.PIPE, stdout=full_pipe, stderr=full_pipe) as process:
        process.stdin.write(b"[1, 2]")
        process.stdin.close()
        waits = Path(f"/proc/{process.pid}/syscall")
        await eventually(lambda: waits.read_text().startswith(("1 0x1 ", "1 0x2 ")), what="the write", timeout=30)
        process.send_signal(number)
        assert await asyncio.to_thread(process.wait, 10) in {1, -number}


class Slow:
    """A daemon that answers some jobs, and then no more."""

    def __init__(self, answers: int) -> None:
        self.answers = answers
        self.came = 0

    async def post(self, _: web.Request) -> web.Response:
        self.came += 1
        if self.came > self.answers:
            await asyncio.sleep(60)
        return web.json_response({"status": "accepted"}, status=202)


@pytest.mark.usefixtures("prepared")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_a_replay_that_is_interrupted_says_how_far_it_came(number: signal.Signals, aiohttp_server):
    daemon, app = Slow(7), web.Application()
    app.router.add_post("/internal/cluster-jobs", daemon.post)
    server = await aiohttp_server(app)
    words = f"replay jobs.jsonl --rate 0 --url http://127.0.0.1:{server.port}"
    async with started(words) as process:
        await eventually(lambda: daemon.came == 7 + 16, what="as many jobs as it posts at a time", timeout=30)
        code, out, err = await interrupted(process, number)
    assert (code, err) == (1, INTERRUPTED)
    first, second = out.splitlines()
    assert first.startswith("interrupted: 7 of 40 jobs in ")
    assert first.endswith("7 accepted, 0 not")
    assert second == "  16 without an answer, 17 not posted"


@pytest.mark.usefixtures("prepared")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_so_do_letters_that_are_put_back(number: signal.Signals, redis: Redis):
    for n in range(20):
        await redis.xadd(LETTERS, {"payload": "{}", "reason": "invalid", "error": "e", "pet_id": "p"}, f"2-{n}")
    async with started("dlq replay --all --rate 2") as process:
        await eventually(lambda: length(redis, LETTERS, below=20), what="two letters to be put back", timeout=30)
        code, out, err = await interrupted(process, number)
    assert (code, out.endswith(" replayed, 0 not\n"), err) == (1, True, INTERRUPTED)
    assert int(out.split()[0]) == 21 - await redis.xlen(LETTERS)


@pytest.fixture
def begun(prepared: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What is there as soon as an evaluation by the installed algorithm `telling` has asked it for something."""
    (tmp_path / "telling.py").write_text(TELLING)
    package = tmp_path / "telling-1.dist-info"
    package.mkdir()
    (package / "METADATA").write_text("Metadata-Version: 2.1\nName: telling\nVersion: 1\n")
    (package / "entry_points.txt").write_text("[sploot_clusterd.engines]\ntelling = telling:Telling\n")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(map(str, (ROOT, tmp_path))))
    return tmp_path / "begun"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_so_does_an_evaluation(number: signal.Signals, begun: Path):
    async with started("eval a.npz --algorithm telling --shuffle 100000 --json j") as process:
        await eventually(begun.exists, what="the evaluation to have begun")
        code, out, err = await interrupted(process, number)
    assert (code, out, err.endswith(f" of 200 images\n{INTERRUPTED}")) == (1, "", True)


@contextlib.asynccontextmanager
async def started(words: str) -> AsyncIterator[asyncio.subprocess.Process]:
    process = await asyncio.create_subprocess_exec(*command(words), stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def interrupted(process: asyncio.subprocess.Process, number: signal.Signals) -> tuple[int | None, str, str]:
    process.send_signal(number)
    out, err = await asyncio.wait_for(process.communicate(), 20)
    return process.returncode, out.decode(), err.decode()


async def length(redis: Redis, key: str, *, below: int) -> bool:
    return await redis.xlen(key) < below
