"""History over HTTP: what is asked of it, and what is said where it is off."""

import pytest

from tests.web.service import PET, raw

PAST = (f"{PET}/clusters/latest", f"{PET}/clusters/3", f"{PET}/clusters/history", "/internal/images/img_001/clusters")


@pytest.mark.parametrize("path", PAST)
async def test_where_it_is_off_the_setting_is_named(serve, path):
    service = await serve(keeps=False)
    reply = await service.send(raw("GET", path.format(pet_id="pet_123")))
    assert reply.status == 501
    assert b"history.url (DATABASE_URL)" in reply.body


async def test_what_is_asked_reaches_history(service):
    for query in ("", "?before=17-1764210000123&limit=5", "?at=2025-11-27T03:20:00.123%2B01:00"):
        assert (await service.send(raw("GET", f"/internal/pets/pet_123/clusters/history{query}"))).status == 200
    assert service.store.asked == [(None, None, 100), ("17-1764210000123", None, 5), (None, 1764210000123, 100)]


async def test_no_id_of_a_pet_or_an_image_hides_a_route(service):
    """Those after `/clusters/` are no versions."""
    latest = await service.send(raw("GET", "/internal/pets/pet_123/clusters/latest"))
    version = await service.send(raw("GET", "/internal/pets/pet_123/clusters/3"))
    assert (latest.status, latest.body) == (200, version.body)
    assert (await service.send(raw("GET", "/internal/pets/pet_123/clusters/-3"))).status == 422
