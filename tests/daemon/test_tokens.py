"""Tokens of a running daemon: changed while it serves, and known to it by their digests only."""

import asyncio
import gc
import signal
from pathlib import Path

import aiohttp
import pytest

from sploot_clusterd import config
from sploot_clusterd.config import Secret
from sploot_clusterd.daemon import Daemon as Parts
from tests.faults.fleet import Daemon, Fleet
from tests.support.waiting import eventually

OLD, NEW = "the-old-token-of-the-test", "the-new-token-of-the-test"
VIEW = "/internal/pets/p/clusters"


class Callers:
    """Requests without a pause, each with the token that is given out at that moment."""

    def __init__(self, daemon: Daemon, token: str) -> None:
        self.token = token
        self.answered = 0
        self.refused: list[str] = []
        self._url = daemon.url + VIEW

    async def call(self) -> None:
        async with aiohttp.ClientSession() as http:
            while True:
                token = self.token
                async with http.get(self._url, headers={"X-Internal-Token": token}) as answer:
                    if answer.status != 404:
                        self.refused.append(f"{answer.status} for {token}")
                self.answered += 1

    async def make(self, calls: int) -> None:
        aim = self.answered + calls
        await eventually(lambda: self.answered >= aim, what=f"{calls} more answers")


async def status_with(daemon: Daemon, token: str) -> int:
    async with (
        aiohttp.ClientSession(headers={"X-Internal-Token": token}) as http,
        http.get(daemon.url + VIEW) as answer,
    ):
        return answer.status


async def reload(daemon: Daemon, said: str) -> None:
    """SIGHUP, and what the daemon says of it."""
    before = [line["message"] for line in daemon.log()].count(said)
    daemon.signal(signal.SIGHUP)
    await eventually(
        lambda: [line["message"] for line in daemon.log()].count(said) == before + 1, what=f"the daemon to say: {said}"
    )


def last_said(daemon: Daemon, said: str) -> dict[str, object]:
    """The line: others may follow it."""
    return [line for line in daemon.log() if line["message"] == said][-1]


