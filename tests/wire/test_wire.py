"""Strangers' bytes: what is refused and how, and what comes through unharmed."""

import json
from contextlib import suppress
from datetime import UTC, datetime

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sploot_clusterd.config import LimitsSettings
from sploot_clusterd.entry_ids import EntryId
from sploot_clusterd.errors import BadJobError
from sploot_clusterd.model import ClusterId, Job, Merge, cluster_id, cluster_number
from sploot_clusterd.wire import (
    decode_corrections,
    decode_entry,
    decode_request,
    encode_envelope,
    encode_request,
    flat_payload,
    named_ids,
)
from tests.wire.corpus import CORPUS, Bad, image, packed, payload, request
from tests.wire.entries import AT, LIMITS, entry, json_values

MERGE = [Merge(["pet-cluster-0", "pet-cluster-1"])]
_THEN = datetime(2025, 1, 2, tzinfo=UTC).timestamp()


def ids(bad: Bad) -> str:
    return bad.name


def test_the_corpus_is_large_and_its_names_are_unique():
    assert len(CORPUS) >= 150
    assert len({bad.name for bad in CORPUS}) == len(CORPUS)


@pytest.mark.parametrize("bad", CORPUS, ids=ids)
def test_bad_requests_are_refused_with_a_reason_that_names_the_field(bad: Bad):
    with pytest.raises(BadJobError) as caught:
        decode_request(bad.body, LIMITS)
    assert caught.value.reason == bad.reason, caught.value.detail
    assert bad.names in caught.value.detail
    assert len(caught.value.detail) <= 520


@pytest.mark.parametrize("bad", CORPUS, ids=ids)
def test_the_streams_door_refuses_the_same(bad: Bad):
    with pytest.raises(BadJobError) as caught:
        entry(payload=bad.body)
    assert caught.value.reason in {"malformed", "invalid"}


@given(st.binary(max_size=200))
def test_no_bytes_get_anything_but_a_refusal_through(raw: bytes):
    for decode in (lambda: decode_request(raw, LIMITS), lambda: entry(payload=raw)):
        with suppress(BadJobError):
            assert decode().pet_id
    named_ids({b"payload": raw})


@given(json_values, st.sampled_from(["top", "payload", "images", "metadata", "labels", "force"]))
def test_no_json_gets_anything_but_a_refusal_through(value: object, where: str):
    body = {
        "top": value,
        "payload": {"pet_id": "p", "payload": value},
        "images": {"pet_id": "p", "payload": {"images": value}},
        "metadata": {"pet_id": "p", "metadata": value},
        "labels": {"pet_id": "p", "payload": {"labels": value, "coverage": value}},
        "force": {"pet_id": "p", "force": value, "job_id": value},
    }[where]
    raw = json.dumps(body).encode()
    for fields in ({b"payload": raw}, {b"pet_id": b"p", b"images": raw}):
        try:
            job = decode_entry(AT, fields, LIMITS)
        except BadJobError:
            continue
        assert job.pet_id == "p"


def test_the_three_forms_of_an_entry_are_one_job():
    corrections = [{"op": "merge", "clusters": ["pet-cluster-0", "pet-cluster-1"]}]
    inner = {
        "corrections": corrections,
        "image_ids": ["a", "b"],
        "labels": ["L"],
        "coverage": {"l": 0.5},
        "quality_score": 0.25,
    }
    body = {"pet_id": "pet", "job_id": "job", "force": True, "payload": inner, "metadata": {"traceparent": "00-1"}}
    forms = [
        {"payload": msgspec.json.encode(body)},
        {"payload": msgspec.json.encode({"pet_id": "pet", "job_id": "job", "payload": body, "attempts": 7})},
        {
            **{key: msgspec.json.encode(value) for key, value in inner.items()},
            "pet_id": b"pet",
            "job_id": b"job",
            "force": b"TRUE",
            "metadata": b'{"traceparent": "00-1"}',
            "unknown": b"ignored",
        },
    ]
    jobs = [entry(**form) for form in forms]
    assert jobs[0] == jobs[1] == jobs[2]
    assert jobs[0] == Job(
        "pet",
        "job",
        AT,
        True,
        ["a", "b"],
        ["L"],
        {"l": 0.5},
        0.25,
        corrections=MERGE,
        trace="00-1",
        carried=("00-1", None),
    )


