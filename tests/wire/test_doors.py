"""One contract, two doors: what HTTP takes the stream takes, in every form, and what one refuses the other does too."""

import json
import re
import time
from collections.abc import Callable
from datetime import datetime

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sploot_clusterd.config import LimitsSettings
from sploot_clusterd.errors import BadJobError
from sploot_clusterd.model import TEXT_PATTERN, Job
from sploot_clusterd.wire import decode_entry, decode_request, encode_envelope, named_ids
from sploot_clusterd.wire.size import is_deeper
from tests.wire.corpus import nested, packed
from tests.wire.entries import AT, ENTRIES, LIMITS, BadEntry, entry, json_values

texts = st.text(st.characters(exclude_categories=("Cc", "Cs", "Zl", "Zp")), min_size=1, max_size=12).filter(
    lambda text: re.match(TEXT_PATTERN, text)
)
some_ids = st.from_regex(r"\A[A-Za-z0-9._:-]{1,12}\Z").filter(lambda text: text not in {".", ".."})
shares = st.floats(0.0, 1.0)
times = st.datetimes(datetime(1970, 1, 1), datetime(2100, 1, 1)).map(datetime.isoformat)  # noqa: DTZ001 - or none
vectors = st.lists(st.floats(0.5, 1e6), min_size=1, max_size=4) | st.builds(
    packed,
    st.lists(st.floats(0.5, 60_000.0, width=16), min_size=1, max_size=4).map(lambda n: np.array(n, "<f4").tobytes()),
)


def some(**fields: st.SearchStrategy) -> st.SearchStrategy[dict[str, object]]:
    return st.fixed_dictionaries({}, optional={name: st.none() | field for name, field in fields.items()})


insights = some(embedding=vectors, pose=vectors, context=vectors, quality=shares, label=texts, captured_at=times)
payloads = some(
    image_ids=st.lists(some_ids, max_size=3),
    labels=st.lists(texts, max_size=3),
    coverage=st.dictionaries(texts, shares, max_size=3),
    quality_score=shares,
    model_version=texts,
    images=st.lists(st.tuples(some_ids, insights).map(lambda pair: {"image_id": pair[0], **pair[1]}), max_size=2),
    removed_image_ids=st.lists(some_ids, max_size=3),
)
more = some(
    job_id=some_ids, reason=st.text(max_size=9), force=st.booleans(), payload=payloads, metadata=some(x=json_values)
)
requests = st.tuples(some_ids, more).map(lambda pair: {"pet_id": pair[0], **pair[1]})
"""Jobs as a producer may send them."""


def refusal(decode: Callable[[], object]) -> str | None:
    """The reason for which it is refused; None where it is taken."""
    try:
        decode()
    except BadJobError as error:
        return error.reason
    return None


@pytest.mark.parametrize("bad", ENTRIES, ids=lambda bad: bad.name)
def test_broken_entries_are_refused_and_filed(bad: BadEntry):
    with pytest.raises(BadJobError) as caught:
        decode_entry(AT, bad.fields, LIMITS)
    assert caught.value.reason in bad.reasons, caught.value.detail
    assert 0 < len(caught.value.detail) <= 520
    assert all(isinstance(claimed, str) for claimed in named_ids(bad.fields))


@given(requests)
def test_what_is_accepted_says_the_same_again(given_request: dict[str, object]):
    accepted = decode_request(json.dumps(given_request).encode(), LIMITS)
    assert decode_request(msgspec.json.encode(accepted), LIMITS) == accepted


@given(requests | json_values)
def test_both_doors_take_and_refuse_the_same(given_request: object):
    body = json.dumps(given_request).encode()
    if (reason := refusal(lambda: decode_request(body, LIMITS))) is not None:
        assert refusal(lambda: entry(payload=body)) == reason
        return
    request, bare = decode_request(body, LIMITS), entry(payload=body)
    wrapped = entry(payload=encode_envelope(request, body, bare.job_id, time.time()))
    assert comparable(wrapped) == comparable(bare)
    assert (bare.pet_id, bare.job_id) == (request.pet_id, request.job_id or str(AT))


def comparable(job: Job) -> list[object]:
    """A job's parts, vectors as their bytes."""
    images = [image._replace(vectors={kind: v.tobytes() for kind, v in image.vectors.items()}) for image in job.images]
    return [*job._replace(images=()), images]


