"""`clusterd replay FILE` against a small server."""

import asyncio
import gzip
import io
import json
import os
import sys
import time

import pytest
from aiohttp import web

from sploot_clusterd.cli import main
from sploot_clusterd.errors import ConfigError
from sploot_clusterd.replay import posting
from sploot_clusterd.replay.jobs import bodies
from tests.support.nodes import free_port

TOKEN = "a-token-of-some-length"


class Daemon:
    """Answers jobs with what `answer` gives: a status, and the rest of the response."""

    def __init__(self, answer=lambda _job, _times: (202, {"status": "accepted"}, {})):
        self.answer = answer
        self.posted = []
        self.tokens = set()
        self.open = self.most_open = 0

    async def post(self, request: web.Request) -> web.Response:
        self.open += 1
        self.most_open = max(self.open, self.most_open)
        self.tokens.add(request.headers.get("X-Internal-Token"))
        body = await request.read()
        self.posted.append(body)
        await asyncio.sleep(0)
        status, answer, headers = self.answer(body, self.posted.count(body))
        self.open -= 1
        return web.json_response(answer, status=status, headers=headers)


@pytest.fixture
async def serve(aiohttp_server, monkeypatch):
    monkeypatch.setenv("INTERNAL_TOKEN", TOKEN)

    async def start(daemon: Daemon) -> None:
        app = web.Application()
        app.router.add_post("/internal/cluster-jobs", daemon.post)
        monkeypatch.setenv("HTTP_PORT", str((await aiohttp_server(app)).port))

    return start


async def run(*arguments: str) -> int:
    """The command, in a thread, for it runs an event loop of its own."""
    return await asyncio.to_thread(main, ["replay", "--rate", "0", *arguments])


def write_jobs(tmp_path, count: int) -> str:
    file = tmp_path / "jobs.jsonl"
    file.write_text("".join(json.dumps({"pet_id": f"pet_{n}"}) + "\n" for n in range(count)))
    return str(file)


async def test_every_job_is_posted_once_with_the_token(serve, tmp_path, capsys):
    daemon = Daemon()
    await serve(daemon)
    assert await run(write_jobs(tmp_path, 40)) == 0
    assert sorted(daemon.posted) == sorted(json.dumps({"pet_id": f"pet_{n}"}).encode() for n in range(40))
    assert daemon.tokens == {TOKEN}
    out, err = capsys.readouterr()
    assert out.startswith("40 jobs in ")
    assert out.endswith("40 accepted, 0 not\n")
    assert err == ""


async def test_not_too_many_at_once(serve, tmp_path):
    daemon = Daemon()
    await serve(daemon)
    assert await run(write_jobs(tmp_path, 200)) == 0
    assert 1 < daemon.most_open <= 16
    daemon.most_open = 0
    assert await run("--concurrency", "2", write_jobs(tmp_path, 100)) == 0
    assert daemon.most_open <= 2


async def test_refused_jobs_are_counted_with_their_first_reasons(serve, tmp_path, capsys):
    def answer(job: bytes, _times: int):
        n = int(json.loads(job)["pet_id"].removeprefix("pet_"))
        return (202, {"status": "accepted"}, {}) if n < 5 else (422, {"detail": f"reason {n % 7}"}, {})

    await serve(Daemon(answer))
    assert await run(write_jobs(tmp_path, 20)) == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].endswith("5 accepted, 15 not")
    assert lines[1].startswith("  15 x 422: ")
    assert lines[1].count("reason") == 3


async def test_a_503_is_tried_again_when_it_says(serve, tmp_path, capsys):
    daemon = Daemon(lambda _, times: (503, {"detail": "full"}, {"Retry-After": "0"}) if times < 3 else (202, {}, {}))
    await serve(daemon)
    assert await run(write_jobs(tmp_path, 4)) == 0
    assert len(daemon.posted) == 12
    assert "4 accepted, 0 not" in capsys.readouterr().out


async def test_retry_after_is_waited_for(serve, tmp_path):
    await serve(Daemon(lambda _, times: (503, {}, {"Retry-After": "1"}) if times == 1 else (202, {}, {})))
    began = time.monotonic()
    assert await run(write_jobs(tmp_path, 1)) == 0
    assert time.monotonic() - began >= 1.0


async def test_it_does_not_try_for_ever(serve, tmp_path, capsys):
    daemon = Daemon(lambda *_: (503, {"detail": "the backlog is full"}, {"Retry-After": "0"}))
    await serve(daemon)
    assert await run(write_jobs(tmp_path, 2)) == 1
    assert len(daemon.posted) == 2 * posting._TRIES
    assert "  2 x 503: the backlog is full\n" in capsys.readouterr().out


@pytest.mark.parametrize("headers", [{}, {"Retry-After": "soon"}])
async def test_a_503_without_a_time_is_final(serve, tmp_path, headers):
    daemon = Daemon(lambda *_: (503, {"detail": "no"}, headers))
    await serve(daemon)
    assert await run(write_jobs(tmp_path, 1)) == 1
    assert len(daemon.posted) == 1


async def test_nobody_there(serve, tmp_path, monkeypatch, capsys):
    await serve(Daemon())
    monkeypatch.setenv("HTTP_PORT", str(free_port()))
    assert await run(write_jobs(tmp_path, 3)) == 1
    out = capsys.readouterr().out
    assert "0 accepted, 3 not" in out
    assert "  3 x no answer: Cannot connect" in out
    assert TOKEN not in out


