"""The primary by the account of Sentinels, which are scripted here; the servers that they name are real."""

import asyncio

import pytest

from sploot_clusterd.config import Secret, StreamSettings
from sploot_clusterd.due import DueEntries
from sploot_clusterd.errors import NoPermissionError, StoreUnavailableError
from sploot_clusterd.halt import Halt
from sploot_clusterd.health import Health
from sploot_clusterd.metrics import Metrics
from sploot_clusterd.pauses import Pauses
from sploot_clusterd.store import Store
from sploot_clusterd.store import sentinel as module
from sploot_clusterd.stream_monitor import StreamMonitor
from tests.docs.pages import ROOT, only_block
from tests.store.sentinel.looks import new_answers, port_of
from tests.support.nodes import Node
from tests.support.stores import settings
from tests.support.teller import Teller, watched
from tests.support.waiting import eventually

_SHORT = 2.0
"""Seconds of patience with silent Sentinels."""


async def test_what_most_sentinels_name_counts(one: Node, other: Node):
    async with Teller(other.port) as stale, Teller(one.port) as x, Teller(one.port) as y, watched(stale, x, y) as store:
        assert await port_of(store.gateway) == one.port


async def test_silent_sentinels_hold_up_nobody(one: Node, monkeypatch: pytest.MonkeyPatch):
    async with Teller(one.port) as first, Teller(one.port) as second, Teller(one.port) as third:
        first.silent = True
        with monkeypatch.context() as patched:
            patched.setattr(module, "_PATIENCE", 600.0)
            async with watched(first, second, third) as store:
                assert await port_of(store.gateway) == one.port
        second.silent = True
        monkeypatch.setattr(module, "_PATIENCE", _SHORT)
        async with watched(first, second, third) as store:
            assert await port_of(store.gateway) == one.port


async def test_all_who_open_at_once_share_one_question(one: Node):
    async with Teller(one.port) as teller, watched(teller) as store:
        assert await asyncio.gather(*(port_of(store.gateway) for _ in range(20))) == [one.port] * 20
        assert teller.asked == 1


@pytest.mark.parametrize("wanted", ["", "sesame"])
@pytest.mark.parametrize("given", ["", "sesame", "wrong"])
async def test_their_password_is_their_own(one: Node, wanted: str, given: str):
    """One that wants none is asked all the same: they get theirs one after the other."""
    await one.client.config_set("requirepass", "of-redis")
    login = {"password": Secret("of-redis"), "sentinel_password": Secret(given) if given else None}
    async with Teller(one.port, password=wanted) as teller, watched(teller, **login) as store:
        if wanted in ("", given):
            assert await port_of(store.gateway) == one.port
        else:
            with pytest.raises(
                StoreUnavailableError, match=r"does not let us in, .*redis\.sentinel_password"
            ) as caught:
                await port_of(store.gateway)
            assert "sesame" not in str(caught.value)


async def test_why_none_names_a_primary_is_told_of_each(one: Node, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(module, "_PATIENCE", _SHORT)
    async with (
        Teller(None) as unknowing,
        Teller(one.port, password="sesame") as locked,
        Teller(one.port, reply=b"-ERR a fault\r\n") as faulty,
        Teller(one.port, reply=b"HTTP/1.1 400 no\r\n") as foreign,
        Teller(one.port, reply=b":7\r\n") as odd,
        Teller(one.port) as gone,
        watched(unknowing, locked, faulty, foreign, odd, gone) as store,
    ):
        gone.silent = True
        with pytest.raises(StoreUnavailableError) as caught:
            await port_of(store.gateway)
    reasons = [each.split(": ", 1)[1] for each in str(caught.value).removeprefix("no sentinel names ").split("; ")]
    assert reasons[0].endswith("knows no service of that name")
    assert reasons[1] == "does not let us in, look at redis.sentinel_username and redis.sentinel_password"
    assert reasons[2:] == [
        "ERR a fault",
        "no sentinel, or one that speaks TLS",
        "another server than a sentinel",
        "no answer",
    ]


async def test_another_server_than_a_sentinel_is_told(one: Node):
    store = Store.open(settings(f"redis+sentinel://127.0.0.1:{one.port}/mymaster"), Metrics())
    with pytest.raises(StoreUnavailableError, match=rf"the primary of mymaster: 127.0.0.1:{one.port}: another server"):
        await port_of(store.gateway)
    await store.close()


async def test_the_documented_rights_and_role_are_enough(one: Node):
    rights = only_block(ROOT / "docs/operations.md", "acl").text.split()
    await one.client.execute_command(*rights)
    login = {"username": "clusterd", "password": Secret("the-password")}
    async with Teller(one.port) as teller, watched(teller, **login) as store:
        with pytest.raises(NoPermissionError, match="see the ACL in docs"):
            await port_of(store.gateway)
        await one.client.execute_command(*rights[:3], "+role")
    async with Teller(one.port) as teller, watched(teller, **login) as store:
        assert await port_of(store.gateway) == one.port
    await one.client.execute_command("ACL", "DELUSER", "clusterd")


async def test_sentinels_that_are_away_are_a_warning_while_redis_works(one: Node, monkeypatch: pytest.MonkeyPatch):
    new_answers(monkeypatch)
    monkeypatch.setattr(module, "_PATIENCE", _SHORT)
    health, metrics, stopping = Health(60.0), Metrics(), asyncio.Event()
    async with Teller(one.port) as teller, watched(teller) as store:
        await store.look()
        teller.silent = True
        monitor = StreamMonitor(
            store=store,
            due=[DueEntries()],
            metrics=metrics,
            health=health,
            stopping=stopping,
            settings=StreamSettings(maxlen=9),
            pauses=Pauses(1, health, metrics),
            halt=Halt(health, metrics),
        )
        running = asyncio.create_task(monitor.run())
        await eventually(lambda: not health.reasons(), what="readiness")
        stopping.set()
        await running
        assert any("a failover may go unseen: no sentinel names" in text for text in health.warnings())