@pytest.mark.parametrize(
    "body",
    [
        b'{"pet_id": "a", "metadata": {"x": ' + nested(62) + b"}}",
        b'{"pet_id": "a", "else": ' + nested(63) + b"}",
        b'{"pet_id": "a", "else": [' + b",".join([nested(62)] * 500) + b"]}",
        b'{"pet_id": "a", "reason": "' + b"[{" * 500 + rb'\"\\", "metadata": {"[": "' + rb"\"[" * 100 + b'"}}',
    ],
    ids=["metadata", "ignored", "wide", "brackets in texts"],
)
def test_both_doors_take_what_is_64_levels_deep(body: bytes):
    request = decode_request(body, LIMITS)
    entry(payload=body)
    entry(payload=encode_envelope(request, body, "job", time.time()))


_PARTS = 2 * LIMITS.image_ids_per_job + 40 * LIMITS.images_per_job + 10_000
_VALUES = _PARTS + LIMITS.images_per_job * LIMITS.vector_length


@pytest.mark.parametrize(
    ("open_", "each", "close", "most", "says"),
    [
        (b'{"pet_id":"a","metadata":{"x":[', b'"t"', b"]}}", _PARTS - 7, f"at most {_PARTS} texts, keys, lists and"),
        (b'{"pet_id":"a","else":[', b"1", b"]}", _VALUES, f"at most {_VALUES} values"),
    ],
    ids=["texts", "values"],
)
def test_both_doors_take_as_much_as_is_allowed_and_refuse_more(
    open_: bytes, each: bytes, close: bytes, most: int, says: str
):
    body = open_ + b",".join([each] * most) + close
    request = decode_request(body, LIMITS)
    assert entry(payload=encode_envelope(request, body, "job", time.time())).pet_id == "a"

    too_much = open_ + b",".join([each] * (most + 40)) + close
    for decode in (lambda: decode_request(too_much, LIMITS), lambda: entry(payload=too_much)):
        with pytest.raises(BadJobError, match=says) as caught:
            decode()
        assert caught.value.reason == "invalid"
    assert named_ids({b"payload": too_much}) == ("a", "")


def test_a_job_that_is_as_large_as_each_limit_allows_is_taken():
    limits = LimitsSettings(images_per_job=8, image_ids_per_job=3000, vector_length=2000)
    whole = packed(np.ones(2000, "<f4").tobytes())
    insight = {"quality": 0.5, "label": "x", "captured_at": "2025-10-30T12:00:00Z", "pose": whole, "context": whole}
    content = {
        "images": [{"image_id": f"i{n}", "embedding": [0.5] * 2000, **insight} for n in range(8)],
        "image_ids": [f"l{n}" for n in range(3000)],
        "removed_image_ids": [f"r{n}" for n in range(3000)],
        "labels": [f"l{n}" for n in range(8)],
        "coverage": {f"c{n}": 0.1 for n in range(8)},
        "corrections": [{"op": "move", "image_ids": ["i"], "to": "a-cluster-0"}] * 8,
    }
    body = json.dumps({"pet_id": "a", "payload": content, "metadata": {"x": ["t"] * 9_900}}).encode()
    assert len(decode_request(body, limits).payload.images) == 8


def test_of_a_key_that_comes_twice_the_last_one_counts_at_both_doors():
    body = b'{"pet_id": "a", "pet_id": "b", "payload": {"image_ids": ["x"]}, "payload": {"image_ids": ["y"]}}'
    request = decode_request(body, LIMITS)
    wrapped = entry(payload=encode_envelope(request, body, "job", time.time()))
    for job in (entry(payload=body), wrapped):
        assert (job.pet_id, job.image_ids) == ("b", ["y"])
    with_two_pets = b'{"pet_id": "a", "payload": {"pet_id": "a"}, "pet_id": "b"}'
    assert refusal(lambda: entry(payload=with_two_pets)) == "mismatch"


@given(json_values, st.integers(0, 30))
def test_depth_is_counted_as_a_walk_would(value: object, levels: int):
    def depth(inner: object) -> int:
        below = inner.values() if isinstance(inner, dict) else inner if isinstance(inner, list) else None
        return 0 if below is None else 1 + max(map(depth, below), default=0)

    for text in (json.dumps(value), json.dumps(value, ensure_ascii=False)):
        raw = text.encode(errors="replace")
        assert is_deeper(raw, levels) == (depth(value) > levels)
