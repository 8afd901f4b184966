"""What is posted, jobs and corrections: what is taken, and what is said of what is not."""

import json

import pytest
from aiohttp import ClientSession

from sploot_clusterd.correcting import OPS
from tests.web.service import CORRECTIONS, JOB, JOBS, Service, ask, raw


async def test_a_job_is_taken_as_it_came(client: ClientSession, service: Service):
    assert await ask(client, "POST", JOBS, data=JOB) == (202, {"status": "accepted"})

    envelope = json.loads(service.store.jobs[0])
    assert (envelope["pet_id"], envelope["job_id"], envelope["attempts"]) == ("pet_123", "job_456", 0)
    assert envelope["payload"] == json.loads(JOB)
    assert JOB in service.store.jobs[0]


async def test_a_job_without_an_id_gets_one(client: ClientSession, service: Service):
    for _ in range(2):
        await ask(client, "POST", JOBS, data=b'{"pet_id":"pet_1"}')

    first, second = (json.loads(job)["job_id"] for job in service.store.jobs)
    assert len(first) == len(second) == 32
    assert first != second


@pytest.mark.parametrize(
    ("body", "status", "says"),
    [
        (b"", 400, "not JSON"),
        (b"{", 400, "not JSON"),
        (b'{"pet_id":"a","payload":{"quality_score":NaN}}', 400, "not JSON"),
        (b'{"pet_id":"a","payload":{"quality_score":Infinity}}', 400, "not JSON"),
        (b'{"pet_id":"\xff"}', 400, "not JSON"),
        (b"[" * 100_000, 400, "nested more than 64 levels deep"),
        (b'{"x":' * 100_000, 400, "not JSON"),
        (b"[]", 422, ""),
        (b"null", 422, ""),
        (b"{}", 422, "pet_id"),
        (b'{"pet_id":7}', 422, "pet_id"),
        (b'{"pet_id":"a b"}', 422, "pet_id"),
        (b'{"pet_id":"a\\n"}', 422, "pet_id"),
        (b'{"pet_id":"%s"}' % (b"a" * 129), 422, "pet_id"),
        (b'{"pet_id":"a","payload":{"quality_score":2}}', 422, "payload.quality_score"),
        (b'{"pet_id":"a","payload":{"quality_score":1%s}}' % (b"0" * 400), 422, "payload.quality_score"),
        (b'{"pet_id":"a","payload":{"images":[{"image_id":"i","embedding":[]}]}}', 422, "payload.images[0].embedding"),
        (b'{"pet_id":"a","payload":{"images":[{"image_id":"i","pose":[0,0]}]}}', 422, "payload.images[0].pose"),
    ],
)
async def test_a_bad_body_is_told_why(client: ClientSession, service: Service, body, status, says):
    got, answer = await ask(client, "POST", JOBS, data=body)

    assert got == status
    assert says in answer["detail"]
    assert service.store.jobs == []


CORRECT = "/internal/pets/pet_123/corrections"


async def test_corrections_travel_as_a_job(client: ClientSession, service: Service):
    body = {**json.loads(CORRECTIONS), "job_id": "by_user_7"}
    assert await ask(client, "POST", CORRECT, data=json.dumps(body)) == (202, {"status": "accepted"})
    assert await ask(client, "POST", CORRECT, data=CORRECTIONS) == (202, {"status": "accepted"})

    named, unnamed = map(json.loads, service.store.jobs)
    assert (named["pet_id"], named["job_id"]) == ("pet_123", "by_user_7")
    assert named["payload"] == {
        "pet_id": "pet_123",
        "job_id": "by_user_7",
        "payload": {"corrections": [{"op": "rename", "cluster": "pet_123-cluster-0", "label": "On the beach"}]},
    }
    assert len(unnamed["job_id"]) == 32


async def test_corrections_of_a_pet_without_an_album_are_a_404(client: ClientSession, service: Service):
    status, answer = await ask(client, "POST", CORRECT.replace("123", "9"), data=CORRECTIONS.replace(b"123", b"9"))

    assert (status, service.store.jobs) == (404, [])
    assert answer == {"detail": "no job of this pet was applied yet: there is nothing to correct"}


@pytest.mark.parametrize(
    ("correction", "detail"),
    [
        ({}, f"corrections[0].op: expected {', '.join(OPS[:-1])} or undo"),
        ({"op": "redo"}, f"corrections[0].op: expected {', '.join(OPS[:-1])} or undo"),
        (
            {"op": "merge", "clusters": ["pet_123-cluster-0"]},
            "corrections[0].clusters: expected `array` of length >= 2",
        ),
        ({"op": "split", "cluster": "pet_123-cluster-0"}, "corrections[0].image_ids: this field is required"),
        (
            {"op": "rename", "cluster": "pet_1-cluster-0", "label": "x"},
            "corrections[0]: a cluster's id is pet_123-cluster-<number> here",
        ),
        (
            {"op": "rename", "cluster": "Portraits", "label": "x"},
            "corrections[0].cluster: expected a cluster's id as the view has it, pet_123-cluster-0",
        ),
    ],
)
async def test_a_bad_correction_is_told_why(client: ClientSession, service: Service, correction, detail):
    status, answer = await ask(client, "POST", CORRECT, data=json.dumps({"corrections": [correction]}))

    assert (status, service.store.jobs) == (422, [])
    assert answer == {"detail": detail}


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Content-Type": "application/json; charset=utf-8"}, 202),
        ({"Content-Type": "APPLICATION/JSON"}, 202),
        ({"Content-Type": "application/vnd.sploot+json"}, 202),
        ({"Content-Type": "text/plain"}, 415),
        ({"Content-Type": "application/jsonx"}, 415),
        ({"Content-Type": "multipart/form-data; boundary=x"}, 415),
        ({"Content-Encoding": "identity"}, 202),
        ({"Content-Encoding": "gzip"}, 415),
        ({"Content-Encoding": "identity, br"}, 415),
    ],
)
async def test_only_plain_json_is_taken(client: ClientSession, headers, status):
    async with client.post(JOBS, data=JOB, headers=headers) as answer:
        assert answer.status == status
        assert list(await answer.json()) == (["status"] if status == 202 else ["detail"])


async def test_the_content_type_may_be_missing_but_not_empty(service: Service):
    assert (await service.send(raw("POST", JOBS, JOB))).status == 202
    assert (await service.send(raw("POST", JOBS, JOB, Content_Type=" "))).status == 415
