"""What is asked of dead letters, and payloads that people put right."""

from contextlib import suppress
from typing import Final

import msgspec

from sploot_clusterd.config import LimitsSettings
from sploot_clusterd.dead_letters import LettersChange, ReplayRequest, WholeLetter
from sploot_clusterd.entry_ids import EntryId, LetterId
from sploot_clusterd.errors import BadJobError
from sploot_clusterd.model import Job
from sploot_clusterd.wire.decoding import decoded
from sploot_clusterd.wire.entries import decode_entry
from sploot_clusterd.wire.size import check_nesting

_change: Final = msgspec.json.Decoder(LettersChange)
_replay: Final = msgspec.json.Decoder(ReplayRequest)


class _Sent(msgspec.Struct):
    actor: object = None


_sent: Final = msgspec.json.Decoder(_Sent)


def decode_letters_change(body: bytes) -> LettersChange:
    """The body of a replay or drop of many. Raises BadJobError: `malformed` if it is no JSON, else `invalid`."""
    check_nesting(body)
    change = decoded(_change, body)
    if change.all is not change.takes_all:
        raise BadJobError("invalid", "expected either a filter (reason, pet, since, until) or all: true")
    return change


def decode_replay(body: bytes) -> ReplayRequest:
    """The body of a replay of one. Raises BadJobError, as above."""
    check_nesting(body)
    return decoded(_replay, body)


def check_edited(whole: WholeLetter, was: bytes, edited: bytes, limits: LimitsSettings) -> Job:
    """The job of the payload that is to go back: the letter's, of the letter's pet, and no other's word.

    Raises BadJobError.
    """
    letter, place = whole.letter, LetterId.parse(whole.letter.id).entry
    with suppress(ValueError):  # another hand may have written it
        place = EntryId.parse(whole.first_id)
    job = decode_entry(place, {b"payload": edited}, limits)
    pets = [pet for pet in (letter.pet_id, letter.other_pet_id) if pet]
    if pets and job.pet_id not in pets:
        raise BadJobError("invalid", f"pet_id: expected {' or '.join(pets)}, as the letter names")
    if letter.job_id and job.job_id != letter.job_id:
        raise BadJobError("invalid", f"job_id: expected {letter.job_id}, as the letter names")
    if job.restore or job.fetched:
        raise BadJobError("invalid", "this job is one of the daemon's own: replay it as it is, or drop it")
    if job.actor is not None and job.actor != _actor(was):
        raise BadJobError("invalid", "actor: expected what the letter has, or none")
    return job


def _actor(payload: bytes) -> object:
    try:
        return _sent.decode(payload).actor
    except (ValueError, RecursionError):
        return None
