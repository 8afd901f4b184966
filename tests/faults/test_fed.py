"""What is held against the change feed: each way in which it may tell something else than what happened."""

import json
from types import SimpleNamespace

import pytest
from redis.asyncio import Redis

from sploot_clusterd.keys import Layout
from tests.faults.fed import feed_breaches

LAYOUT = Layout("ns", "jobs", "jobs:dead", 1)
KEYS = LAYOUT.plain
TOKENS = ["", "a.1", "b.2", "c.3"]


def event(sequence: int, pet: str = "pet", **more: object) -> dict:
    previous = f"{sequence - 1}-5" if sequence > 1 else ""
    made = {"pet_id": pet, "kind": "changed", "previous": previous, "before": TOKENS[sequence - 1]}
    return {**made, "after": TOKENS[sequence], **more}


@pytest.mark.parametrize(
    ("events", "says"),
    [
        ({1: event(1), 2: event(2), 3: event(3)}, []),
        ({1: event(1), 3: event(3)}, ["3-5 of pet: before it is 'b.2'", "1 events are missing"]),
        ({1: event(1), 2: event(2, before="x.1"), 3: event(3)}, ["2-5 of pet: before it is 'x.1'"]),
        ({1: event(1), 2: event(2, previous="1-9"), 3: event(3)}, ["2-5 follows '1-9'"]),
        ({1: event(1), 2: event(2)}, ["pet ends with 'b.2'"]),
        ({2: event(2, "gone", kind="erased", after=""), 3: event(3, before="")}, []),
    ],
)
async def test_it_is_noticed(redis: Redis, events: dict[int, dict], says: list[str]):
    for sequence, each in events.items():
        await redis.xadd(KEYS.feed, {"event": json.dumps(each)}, f"{sequence}-5")
    await redis.hset(KEYS.pet("pet").album, "token", TOKENS[3])
    fleet = SimpleNamespace(redis=redis, layout=LAYOUT)
    found = await feed_breaches(fleet)  # type: ignore[arg-type]
    assert len(found) == len(says)
    for breach, part in zip(found, says, strict=True):
        assert breach.startswith(part)
