"""Dead letters in a real Redis."""

from redis.asyncio import Redis

from sploot_clusterd.entry_ids import EntryId
from sploot_clusterd.keys import Keys


async def put(redis: Redis, keys: Keys, key: str = "*", **fields: object) -> EntryId:
    """A dead letter; None leaves a field out."""
    given = {"payload": b"{}", "reason": "invalid", "first_id": "1-1", "pet_id": "pet", "job_id": "job"} | fields
    added = await redis.xadd(keys.dead_letters, {n: v for n, v in given.items() if v is not None}, key)
    return EntryId.parse(added.decode())
