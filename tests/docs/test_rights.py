"""The rights that docs/operations.md asks for: all that the daemon needs, and nothing more."""

import ast
import asyncio
import re
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
from redis.asyncio import Redis
from redis.exceptions import NoPermissionError

import sploot_clusterd
from sploot_clusterd.cli import main
from sploot_clusterd.engine import Profile, encode_profile
from tests.docs.pages import ROOT, only_block
from tests.faults.fleet import TOKEN, Daemon
from tests.support.waiting import eventually

STORE = Path(sploot_clusterd.__file__).parent / "store"
OF_A_CONNECTION = {"auth", "select", "role"}
"""What opens one; the first is everybody's, the others are named beside the rest."""


def rights(block: str = "acl") -> list[str]:
    return only_block(ROOT / "docs/operations.md", block).text.split()


def allowed(*blocks: str) -> set[str]:
    return {word[1:] for block in blocks for word in rights(block) if word.startswith("+")}


def in_python(known: set[str], room: Path = STORE) -> set[str]:
    """The first word in capitals of what calls, lists and tuples hold; a container's with the word behind it."""
    found = set()
    for file in room.glob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            parts = node.args if isinstance(node, ast.Call) else getattr(node, "elts", [])
            texts = [str(part.value) for part in parts if isinstance(part, ast.Constant)]
            words = " ".join(text for text in texts if text.isupper()).split()
            forms = "|".join(words[:2]).lower(), "".join(words[:1]).lower()
            found |= set([form for form in forms if form in known][:1])
    return found


def in_lua(known: set[str]) -> set[str]:
    """The commands that scripts call; a container's with its subcommand."""
    found = set()
    for file in (STORE / "lua").glob("*.lua"):
        for name, sub in re.findall(r"'([A-Z]+)'(?:, '([A-Z]+)')?", file.read_text()):
            one = name.lower()
            if one in known:
                found.add(f"{one}|{sub.lower()}" if f"{one}|{sub.lower()}" in known else one)
    return found


async def test_they_are_exactly_what_the_code_calls(redis: Redis):
    replies = [await redis.execute_command("COMMAND LIST"), await redis.execute_command("ACL CAT", "stream")]
    replies.append(await redis.execute_command("COMMAND LIST", "FILTERBY", "PATTERN", "cluster|*"))
    known = {name.decode() if isinstance(name, bytes) else name for reply in replies for name in reply}
    assert {"xadd", "hget", "xgroup|create"} <= known
    assert (in_python(known) | in_lua(known)) - OF_A_CONNECTION == allowed("acl", "acl of a move")
    assert in_python(known, STORE / "cluster") == allowed("acl of clusters")


@pytest.fixture
async def daemon(redis: Redis, redis_url: str, tmp_path: Path) -> AsyncIterator[Daemon]:
    """A daemon whose user has those rights and no others."""
    await redis.execute_command(*rights())
    await redis.execute_command("ACL", "LOG", "RESET")
    env = {"REDIS_USERNAME": "clusterd", "REDIS_PASSWORD": "the-password"}
    daemon = Daemon(tmp_path, redis_url, 0, ROOT, env)
    try:
        await daemon.start()
        yield daemon
    finally:
        daemon.kill()
        await redis.execute_command("ACL", "DELUSER", "clusterd")


async def test_they_are_enough(daemon: Daemon, redis: Redis):
    async def settled() -> bool:
        return not await redis.xlen("streams:media.cluster")

    job = {"pet_id": "pet_1", "payload": {"images": [{"image_id": f"img_{n}", "embedding": [1, n]} for n in range(9)]}}
    async with aiohttp.ClientSession(daemon.url, headers={"X-Internal-Token": TOKEN}) as http:
        for body in (job, {**job, "force": True}, {"pet_id": "pet_2", "payload": {"removed_image_ids": ["img_1"]}}):
            assert (await http.post("/internal/cluster-jobs", json=body)).status == 202
        await redis.xadd("streams:media.cluster", {"payload": "not JSON", "pet_id": "pet_1"})
        await eventually(settled, what="every job to be settled")
        assert (await http.get("/internal/pets/pet_1/clusters")).status == 200
        assert (await http.get("/internal/health/redis")).status == 200
        assert (await http.post("/internal/pets/pet_1/invalidate")).status == 202
        assert (await http.delete("/internal/pets/pet_1")).status == 200
        assert (await http.get("/readyz")).status == 200
    assert await redis.xlen("streams:media.cluster.deadletter") == 1
    assert daemon.stop() == 0
    assert await redis.execute_command("ACL", "LOG") == []


