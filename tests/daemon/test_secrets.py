"""Secrets in no log, no answer and no error: every way to fail that we know of, with marked secrets, and a search."""

import asyncio
import logging
import signal
import ssl
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

import aiohttp
import pytest
import trustme
from redis.asyncio import Redis

from sploot_clusterd.cli import main
from sploot_clusterd.embedded import EmbeddedRedis
from tests.docs.pages import ROOT
from tests.faults.fleet import Daemon
from tests.support.waiting import eventually

MARK = "s3cr3t"
NAMES = ("token", "scraper", "password", "url", "storage", "reader", "gallery")
TOKEN, SCRAPER, PASSWORD, IN_URL, IN_STORAGE, READER, GALLERY = (f"{MARK}-{name}-0123456789" for name in NAMES)
SECRETS = {
    "INTERNAL_TOKEN": TOKEN,
    "WORKER_METRICS_TOKEN": SCRAPER,
    "READER_TOKEN": READER,
    "CLUSTERD_HTTP_ACCESS": f'[{{"name": "gallery", "scopes": ["erase"], "token": "{GALLERY}"}}]',
    "LOG_LEVEL": "DEBUG",
    "PYTHONASYNCIODEBUG": "1",
}


@pytest.fixture
async def guarded(redis: Redis, redis_server: EmbeddedRedis) -> AsyncIterator[str]:
    """A user whose password is one of the secrets; the socket of its server."""
    await redis.execute_command("ACL", "SETUSER", "marked", "on", f">{PASSWORD}", "~*", "&*", "+@all")
    yield str(redis_server.socket)
    await redis.execute_command("ACL", "DELUSER", "marked")


async def harass(daemon: Daemon) -> str:
    """Requests of every fate, right and wrong tokens among them; all that was answered."""
    heard = []
    asked = [
        (base, method, path, {"X-Internal-Token": token, "Authorization": f"Bearer {token}"})
        for base in (daemon.url, daemon.ops_url)
        for method, path in (
            ("GET", "/metrics"),
            ("GET", "/readyz"),
            ("GET", "/openapi.json"),
            ("GET", "/internal/health/redis"),
            ("GET", "/internal/pets/p/clusters"),
            ("DELETE", "/internal/pets/p"),
            ("POST", "/internal/cluster-jobs"),
            ("PUT", "/internal/cluster-jobs"),
        )
        for token in (TOKEN, SCRAPER, READER, GALLERY, f"{TOKEN}x", TOKEN[:-1])
    ]
    async with aiohttp.ClientSession() as http:
        for base, method, path, headers in asked:
            async with http.request(method, base + path, headers=headers, data=b"{") as answer:
                heard.append(f"{answer.status} {dict(answer.headers)} {await answer.text()}")
    reader, writer = await asyncio.open_connection("127.0.0.1", daemon.ports["http"])
    writer.write(b"GET / HTTP/1.1\r\nX-Internal-Token: " + TOKEN.encode() + b"\r\nHost: a\r\nHost: b\r\n\r\n")
    heard.append((await reader.read()).decode())
    writer.close()
    return "\n".join(heard)


async def live(directory: Path, env: Mapping[str, str], url: str, sign: str) -> str:
    """A daemon's life on that Redis until its readiness says `sign`: all that it answered, logged and printed."""
    daemon = Daemon(directory, url, 0, ROOT, {**SECRETS, **env})
    try:
        await daemon.start()

        async def told() -> bool:
            async with aiohttp.ClientSession() as http, http.get(daemon.ops_url + "/readyz") as answer:
                return sign in await answer.text()

        await eventually(told, what=f"readiness to say {sign!r}")
        answered = await harass(daemon)
        daemon.signal(signal.SIGHUP)
        await eventually(lambda: "reloaded" in daemon.output(), what="the reload")
        assert await asyncio.to_thread(daemon.stop) == 0
        return answered + daemon.output()
    finally:
        daemon.kill()


async def test_with_the_right_password(guarded: str, tmp_path: Path):
    env = {"REDIS_USERNAME": "marked", "REDIS_PASSWORD": PASSWORD}
    told = await live(tmp_path, env, f"unix://{guarded}", '"ready"')
    assert '"level": "DEBUG"' in told
    assert MARK not in told


async def test_with_the_wrong_password(guarded: str, tmp_path: Path):
    told = await live(tmp_path, {}, f"unix://marked:{IN_URL}@{guarded}", "refuses our username or password")
    assert MARK not in told


async def test_with_a_password_in_the_query(guarded: str, tmp_path: Path):
    url = f"unix://{guarded}?username=marked&password={IN_URL}"
    assert MARK not in await live(tmp_path, {}, url, "refuses our username or password")


async def test_where_nobody_listens(tmp_path: Path):
    url = f"redis://marked:{IN_URL}@127.0.0.1:1/0"
    assert MARK not in await live(tmp_path, {}, url, "redis unavailable")


async def test_where_the_certificate_is_not_trusted(tmp_path: Path):
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    trustme.CA().issue_cert("localhost").configure_cert(context)
    async with await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0, ssl=context) as server:
        url = f"rediss://marked:{IN_URL}@localhost:{server.sockets[0].getsockname()[1]}"
        assert MARK not in await live(tmp_path, {}, url, "is not trusted")


