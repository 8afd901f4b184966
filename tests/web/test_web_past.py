"""History over HTTP: what is asked of it, and what is said where it is off."""

import msgspec
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


async def test_jobs_go_on_in_history_behind_those_that_the_pet_was_told_of(service):
    pages, place = [], ""
    while place is not None:
        reply = await service.send(raw("GET", f"/internal/pets/pet_123/jobs?limit=2&after={place}"))
        page = msgspec.json.decode(reply.body)
        pages.append([(job["job_id"], job["state"], job["attempts"]) for job in page["jobs"]])
        place = page["next"]
    told = [("job_2", "queued", None), ("pet_123", "applied", None)]
    assert pages == [told, [("job_1", "dead", 3)], [("job_1", "dead", 3)]]
    known = {"job_2", "pet_123"}
    assert service.store.asked == [(None, 2, known), ((5000, "job_1"), 2, known)]


async def test_without_history_jobs_end_with_those_that_the_pet_was_told_of(serve):
    service = await serve(keeps=False)
    reply = await service.send(raw("GET", "/internal/pets/pet_123/jobs"))
    assert msgspec.json.decode(reply.body)["next"] is None
