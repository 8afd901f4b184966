"""Ingest sides on the real server."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest
from redis.asyncio import Redis

from sploot_clusterd.engine import Params
from sploot_clusterd.ingest import waiting_jobs
from tests.support.side import Side, opened_side


@pytest.fixture
async def new_side(redis: Redis, redis_url: str) -> AsyncIterator:
    """Opens ingest sides; two of them are two processes. `url` leads to a Redis of the test's own."""
    async with AsyncExitStack() as sides:

        async def new(params: Params = Params(), url: str = redis_url, **more: object) -> Side:  # noqa: B008 - immutable
            return await sides.enter_async_context(opened_side(url, params, **more))

        yield new


@pytest.fixture
async def side(new_side) -> Side:
    return await new_side()


@pytest.fixture
async def sides(new_side) -> list[Side]:
    """Two processes."""
    return [await new_side(), await new_side()]


@pytest.fixture
def little_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """Consumers soon leave the waiting to a task."""
    monkeypatch.setattr(waiting_jobs, "_PATIENCE", 0.1)
