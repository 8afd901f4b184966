"""What the pages show is run: blocks marked `run` or `python`, in order, against a daemon; answers are compared."""

import asyncio
import json
import os
import re
import shlex
import socket
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import NamedTuple

import aiohttp
import pytest
from redis.asyncio import Redis
from yarl import URL

from sploot_clusterd.cli import main
from sploot_clusterd.config import LimitsSettings, Settings
from sploot_clusterd.demo.pets import sample_pets
from sploot_clusterd.demo.storage import TOKEN as STORAGE_TOKEN
from sploot_clusterd.demo.storage import SampleStorage
from sploot_clusterd.embedded import EmbeddedRedis
from sploot_clusterd.entry_ids import EntryId
from sploot_clusterd.errors import BadJobError
from sploot_clusterd.quickstart import welcome
from sploot_clusterd.replay.jobs import bodies
from sploot_clusterd.wire import decode_entry, decode_request
from tests.docs.pages import ROOT, Block, blocks, only_block
from tests.faults.fleet import TOKEN, Daemon
from tests.support.waiting import eventually

SHOWN_AT = "http://127.0.0.1:9007"
EXAMPLES = ROOT / "docs/examples"
STREAM = "streams:media.cluster"
WANTS = "sploot.media.clusters:wants"
PETS = sample_pets()


class Answer(NamedTuple):
    """What a block printed, and the status where it was a request."""

    text: str
    status: int = 0


class Reader:
    """Does what a reader of the pages would do."""

    def __init__(self, daemon: Daemon, redis: Redis, redis_url: str) -> None:
        self._daemon = daemon
        self._redis = redis
        self._env = {**os.environ, "INTERNAL_TOKEN": TOKEN, "REDIS_URL": redis_url, "PYTHONPATH": str(ROOT)}

    async def do(self, block: Block) -> Answer:
        """Runs a block, once everything before it has taken effect."""
        await eventually(self._settled, what="every job to be settled", timeout=30)
        if block.mark == "python":
            return await self._output(sys.executable, "-c", block.text)
        [line] = block.text.splitlines()
        program, *arguments = shlex.split(line.replace("$INTERNAL_TOKEN", TOKEN))
        if program == "curl":
            return await self._request(arguments)
        assert program == "clusterd"
        return await self._output(sys.executable, "-m", "sploot_clusterd", *arguments)

    async def _settled(self) -> bool:
        """No job is left, and the sample pets want nothing: of other pets nobody knows anything."""
        if await self._redis.xlen(STREAM):
            return False
        # Asked second: a job leaves the stream and its wants behind in one step.
        waiting = {pet.decode() for pet in await self._redis.zrange(WANTS, 0, -1)}
        return waiting.isdisjoint(pet.pet_id for pet in PETS)

    async def _output(self, *command: str) -> Answer:
        env = {**self._env, "HTTP_PORT": str(self._daemon.ports["http"])}
        done = await asyncio.to_thread(
            subprocess.run, command, check=False, capture_output=True, text=True, cwd=ROOT, env=env
        )
        assert not done.stderr, done.stderr
        return Answer(done.stdout)

    async def _request(self, arguments: list[str]) -> Answer:
        """A request as curl would send it: of its options, those that the pages use."""
        method, headers, body, shows_head, as_is, url = "GET", {}, None, False, False, ""
        rest = iter(arguments)
        for argument in rest:
            if argument == "-X":
                method = next(rest)
            elif argument == "-H":
                name, _, value = next(rest).partition(": ")
                headers[name] = value
            elif argument in {"-d", "--data-binary"}:
                method, body = "POST", next(rest)
            elif argument == "-i":
                shows_head = True
            elif argument == "--path-as-is":
                as_is = True
            elif argument != "-sS":
                assert argument.startswith(SHOWN_AT), argument
                url = argument.replace(SHOWN_AT, self._daemon.url)
        if body is not None and body.startswith("@"):
            body = (ROOT / body[1:]).read_text()
        async with (
            aiohttp.ClientSession() as http,
            http.request(method, URL(url, encoded=as_is), headers=headers, data=body) as response,
        ):
            head = f"HTTP/1.1 {response.status} {response.reason}\n" if shows_head else ""
            return Answer(head + await response.text(), response.status)


