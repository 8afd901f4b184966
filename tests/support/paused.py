"""A fleet that is paused."""

from datetime import UTC, datetime, timedelta

from tests.faults.fleet import Fleet
from tests.support.api import Api
from tests.support.waiting import eventually

_GROUP = "media-clustering-workers"


def in_seconds(seconds: float) -> str:
    return (datetime.now(UTC) + timedelta(seconds=seconds)).isoformat()


async def pauses_briefly(api: Api) -> None:
    """In place of a pause that there is, one that ends by itself a second later; again, where it was over too soon."""

    async def is_taken() -> bool:
        pause = {"reason": "a moment", "until": in_seconds(1)}
        return (await api.ask("POST", "/internal/pause", json=pause))[0] == 200

    await eventually(is_taken, what="the pause to be taken")


async def warns(fleet: Fleet, *, wanted: bool) -> None:
    """Until each process says so, and counts it."""

    async def do_all() -> bool:
        for daemon in fleet.daemons:
            async with fleet.http.get(f"{daemon.ops_url}/readyz") as answer:
                said = await answer.json()
                if any(text.startswith("paused until ") for text in said["warnings"]) is not wanted:
                    return False
                assert answer.status == 200
        return True

    await eventually(do_all, what="all daemons to pause" if wanted else "all daemons to go on")


async def taken(fleet: Fleet) -> int:
    """Entries that a consumer has."""
    pending = [await fleet.redis.xpending(keys.stream, _GROUP) for keys in fleet.layout.partitions]
    return sum(each["pending"] for each in pending)
