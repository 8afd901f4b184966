"""What a dead letter says of an entry that is set aside."""

from datetime import UTC, datetime
from typing import Final

from sploot_clusterd.changes import DeadJob, encode_told
from sploot_clusterd.errors import ClusterdError, Reason
from sploot_clusterd.model import Job, is_id
from sploot_clusterd.store import Entry, Letter
from sploot_clusterd.wire import first_place, flat_payload, named_ids, other_pet

_LONGEST_ERROR: Final = 512
AT_FIRST_SIGHT: Final = {"malformed", "invalid", "mismatch", "dimension", "stale_correction", "snapshot_gone"}
"""Reasons that count as an invalid job, and not as a failed run."""


def letter_of(entry: Entry, reason: Reason, error: str, job: Job | None) -> Letter:
    """`job` is None where it could not be decoded: then the letter bears what names can be read."""
    pet_id, job_id = (job.pet_id, job.job_id) if job else named_ids(entry.fields)
    letter = Letter(
        entry=entry.key,
        payload=_original(entry),
        reason=reason,
        error=error[:_LONGEST_ERROR],
        attempts=entry.attempts + (reason not in AT_FIRST_SIGHT),
        first_id=str(job.sequence if job else first_place(entry.id, entry.fields)),
        pet_id=pet_id,
        job_id=job_id,
        other_pet_id="" if job else other_pet(entry.fields),
        failed_at=datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
    )
    is_named = not letter.other_pet_id and is_id(pet_id) and is_id(job_id)
    return letter._replace(fed=_fed(letter)) if is_named else letter


def _fed(letter: Letter) -> bytes:
    error = letter.error.encode(errors="replace").decode()
    return encode_told(DeadJob(letter.job_id, letter.reason, error, letter.attempts, letter.first_id))


def _original(entry: Entry) -> bytes:
    if not entry.fields:
        return b""
    payload = entry.fields.get(b"payload")
    return flat_payload(entry.fields) if payload is None else payload


def error_text(error: Exception) -> str:
    """What went wrong, in words for users."""
    return str(error) if isinstance(error, ClusterdError) else f"{type(error).__name__}: {error}"
