"""The commands of docs/operations.md for backups, run as written."""

import shlex
import shutil
import tempfile
from pathlib import Path

from redis.asyncio import Redis

from sploot_clusterd.embedded import EmbeddedRedis
from tests.docs.pages import ROOT, blocks
from tests.support.waiting import eventually


def commands(mark: str) -> list[list[str]]:
    """The arguments of each redis-cli line with that mark."""
    found = [shlex.split(block.text) for block in blocks(ROOT / "docs/operations.md") if block.mark == mark]
    assert {command[0] for command in found} == {"redis-cli"}
    return [command[1:] for command in found]


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
