"""The commands of docs/operations.md for dead letters, run as written (but for the letter's id)."""

import asyncio
import json
import shlex
from pathlib import Path
from typing import get_args

import aiohttp
import pytest
from redis.asyncio import Redis

from sploot_clusterd.cli import main
from sploot_clusterd.errors import Reason
from tests.docs.pages import ROOT, blocks, table_rows
from tests.faults.fleet import TOKEN, Daemon
from tests.support.waiting import eventually

STREAM, LETTERS = "streams:media.cluster", "streams:media.cluster.deadletter"
SHOWN_ID = "1761827696789-0"
OPERATIONS = ROOT / "docs/operations.md"


async def types(mark: str, letter: str = SHOWN_ID) -> None:
    """Runs each line with that mark; it has to succeed."""
    lines = [block.text for block in blocks(OPERATIONS) if block.mark == mark]
    assert lines
    for line in lines:
        program, *words = [letter if word == SHOWN_ID else word for word in shlex.split(line)]
        assert program == "clusterd"
        assert await asyncio.to_thread(main, words) == 0


@pytest.fixture
async def letter(redis: Redis, redis_url: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """The id of a dead letter whose job was never applied, though it can be."""
    monkeypatch.setenv("REDIS_URL", redis_url)
    fields = {
        "payload": '{"pet_id": "pet_1", "job_id": "job_1", "payload": {"image_ids": ["img_1"]}}',
        "reason": "max_attempts",
        "first_id": "1761827600000-0",
        "pet_id": "pet_1",
    }
    return (await redis.xadd(LETTERS, fields)).decode()


async def test_they_can_be_looked_at(letter: str, capsys: pytest.CaptureFixture[str]):
    await types("dlq list")
    *_, row, line = capsys.readouterr().out.splitlines()
    assert letter in row
    assert json.loads(line)["id"] == letter
    await types("dlq show", letter)
    assert '"image_ids": ["img_1"]' in capsys.readouterr().out


async def test_old_ones_can_be_deleted(redis: Redis, letter: str):
    await redis.delete(LETTERS)
    old = await redis.xadd(LETTERS, {"reason": "invalid"}, "1761827600000-0")
    new = await redis.xadd(LETTERS, {"reason": "invalid"})
    await types("dlq drop")
    assert [key for key, _ in await redis.xrange(LETTERS)] == [new] != [old]


async def test_they_can_be_put_back_and_are_applied(
    redis: Redis, letter: str, redis_url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    await types("dlq dry run")
    assert capsys.readouterr().out.startswith("dry run: 1 would be replayed")
    assert [key.decode() for key, _ in await redis.xrange(LETTERS)] == [letter]
    await types("dlq replay")
    assert await redis.xlen(LETTERS) == 0
    daemon = Daemon(tmp_path, redis_url, 0, ROOT, {})
    try:
        await daemon.start()

        async def shown() -> bool:
            async with http.get("/internal/pets/pet_1/clusters") as view:
                return view.status == 200

        async with aiohttp.ClientSession(daemon.url, headers={"X-Internal-Token": TOKEN}) as http:
            await eventually(shown, what="the job to be applied")
    finally:
        daemon.kill()


def test_for_every_reason_it_is_said_whether_to_put_it_back():
    told = [
        cell.strip("` ")
        for cells in table_rows(OPERATIONS, "Which are worth putting back")
        for cell in cells[0].split(",")
    ]
    assert sorted(told) == sorted(get_args(Reason))