@pytest.fixture
async def storage() -> AsyncIterator[dict[str, str]]:
    """The demo's storage service; what leads a daemon there."""
    listener = socket.create_server(("127.0.0.1", 0))
    service = SampleStorage(PETS, listener)
    await service.start()
    url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    yield {"STORAGE_SERVICE_URL": url, "STORAGE_SERVICE_TOKEN": STORAGE_TOKEN}
    await service.stop()


@pytest.fixture
async def reader(redis: Redis, redis_url: str, tmp_path: Path) -> AsyncIterator[Reader]:
    async with reading(redis, redis_url, tmp_path, {}) as one:
        yield one


@pytest.fixture
async def reader_of_the_readme(
    redis: Redis, redis_url: str, tmp_path: Path, storage: dict[str, str]
) -> AsyncIterator[Reader]:
    """The README's first commands go to the demo, which has a storage service."""
    async with reading(redis, redis_url, tmp_path, storage) as one:
        yield one


@asynccontextmanager
async def reading(redis: Redis, redis_url: str, directory: Path, env: dict[str, str]) -> AsyncIterator[Reader]:
    daemon = Daemon(directory, redis_url, 0, ROOT, env)
    try:
        await daemon.start()
        yield Reader(daemon, redis, redis_url)
    finally:
        daemon.kill()


