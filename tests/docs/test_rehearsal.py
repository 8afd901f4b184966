"""The commands of docs/rehearsal.md, in their order, against two daemons: as written, but for how long they take."""

import asyncio
import json
import os
import re
import shlex
import sys
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import web

from tests.docs.pages import ROOT, Block, blocks
from tests.faults.fleet import TOKEN, Fleet
from tests.support.waiting import eventually

PAGE = ROOT / "docs/rehearsal.md"
MISSES = "--report outage.html"
"""Of the one command that is to end with exit code 1."""
PAUSE_MS = 1500


def shortened(text: str) -> str:
    text = re.sub(r"--duration \d+m", "--duration 4s", text)
    return re.sub(r"--ramp \d+m", "--ramp 1s", text)


@pytest.fixture
async def fleet() -> AsyncIterator[Fleet]:
    with tempfile.TemporaryDirectory(prefix="reh-") as directory:
        async with Fleet(Path(directory), daemons=2) as fleet:
            await fleet.ready()
            yield fleet


@pytest.fixture
async def drills(aiohttp_server) -> tuple[str, list[str]]:
    """An Alertmanager's URL, and the alerts that it was sent."""
    told: list[str] = []

    async def take(request: web.Request) -> web.Response:
        told.extend(alert["labels"]["alertname"] for alert in await request.json())
        return web.Response()

    app = web.Application()
    app.router.add_post("/api/v2/alerts", take)
    return f"http://127.0.0.1:{(await aiohttp_server(app)).port}", told


class Operator:
    """Types what the page shows, in a directory of its own."""

    def __init__(self, fleet: Fleet, directory: Path, alertmanager: str) -> None:
        (directory / "bin").mkdir()
        command = directory / "bin/clusterd"
        command.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m sploot_clusterd "$@"\n')
        command.chmod(0o755)
        ports = fleet.daemons[0].ports
        self._directory = directory
        self._env = {
            **os.environ,
            "PATH": f"{command.parent}:{os.environ['PATH']}",
            "PYTHONPATH": str(ROOT),
            "INTERNAL_TOKEN": TOKEN,
            "REDIS_URL": fleet.redis_url,
            "HTTP_PORT": str(ports["http"]),
            "WORKER_METRICS_PORT": str(ports["metrics"]),
            "ALERTMANAGER_URL": alertmanager,
        }

    async def types(self, text: str) -> asyncio.subprocess.Process:
        pipe = asyncio.subprocess.PIPE
        return await asyncio.create_subprocess_shell(
            shortened(text), env=self._env, cwd=self._directory, stdout=pipe, stderr=pipe
        )

    async def does(self, text: str) -> tuple[int, str]:
        process = await self.types(text)
        out, err = await process.communicate()
        return process.returncode or 0, out.decode() + err.decode()

    def report(self, name: str) -> dict:
        return json.loads((self._directory / name).read_text())


def steps() -> list[list[Block]]:
    """Each command, with the one that is to be typed meanwhile."""
    found: list[list[Block]] = []
    for block in blocks(PAGE):
        if block.mark == "rehearsal":
            found.append([block])
        elif block.mark == "rehearsal meanwhile":
            found[-1].append(block)
    return found


@pytest.mark.faults
async def test_every_command_does_what_the_page_says(fleet: Fleet, drills: tuple[str, list[str]], tmp_path: Path):
    operator = Operator(fleet, tmp_path, drills[0])
    for command, *meanwhile in steps():
        if meanwhile:
            process = await operator.types(command.text)
            await eventually(lambda: fleet.redis.xinfo_stream("streams:media.cluster"), what="a stream")
            await asyncio.sleep(1.0)  # the load has begun
            program, *arguments = shlex.split(meanwhile[0].text)
            assert (program, arguments[:2]) == ("redis-cli", ["CLIENT", "PAUSE"])
            await fleet.redis.execute_command("CLIENT PAUSE", PAUSE_MS, *arguments[3:])
            out, err = await process.communicate()
            code, told = process.returncode or 0, out.decode() + err.decode()
        else:
            code, told = await operator.does(command.text)
        wanted = {0, 1} if "--report" in command.text else {0}  # a busy machine may miss an objective
        assert code in wanted, f"{command.text}: {code}\n{told}"
        if MISSES in command.text:
            assert code == 1, told
        await fleet.settled()
    for name in ("soak", "canary", "rollback", "outage"):
        report = operator.report(f"{name}.json")
        assert report["accepted"] == report["posted"] > 20, name
        assert report["visible"]["count"] > 0, name
    assert "<svg" in (tmp_path / "soak.html").read_text()
    assert drills[1] == ["ClusterdRedisAway"]


def test_every_command_of_the_page_is_run():
    shown = re.findall(r"^```sh\n", PAGE.read_text(), re.MULTILINE)
    assert len(shown) == sum(map(len, steps())) >= 10


def test_every_option_of_a_run_is_in_its_table():
    help_text = (ROOT / "sploot_clusterd/replay/arguments.py").read_text()
    page = PAGE.read_text()
    options = re.findall(r'"(--[a-z]+)"', help_text)
    assert len(options) == 7
    assert [option for option in options if f"| `{option} " not in page] == []
