"""The feed over HTTP: places, waiting, and what is said where events are gone."""

import json
from typing import Any

import msgspec
import pytest

from tests.web.fake_store import EVENT, FakeStore
from tests.web.service import (
    Serve,
    Service,
    raw,
)

FEED = "/internal/feed"
SECOND = msgspec.structs.replace(EVENT, id="2-6000", sequence=2, previous=EVENT.id)


@pytest.fixture
async def service(serve: Serve) -> Service:
    return await serve(FakeStore(events=[EVENT, SECOND]))


async def ask(service: Service, query: str) -> tuple[int, Any]:
    reply = await service.send(raw("GET", f"{FEED}?{query}"))
    return reply.status, json.loads(reply.body)


async def test_places_lead_through_it(service: Service):
    status, page = await ask(service, "partition=1&limit=1")
    assert status == 200
    assert page == {
        "partition": 1,
        "events": [msgspec.to_builtins(EVENT)],
        "next": "1-5000",
        "newest": "2-6000",
    }
    assert [each["id"] for each in (await ask(service, "partition=1&after=1-5000"))[1]["events"]] == ["2-6000"]
    assert (await ask(service, "partition=1&after=2-6000"))[1] == {
        "partition": 1,
        "events": [],
        "next": "2-6000",
        "newest": "2-6000",
    }
    assert (await ask(service, ""))[1] == {"partition": 0, "events": [], "next": "", "newest": ""}


async def test_what_is_gone_is_gone(service: Service):
    status, body = await ask(service, "partition=1&after=7-1&wait=30")
    assert status == 410
    assert body["newest"] == "2-6000"
    assert "7-1" in body["detail"]
    assert not service.store.waited


async def test_who_waits_is_told_as_soon_as_there_is_news(service: Service):
    store = service.store
    store.events = [EVENT]
    in_flight = []

    def arrive() -> None:
        in_flight.append(service.in_flight.count)
        store.events.append(SECOND)

    store.at_wait = arrive
    _, page = await ask(service, "partition=1&after=1-5000&wait=7.5")
    assert [each["id"] for each in page["events"]] == ["2-6000"]
    assert store.waited == [(1, "1-5000", 7.5)]
    assert in_flight == [0]  # who computes need not give way to it meanwhile


async def test_who_waits_in_vain_keeps_the_place(service: Service):
    assert (await ask(service, "partition=1&after=2-6000&wait=1"))[1]["next"] == "2-6000"
    assert service.store.waited == [(1, "2-6000", 1.0)]


@pytest.mark.parametrize(
    ("query", "says"),
    [
        ("partition=2", "partition: expected `int` <= 1"),
        ("partition=-1", "partition"),
        ("limit=0", "limit"),
        ("limit=1001", "limit"),
        ("wait=31", "wait"),
        ("after=1-2-3", "after"),
        ("after=-1", "after"),
        ("after=9999999999999999", "after"),
    ],
)
async def test_what_breaks_a_rule_is_refused_by_its_name(service: Service, query: str, says: str):
    status, body = await ask(service, query)
    assert status == 422
    assert body["detail"].startswith(says)


async def test_where_it_is_off_it_says_how_to_turn_it_on(serve: Serve):
    status, body = await ask(await serve(feeds=False), "")
    assert status == 501
    assert "FEED_ENABLED" in body["detail"]
