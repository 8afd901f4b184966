"""Going back to a former version, over HTTP: the album is kept first, and the job names it."""

import json

from sploot_clusterd import wire
from sploot_clusterd.config import LimitsSettings
from sploot_clusterd.entry_ids import EntryId
from sploot_clusterd.snapshot import Restore
from tests.web.service import raw

PATH = "/internal/pets/pet_123/restore"


async def test_the_job_names_the_version_and_where_its_album_is(service):
    reply = await service.send(raw("POST", PATH, b'{"version": 3, "job_id": "undo-1"}'))
    assert (reply.status, json.loads(reply.body)) == (202, {"status": "accepted"})
    assert service.store.snapshots == {"pet_123": b"an album"}
    (payload,) = service.store.jobs
    job = wire.decode_entry(EntryId(1, 0), {b"payload": payload}, LimitsSettings())
    assert (job.pet_id, job.job_id, job.restore) == ("pet_123", "undo-1", Restore(3, "a-name"))


async def test_without_an_id_the_job_gets_one(service):
    for _ in range(2):
        assert (await service.send(raw("POST", PATH, b'{"version": 3}'))).status == 202
    assert len({json.loads(job)["job_id"] for job in service.store.jobs}) == 2


async def test_a_whole_number_may_be_written_with_a_point_and_no_other_is_taken(service):
    assert (await service.send(raw("POST", PATH, b'{"version": 3.0}'))).status == 202
    assert json.loads(service.store.jobs[0])["restore"]["version"] == 3
    reply = await service.send(raw("POST", PATH, b'{"version": 3.5}'))
    assert (reply.status, json.loads(reply.body)["detail"]) == (
        422,
        "version: expected `float` that's a multiple of 1.0",
    )


async def test_of_a_version_without_an_album_the_nearest_is_named(service):
    reply = await service.send(raw("POST", PATH, b'{"version": 9}'))
    assert (reply.status, service.store.jobs) == (404, [])
    assert json.loads(reply.body)["detail"].endswith("the last one before it is of version 3")


async def test_an_erasure_in_between_wins(service):
    service.store.at_keep = service.store.snapshots.clear
    reply = await service.send(raw("POST", PATH, b'{"version": 3}'))
    assert (reply.status, service.store.jobs) == (404, [])


async def test_where_history_is_off_the_setting_is_named(serve):
    service = await serve(keeps=False)
    reply = await service.send(raw("POST", PATH, b'{"version": 3}'))
    assert (reply.status, service.store.snapshots) == (501, {})
    assert b"history.url (DATABASE_URL)" in reply.body


async def test_no_producer_can_pass_for_one(service):
    """A job over HTTP goes back to nothing, whatever it says."""
    body = b'{"pet_id":"pet_123","restore":{"version":3,"snapshot":"a-name"},"payload":{"image_ids":["a"]}}'
    assert (await service.send(raw("POST", "/internal/cluster-jobs", body))).status == 202
    (payload,) = service.store.jobs
    assert wire.decode_entry(EntryId(1, 0), {b"payload": payload}, LimitsSettings()).restore is None