async def test_more_keys_are_enough_for_partitions(redis: Redis, redis_url: str, tmp_path: Path):
    await redis.execute_command(*rights())
    await redis.execute_command(*rights("acl of partitions"))
    await redis.execute_command("ACL", "LOG", "RESET")
    env = {"REDIS_USERNAME": "clusterd", "REDIS_PASSWORD": "the-password", "CLUSTER_PARTITIONS": "2"}
    daemon = Daemon(tmp_path, redis_url, 0, ROOT, env)
    try:
        await daemon.start()
        await redis.xadd("streams:media.cluster", {"payload": '{"pet_id": "pet_1", "payload": {"image_ids": ["a"]}}'})
        await redis.xadd("streams:media.cluster", {"nonsense": "1"})
        async with aiohttp.ClientSession(daemon.url, headers={"X-Internal-Token": TOKEN}) as http:

            async def seen() -> bool:
                return (await http.get("/internal/pets/pet_1/clusters")).status == 200

            await eventually(seen, what="the job to be applied")
            assert (await http.delete("/internal/pets/pet_1")).status == 200
        assert daemon.stop() == 0
        assert await redis.execute_command("ACL", "LOG") == []
    finally:
        daemon.kill()
        await redis.execute_command("ACL", "DELUSER", "clusterd")


async def test_they_are_enough_for_the_dead_letters(
    daemon: Daemon, redis: Redis, redis_url: str, monkeypatch: pytest.MonkeyPatch
):
    for name, value in (("URL", redis_url), ("USERNAME", "clusterd"), ("PASSWORD", "the-password")):
        monkeypatch.setenv(f"REDIS_{name}", value)
    letter = {"payload": '{"pet_id": "pet_1"}', "pet_id": "pet_1", "first_id": "1-1"}
    first, _ = [(await redis.xadd("streams:media.cluster.deadletter", letter)).decode() for _ in range(2)]
    for words in (["list"], ["show", first], ["replay", first], ["drop", "--all"]):
        assert await asyncio.to_thread(main, ["dlq", *words]) == 0
    assert await redis.xlen("streams:media.cluster.deadletter") == 0
    assert daemon.stop() == 0
    assert await redis.execute_command("ACL", "LOG") == []


async def test_they_are_enough_for_profiles(
    daemon: Daemon, redis: Redis, redis_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    for name, value in (("URL", redis_url), ("USERNAME", "clusterd"), ("PASSWORD", "the-password")):
        monkeypatch.setenv(f"REDIS_{name}", value)
    file = tmp_path / "v1.profile"
    file.write_bytes(encode_profile(Profile("v1", 1, 300, settled=False, drift=None, kinds={})))
    for words in (
        ["import", file],
        ["list"],
        ["show", "v1"],
        ["export", "v1", file],
        ["import", file],
        ["freeze", "v1"],
    ):
        assert await asyncio.to_thread(main, ["profile", *map(str, words)]) == 0
    assert await redis.hget("sploot.media.clusters:profiles", "v1") == b"2 settled"
    assert daemon.stop() == 0
    assert await redis.execute_command("ACL", "LOG") == []


async def test_they_do_not_reach_further(daemon: Daemon, redis: Redis, redis_url: str):
    assert daemon.alive()
    stranger = Redis.from_url(redis_url, username="clusterd", password="the-password", protocol=2)
    try:
        assert await stranger.mget("sploot.media.clusters:state:pet_1") == [None]
        for command in (("MGET", "another:key"), ("FLUSHALL",), ("KEYS", "*"), ("CONFIG", "GET", "*"), ("ACL", "LIST")):
            with pytest.raises(NoPermissionError):
                await stranger.execute_command(*command)
    finally:
        await stranger.aclose()