async def test_where_the_server_repeats_what_it_does_not_know(tmp_path: Path):
    """As Redis does of unknown commands, with their arguments: AUTH can be renamed, and a proxy may not have it."""

    async def parrot(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(4096):
            words = data.split(b"\r\n")[2::2]
            writer.write(
                b"-ERR unknown command '%s', with args beginning with: %s\r\n" % (words[0], b" ".join(words[1:]))
            )
        writer.close()

    async with await asyncio.start_server(parrot, "127.0.0.1", 0) as server:
        url = f"redis://marked:{IN_URL}@127.0.0.1:{server.sockets[0].getsockname()[1]}"
        assert MARK not in await live(tmp_path, {}, url, "refuses our username or password")


async def test_where_the_storage_service_repeats_its_token(guarded: str, redis: Redis, tmp_path: Path):
    async def parrot(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        status = b"403 Forbidden" if b"/insights/" in head else b"302 Found\r\nLocation: http://127.0.0.1:1/"
        writer.write(
            b"HTTP/1.1 %s\r\nX-Heard: %s\r\nContent-Length: %d\r\n\r\n" % (status, IN_STORAGE.encode(), len(head))
        )
        writer.write(head)
        writer.close()

    await redis.xadd("streams:media.cluster", {"pet_id": "p", "image_ids": '["img_1", "img_2"]'})
    async with await asyncio.start_server(parrot, "127.0.0.1", 0) as server:
        env = {
            "REDIS_USERNAME": "marked",
            "REDIS_PASSWORD": PASSWORD,
            "STORAGE_SERVICE_URL": f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}",
            "STORAGE_SERVICE_TOKEN": IN_STORAGE,
        }
        told = await live(tmp_path, env, f"unix://{guarded}", "images wait for their insights")
    assert MARK not in told


TOML = f"""
[http]
tokens = ["{TOKEN}"]
[metrics]
tokens = ["{SCRAPER}"]
[redis]
url = "redis://:{IN_URL}@127.0.0.1:1"
password = "{IN_URL}"
"""
STORAGE = (
    TOML
    + f"""
[insights]
url = "http://127.0.0.1:1"
token = "{IN_STORAGE}"
"""
)
ACCESS = (
    TOML
    + f"""
[[http.access]]
name = "gallery"
scopes = ["read"]
token = "{GALLERY}"
"""
)
BROKEN = {
    "a table of access with an unknown key": ACCESS + "x = 1",
    "a table of access with a token and a file": ACCESS + 'token_file = "/nowhere"',
    "a table of access with a token that another has": ACCESS.replace(GALLERY, TOKEN),
    "a table of access with a token that is too short": ACCESS.replace(GALLERY, MARK),
    "a table of access with a list of tokens": ACCESS.replace(f'"{GALLERY}"', f'["{GALLERY}"]'),
    "a table of access with tokens": ACCESS.replace("token =", "tokens ="),
    "a token in place of a table of access": TOML.replace("[metrics]", f'access = "{GALLERY}"\n[metrics]'),
    "a storage service's token in its URL": STORAGE.replace("//", f"//{IN_STORAGE}@"),
    "a storage service's token with a blank": STORAGE.replace(IN_STORAGE, f"{IN_STORAGE} "),
    "a storage service's token twice": STORAGE + 'token_file = "/nowhere"',
    "an adapter that is none": STORAGE + 'adapter = "none"',
    "fine": TOML,
    "an unknown key": TOML + "\n[stream]\nkeyy = 1",
    "a wrong value": TOML + "\n[stream]\nmaxlen = 'many'",
    "tokens that are a text": TOML.replace(f'["{TOKEN}"]', f'"{TOKEN}"'),
    "a token that is too short": TOML.replace(SCRAPER, MARK),
    "a port that is none": TOML.replace("127.0.0.1:1", "127.0.0.1:port"),
    "a scheme that is none": TOML.replace("redis://", "rediz://"),
    "a password with a hash": TOML.replace(f":{IN_URL}@", f":{IN_URL}#x@"),
    "an option that is none": TOML.replace("127.0.0.1:1", f"127.0.0.1:1?pazzword={IN_URL}"),
    "two passwords": TOML.replace(f'password = "{IN_URL}"', f'password = "{PASSWORD}"'),
    "tokens twice": TOML + "\n[http]\ntokens = []",
    "an open quote": TOML.replace(f'"{TOKEN}"', f'"{TOKEN}'),
    "a secret as a key": f'[redis]\n"{MARK}',
    "tokens and files": TOML.replace("[metrics]", '[metrics]\ntoken_files = ["/nowhere"]'),
    "a file that is not there": TOML.replace(f'tokens = ["{SCRAPER}"]', 'token_files = ["/nowhere"]'),
}
COMMANDS = (["config"], ["dlq", "list"], ["replay", "jobs.jsonl"])


@pytest.mark.parametrize("toml", BROKEN.values(), ids=BROKEN)
def test_commands_and_starts_that_fail(
    tmp_path: Path, toml: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    (tmp_path / "config.toml").write_text(toml)
    (tmp_path / "jobs.jsonl").write_text('{"pet_id": "p"}\n')
    monkeypatch.setenv("CLUSTERD_CONFIG", str(tmp_path / "config.toml"))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(logging.getLogger(), "handlers", [])  # one gets as far as to have a log
    starts = [] if toml == TOML else [[]]
    for arguments in [*COMMANDS, *starts]:
        code = main(arguments)
        told = "".join(capsys.readouterr())
        assert told, arguments
        assert MARK not in told, arguments
        assert code == (2 if starts else 0) or arguments in (["dlq", "list"], ["replay", "jobs.jsonl"])
