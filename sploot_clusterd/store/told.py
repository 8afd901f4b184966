"""What a pet is told of its jobs: how the events of its list are written, and read.

Scripts write them as they decide, in the same step. An event is `kind ms job rest`; `_jobs.lua` says of which kinds.
"""

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from msgspec import convert

from sploot_clusterd.jobs import JobState
from sploot_clusterd.model import NAMED_ID_PATTERN

MOST_EVENTS: Final = 64
"""Of a pet. The scripts' number, too."""
_LONGEST_ERROR: Final = 200
_LONGEST_ID: Final = 128
_id: Final = re.compile(NAMED_ID_PATTERN)


def can_tell(pet_id: str, job_id: str) -> bool:
    """Whether both are ids: what a bad entry claims to be may be any text."""
    return all(len(each) <= _LONGEST_ID and _id.match(each) for each in (pet_id, job_id))


def applied(now_ms: int, version: int, jobs: Sequence[tuple[str, bool]]) -> list[str]:
    """Of a commit's jobs: for each its id, and whether it took effect now, or did before."""
    latest = jobs[-MOST_EVENTS:]
    return [f"a {now_ms} {job_id} {version}" if changed else f"s {now_ms} {job_id}" for job_id, changed in latest]


def dead(job_id: str, reason: str, attempts: int, error: str) -> str:
    """Without the kind and the time, which the script adds."""
    return f"{job_id} {reason} {attempts} {error[:_LONGEST_ERROR]}"


def short(error: str) -> str:
    """As much of an error as is told."""
    return error[:_LONGEST_ERROR]


def states(events: Sequence[bytes]) -> list[JobState]:
    """What became of each job, those that were heard of last first. What took effect did so, whatever a repetition of
    it came to.
    """
    found: dict[str, JobState] = {}
    for event in events:
        state = _state(event)
        if state is not None:
            known = found.pop(state.job_id, None)
            stays = known is not None and known.state == "applied" and state.version is None
            found[state.job_id] = known if known is not None and stays else state
    return [*reversed(found.values())]


def time_of(ms: int) -> str:
    """RFC 3339, in UTC."""
    return datetime.fromtimestamp(ms / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _state(event: bytes) -> JobState | None:
    """None for what we have not written."""
    kind, _, rest = event.decode(errors="replace").partition(" ")
    try:
        ms, job_id, *more = rest.split(" ", 2)
        told = {"job_id": job_id, "at": time_of(int(ms)), **_READ[kind](more[0] if more else "")}
        return convert(told, JobState)
    except (KeyError, ValueError, OverflowError, OSError):  # ValidationError among them
        return None


def _retrying(rest: str) -> Mapping[str, Any]:
    attempts, due, error = rest.split(" ", 2)
    return {"state": "retrying", "attempts": int(attempts), "next_at": time_of(int(due)), "error": error}


def _dead(rest: str) -> Mapping[str, Any]:
    reason, attempts, error = rest.split(" ", 2)
    return {"state": "dead", "reason": reason, "attempts": int(attempts), "error": error}


_READ: Final = {
    "q": lambda _: {"state": "queued"},
    "r": _retrying,
    "a": lambda version: {"state": "applied", "version": int(version)},
    "s": lambda _: {"state": "applied"},
    "d": _dead,
}
