"""Where in a payload the fault is that an error names: as marked text."""

import json

import pytest

from sploot_clusterd.config import LimitsSettings
from sploot_clusterd.entry_ids import EntryId
from sploot_clusterd.errors import BadJobError
from sploot_clusterd.wire import decode_entry, fault_in, flat_payload

ENVELOPE = '{"pet_id": "p", "payload": %s}'
IN_ENVELOPE = '{"pet_id": "p", "payload": {"images": [{"image_id": "a"}, {"image_id": "b", "quality": 7}]}}'


def marked(text: str, error: str) -> str | None:
    fault = fault_in(text, error)
    return None if fault is None else text[fault.start : fault.end]


def refused(payload: bytes) -> str:
    with pytest.raises(BadJobError) as error:
        decode_entry(EntryId(5, 0), {b"payload": payload}, LimitsSettings())
    return error.value.detail


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('{"pet_id": "p", "payload": {"quality_score": 85}}', "85"),
        (ENVELOPE % '{"pet_id": "p", "payload": {"quality_score": 85}}', "85"),
        (ENVELOPE % '{"pet_id": "p", "payload": {"images": [{"image_id": "a"}, {"image_id": "b c"}]}}', '"b c"'),
        ('{"pet_id":"p","payload":{"images":[{"image_id":"\\ud83d\\udc36","quality":1}]}}', '"\\ud83d\\udc36"'),
        ('{"pet_id": "p", "payload": {"images": [{"quality": 0.5}]}}', '{"quality": 0.5}'),
        ('{"pet_id": "p q"}', '"p q"'),
        (ENVELOPE % '{"pet_id": "q"}', '"q"'),
        ('{"pet_id": "p", "payload": {"image_ids": "a"}}', '"a"'),
    ],
)
def test_the_field_that_the_decoder_names_is_marked(text: str, expected: str):
    assert marked(text, refused(text.encode())) == expected


def test_of_a_flat_entry_the_whole_field_is(monkeypatch: pytest.MonkeyPatch):
    payload = flat_payload({b"pet_id": b"p", b"images": b'[{"image_id": "a b"}]'})
    assert marked(payload.decode(), refused(payload)) == json.dumps('[{"image_id": "a b"}]')


@pytest.mark.parametrize(
    ("text", "start"),
    [("", 0), ("{bad", 1), ('{"a": 1}}', 8), ('{"a": "\\xff"}', 7), ("  [1, 2", 7), ('{"a" 1}', 5)],
)
def test_what_is_no_json_is_marked_where_it_ceases_to_be(text: str, start: int):
    fault = fault_in(text, "not JSON: whatever")
    assert fault is not None
    assert (fault.path, fault.start) == ("", start)
    assert fault.start <= fault.end <= len(text)


@pytest.mark.parametrize("error", ["", "RuntimeError: no", "pet_id: what", "payload.x.y: z", "the body: too large"])
def test_an_error_that_names_nothing_that_is_there_marks_nothing(error: str):
    assert fault_in('{"images": []}', error) is None


def test_of_a_long_value_the_beginning_is_marked():
    assert len(marked('{"payload": {"labels": [%s 1]}}' % ("1, " * 5000), "payload.labels: expected") or "") == 400


def test_deep_nesting_marks_nothing():
    assert fault_in("[" * 100_000 + "]" * 100_000, "payload.x: y") is None
