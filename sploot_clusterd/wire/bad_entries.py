"""Entries that are no jobs: what they claim to be, so that they can be found, erased and put back."""

import json
from collections.abc import Mapping
from typing import Final

import msgspec

from sploot_clusterd.errors import BadJobError
from sploot_clusterd.model import EntryId
from sploot_clusterd.wire.entries import first_id, texts

_LONGEST_ID: Final = 128
_LONGEST_TEXT: Final = 12 * _LONGEST_ID + 2
"""Bytes of an id in JSON, each of its characters written as two escapes."""


class _Names(msgspec.Struct):
    """What is not asked for is passed over and not decoded: a bad entry may be of any size."""

    pet_id: msgspec.Raw = msgspec.Raw()
    job_id: msgspec.Raw = msgspec.Raw()
    payload: msgspec.Raw = msgspec.Raw()
    fields: msgspec.Raw = msgspec.Raw()


_decoder: Final = msgspec.json.Decoder(_Names)


def flat_payload(fields: Mapping[bytes, bytes]) -> bytes:
    """A flat entry as JSON that `decode_entry` takes back, for its dead letter. No byte is lost, UTF-8 or not."""
    kept = {k.decode(errors="surrogateescape"): v.decode(errors="surrogateescape") for k, v in fields.items()}
    return json.dumps({"fields": kept}).encode()


def named_ids(fields: Mapping[bytes, bytes]) -> tuple[str, str]:
    """(pet_id, job_id) that a bad entry claims to have, to find and erase it by; empty where it names none."""
    raw = fields.get(b"payload")
    if raw is None:
        return _named_by_fields(fields)
    outer = _names(raw)
    if outer.fields:
        outer = _names(outer.fields)
    inner = _names(outer.payload)
    return _id(outer.pet_id or inner.pet_id), _id(outer.job_id or inner.job_id)


def _named_by_fields(fields: Mapping[bytes, bytes]) -> tuple[str, str]:
    try:
        given = texts(fields)
    except BadJobError:
        return "", ""
    return _short(given.get("pet_id", "")), _short(given.get("job_id", ""))


def first_place(entry_id: EntryId, fields: Mapping[bytes, bytes]) -> EntryId:
    """The place in the order that an entry has, whatever else is wrong with it: put back, it keeps its first one."""
    try:
        return first_id(entry_id, fields.get(b"first_id"))
    except BadJobError:
        return entry_id


def other_pet(fields: Mapping[bytes, bytes]) -> str:
    """The pet that a mismatch's body names, where `named_ids` tells that of its envelope: to erase it by either."""
    return _id(_names(_names(fields.get(b"payload", b"")).payload).pet_id)


def _names(raw: msgspec.Raw | bytes) -> _Names:
    """None at all where it is no object."""
    try:
        return _decoder.decode(raw)
    except (ValueError, RecursionError):
        return _Names()


def _id(raw: msgspec.Raw) -> str:
    if not raw or len(raw) > _LONGEST_TEXT:
        return ""
    try:
        return _short(msgspec.json.decode(raw, type=str))
    except ValueError:  # what is passed over is not looked at for its UTF-8
        return ""


def _short(text: str) -> str:
    """Cut short, a text that is too long for an id could be another's."""
    return text if len(text) <= _LONGEST_ID else ""
