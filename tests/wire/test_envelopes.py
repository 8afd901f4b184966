"""What an envelope says of a job, beside the body in it: whose ids count, and that all are checked."""

import msgspec
import pytest

from sploot_clusterd.errors import BadJobError
from tests.wire.entries import entry


def test_pets_that_differ_between_envelope_and_body_are_a_mismatch():
    with pytest.raises(BadJobError) as caught:
        entry(payload=msgspec.json.encode({"pet_id": "a", "payload": {"pet_id": "b"}}))
    assert caught.value.reason == "mismatch"


@pytest.mark.parametrize(
    ("around", "reason", "names"),
    [
        ({"pet_id": "a b"}, "invalid", "^pet_id: "),
        ({"pet_id": ".."}, "invalid", "^pet_id: "),
        ({"pet_id": "a", "job_id": "a b"}, "invalid", "^job_id: "),
        ({"pet_id": "b", "job_id": "other", "fields": {"pet_id": "a"}}, "mismatch", "^pet_id: "),
    ],
)
def test_an_envelopes_ids_are_checked_where_they_are_not_the_bodys(around: dict[str, object], reason: str, names: str):
    with pytest.raises(BadJobError, match=names) as caught:
        entry(payload=msgspec.json.encode({**around, "payload": {"pet_id": "a"}}))
    assert caught.value.reason == reason


def test_the_bodys_job_id_comes_before_the_envelopes():
    body = {"pet_id": "a", "job_id": "inner"}
    for outer in ("inner", "outer", None):
        around = {"pet_id": "a", "job_id": outer, "payload": body, "fields": {"pet_id": "b"}}
        assert entry(payload=msgspec.json.encode(around)).job_id == "inner"
