"""A lane: open for as long as its lease is sure, and drained when nothing of its partition is in hand."""

import asyncio
import time

from sploot_clusterd.ingest.lanes import Lane
from tests.support.side import Side


def lane(side: Side) -> tuple[Lane, asyncio.Event]:
    leaving = asyncio.Event()
    return Lane(0, side.stream, side.processor, side.due, leaving), leaving


async def test_it_is_open_until_it_has_to_be_opened_again(side: Side):
    lane_, leaving = lane(side)
    assert lane_.is_open
    lane_.shut()
    assert not lane_.is_open
    assert leaving.is_set(), "what waits is put off"
    lane_.open(time.monotonic() + 60)
    assert lane_.is_open
    assert not leaving.is_set()
    lane_.open(time.monotonic() - 1)
    assert not lane_.is_open


async def test_it_is_drained_when_nobody_uses_it(side: Side):
    lane_, _ = lane(side)
    with lane_.in_use(), lane_.in_use():
        assert not await lane_.drained(0.01)
        waiting = asyncio.create_task(lane_.drained(10))
    assert await waiting