def comparable(text: str) -> object:
    """The text without what differs from run to run: times and speeds."""
    text = re.sub(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", "TIME", text)
    text = re.sub(r"in \d+\.\d s \(\d+ a second\)", "in a while", text)
    try:
        return json.loads(text)
    except ValueError:
        return [line.rstrip() for line in text.strip().splitlines()]


@pytest.mark.parametrize("name", ["docs/producers.md", "docs/readers.md", "docs/corrections.md"])
async def test_examples_answer_as_shown(reader: Reader, name: str):
    await check(reader, name)


async def test_the_readmes_examples_answer_as_shown(reader_of_the_readme: Reader):
    await check(reader_of_the_readme, "README.md")


async def check(reader: Reader, name: str) -> None:
    done, expected = None, None
    ran = compared = 0
    for block in blocks(ROOT / name):
        if block.mark in {"run", "python"}:
            done, ran = await reader.do(block), ran + 1
            assert done.status in {0, 200, 202, 304, 404, 422}, done
            expected = None
        elif block.mark == "answer":
            assert done is not None
            assert expected is None
            expected, compared = block.text, compared + 1
            assert comparable(done.text) == comparable(expected), done.text
    assert ran >= 4
    assert compared >= 2


async def test_a_read_without_an_answer_shown_finds_the_view(reader_of_the_readme: Reader):
    """The README shows requests whose answers are too long to print; they are views all the same."""
    answers = [await reader_of_the_readme.do(block) for block in blocks(ROOT / "README.md") if block.mark == "run"]
    views = [json.loads(answer.text) for answer in answers if answer.status == 200]
    assert [view["pet_id"] for view in views] == ["luna", "pet_123", "pet_vectors"]
    provisional = [[cluster["provisional"] for cluster in view["clusters"]] for view in views]
    assert provisional == [[False] * 4, [True, True], [False, False]]
    assert views[0]["metrics"]["num_images"] == 30
    assert {cluster["label"] for cluster in views[0]["clusters"]} == set(PETS[0].coverage)


async def test_the_three_forms_of_an_entry_are_one(reader: Reader):
    page = blocks(ROOT / "docs/producers.md")
    answers = [await reader.do(block) for block in page if block.mark in {"run", "python"}]
    view = json.loads(answers[-1].text)
    assert view["pet_id"] == "pet_7"
    assert view["metrics"]["num_images"] == 3
    assert [member["image_id"] for member in view["clusters"][0]["members"]] == ["img_2", "img_3"]


def test_the_readme_shows_what_the_quick_start_prints():
    shown = only_block(ROOT / "README.md", "welcome").text
    server = EmbeddedRedis(Path("/home/you/sploot-clusterd/clusterd-data"))
    assert shown.rstrip() == welcome(Settings(), server, server.directory / "token")


def test_the_readmes_two_commands_are_the_ones_that_are_promised():
    readme = (ROOT / "README.md").read_text()
    demo = "python3 -m venv .venv && .venv/bin/pip install '.[embedded]' && .venv/bin/clusterd demo"
    run = "python3 -m venv .venv && .venv/bin/pip install '.[embedded]' && .venv/bin/clusterd --embedded"
    test = "python3 -m venv .venv && .venv/bin/pip install -e '.[test]' && .venv/bin/pytest"
    assert f"\n```sh\n{demo}\n```\n" in readme
    assert f"\n```sh\n{run}\n```\n" in readme
    assert f"\n<!-- test command -->\n```sh\n{test}\n```\n" in readme


def test_what_is_refused_is_told_as_shown(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    command, _, told = only_block(ROOT / "docs/configuration.md", "refused").text.partition("\n")
    *variables, program, subcommand = shlex.split(command.removeprefix("$ "))
    for variable in variables:
        monkeypatch.setenv(*variable.split("=", 1))
    assert (program, main([subcommand])) == ("clusterd", 2)
    assert capsys.readouterr().err == told


def jobs(name: str):
    return [decode_request(body, LimitsSettings()) for body in bodies(EXAMPLES / name)]


def test_packed_vectors_hold_what_the_arrays_hold():
    arrays, packed = (
        [
            decode_entry(EntryId(1, 0), {b"payload": body}, LimitsSettings())
            for body in bodies(EXAMPLES / f"{name}.jsonl")
        ]
        for name in ("vectors", "packed")
    )
    assert len(arrays) == len(packed) == 3
    for one, other in zip(arrays, packed, strict=True):
        assert [image.image_id for image in one.images] == [image.image_id for image in other.images]
        for image, twin in zip(one.images, other.images, strict=True):
            assert image.vectors.keys() == twin.vectors.keys() == {"embedding", "pose", "context"}
            assert all(abs(image.vectors[kind] - twin.vectors[kind]).max() < 1e-3 for kind in image.vectors)
            assert image._replace(vectors={}) == twin._replace(vectors={})


def test_the_seed_announces_and_the_removals_remove():
    [seed] = jobs("seed.json")
    assert (seed.pet_id, seed.payload.image_ids) == ("pet_123", ["img_001", "img_002", "img_003"])
    assert seed.payload.images is None
    there = {image.image_id for job in jobs("vectors.jsonl") for image in job.payload.images}
    removed = {image for job in jobs("removals.jsonl") for image in job.payload.removed_image_ids}
    assert len(removed & there) == 2
    assert {job.pet_id for job in jobs("removals.jsonl")} == {"pet_vectors"}


def test_every_malformed_job_has_a_mistake_of_its_own():
    told = []
    for body in bodies(EXAMPLES / "malformed.jsonl"):
        with pytest.raises(BadJobError) as refused:
            decode_request(body, LimitsSettings())
        told.append((refused.value.reason, refused.value.detail))
    assert len(set(told)) == len(told) == 8
    assert {reason for reason, _ in told} == {"malformed", "invalid"}


def test_every_example_is_in_the_producers_table():
    page = (ROOT / "docs/producers.md").read_text()
    assert [file.name for file in EXAMPLES.iterdir() if f"(examples/{file.name})" not in page] == []
