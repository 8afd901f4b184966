"""`clusterd history backfill`: every pet of Redis, whatever the feed told of it."""

import asyncio
from dataclasses import replace

import pytest
from redis.asyncio import Redis

from sploot_clusterd.config import FeedSettings, HistorySettings
from sploot_clusterd.engine import Params
from sploot_clusterd.errors import ClusterdError
from sploot_clusterd.history.backfill_command import backfill
from sploot_clusterd.history.database import Database
from sploot_clusterd.history.schema import newest_snapshots, pet_latest
from tests.history.written import rows
from tests.support.side import image, opened_side
from tests.support.stores import settings

PETS = 30


async def test_it_fills_history_once(
    redis: Redis, redis_url: str, history: HistorySettings, database: Database, capsys: pytest.CaptureFixture[str]
):
    configured = replace(settings(redis_url), history=history, feed=FeedSettings(enabled=True))
    async with opened_side(redis_url, Params()) as side:
        for number in range(PETS):
            await side.add(f"pet-{number}", payload=image("img", 1.0, 0.0))
        await side.run()
    for kept in (PETS, 0):
        assert await asyncio.to_thread(backfill, configured) == 0
        assert capsys.readouterr().out == f"history has all {PETS} pets of Redis: {kept} of them were not up to date\n"
    assert len(rows(database, newest_snapshots)) == len(rows(database, pet_latest)) == PETS
    if database.is_sqlite:
        with (
            database.write(),
            pytest.raises(ClusterdError, match="That one fills history by itself"),
        ):
            await asyncio.to_thread(backfill, configured)
