"""The commands of docs/operations.md for dead letters and backups, run as written (but for the letter's id)."""

import shlex
import shutil
import tempfile
from pathlib import Path

import aiohttp
import pytest
from redis.asyncio import Redis

from sploot_clusterd.embedded import EmbeddedRedis
from tests.conftest import eventually
from tests.docs.pages import ROOT, blocks
from tests.faults.fleet import TOKEN, Daemon

STREAM, LETTERS = "streams:media.cluster", "streams:media.cluster.deadletter"
SHOWN_ID = "1761827696789-0"


def commands(mark: str) -> list[list[str]]:
    """The arguments of each redis-cli line with that mark."""
    found = [shlex.split(block.text) for block in blocks(ROOT / "docs/operations.md") if block.mark == mark]
    assert {command[0] for command in found} == {"redis-cli"}
    return [command[1:] for command in found]


def about(command: list[str], letter: bytes) -> list[str]:
    assert SHOWN_ID in command
    return [letter.decode() if part == SHOWN_ID else part for part in command]


@pytest.fixture
async def letter(redis: Redis) -> bytes:
    """The id of a dead letter whose job was never applied, though it can be."""
    fields = {
        "payload": '{"pet_id": "pet_1", "job_id": "job_1", "payload": {"image_ids": ["img_1"]}}',
        "reason": "max_attempts",
        "first_id": "1761827600000-0",
        "pet_id": "pet_1",
    }
    return await redis.xadd(LETTERS, fields)


async def test_they_can_be_counted_looked_at_and_emptied(redis: Redis, letter: bytes):
    count, look, empty = commands("redis")
    assert await redis.execute_command(*count) == 1
    [[key, fields]] = await redis.execute_command(*look)
    assert key == letter
    assert b"max_attempts" in (fields if isinstance(fields, list) else fields.values())
    await redis.execute_command(*empty)
    assert await redis.xlen(LETTERS) == 0


async def test_one_can_be_deleted(redis: Redis, letter: bytes):
    [delete] = commands("redis delete")
    await redis.xadd(LETTERS, {"reason": "another"})
    await redis.execute_command(*about(delete, letter))
    [[_, left]] = await redis.xrange(LETTERS)
    assert left == {b"reason": b"another"}


async def test_one_can_be_put_back_and_is_applied(redis: Redis, letter: bytes, redis_url: str, tmp_path: Path):
    [put_back] = commands("redis put back")
    await redis.execute_command(*about(put_back, letter))
    assert await redis.xlen(LETTERS) == 0
    [[_, entry]] = await redis.xrange(STREAM)
    assert entry[b"first_id"] == b"1761827600000-0"
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


async def test_putting_back_what_is_not_there_says_so(redis: Redis):
    [put_back] = commands("redis put back")
    with pytest.raises(Exception, match="no such dead letter"):
        await redis.execute_command(*put_back)
    assert not await redis.exists(STREAM)


async def test_a_backup_of_a_running_redis_can_be_restored(redis: Redis, redis_server: EmbeddedRedis):
    off, ask, on = commands("redis backup")
    await redis.set("sploot.media.clusters:state:pet_1", b"a view")
    before = await redis.config_get("auto-aof-rewrite-percentage")
    with tempfile.TemporaryDirectory(prefix="backup-") as directory:
        await redis.execute_command(*off)
        await eventually(lambda: _no_rewrite(redis, ask), what="no rewrite to be going on")
        shutil.copytree(redis_server.directory / "appendonlydir", Path(directory) / "appendonlydir")
        await redis.execute_command(*on)
        with EmbeddedRedis(Path(directory)) as restored:
            client = Redis.from_url(f"unix://{restored.socket}")
            assert await client.get("sploot.media.clusters:state:pet_1") == b"a view"
            await client.aclose()
    assert await redis.config_get("auto-aof-rewrite-percentage") == before


async def _no_rewrite(redis: Redis, ask: list[str]) -> bool:
    info = await redis.execute_command(*ask)
    return info["aof_rewrite_in_progress"] == 0
