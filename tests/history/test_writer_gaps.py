"""Events that were missed, or lost with Redis' memory: counted, and mended from the albums."""

from collections.abc import Sequence

import pytest

from sploot_clusterd.history import partition_writer
from sploot_clusterd.history.schema import newest_snapshots
from sploot_clusterd.store import Picture, Pictures, feed
from tests.history.following import Writing, check, upload
from tests.history.written import latest, rows, tokens
from tests.support.side import Side


async def test_what_was_trimmed_unread_is_counted_and_mended(writing: Writing, side: Side):
    await upload(side)
    await writing.settle()
    await upload(side, first=4)
    await upload(side, pet="other")
    await side.redis.xtrim(side.keys.feed, minid="11", approximate=False)
    await writing.settle()
    await check(writing)
    await check(writing, "other")
    assert side.count("history_gaps_total") == 1
    assert side.count("history_missed_events_total") == 6
    await upload(side, first=8)
    await writing.settle()
    await check(writing)
    assert side.count("history_gaps_total") == 1


async def test_after_a_feed_that_was_lost_history_goes_on(writing: Writing, side: Side):
    await upload(side)
    await writing.settle()
    await side.redis.delete(side.keys.feed, side.keys.feed_index)
    await writing.settle()
    await upload(side, first=4)
    await writing.settle()
    await check(writing)
    assert side.count("history_gaps_total") == 1


class Replica:
    """What a replica holds, as far as it came."""

    def __init__(self, side: Side) -> None:
        self._side = side
        self._held: dict[bytes, bytes] = {}

    async def follow(self) -> None:
        redis = self._side.redis
        self._held = {key: await redis.dump(key) async for key in redis.scan_iter()}

    async def promote(self) -> None:
        """All that came since is lost."""
        redis = self._side.redis
        await redis.flushall()
        for key, value in self._held.items():
            await redis.restore(key, 0, value)


@pytest.mark.parametrize("new", [0, 2])
@pytest.mark.parametrize("most_bytes", [2**20, 1])
async def test_a_failover_that_lost_commits_leaves_both_branches(
    writing: Writing, side: Side, new: int, most_bytes: int, monkeypatch: pytest.MonkeyPatch
):
    """Also where events are so large that few of them are read at once."""
    monkeypatch.setattr(feed, "_MOST_BYTES", most_bytes)
    replica = Replica(side)
    await upload(side)
    await upload(side, pet="quiet")
    await replica.follow()
    await upload(side, 3, first=10)
    await upload(side, 1, first=10, pet="quiet")
    await upload(side, 2, pet="young")
    await writing.settle()
    lost, all_lost = tokens(writing.database, "pet")[-3:], tokens(writing.database, "young")

    await replica.promote()
    await upload(side, new, first=20)
    await upload(side, min(new, 1), pet="young")
    await writing.settle()
    await check(writing)
    await check(writing, "quiet")
    assert tokens(writing.database, "pet", live=False) == lost
    assert len(tokens(writing.database, "pet")) == 4 + new
    assert tokens(writing.database, "young", live=False) == all_lost
    if new:
        await check(writing, "young")
    else:
        assert latest(writing.database, "young") is None
        assert rows(writing.database, newest_snapshots, pet_id="young") == []
    assert side.count("history_superseded_total") == 6


async def test_what_is_trimmed_while_albums_are_read_is_a_gap_too(
    writing: Writing, side: Side, monkeypatch: pytest.MonkeyPatch
):
    """Behind it there is a whole batch."""
    monkeypatch.setattr(partition_writer, "BATCH", 2)
    take = Pictures.take

    async def trimmed(pictures: Pictures, pets: Sequence[str]) -> tuple[list[Picture], list[str]]:
        monkeypatch.setattr(Pictures, "take", take)
        found = await take(pictures, pets)
        await upload(side, 4, first=4)
        await side.redis.xtrim(side.keys.feed, minid="7", approximate=False)
        return found

    monkeypatch.setattr(Pictures, "take", trimmed)
    await upload(side)
    await writing.settle()
    await check(writing)
    assert side.count("history_gaps_total") == 1
    assert side.count("history_missed_events_total") == 2
