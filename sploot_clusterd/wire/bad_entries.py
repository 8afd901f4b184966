"""Entries that are no jobs: what they claim to be, so that they can be found, erased and put back."""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Final

import msgspec

from sploot_clusterd.entry_ids import EntryId
from sploot_clusterd.errors import BadJobError
from sploot_clusterd.wire.entries import first_id

_LONGEST_ID: Final = 128
_LONGEST_TEXT: Final = 12 * _LONGEST_ID + 2
"""Bytes of an id in JSON, each of its characters written as two escapes."""
_WRITTEN_PET: Final = re.compile(rb'"pet_id"\s*:\s*"([A-Za-z0-9._:-]{1,128})"')


class _Names(msgspec.Struct):
    """What is not asked for is passed over and not decoded: a bad entry may be of any size."""

    pet_id: msgspec.Raw = msgspec.Raw()
    job_id: msgspec.Raw = msgspec.Raw()
    payload: msgspec.Raw = msgspec.Raw()
    fields: msgspec.Raw = msgspec.Raw()


_decoder: Final = msgspec.json.Decoder(_Names)


def flat_payload(fields: Mapping[bytes, bytes]) -> bytes:
    """A flat entry as JSON that `decode_entry` takes back, for its dead letter. No byte is lost, UTF-8 or not."""
    texts = {k.decode(errors="surrogateescape"): v.decode(errors="surrogateescape") for k, v in fields.items()}
    return json.dumps({"fields": texts}).encode()


def named_ids(fields: Mapping[bytes, bytes]) -> tuple[str, str]:
    """(pet_id, job_id) that a bad entry claims to have, to find and erase it by; empty where it names none."""
    raw = fields.get(b"payload")
    if raw is None:
        return _named_by_fields(fields)
    outer = _names(raw)
    if outer.fields:
        outer = _names(outer.fields)
    inner = _Names() if outer.pet_id and outer.job_id else _names(outer.payload)
    pet_id = _id(outer.pet_id or inner.pet_id) or next(filter(None, _named_pets(raw)), "")
    return pet_id, _id(outer.job_id or inner.job_id)


def _named_by_fields(fields: Mapping[bytes, bytes]) -> tuple[str, str]:
    pet_id, job_id = (_text(fields.get(name, b"")) for name in (b"pet_id", b"job_id"))
    return pet_id, job_id


def first_place(entry_id: EntryId, fields: Mapping[bytes, bytes]) -> EntryId:
    """The place in the order that an entry has, whatever else is wrong with it: put back, it keeps its first one."""
    try:
        return first_id(entry_id, fields.get(b"first_id"))
    except BadJobError:
        return entry_id


def other_pet(fields: Mapping[bytes, bytes]) -> str:
    """A second pet that an entry names beside that of `named_ids`, wherever: to find and erase it by either."""
    first, _ = named_ids(fields)
    return next((pet for pet in _named_pets(fields.get(b"payload", b"")) if pet not in ("", first)), "")


def _named_pets(raw: bytes) -> Iterator[str]:
    outer = _names(raw)
    yield _id(outer.pet_id)
    for part in (outer.payload, outer.fields):
        inner = _names(part)
        yield _id(inner.pet_id)
        yield _id(_names(inner.payload).pet_id)
    if not outer.pet_id and not outer.payload and not outer.fields:  # no JSON, most likely
        yield from (match[1].decode() for match in _WRITTEN_PET.finditer(raw))


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


def _text(raw: bytes) -> str:
    try:
        return _short(raw.decode())
    except UnicodeDecodeError:
        return ""


def _short(text: str) -> str:
    """Cut short, a text that is too long for an id could be another's."""
    return text if len(text) <= _LONGEST_ID else ""