async def test_no_valid_token_is_refused_while_tokens_rotate(directory: Path):
    file = directory / "token"
    file.write_text(OLD)
    async with Fleet(directory, daemons=0) as fleet:
        daemon = fleet.add_daemon({"INTERNAL_TOKEN": "", "INTERNAL_TOKEN_FILE": str(file), "CLUSTER_CONSUMERS": "0"})
        await daemon.start()
        callers = Callers(daemon, OLD)
        tasks = [asyncio.create_task(callers.call()) for _ in range(4)]
        for old, new in [(OLD, NEW), (NEW, OLD)] * 5:
            file.write_text(f"{old}\n{new}\n")
            await reload(daemon, "reloaded")
            callers.token = new
            await callers.make(20)  # after these no request with the old one is under way
            file.write_text(new)
            await reload(daemon, "reloaded")
            await callers.make(20)
            assert await status_with(daemon, old) == 401
        assert not any(task.done() for task in tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        assert callers.answered >= 400
        assert callers.refused == []
        assert not {OLD, NEW} & {word for line in daemon.output().splitlines() for word in line.split('"')}


async def test_scopes_are_read_again_with_their_tokens(directory: Path):
    toml, file = directory / "config.toml", directory / "gallery"
    file.write_text(OLD)

    def table(scope: str) -> str:
        return f'[[http.access]]\nname = "gallery"\nscopes = ["{scope}"]\ntoken_file = "{file}"\n'

    toml.write_text(table("read"))
    async with Fleet(directory, daemons=0) as fleet:
        daemon = fleet.add_daemon({"CLUSTERD_CONFIG": str(toml), "CLUSTER_CONSUMERS": "0"})
        await daemon.start()
        assert [await status_with(daemon, token) for token in (OLD, NEW)] == [404, 401]
        file.write_text(NEW)
        await reload(daemon, "reloaded")
        assert [await status_with(daemon, token) for token in (OLD, NEW)] == [401, 404]
        toml.write_text(table("submit"))
        await reload(daemon, "reloaded")
        assert await status_with(daemon, NEW) == 403
        toml.write_text(table("write"))
        await reload(daemon, "not reloaded")
        assert "http.access[0].scopes" in str(last_said(daemon, "not reloaded")["error"])
        assert await status_with(daemon, NEW) == 403
        toml.write_text("")
        await reload(daemon, "reloaded")
        assert await status_with(daemon, NEW) == 401


async def test_a_file_that_others_may_read_by_now_is_told_at_each_reload(directory: Path):
    file = directory / "token"
    file.write_text(OLD)
    file.chmod(0o600)
    async with Fleet(directory, daemons=0) as fleet:
        daemon = fleet.add_daemon({"INTERNAL_TOKEN": "", "INTERNAL_TOKEN_FILE": str(file), "CLUSTER_CONSUMERS": "0"})
        await daemon.start()
        assert str(file) not in daemon.output()
        file.chmod(0o644)
        for times in (1, 2):
            await reload(daemon, "reloaded")
            warnings = [line for line in daemon.log() if line["level"] == "WARNING" and str(file) in line["message"]]
            assert len(warnings) == times


@pytest.mark.parametrize("content", ["", "\n \n", None, "dir"], ids=["empty", "blank", "missing", "directory"])
async def test_a_broken_file_keeps_the_tokens_and_is_said(directory: Path, content: str | None):
    file = directory / "token"
    file.write_text(OLD)
    async with Fleet(directory, daemons=0) as fleet:
        daemon = fleet.add_daemon({"INTERNAL_TOKEN": "", "INTERNAL_TOKEN_FILE": str(file), "CLUSTER_CONSUMERS": "0"})
        await daemon.start()
        file.unlink()
        if content == "dir":
            file.mkdir()
        elif content is not None:
            file.write_text(content)
        await reload(daemon, "not reloaded")
        said = last_said(daemon, "not reloaded")
        assert str(file) in str(said["error"])
        assert said["level"] == "ERROR"
        assert await status_with(daemon, OLD) == 404


async def test_the_metrics_token_changes_too_and_may_come_and_go(directory: Path):
    toml = directory / "config.toml"
    toml.write_text("")
    async with Fleet(directory, daemons=0) as fleet:
        daemon = fleet.add_daemon({"CLUSTERD_CONFIG": str(toml), "CLUSTER_CONSUMERS": "0"})
        await daemon.start()

        async def status(token: str) -> int:
            headers = {"Authorization": f"Bearer {token}"}
            async with aiohttp.ClientSession(daemon.ops_url, headers=headers) as http, http.get("/metrics") as answer:
                return answer.status

        assert await status("anything") == 200
        for tokens in ([OLD], [OLD, NEW], [NEW]):
            toml.write_text(f"[metrics]\ntokens = {tokens}")
            await reload(daemon, "reloaded")
            assert [await status(token) for token in (OLD, NEW)] == [
                200 if token in tokens else 401 for token in (OLD, NEW)
            ]
        toml.write_text("")
        await reload(daemon, "reloaded")
        assert await status("anything") == 200


def test_no_token_stays_in_memory(directory: Path):
    others = ("a-reader-of-the-test", "a-producer-of-the-test", "a-gallery-of-the-test")
    for name, token in (("token", OLD), ("scraper", NEW), ("producer", others[1])):
        (directory / name).write_text(token)
    environ = {
        "READER_TOKEN": others[0],
        "PRODUCER_TOKEN_FILE": str(directory / "producer"),
        "CLUSTERD_HTTP_ACCESS": f'[{{"name": "gallery", "scopes": ["read"], "token": "{others[2]}"}}]',
        "INTERNAL_TOKEN_FILE": str(directory / "token"),
        "WORKER_METRICS_TOKEN_FILE": str(directory / "scraper"),
        "REDIS_URL": f"unix://{directory}/none.sock",
    }
    parts = Parts(config.load(environ=environ, directory=directory))
    gc.collect()
    kept = [each.reveal() for each in gc.get_objects() if isinstance(each, Secret)]
    assert parts.http is not None
    assert not {OLD, NEW, *others} & set(kept)
