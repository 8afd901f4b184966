"""Entries that are pending, as tests make and take them."""

from redis.asyncio import Redis

from sploot_clusterd.store import (
    ClaimKind,
    Entry,
    Letter,
    Stream,
)


async def claimed(stream: Stream, kind: ClaimKind, consumer: str = "me") -> list[Entry]:
    return [entry async for page in stream.claim(consumer, kind) for entry in page]


async def abandon(redis: Redis, key: bytes, owner: str = "dead", idle_ms: int = 120_000) -> None:
    """As if `owner` had read it long ago and died: idle, without another delivery."""
    await redis.xclaim("jobs", "workers", owner, 0, [key], idle=idle_ms, justid=True)


def letter(entry: bytes, **more: object) -> Letter:
    base = Letter(entry, b"raw \xff", "invalid", "pet_id: required", 0, entry.decode(), "pet", "job", "now")
    return base._replace(**more)
