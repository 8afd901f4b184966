"""Stream entries: how one is decoded; broken ones, which no HTTP body can be; and every bad request again in the forms
that an entry may have.
"""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import msgspec
from hypothesis import strategies as st

from sploot_clusterd.config import LimitsSettings
from sploot_clusterd.entry_ids import EntryId
from sploot_clusterd.model import Job
from sploot_clusterd.wire import decode_entry
from tests.wire.corpus import CORPUS, nested

LIMITS = LimitsSettings()
AT = EntryId(1_700_000_000_000, 3)

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
    max_leaves=20,
)


def entry(**fields: bytes) -> Job:
    return decode_entry(AT, {name.encode(): value for name, value in fields.items()}, LIMITS)


class BadEntry(NamedTuple):
    name: str
    fields: Mapping[bytes, bytes]
    reasons: frozenset[str]
    """The reasons that its dead letter may have."""


GOOD = b'{"pet_id": "pet"}'
_BAD = frozenset({"malformed", "invalid"})
_MALFORMED, _INVALID, _MISMATCH = (frozenset({reason}) for reason in ("malformed", "invalid", "mismatch"))

_ENVELOPES: dict[str, tuple[bytes, frozenset[str]]] = {
    "with a text as body": (b'{"pet_id": "a", "payload": "{\\"pet_id\\": \\"a\\"}"}', _INVALID),
    "with a list as body": (b'{"pet_id": "a", "payload": [{"pet_id": "a"}]}', _INVALID),
    "without a pet": (b'{"payload": {"pet_id": "a"}}', _INVALID),
    "whose pet is a number": (b'{"pet_id": 1, "payload": {"pet_id": "a"}}', _INVALID),
    "whose pet is no id": (b'{"pet_id": "a b", "payload": {"pet_id": "a b"}}', _INVALID),
    "whose job is no id": (b'{"pet_id": "a", "job_id": "a/b", "payload": {"pet_id": "a"}}', _INVALID),
    "of another pet": (b'{"pet_id": "a", "payload": {"pet_id": "b"}}', _MISMATCH),
    "of another pet, which is too long": (
        msgspec.json.encode({"pet_id": "a", "payload": {"pet_id": "b" * 500}}),
        _MISMATCH,
    ),
    "in an envelope": (b'{"pet_id": "a", "payload": {"pet_id": "a", "payload": {"pet_id": 1, "images": 1}}}', _INVALID),
    "cut off": (b'{"pet_id": "a", "payload": {"pet_id": "a"', _MALFORMED),
    "66 levels deep": (
        b'{"pet_id": "a", "payload": {"pet_id": "a", "metadata": {"x": ' + nested(63) + b"}}}",
        _MALFORMED,
    ),
    "with nesting beside the body": (
        b'{"pet_id": "a", "payload": {"pet_id": "a"}, "attempts": ' + nested(65) + b"}",
        _MALFORMED,
    ),
    "with fields that are a list": (b'{"fields": ["pet_id", "a"]}', _INVALID),
    "with fields that are numbers": (b'{"fields": {"pet_id": 1}}', _INVALID),
    "with fields that are no JSON": (b'{"fields": {"pet_id": "a", "labels": "x"}}', _MALFORMED),
    "with empty fields": (b'{"fields": {}}', _INVALID),
}

_FLAT: dict[str, tuple[Mapping[bytes, bytes], frozenset[str]]] = {
    "of nothing we know": ({b"x": b"y"}, _INVALID),
    "with an empty name": ({b"": b""}, _INVALID),
    "with a name that is no UTF-8": ({b"pet_id": b"a", b"\xff\xfe": b"x"}, _MALFORMED),
    "with a value that is no UTF-8": ({b"pet_id": b"a", b"reason": b"\xc3\x28"}, _MALFORMED),
    "with NUL in its pet": ({b"pet_id": b"a\x00"}, _INVALID),
    "with a line feed after its pet": ({b"pet_id": b"a\n"}, _INVALID),
    "without a pet": ({b"labels": b"[]"}, _INVALID),
    "whose pet is JSON": ({b"pet_id": b'"a"'}, _INVALID),
    "with a misspelt payload": ({b"Payload": GOOD}, _INVALID),
    "whose labels are bare": ({b"pet_id": b"a", b"labels": b"Portraits"}, _MALFORMED),
    "that closes the object": ({b"pet_id": b"a", b"labels": b'[]}, "pet_id": "b"'}, _MALFORMED),
    "that adds a key": ({b"pet_id": b"a", b"labels": b'[], "pet_id": "b"'}, _MALFORMED),
    "whose force is a word": ({b"pet_id": b"a", b"force": b"maybe"}, _INVALID),
    "whose metadata is a text": ({b"pet_id": b"a", b"metadata": b'"x"'}, _INVALID),
    "whose metadata is deep": ({b"pet_id": b"a", b"metadata": b'{"x": ' + nested(63) + b"}"}, _MALFORMED),
    "whose metadata is deeper than any decoder": ({b"pet_id": b"a", b"metadata": nested(100_000)}, _MALFORMED),
    "whose images are empty": ({b"pet_id": b"a", b"images": b""}, _MALFORMED),
    "with NaN": ({b"pet_id": b"a", b"quality_score": b"NaN"}, _MALFORMED),
    "out of range": ({b"pet_id": b"a", b"quality_score": b"1.5"}, _INVALID),
}

_PLACES = (
    b"",
    b"-",
    b"5",
    b"a-b",
    b"-1-2",
    b"1-2-3",
    b"\xff",
    b"1.5-0",
    b" 1-0",
    "\u0665-1".encode(),
    b"*",
    b"5-18446744073709551616",
    b"18446744073709551616-0",
    b"5-" + b"9" * 5000,
)


def _entries() -> Iterator[BadEntry]:
    for name, (raw, reasons) in _ENVELOPES.items():
        yield BadEntry(f"envelope {name}", {b"payload": raw}, reasons)
    for name, (fields, reasons) in _FLAT.items():
        yield BadEntry(f"flat entry {name}", fields, reasons)
    for place in _PLACES:
        yield BadEntry(f"first_id {place[:32]!r}", {b"payload": GOOD, b"first_id": place}, _INVALID)
    for bad in CORPUS:
        yield BadEntry(f"bare: {bad.name}", {b"payload": bad.body}, _BAD)
        if bad.body not in (b"null", b"{}"):  # around these, an envelope is a job without images
            yield BadEntry(f"wrapped: {bad.name}", {b"payload": _wrapped(bad.body)}, _BAD | _MISMATCH)


def _wrapped(body: bytes) -> bytes:
    """In an envelope of the same pet, as far as it names one."""
    try:
        given: Any = msgspec.json.decode(body)
    except (ValueError, RecursionError):
        given = None
    pet_id = given.get("pet_id", "pet") if isinstance(given, dict) else "pet"
    return b'{"job_id": "job", "pet_id": ' + msgspec.json.encode(pet_id) + b', "payload": ' + body + b"}"


ENTRIES = list(_entries())
