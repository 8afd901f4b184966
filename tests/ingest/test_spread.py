"""Partitions on several servers: one that is away pauses alone, whoever meets it, and goes on when it is back."""

import asyncio
from collections.abc import AsyncIterator, Collection
from contextlib import nullcontext
from functools import partial
from types import SimpleNamespace

import pytest

from sploot_clusterd.errors import PartitionMovedError, StoreUnavailableError
from sploot_clusterd.health import Health
from sploot_clusterd.ingest.brake import Brake
from sploot_clusterd.ingest.lanes import Lane
from sploot_clusterd.ingest.placement import Placement
from sploot_clusterd.ingest.reclaim import Reclaimer
from sploot_clusterd.keys import Layout
from sploot_clusterd.metrics import Metrics
from sploot_clusterd.pauses import Pauses
from sploot_clusterd.store import ClaimKind, Entry
from sploot_clusterd.store.stream import Stream
from tests.support.loops import running
from tests.support.side import Side, image
from tests.support.waiting import eventually

AWAY = StoreUnavailableError("redis node h:1: does not answer")
US = "us"


async def test_a_lane_is_read_while_it_is_open_its_own_entries_first(side: Side):
    await side.add("left-behind", payload=image("a"))
    await side.read("me")  # and crashed
    await side.add("new", payload=image("b"))
    lane = Lane(0, side.stream, side.processor, side.due, asyncio.Event())
    consumer = side.ingest.spread_consumer("consumer-0", "me", [lane])
    async with running(side, consumer):

        async def settled() -> bool:
            return not await side.redis.xlen("jobs")

        async def blocked(count: int) -> bool:
            return (await side.redis.info("clients"))["blocked_clients"] == count

        await eventually(settled, what="both to be applied")
        await eventually(lambda: blocked(1), what="the next read")
        lane.shut()
        await consumer.reread()
        await eventually(lambda: blocked(0), what="the read to end")
        await side.add("later", payload=image("c"))
        assert not side.health.reasons()
        lane.open(float("inf"))
        await eventually(settled, what="the lane to be read again")
        await eventually(lambda: blocked(1), what="the next read")
    assert await side.pending() == 0


async def test_a_partition_in_motion_is_none_that_pauses(side: Side, monkeypatch: pytest.MonkeyPatch):
    told = []

    async def probe(_: Stream) -> None:
        if len(told) < 4:
            told.append(side.health.warnings())
            raise PartitionMovedError

    monkeypatch.setattr(Stream, "probe", probe)
    await side.add("pet", payload=image("a"))
    async with running(side, side.ingest.spread_consumer("consumer-0", "me", side.ingest.lanes)):

        async def settled() -> bool:
            return not await side.redis.xlen("jobs")

        await eventually(settled, what="it to be read when it has arrived")
    assert told == [[]] * 4


async def test_a_partition_that_cannot_be_worked_on_pauses_by_its_reason(side: Side, monkeypatch: pytest.MonkeyPatch):
    probed = 0

    async def probe(_: Stream) -> None:
        nonlocal probed
        probed += 1
        if probed < 5:
            raise AWAY

    monkeypatch.setattr(Stream, "probe", probe)
    await side.add("pet", payload=image("a"))
    async with running(side, side.ingest.spread_consumer("consumer-0", "me", side.ingest.lanes)):
        await eventually(side.health.warnings, what="the pause to be told")
        assert side.health.warnings() == [f"partition 0 pauses: {AWAY.detail}"]
        assert side.health.reasons() == []
        await eventually(lambda: not side.health.warnings(), what="it to go on")

        async def settled() -> bool:
            return not await side.redis.xlen("jobs")

        await eventually(settled, what="the job to be applied")
    assert probed == 5, "what is pending is claimed when it can be committed, and not before"


