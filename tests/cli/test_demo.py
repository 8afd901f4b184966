"""`clusterd demo` as a newcomer meets it."""

import asyncio
import json
import os
import re
import shlex
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import aiohttp
import pytest

from sploot_clusterd.cli import main
from sploot_clusterd.demo import command
from sploot_clusterd.demo.pets import DIMENSION, sample_pets
from tests.docs.pages import ROOT, only_block
from tests.support.nodes import free_port
from tests.support.waiting import eventually


class Demo:
    """The command as a process, and what it has printed."""

    def __init__(self, directory: Path, **env: str) -> None:
        self._out = directory / "out"
        self._temporary = directory / "tmp"
        self._temporary.mkdir()
        env = {**os.environ, "PYTHONPATH": str(ROOT), "TMPDIR": str(self._temporary), "HTTP_PORT": "0", **env}
        words = [sys.executable, "-P", "-m", "sploot_clusterd", "demo"]
        with self._out.open("wb") as out:
            self.process = subprocess.Popen(words, stdout=out, stderr=out, cwd=directory, env=env)

    @property
    def output(self) -> str:
        return self._out.read_text()

    async def told(self, text: str) -> str:
        """All that it printed, once that is in it."""
        await eventually(
            lambda: text in self.output or self.process.poll() is not None, what=f"{text!r} to be told", timeout=60
        )
        return self.output

    async def ended(self) -> int:
        return await asyncio.to_thread(self.process.wait, 40)

    def left(self) -> list[str]:
        """What is left of its files."""
        return [file.name for file in self._temporary.iterdir()]


@pytest.fixture
def short_path() -> Iterator[Path]:
    """A socket's path has 107 bytes."""
    with tempfile.TemporaryDirectory(prefix="demo-") as name:
        yield Path(name)


async def typed(line: str) -> tuple[int, str]:
    """A printed curl command, as curl would do it."""
    words = iter(shlex.split(line)[2:])
    method, headers, body, url = "GET", {}, None, ""
    for word in words:
        if word == "-H":
            name, _, value = next(words).partition(": ")
            headers[name] = value
        elif word == "-d":
            method, body = "POST", next(words)
            headers.setdefault("Content-Type", "application/x-www-form-urlencoded")
        elif word == "-X":
            method = next(words)
        else:
            url = word
    async with aiohttp.ClientSession() as http, http.request(method, url, headers=headers, data=body) as answer:
        return answer.status, await answer.text()


def comparable(output: str) -> str:
    """Without what differs from run to run: how the jobs met in commits decides which numbers ids got."""
    for varying, word in (
        (r"127\.0\.0\.1:\d+", "HOST"),
        (r"After \d+\.\d s", "After a while"),
        (r"-cluster-\d+", "-cluster-N"),
    ):
        output = re.sub(varying, word, output)
    return output


async def test_it_shows_real_clusters_and_what_to_try_next(short_path):
    demo = Demo(short_path, HTTP_ENABLED="false", REDIS_URL="redis://127.0.0.1:1", STORAGE_SERVICE_URL="nonsense")
    try:
        output = await demo.told("Ctrl+C ends it")
        assert "provisional" in output
        for pet in sample_pets():
            for look in pet.coverage:
                listed = [photo.image_id for photo in pet.photos if photo.image_id in pet.listed and photo.look == look]
                shown = re.findall(rf"^  {look} +(\d+)  hero (\S+)", output, re.MULTILINE)
                assert any(int(size) == len(listed) and hero in listed for size, hero in shown), (look, output)
        assert comparable(output) == comparable(only_block(ROOT / "README.md", "demo").text)
        read, name, rename, erase = [line for line in output.splitlines() if line.startswith("  curl")]
        luna = sample_pets()[0]

        async def images() -> list[str]:
            _, text = await typed(read)
            view = json.loads(text)
            assert not any(cluster["provisional"] for cluster in view["clusters"]) or view["metrics"]["insights_wanted"]
            return [m["image_id"] for cluster in view["clusters"] for m in cluster["members"]]

        assert sorted(await images()) == luna.listed
        assert (await typed(name))[0] == 202

        async def all_there() -> bool:
            return sorted(await images()) == [photo.image_id for photo in luna.photos]

        await eventually(all_there, what="the new photos to be clustered")
        assert (await typed(rename))[0] == 202

        async def renamed() -> bool:
            return "My favourites" in (await typed(read))[1]

        await eventually(renamed, what="the new name")
        assert (await typed(erase))[0] == 200
        assert (await typed(read))[0] == 404
        demo.process.send_signal(signal.SIGINT)
        assert await demo.ended() == 0
        assert "Traceback" not in demo.output
        assert demo.left() == []
    finally:
        demo.process.kill()
        demo.process.wait()


@pytest.mark.parametrize(
    ("after", "number"),
    [("", signal.SIGINT), ("An upload service", signal.SIGTERM), ("The view at once", signal.SIGINT)],
)
async def test_it_ends_cleanly_at_any_time(short_path, after, number):
    demo = Demo(short_path)
    try:
        if after:
            await demo.told(after)
        else:
            await eventually(demo.left, what="its directory to be there", timeout=30)
        demo.process.send_signal(number)
        code = await demo.ended()
        assert code == 0 if after else code in {0, 1}
        assert "Traceback" not in demo.output
        assert demo.left() == []
    finally:
        demo.process.kill()
        demo.process.wait()


def test_another_program_on_the_port_is_no_trouble():
    with closing(socket.create_server(("127.0.0.1", free_port()))) as taken:
        port = taken.getsockname()[1]
        assert command._free_port(port) != port
    assert command._free_port(port) == port


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["demo", "--config", "c.toml"], "demo takes no --config"),
        (["--check", "demo"], "demo takes no --check"),
        (["--embedded", "data", "demo"], "demo takes no --embedded"),
    ],
)
def test_it_has_settings_of_its_own(capsys, words, said):
    with pytest.raises(SystemExit) as ended:
        main(words)
    assert ended.value.code == 2
    assert said in capsys.readouterr().err


def test_the_pets_are_always_the_same_and_told_apart():
    pets = sample_pets()
    assert pets == sample_pets()
    photos = [photo for pet in pets for photo in pet.photos]
    assert len({photo.image_id for photo in photos}) == len(photos) == 50
    assert all(len(photo.vector) == DIMENSION and 0 <= photo.quality <= 1 for photo in photos)
    assert all(set(pet.coverage) == {photo.look for photo in pet.photos} for pet in pets)
