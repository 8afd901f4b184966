"""The commands of docs/operations.md for encoder profiles, run as written."""

import asyncio
import json
import shlex
from pathlib import Path

import numpy as np
import pytest
from redis.asyncio import Redis

from sploot_clusterd.cli import main
from sploot_clusterd.engine import Sampled, encode_profile, learn
from tests.docs.pages import ROOT, blocks

MODEL = "clip-b32"
PROFILES = "sploot.media.clusters:profiles"


async def types(mark: str) -> None:
    """Runs each line with that mark; it has to succeed."""
    lines = [block.text for block in blocks(ROOT / "docs/operations.md") if block.mark == mark]
    assert lines
    for line in lines:
        program, *words = shlex.split(line)
        assert program == "clusterd"
        assert await asyncio.to_thread(main, words) == 0


@pytest.fixture
async def fleet(redis: Redis, redis_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Redis:
    """One that has learned a profile."""
    monkeypatch.setenv("REDIS_URL", redis_url)
    monkeypatch.chdir(tmp_path)
    vectors = np.random.default_rng(0).normal(size=(400, 8)).astype("<f2")
    profile = learn(MODEL, [Sampled(None, {"embedding": vector.tobytes()}) for vector in vectors])
    assert profile is not None
    await redis.hset(PROFILES, MODEL, "1")
    await redis.hset(f"sploot.media.clusters:profile:{MODEL}", "1", encode_profile(profile))
    return redis


async def test_they_can_be_looked_at(fleet: Redis, capsys: pytest.CaptureFixture[str]):
    await types("profile list")
    head, row, line = capsys.readouterr().out.splitlines()
    assert head.split()[:2] == ["generation", "state"]
    assert row.endswith(f"'{MODEL}'")
    assert json.loads(line)["model_version"] == MODEL
    await types("profile show")
    assert "embedding: length 8" in capsys.readouterr().out


async def test_one_can_be_forgotten(fleet: Redis):
    await types("profile drop")
    assert await fleet.hget(PROFILES, MODEL) == b"2"


async def test_one_can_be_made_final_and_taken_elsewhere(fleet: Redis):
    await types("profile export")
    await types("profile freeze")
    assert await fleet.hget(PROFILES, MODEL) == b"2 settled"
    await fleet.flushall()
    await types("profile import")
    assert await fleet.hget(PROFILES, MODEL) == b"1 settled"