async def test_url_says_where(serve, tmp_path, monkeypatch):
    daemon = Daemon()
    await serve(daemon)
    url = f"http://127.0.0.1:{os.environ['HTTP_PORT']}/"
    monkeypatch.setenv("HTTP_PORT", "1")
    assert await run("--url", url, write_jobs(tmp_path, 1)) == 0
    assert len(daemon.posted) == 1


async def test_the_rate_is_kept(serve, tmp_path):
    daemon = Daemon()
    await serve(daemon)
    began = time.monotonic()
    assert await run("--rate", "50", write_jobs(tmp_path, 11)) == 0
    assert time.monotonic() - began >= 10 / 50


async def test_progress_is_for_terminals(serve, tmp_path, monkeypatch, capsys):
    await serve(Daemon())
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    assert await run(write_jobs(tmp_path, 30)) == 0
    assert capsys.readouterr().err.endswith("\r30/30 posted, 30 accepted\n")


@pytest.mark.parametrize(
    ("name", "content", "posted"),
    [
        ("one.json", b'{\n "pet_id": "a"\n}\n', [b'{\n "pet_id": "a"\n}\n']),
        ("many.json", b'[{"pet_id": "a"},\n {"pet_id": "b"}]', [b'{"pet_id": "a"}', b'{"pet_id": "b"}']),
        ("lines.jsonl", b'{"pet_id":"a"}\r\n\n{"pet_id":"b"}', [b'{"pet_id":"a"}', b'{"pet_id":"b"}']),
        ("lines.json", b'{"pet_id":"a"}\n{"pet_id":"b"}\n', [b'{"pet_id":"a"}', b'{"pet_id":"b"}']),
        ("bad.jsonl", b'{"pet_id":"a"}\n{"pet_id":\n', [b'{"pet_id":"a"}', b'{"pet_id":']),
        ("bad.json", b'{"pet_id":\n"a",\n}\n', [b'{"pet_id":\n"a",\n}\n']),
        ("one.jsonl", b"[1]\n", [b"[1]"]),
        ("bytes.json", b"\xff\xfe\n", [b"\xff\xfe\n"]),
        ("deep.json", b"[" * 100_000, [b"[" * 100_000]),
    ],
)
def test_forms_of_a_file(tmp_path, name, content, posted):
    (tmp_path / name).write_bytes(content)
    assert bodies(tmp_path / name) == posted


def test_gzip_is_told_by_its_content(tmp_path, monkeypatch):
    lines = gzip.compress(b'{"pet_id":"a"}\n{"pet_id":\n')
    (tmp_path / "jobs.jsonl.gz").write_bytes(lines)
    assert bodies(tmp_path / "jobs.jsonl.gz") == [b'{"pet_id":"a"}', b'{"pet_id":']
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(lines)))
    assert bodies(None) == [b'{"pet_id":"a"}', b'{"pet_id":']
    (tmp_path / "cut.gz").write_bytes(lines[:-9])
    with pytest.raises(ConfigError, match="gzip that cannot be read"):
        bodies(tmp_path / "cut.gz")


def test_files_that_hold_no_job(tmp_path):
    (tmp_path / "empty.json").write_bytes(b" \n")
    (tmp_path / "none.json").write_bytes(b"[]")
    for name in ("empty.json", "none.json"):
        with pytest.raises(ConfigError, match="at least one job"):
            bodies(tmp_path / name)
    with pytest.raises(ConfigError, match="cannot be read"):
        bodies(tmp_path / "missing.json")


@pytest.mark.parametrize(
    "url", ["127.0.0.1:9007", "localhost", "ftp://h", "http://", "http://h:port", "http://a b", "http://h?a=b"]
)
async def test_a_url_that_is_none_is_refused_before_a_job_is_posted(serve, tmp_path, capsys, url):
    await serve(Daemon())
    assert await run("--url", url, write_jobs(tmp_path, 3)) == 2
    out, err = capsys.readouterr()
    assert (out, err.startswith(f"clusterd: --url {url}: expected a URL ")) == ("", True)


@pytest.mark.parametrize(
    ("variable", "told"), [("HTTP_PORT", "http.port = 0: the port is known"), ("HTTP_ENABLED", "http is not enabled")]
)
async def test_a_daemon_that_cannot_be_found_is_told_at_once(tmp_path, monkeypatch, capsys, variable, told):
    monkeypatch.setenv(variable, "0")
    assert await run(write_jobs(tmp_path, 1)) == 2
    out, err = capsys.readouterr()
    assert (out, err.startswith(f"clusterd: {told}"), "--url" in err) == ("", True, True)


async def test_a_dash_is_standard_input(serve, tmp_path, monkeypatch, capsys):
    daemon = Daemon()
    await serve(daemon)
    content = io.BytesIO(b'\xef\xbb\xbf{"pet_id": "a"}\n{"pet_id": "b"}\n')
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(content))
    assert await run("-") == 0
    assert sorted(daemon.posted) == [b'{"pet_id": "a"}', b'{"pet_id": "b"}']
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO()))
    assert await run("-") == 2
    assert capsys.readouterr().err == "clusterd: standard input: expected at least one job, found none\n"
