"""Entries that are no jobs: what they claim to be, so that they can be found, erased and put back."""

import json
from collections.abc import Mapping
from typing import Any

import msgspec

from sploot_clusterd.errors import BadJobError
from sploot_clusterd.model import EntryId
from sploot_clusterd.wire.entries import first_id, texts


def flat_payload(fields: Mapping[bytes, bytes]) -> bytes:
    """A flat entry as JSON that `decode_entry` takes back, for its dead letter. No byte is lost, UTF-8 or not."""
    kept = {k.decode(errors="surrogateescape"): v.decode(errors="surrogateescape") for k, v in fields.items()}
    return json.dumps({"fields": kept}).encode()


def claimed_ids(fields: Mapping[bytes, bytes]) -> tuple[str, str]:
    """(pet_id, job_id) that a bad entry claims to have, to find and erase it by; empty where it names none."""
    try:
        raw = fields.get(b"payload")
        given = texts(fields) if raw is None else msgspec.json.decode(raw)
    except (ValueError, RecursionError, BadJobError):
        return "", ""
    outer = _dict(_dict(given).get("fields")) or _dict(given)
    inner = _dict(outer.get("payload"))
    pet_id, job_id = (outer.get(key, inner.get(key)) for key in ("pet_id", "job_id"))
    return _short(pet_id), _short(job_id)


def first_place(entry_id: EntryId, fields: Mapping[bytes, bytes]) -> EntryId:
    """The place in the order that an entry has, whatever else is wrong with it: put back, it keeps its first one."""
    try:
        return first_id(entry_id, fields.get(b"first_id"))
    except BadJobError:
        return entry_id


def other_pet(fields: Mapping[bytes, bytes]) -> str:
    """The pet that a mismatch's body names, where `claimed_ids` tells that of its envelope: to erase it by either."""
    given = _dict(msgspec.json.decode(fields.get(b"payload", b"null")))
    return _short(_dict(given.get("payload")).get("pet_id"))


def _dict(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _short(value: object) -> str:
    return value[:128] if isinstance(value, str) else ""
