"""Scenes of the order of a pet's jobs: who holds which entries, and what became of them."""

import asyncio
from collections.abc import Sequence

from sploot_clusterd.store import Entry
from tests.support.side import Side

GROUPS = {"a": (1.0, 0.0, 0.0), "b": (0.0, 1.0, 0.0), "c": (0.0, 0.0, 1.0)}


def three_clusters() -> dict:
    images = [
        {"image_id": f"{name}{n}", "embedding": [*vector, 0.05 * n]}
        for name, vector in GROUPS.items()
        for n in range(3)
    ]
    return {"images": images}


def move(photo: str, to: int) -> dict:
    return {"corrections": [{"op": "move", "image_ids": [photo], "to": f"pet-cluster-{to}"}]}


async def handed_out(sides: Sequence[Side], count: int) -> list[tuple[Side, list[Entry]]]:
    """So many new entries, one each, to the sides in turn."""
    return [(side := sides[n % len(sides)], await side.read(f"consumer-{n}", count=1)) for n in range(count)]


async def youngest_first(hands: Sequence[tuple[Side, list[Entry]]]) -> None:
    """Each batch is begun when all younger ones are waiting. All are done when it returns."""
    running = []
    for n, (side, entries) in reversed(list(enumerate(hands))):
        running.append(asyncio.create_task(side.process(entries, f"consumer-{n}")))
        await asyncio.sleep(0.005)
    await asyncio.gather(*running)
    for side, _ in hands:
        await side.processor.drained()  # on a busy machine a consumer goes on without what waits for long


async def names(side: Side) -> set[str]:
    view = await side.view()
    return {each["image_id"] for cluster in view["clusters"] for each in cluster["members"]} | set(view["unclustered"])


async def now_due(side: Side) -> None:
    for key, record in (await side.redis.hgetall(side.keys.attempts)).items():
        attempts, due, *rest = record.split()
        if due != b"0":
            await side.redis.hset(side.keys.attempts, key, b" ".join((attempts, b"1", *rest)))
