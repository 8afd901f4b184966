"""Adding entries to the stream, and reading them as a consumer of the group does."""

from redis.asyncio import Redis

from sploot_clusterd.store import Entry
from tests.support.stores import GROUP


async def read_new(redis: Redis, consumer: str, count: int = 100) -> list[Entry]:
    """Whatever is new in the stream `jobs`, which is pending at the consumer from now on."""
    reply = await redis.xreadgroup(GROUP, consumer, {"jobs": ">"}, count=count)
    return [Entry.of(key, fields) for key, fields in (reply[0][1] if reply else ())]


async def count_pending(redis: Redis) -> int:
    return (await redis.xpending("jobs", GROUP))["pending"]


class Producer:
    """Adds entries, and has a consumer read them."""

    def __init__(self, redis: Redis) -> None:
        self.redis = redis

    async def add(self, payload: bytes = b"{}") -> bytes:
        return await self.redis.xadd("jobs", {"payload": payload})

    async def read(self, consumer: str, count: int = 100) -> list[Entry]:
        return await read_new(self.redis, consumer, count)

    async def pending(self) -> int:
        return await count_pending(self.redis)
