"""Dead letters over HTTP."""

import json
from typing import Any

import pytest

from sploot_clusterd.config import Grant, Secret
from sploot_clusterd.dead_letters import Replayed
from tests.web.fake_letters import BAD
from tests.web.service import Reply, Service, raw, token_for

PATH = "/internal/dead-letters"
GOOD = '{"pet_id":"pet_123","payload":{"image_ids":["img_001"]}}'
CORRECTING = (
    '{"pet_id":"pet_123","payload":{"corrections":[{"op":"rename","cluster":"pet_123-cluster-0","label":"x"}]}}'
)


def told(reply: Reply) -> Any:
    return json.loads(reply.body)


def mended(payload: str, token: str = "", **more: object) -> bytes:
    headers = {"X_Internal_Token": token} if token else {}
    body = json.dumps({"payload": payload, **more}).encode()
    return raw("POST", f"{PATH}/5000-0/replay", body, **headers)


@pytest.fixture
def many(service: Service) -> Service:
    service.store.letters = {f"500{n}-0": BAD if n else b"" for n in range(5)}
    return service


async def test_pages_and_counts_lead_through_all(many: Service):
    first = told(await many.send(raw("GET", f"{PATH}?limit=3")))
    rest = told(await many.send(raw("GET", f"{PATH}?limit=3&after={first['next']}")))
    assert [each["id"] for each in first["letters"] + rest["letters"]] == [*many.store.letters]
    assert rest["next"] is None
    counted = told(await many.send(raw("GET", f"{PATH}/counts")))
    newest = "1970-01-01T00:00:05.004Z"
    assert counted == {"letters": 5, "empty": 1, "reasons": {"invalid": 5}, "newest": newest, "next": None}


async def test_the_fault_is_marked(service: Service):
    whole = told(await service.send(raw("GET", f"{PATH}/5000-0")))
    fault = whole["fault"]
    assert (fault["path"], whole["payload"][fault["start"] : fault["end"]]) == ("payload.quality_score", "85")


async def test_many_are_put_back_a_part_at_a_time(many: Service):
    many.store.outcomes = {"5000-0": Replayed.EMPTY, "5001-0": Replayed.ERASED}
    first = told(await many.send(raw("POST", f"{PATH}/replay", b'{"reason":"invalid","most":3}')))
    assert first == {"status": "replayed", "letters": 1, "refused": {"empty": 1, "erased": 1}, "next": "5002-0"}
    rest = b'{"reason":"invalid","after":"5002-0"}'
    assert told(await many.send(raw("POST", f"{PATH}/replay", rest)))["letters"] == 2
    assert [each for each, _ in many.store.put_back] == ["5002-0", "5003-0", "5004-0"]


async def test_where_the_stream_is_full_it_says_where_to_go_on(many: Service):
    many.store.outcomes = {"5002-0": Replayed.FULL}
    answered = told(await many.send(raw("POST", f"{PATH}/replay", b'{"all":true}')))
    assert answered == {"status": "full", "letters": 2, "refused": {}, "next": "5001-0"}


async def test_many_are_dropped(many: Service):
    answered = told(await many.send(raw("POST", f"{PATH}/drop", b'{"all":true,"most":4}')))
    assert (answered["status"], answered["letters"], answered["next"]) == ("dropped", 4, "5003-0")
    assert [*many.store.letters] == ["5004-0"]


@pytest.mark.parametrize("body", [b"{}", b'{"after":"1"}', b'{"all":true,"reason":"invalid"}', b'{"all":false}'])
async def test_what_cannot_be_taken_back_takes_a_clear_word(many: Service, body: bytes):
    for what in ("replay", "drop"):
        reply = await many.send(raw("POST", f"{PATH}/{what}", body))
        assert (reply.status, "a filter" in told(reply)["detail"]) == (422, True)
    assert (len(many.store.letters), many.store.put_back) == (5, [])


async def test_a_payload_that_was_put_right_goes_back(service: Service):
    assert (await service.send(mended(GOOD, dry_run=True))).status == 200
    assert service.store.put_back == []
    assert (await service.send(mended(GOOD))).status == 202
    assert service.store.put_back == [("5000-0", GOOD.encode())]


@pytest.mark.parametrize(
    ("payload", "detail"),
    [
        ("{", "not JSON"),
        ('{"pet_id":"pet_123","payload":{"quality_score":85}}', "payload.quality_score: expected"),
        (GOOD.replace("pet_123", "pet_9"), "pet_id: expected pet_123, as the letter names"),
        (f'{{"pet_id":"pet_123","actor":"ann","payload":{GOOD}}}', "actor: expected what the letter has, or none"),
        (f'{{"pet_id":"pet_123","fetched":"answers","payload":{GOOD}}}', "one of the daemon's own"),
        (
            f'{{"pet_id":"pet_123","restore":{{"version":1,"snapshot":"x"}},"payload":{GOOD}}}',
            "one of the daemon's own",
        ),
    ],
)
async def test_what_no_entry_may_have_is_refused(service: Service, payload: str, detail: str):
    reply = await service.send(mended(payload))
    assert (reply.status in (400, 422), service.store.put_back) == (True, [])
    assert detail in told(reply)["detail"]


async def test_it_stays_the_same_job(service: Service):
    service.store.letters["5000-0"] = GOOD.replace("{", '{"job_id":"job_1",', 1).encode()
    reply = await service.send(mended(GOOD))
    assert (reply.status, told(reply)) == (422, {"detail": "job_id: expected job_1, as the letter names"})
    assert (await service.send(mended(GOOD.replace("{", '{"job_id":"job_1",', 1)))).status == 202
    service.store.letters["5000-0"] = b'{"job_id":"4000-0"'  # as of a job without an id of its own
    assert (await service.send(mended(GOOD))).status == 202


async def test_a_user_stays_who_corrected(service: Service):
    edited = f'{{"pet_id":"pet_123","actor":"ann","payload":{CORRECTING}}}'
    service.store.letters["5000-0"] = b'{"actor":"ann"}'
    assert (await service.send(mended(edited))).status == 202


async def test_another_payload_wants_the_scopes_that_it_would_want_by_itself(service: Service):
    reply = await service.send(mended(GOOD, token_for("operate")))
    assert (reply.status, told(reply)["detail"]) == (403, "missing scope: submit (the payload is another one)")
    secret = Secret("a-token-of-an-operator-who-submits")
    service.tokens.replace([], [Grant("", "desk", frozenset({"operate", "submit"}), (secret,))])
    reply = await service.send(mended(CORRECTING, secret.reveal()))
    assert (reply.status, told(reply)["detail"]) == (403, "missing scope: correct (the job has corrections)")
    assert service.store.put_back == []
    assert (await service.send(mended(GOOD, secret.reveal()))).status == 202


async def test_of_a_word_that_is_no_letter_it_is_said_what_is_one(service: Service):
    reply = await service.send(raw("DELETE", f"{PATH}/5000"))
    assert told(reply) == {"detail": "letter_id: expected an id like 1761827696789-0 or 3:1761827696789-0"}
