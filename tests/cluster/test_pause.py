"""The fleet's pause over a cluster: a key of the whole fleet, whichever node has it."""

from datetime import UTC, datetime, timedelta

import pytest

from tests.cluster.contract import opened
from tests.support.cluster import Cluster
from tests.support.waiting import eventually

pytestmark = pytest.mark.cluster


async def test_it_is_seen_by_all_and_ends_by_itself(cluster: Cluster):
    async with opened(cluster.url, cluster=True) as store, opened(cluster.url, cluster=True) as other:
        await store.pause.begin("a deploy", datetime.now(UTC) + timedelta(seconds=600))
        seen = await other.pause.look()
        assert seen is not None
        assert seen.reason == "a deploy"
        assert 590 < seen.seconds_left <= 600
        assert await other.pause.end() is True
        assert await store.pause.look() is None
        await other.pause.begin("a moment", datetime.now(UTC) + timedelta(seconds=1))

        async def is_over() -> bool:
            return await store.pause.look() is None

        await eventually(is_over, what="the pause to end")
        assert await store.pause.end() is False
