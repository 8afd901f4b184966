"""A DELETE waits for history to forget the pet, or says that it is still to do so."""

import json

import pytest

from sploot_clusterd.web import handlers
from tests.web.service import raw

DELETE = raw("DELETE", "/internal/pets/pet_123")


async def test_it_waits_until_history_has_forgotten_the_pet(service):
    service.store.erasing = {"pet_123": 3}
    reply = await service.send(DELETE)
    assert (reply.status, json.loads(reply.body), service.store.looks) == (200, {"status": "erased"}, 4)


async def test_of_a_history_that_is_away_it_says_that_it_follows(service, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(handlers, "_FORGOTTEN_WITHIN", 0.1)
    service.store.erasing = {"pet_123": 10**9}
    reply = await service.send(DELETE)
    assert (reply.status, json.loads(reply.body)) == (202, {"status": "pending"})
    assert "pet_123" not in service.store.views
    assert service.in_flight.count == 0


async def test_without_history_nothing_is_waited_for(serve):
    service = await serve(keeps=False)
    service.store.erasing = {"pet_123": 10**9}
    assert (await service.send(DELETE)).status == 200
    assert service.store.looks == 0


async def test_a_pet_that_is_still_to_be_forgotten_does_not_go_back_to_anything(service):
    service.store.erasing = {"pet_123": 10**9}
    reply = await service.send(raw("POST", "/internal/pets/pet_123/restore", b'{"version": 3}'))
    assert (reply.status, service.store.jobs) == (404, [])