def test_what_we_submit_is_what_we_read():
    body = request(payload={"image_ids": ["a"]})
    written = encode_envelope(decode_request(body, LIMITS), body, "job-1", _THEN)
    assert msgspec.json.decode(written)["enqueued_at"] == "2025-01-02T00:00:00.000Z"
    job = entry(payload=written)
    assert (job.pet_id, job.job_id, list(job.image_ids)) == ("pet", "job-1", ["a"])


@given(st.integers(0, 4 * 10**9), st.lists(st.integers(0, 2000), min_size=1))
def test_an_envelope_tells_when_it_was_made(second: int, after: list[int]):
    body = request()
    for ms in after:
        now = second + (ms + 0.5) / 1000
        written = encode_envelope(decode_request(body, LIMITS), body, "job-1", now)
        expected = datetime.fromtimestamp(now, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        assert msgspec.json.decode(written)["enqueued_at"] == expected


def test_the_corrections_we_submit_are_those_we_read():
    body = msgspec.json.encode({"corrections": MERGE, "unknown": 1})
    asked, dry_run = decode_corrections("pet", body, LIMITS)
    assert not dry_run
    job = entry(payload=encode_envelope(asked, encode_request(asked), "job-1", _THEN))
    assert (job.pet_id, job.job_id, job.corrections) == ("pet", "job-1", MERGE)


@given(st.from_regex(r"[A-Za-z0-9._:-]{1,30}", fullmatch=True), st.integers(0, 10**15 - 1))
def test_a_clusters_id_tells_its_number_to_its_own_pet_alone(pet: str, number: int):
    assert cluster_number(pet, cluster_id(pet, number)) == number
    assert cluster_number(pet + "x", cluster_id(pet, number)) is None
    msgspec.convert([cluster_id(pet, number)] * 2, list[ClusterId])


def test_a_job_without_an_id_gets_its_first_entrys():
    assert entry(payload=request()).job_id == str(AT)
    assert entry(payload=request(), first_id=b"5-1").job_id == "5-1"


def test_a_replayed_job_keeps_its_first_place_and_gets_no_later_one():
    assert entry(payload=request(), first_id=b"5-1").sequence == EntryId(5, 1)
    assert entry(payload=request(), first_id=b"9999999999999-1").sequence == AT
    for wrong in (b"", b"5", b"a-b", b"-1-2", b"\xff", "\u0665-1".encode()):
        with pytest.raises(BadJobError, match="first_id"):
            entry(payload=request(), first_id=wrong)


@pytest.mark.parametrize(
    ("fields", "names"),
    [
        ({}, "pet_id"),
        ({"labels": b"[]"}, "pet_id"),
        ({"pet_id": b"p", "labels": b"Portraits"}, "labels: expected JSON in this field of a flat entry"),
        ({"pet_id": b"p", "labels": b'[], "pet_id": "q"'}, "labels"),
        ({"pet_id": b"p", "force": b"maybe"}, "force"),
        ({"pet_id": b"\xff"}, "pet_id: the fields of a flat entry are UTF-8"),
        ({"pet_id": b"p", "images": b"[" * 100_000}, "images: "),
        ({"pet_id": b"p", "images": b"[" * 5_000 + b"]" * 5_000}, "images: not JSON that can be read"),
        ({"pet_id": b"p", "quality_score": b"2"}, "quality_score"),
    ],
)
def test_flat_entries_are_refused_by_the_same_rules(fields: dict[str, bytes], names: str):
    with pytest.raises(BadJobError, match=names):
        entry(**fields)


@given(st.dictionaries(st.binary(max_size=20), st.binary(max_size=40), max_size=5))
def test_a_flat_entrys_dead_letter_has_every_byte_of_it(fields: dict[bytes, bytes]):
    given_back = json.loads(flat_payload(fields))["fields"]
    encoded = {k.encode(errors="surrogateescape"): v.encode(errors="surrogateescape") for k, v in given_back.items()}
    assert encoded == fields
    with suppress(BadJobError):
        decode_entry(AT, {b"payload": flat_payload(fields)}, LIMITS)
    named_ids(fields)


def test_a_flat_entry_can_be_replayed_from_its_dead_letter():
    fields = {b"pet_id": b"p", b"labels": b'["L"]', b"force": b"1"}
    assert decode_entry(AT, {b"payload": flat_payload(fields)}, LIMITS) == decode_entry(AT, fields, LIMITS)


@pytest.mark.parametrize(
    ("fields", "claimed"),
    [
        ({b"payload": b'{"pet_id": "p", "job_id": 3}'}, ("p", "")),
        ({b"payload": b'{"payload": {"pet_id": "p", "job_id": "j"}}'}, ("p", "j")),
        ({b"payload": b'{"fields": {"pet_id": "p"}}'}, ("p", "")),
        ({b"pet_id": b"p", b"labels": b"x"}, ("p", "")),
        ({b"payload": b"[1]"}, ("", "")),
        ({b"payload": b"{"}, ("", "")),
        ({b"pet_id": b"\xff"}, ("", "")),
        ({b"payload": json.dumps({"pet_id": "x" * 128, "job_id": "y" * 129}).encode()}, ("x" * 128, "")),
        ({b"payload": json.dumps({"pet_id": "x" * 5000}).encode()}, ("", "")),
        ({b"payload": b'{"pet_id": ["p"], "job_id": "\\u006a"}'}, ("", "j")),
        ({b"payload": b'{"fields": {"pet_id": "p"}, "pet_id": "q"}'}, ("p", "")),
        ({b"pet_id": b"x" * 129, b"job_id": b"j"}, ("", "j")),
        ({b"pet_id": b"p", b"first_id": b"\xff"}, ("p", "")),
    ],
)
def test_a_bad_entry_is_filed_under_the_pet_it_claims(fields: dict[bytes, bytes], claimed: tuple[str, str]):
    assert named_ids(fields) == claimed


@pytest.mark.parametrize("dtype", ["f16", "f32"])
def test_packed_vectors_are_the_numbers_that_were_packed(dtype: str):
    numbers = np.array([0.5, -2.0, 0.25], dtype={"f16": "<f2", "f32": "<f4"}[dtype])
    job = entry(payload=image(embedding=packed(numbers.tobytes(), dtype), pose=[1, 2.5]))
    (insight,) = job.images
    assert insight.vectors.keys() == {"embedding", "pose"}
    assert insight.vectors["embedding"].dtype == np.float32
    assert insight.vectors["embedding"].tolist() == [0.5, -2.0, 0.25]
    assert insight.vectors["pose"].tolist() == [1.0, 2.5]


@pytest.mark.parametrize("scale", [1e-300, 1e-40, 1.0, 1e38, 1e300])
def test_only_the_direction_of_a_vector_counts_however_large_its_numbers(scale: float):
    job = entry(payload=image(embedding=[3 * scale, 4 * scale]))
    vector = job.images[0].vectors["embedding"].astype(np.float64)
    assert np.isfinite(vector).all()
    assert vector / np.linalg.norm(vector) == pytest.approx([0.6, 0.8], rel=1e-6)


def test_times_without_a_zone_are_utc():
    times = ["2025-10-30T12:00:00Z", "2025-10-30T12:00:00", "2025-10-30T14:00:00+02:00"]
    jobs = [entry(payload=image(captured_at=at)) for at in times]
    assert {job.images[0].captured_ms for job in jobs} == {1_761_825_600_000}


def test_null_is_as_good_as_missing():
    nothing = payload(image_ids=None, labels=None, coverage=None, quality_score=None, images=None)
    assert entry(payload=nothing) == entry(payload=request())
    assert decode_request(request(job_id=None, force=None, metadata=None, payload=None), LIMITS).pet_id == "pet"


def test_limits_are_the_settings():
    tight = LimitsSettings(images_per_job=1, image_ids_per_job=1, vector_length=2, id_length=3)
    for body in (
        payload(images=[{"image_id": "a"}, {"image_id": "b"}]),
        payload(image_ids=["a", "b"]),
        image(embedding=[1.0, 2.0, 3.0]),
        payload(image_ids=["abcd"]),
    ):
        decode_request(body, LIMITS)
        with pytest.raises(BadJobError):
            decode_request(body.replace(b'"img"', b'"i"'), tight)


@given(st.integers(0, 2**63), st.integers(0, 2**63))
def test_entry_some_idssurvive_and_are_ordered_by_number(ms: int, seq: int):
    one = EntryId(ms, seq)
    assert EntryId.parse(str(one)) == one
    assert (EntryId(9, 9) < EntryId(10, 0)) is True
