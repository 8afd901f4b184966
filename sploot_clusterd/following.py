"""Following the feed: who waits for the next event of a partition asks again and again, all of a process together."""

import asyncio
from typing import Final

from sploot_clusterd.changes import Events
from sploot_clusterd.store import Feed
from sploot_clusterd.waiting import pause

_EVERY: Final = 0.2
"""Seconds. Nothing is asked while nobody waits, and news are late by half of it."""


class Follower:
    """The feed for those who wait for it."""

    def __init__(self, feed: Feed, stopping: asyncio.Event) -> None:
        self._feed = feed
        self._stopping = stopping

    @property
    def partitions(self) -> int:
        """How many feeds there are now."""
        return self._feed.partitions

    async def read(self, partition: int, place: str, most: int) -> Events:
        """At most so many events behind the place. Raises StoreUnavailableError."""
        return await self._feed.read(partition, place, most)

    async def wait_beyond(self, partition: int, newest: str, seconds: float) -> None:
        """Until there is an event behind the newest one, or the time is over, or the daemon stops. Raises
        StoreUnavailableError.
        """
        clock = asyncio.get_running_loop().time
        deadline = clock() + seconds
        while (left := deadline - clock()) > 0:
            now = clock()
            # To the same moments as all others who wait: what they ask goes out in one round trip.
            if await pause(self._stopping, min(left, _EVERY - now % _EVERY)):
                return
            if await self._feed.newest(partition) != newest:
                return
