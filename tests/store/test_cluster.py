"""The way to a cluster, over nodes that say what they are told to: where calls go, and what one node does to others."""

import asyncio

import pytest

from sploot_clusterd.errors import StoreUnavailableError
from sploot_clusterd.metrics import Metrics
from sploot_clusterd.partitioning import slot_of
from sploot_clusterd.store import scripts
from sploot_clusterd.store.cluster import topology
from sploot_clusterd.store.gateway import Call, Gateway
from sploot_clusterd.store.views import ViewStore
from tests.support.scripted import (
    HIGH,
    LAYOUT,
    LOW,
    Dies,
    Hangs,
    ScriptedNode,
    Words,
    halves,
    names,
    opened,
    stats,
    xlen,
)
from tests.support.waiting import eventually

SLOT = slot_of(LOW.stream)


async def test_each_call_goes_to_the_node_of_its_slot_in_one_write_and_replies_come_in_order():
    one, other = halves()
    one.answer, other.answer = (lambda command: f"low {command[3]}"), (lambda command: f"high {command[3]}")
    async with opened(one, other, seeds=1) as gateway:
        replies = await gateway.run_each(scripts.STATS, stats(HIGH, LOW, HIGH, LAYOUT.partitions[2]))
    high, low, again, third = (reply.decode() for reply in replies)
    assert (high, low, again) == (f"high {HIGH.stream}", f"low {LOW.stream}", f"high {HIGH.stream}")
    assert third == f"low {LAYOUT.partitions[2].stream}"
    assert [len(write) for write in one.writes] == [len(write) for write in other.writes] == [2]


@pytest.mark.parametrize("idle", range(1, 9))
async def test_asking_and_its_command_go_in_one_write_whatever_is_idle(idle: int):
    """E28, E29: to a node that no map tells of."""
    one, other = halves()
    third = ScriptedNode()
    one.answer = lambda _: ValueError(f"ASK {SLOT} 127.0.0.1:{third.port}")
    async with opened(one, other, third) as gateway:
        await asyncio.gather(*(xlen(gateway) for _ in range(idle)))
        third.writes.clear()
        assert await xlen(gateway) == b"OK"
        assert third.writes == [[("ASKING",), ("XLEN", LOW.stream)]]
        assert one.looks + other.looks == 1, "the slot is where it was"


async def test_moved_mends_its_slot_and_closes_nothing(monkeypatch: pytest.MonkeyPatch):
    """E30: blocked reads go on, on the node that a slot moved from too."""
    monkeypatch.setattr(topology, "_EVERY", 60.0)
    one, other = halves()

    def moved(command: Words) -> object:
        if command[0] == "BLOCKED":
            raise Hangs
        return ValueError(f"MOVED {slot_of(command[1])} 127.0.0.1:{other.port}")

    one.answer = moved
    async with opened(one, other) as gateway:
        connection = await gateway.dedicated(60_000)
        blocked = [asyncio.create_task(connection.command("read", "BLOCKED"))]
        low = [keys for keys in LAYOUT.partitions if slot_of(keys.stream) < 8192]
        assert len(low) == 4
        for keys in [*low, LAYOUT.plain]:
            await gateway.at(keys).command("upkeep", "XLEN", keys.stream)
            await gateway.at(keys).command("upkeep", "XLEN", keys.stream)
        assert len([each for each in one.commands if each[0] == "XLEN"]) == len(low), "each slot once"
        assert not any(task.done() for task in blocked)
        assert one.looks + other.looks == 1
        await connection.close()
        await asyncio.wait(blocked)
        assert isinstance(blocked[0].exception(), StoreUnavailableError)


async def test_what_is_sent_on_goes_together():
    """E32: one pipeline for all that moved."""
    one, other = halves()
    one.answer = lambda command: ValueError(f"MOVED {slot_of(command[3])} 127.0.0.1:{other.port}")
    async with opened(one, other) as gateway:
        assert await gateway.run_for_pets(scripts.LAST_ID, [Call({}, keys=LOW)] * 64) == [b"OK"] * 64
        assert [len(write) for write in one.writes] == [len(write) for write in other.writes] == [64]


async def test_a_node_that_breaks_concerns_its_own_calls_and_nothing_is_sent_again():
    """E31, E34."""
    one, other = halves()
    one.answer = lambda _: (_ for _ in ()).throw(Dies)
    other.answer = lambda _: 0
    async with opened(one, other) as gateway:
        calls = [Call({"most": 9, "jobs_life": 0, "payloads": [b"p"]}, keys=keys) for keys in (LOW, HIGH, LOW, HIGH)]
        low, high, *more = await gateway.run_each(scripts.SUBMIT, calls)
        assert (high, more[1]) == (0, 0)
        assert low.detail == more[0].detail == f"redis node 127.0.0.1:{one.port}: does not answer"
        assert (len(one.commands), len(other.commands)) == (2, 2)