class Stub:
    """A lane of which claims tell what was asked, or that it is away."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.is_open = True
        self.away = False
        self.claims: list[ClaimKind] = []
        self.in_use = nullcontext
        self.due = SimpleNamespace(possible=True)
        self.processor = SimpleNamespace(raise_failure=lambda _: None)
        self.stream = self

    async def probe(self) -> None:
        if self.away:
            raise AWAY

    async def claim(self, _: str, kind: ClaimKind, *, lives: bool) -> AsyncIterator[list[Entry]]:
        assert not lives or kind is ClaimKind.OWN
        await self.probe()
        self.claims.append(kind)
        return
        yield []


async def test_the_reclaim_loop_leaves_out_what_pauses_and_takes_its_own_first_when_that_is_back():
    health, metrics = Health(60.0), Metrics()
    good, bad = Stub(0), Stub(1)
    reclaimer = Reclaimer(
        consumer="reclaim",
        living=(),
        lanes=[good, bad],
        brake=Brake(health, most_put_off=0),
        health=health,
        pauses=Pauses(2, health, metrics),
        name_confirmed=asyncio.Event(),
        stopping=asyncio.Event(),
        renew=partial(asyncio.sleep, 0),
        retry_idle_ms=1000,
    )
    bad.away = True
    for kind in (ClaimKind.IDLE, ClaimKind.DUE):
        await reclaimer.claim(kind)
    assert good.claims == [ClaimKind.IDLE, ClaimKind.DUE]
    assert health.warnings() == [f"partition 1 pauses: {AWAY.detail}"]
    await reclaimer._claim_own()
    assert health.warnings()
    bad.away = False
    await reclaimer._claim_own()
    await reclaimer.claim(ClaimKind.IDLE)
    assert bad.claims == [ClaimKind.OWN, ClaimKind.IDLE]
    assert health.warnings() == []
    good.away = bad.away = True
    with pytest.raises(StoreUnavailableError):
        await reclaimer.claim(ClaimKind.IDLE)


class Tenure:
    """What others see of leases; `unknown` are those whose server is away."""

    member = US
    lease_ms = 60_000

    def __init__(self, count: int) -> None:
        self.owners = [""] * count
        self.unknown: Collection[int] = ()
        self.is_seen = True

    async def beat(self) -> list[str]:
        if not self.is_seen:
            raise AWAY
        return [US]

    async def hold(self, wanted: Collection[int]) -> list[str | None]:
        for n in wanted:
            self.owners[n] = self.owners[n] or US
        return [None if n in self.unknown else owner for n, owner in enumerate(self.owners)]


async def test_leases_that_are_not_known_change_nothing_and_others_go_on():
    """E50."""
    tenure, taken = Tenure(3), list[int]()
    lanes = [Lane(n, None, None, None, asyncio.Event()) for n in range(3)]
    refuses = {1}

    async def take_over(lane: Lane) -> None:
        if lane.number in refuses:
            raise AWAY
        taken.append(lane.number)

    async def reread() -> None:
        """Nobody reads."""

    placement = Placement(
        tenure=tenure,
        lanes=lanes,
        layout=Layout("ns", "jobs", "dead", len(lanes)),
        follow=lambda: asyncio.sleep(0),
        take_over=take_over,
        reread=reread,
        metrics=Metrics(),
        health=Health(60.0),
        name_confirmed=asyncio.Event(),
        stopping=asyncio.Event(),
    )
    tenure.owners = ["", "", "other"]
    await placement.look()
    await placement.look()
    assert taken == [0], "of the one whose server did not answer nothing is begun"
    refuses.clear()
    await placement.look()
    assert taken == [0, 1]
    tenure.unknown, tenure.is_seen = [0], False
    await placement.look()
    assert [lane.is_open for lane in lanes] == [True, True, False]
    tenure.unknown, tenure.owners[0] = [], "other"
    await placement.look()
    assert [lane.is_open for lane in lanes] == [False, True, False]
    tenure.is_seen = True
    await placement.look()