async def test_only_what_may_happen_twice_is_sent_again():
    one, other = halves()
    replies = iter([Dies, None])

    def once(_: Words) -> object:
        if (reply := next(replies)) is not None:
            raise reply
        return "OK"

    one.answer = once
    async with opened(one, other) as gateway:
        assert await gateway.read("load", "HGET", LOW.erased, "pet") == b"OK"
        assert len(one.commands) == 2
    replies = iter([Dies, None])
    async with opened(one, other, retry_on_timeout=False) as gateway:
        with pytest.raises(StoreUnavailableError, match="does not answer"):
            await gateway.read("load", "HGET", LOW.erased, "pet")


async def test_a_node_that_hangs_keeps_what_others_replied_for_as_long_as_it_is_given():
    one, other = halves()
    one.answer = lambda _: (_ for _ in ()).throw(Hangs)
    async with opened(one, other, socket_timeout=600.0) as gateway:
        low, high = await gateway.run_each(scripts.STATS, stats(LOW, HIGH), patience=1.0)
        assert isinstance(low, StoreUnavailableError)
        assert high == b"OK"


async def test_a_slot_that_is_under_way_or_served_by_nobody_pauses_its_partition_alone():
    one, other = halves()
    for text, reason in (
        ("TRYAGAIN Multiple keys request during rehashing of slot", "the slot is being moved to another node"),
        ("CLUSTERDOWN The cluster is down", "the cluster does not serve the slot"),
        (f"MOVED {SLOT} :0", "the cluster's nodes do not agree yet"),
    ):
        one.port = other.port = 0
        one.answer = lambda _, text=text: ValueError(text.replace(":0", f"127.0.0.1:{one.port}"))
        async with opened(one, other) as gateway:
            low, high = await gateway.run_each(scripts.STATS, stats(LOW, HIGH))
            assert isinstance(low, StoreUnavailableError)
            assert low.detail.startswith(reason)
            assert high == b"OK"
    one.slots, one.port, other.port = [], 0, 0
    async with opened(one, other) as gateway:
        with pytest.raises(StoreUnavailableError, match=f"no node of the cluster serves slot {SLOT}"):
            await xlen(gateway)
        assert await xlen(gateway, HIGH) == b"OK"


async def test_more_callers_than_connections_wait(monkeypatch: pytest.MonkeyPatch):
    """E33."""
    one, other = halves()
    async with opened(one, other, pool_max_connections=2) as gateway:
        assert await asyncio.gather(*(xlen(gateway) for _ in range(20))) == [b"OK"] * 20
        assert one.opened <= 3, "two, and one that asked for the map"


async def test_after_close_nothing_is_opened():
    """E38."""
    one, other = halves()
    async with opened(one, other) as gateway:
        await xlen(gateway)
        await gateway.close()
        opened_by_now = one.opened + other.opened
        for call in (
            xlen(gateway),
            gateway.dedicated(10),
            gateway.ask_server("", "TIME"),
            gateway.servers(),
        ):
            with pytest.raises(StoreUnavailableError):
                await call
        await eventually(lambda: one.connections + other.connections == 0, what="all connections to close")
        assert one.opened + other.opened == opened_by_now


async def test_a_script_that_a_node_does_not_know_is_told_it_once():
    """E18: one text, not one with each call."""
    one, other = halves()
    known = set[str]()

    def answer(command: Words) -> object:
        known.update(["it"] if command[0] == "EVAL" else [])
        return "OK" if known else ValueError("NOSCRIPT No matching script")

    one.answer = other.answer = answer
    async with opened(one, other) as gateway:
        assert await gateway.run_for_pets(scripts.LAST_ID, [Call({}, keys=LOW)] * 64) == [b"OK"] * 64
        assert names(one) == ["EVALSHA"] * 64 + ["EVAL"] + ["EVALSHA"] * 63


async def test_who_reads_from_a_node_that_hangs_keeps_no_other_reader_waiting():
    one, other = halves()
    one.answer, other.answer = (lambda _: (_ for _ in ()).throw(Hangs)), (lambda _: [None, "1"])
    async with opened(one, other, socket_timeout=30.0) as gateway:
        views = ViewStore(gateway, LAYOUT, "g", Metrics(), maxlen=9, follow=lambda: asyncio.sleep(0))
        low, high = (next(p for n in range(99) if LAYOUT.number(p := f"p{n}") == number) for number in (0, 1))
        await gateway.servers()
        waiting = [asyncio.create_task(views.view(low)) for _ in range(5)]
        assert await asyncio.gather(*(views.view(high) for _ in range(5))) == [None] * 5
        assert not any(task.done() for task in waiting)
        one.close()
        for each in await asyncio.gather(*waiting, return_exceptions=True):
            assert isinstance(each, StoreUnavailableError)


async def test_every_script_names_a_key(gateway: Gateway):
    """E39: by it its node is found."""
    with pytest.raises(ValueError, match=r"^hold.lua: a call names no key"):
        await gateway.run_each(scripts.HOLD, [Call({"member": "m", "lives": 1})])
