"""What a pet is told of each job beside the job's effect, where corrections may be refused: once all jobs are settled,
each was applied, and its words stand in what was said, or is a dead letter with the reason that is told.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec
from msgspec import structs

from sploot_clusterd.correcting import OfImages
from sploot_clusterd.jobs import JobState
from sploot_clusterd.model import Correction, Undo
from sploot_clusterd.store.told import MOST_EVENTS, short, states
from sploot_clusterd.view import SaidList
from tests.faults.fleet import Fleet
from tests.faults.load import Ledger
from tests.faults.marked import FAILS_ONCE
from tests.support.waiting import eventually

_said = msgspec.json.Decoder(SaidList).decode
_corrections = msgspec.json.Decoder(list[Correction]).decode


@dataclass
class Sent:
    """A job with one image of its own, and how often it was sent."""

    image: str
    body: Mapping[str, Any]
    times: int = 1
    saw_wrongly: bool = False
    """It is to be refused, as its user saw something else than what there was."""

    def corrections(self) -> list[Correction]:
        return _corrections(msgspec.json.encode(self.body["payload"].get("corrections", [])))


Jobs = Mapping[str, Sent]
"""By id, of one pet."""


@dataclass
class Fates:
    """How many corrections of each op took effect, and were refused; and what speaks against what was told."""

    applied: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)
    breaches: list[str] = field(default_factory=list)


async def fates(fleet: Fleet, sent: Mapping[str, Jobs], ledger: Ledger) -> Fates:
    """Of all jobs that were sent. Those that were refused leave the ledger: they are to have no effect."""
    found, letters = Fates(), await _letters(fleet)
    for pet, jobs in sent.items():
        events = await fleet.redis.lrange(fleet.layout.of(pet).pet(pet).jobs, 0, -1)
        if len(events) >= MOST_EVENTS:
            found.breaches.append(f"{pet} was told too much to remember all of it")
        told = {state.job_id: state for state in states(events)}
        for job_id, job in jobs.items():
            state, dead = told.get(job_id), letters.pop((pet, job_id), [])
            accepted = ledger.accepted.get(pet, {})
            if breach := job_breach(job, state, dead, accepted=job.image in accepted):
                found.breaches.append(f"{pet}, {job_id}: {breach}")
            if state is not None:
                count = found.applied if state.state == "applied" else found.refused
                count.update(str(each.__struct_config__.tag) for each in job.corrections())
                if state.state == "dead":
                    accepted.pop(job.image, None)
        applied = {job_id: job for job_id, job in jobs.items() if job_id in told and told[job_id].state == "applied"}
        found.breaches += words_breaches(pet, applied, await _words(fleet, pet))
    found.breaches += [f"a dead letter of {pet}, {job_id}, which was not sent" for pet, job_id in letters]
    return found


def job_breach(job: Sent, state: JobState | None, dead: list[tuple[str, str]], *, accepted: bool) -> str:
    """What is wrong with what is told of a job; '' if nothing is."""
    if state is None:
        return "nothing is told of it" if accepted or dead else ""
    if state.state not in {"applied", "dead"}:
        return f"it is {state.state} for ever"
    return _end_breach(job, state, dead)


def _end_breach(job: Sent, state: JobState, dead: list[tuple[str, str]]) -> str:
    """The same of a job that has come to an end."""
    if job.saw_wrongly and state.state == "applied":
        return "it was applied, though what was seen was not so"
    outcomes = len(dead) + (state.state == "applied")
    if not 1 <= outcomes <= job.times:
        return f"it was sent {job.times} times and came to {outcomes} ends, {state.state} and {dead}"
    if any(reason != "stale_correction" for reason, _ in dead):
        return f"it was set aside: {dead}"
    if state.state == "dead" and (state.reason or "", state.error or "") not in dead:
        return f"told is {state.reason}: {state.error}, the letters say {dead}"
    return ""


def words_breaches(pet: str, applied: Jobs, words: list[tuple[str, list[Correction]]]) -> Iterable[str]:
    """What was said is what applied jobs said, once each, but for those that an applied one took back."""
    spoken = {job_id: job.corrections() for job_id, job in applied.items()}
    undone = {each.job_id for corrections in spoken.values() for each in corrections if isinstance(each, Undo)}
    for job_id, corrections in spoken.items():
        wanted = [each for each in corrections if not isinstance(each, Undo)]
        stands = [said for name, said in words if name == job_id]
        late = job_id.startswith(FAILS_ONCE)
        if not _are_said(stands, wanted if job_id not in undone else [], late=late):
            yield f"{pet}, {job_id}: {wanted} is said as {stands}{' and was taken back' * (job_id in undone)}"
    yield from (f"{pet}, {job_id}: it was not applied, and is said" for job_id, _ in words if job_id not in applied)


def _are_said(stands: list[list[Correction]], wanted: list[Correction], *, late: bool) -> bool:
    """Once and as they were sent; those of a `late` retry but for images that were corrected since."""
    if not wanted or not late or [*map(len, stands)] != [len(wanted)]:
        return stands == ([wanted] if wanted else [])
    return all(said == one or _is_what_was_left(said, one) for said, one in zip(stands[0], wanted, strict=True))


def _is_what_was_left(said: Correction, of: Correction) -> bool:
    if not isinstance(said, OfImages) or not isinstance(of, OfImages) or not said.image_ids:
        return False
    return structs.replace(of, image_ids=said.image_ids) == said and {*said.image_ids} < {*(of.image_ids or ())}


async def _words(fleet: Fleet, pet: str) -> list[tuple[str, list[Correction]]]:
    """What GET /corrections lists: jobs, and what they said. Asks again where a reply of Redis got lost."""
    found = list[tuple[str, list[Correction]]]()

    async def answered() -> bool:
        async with fleet.http.get(f"{fleet.daemons[0].url}/internal/pets/{pet}/corrections") as answer:
            if answer.status == 200:
                found.extend((said.job_id, said.corrections) for said in _said(await answer.read()).said)
            return answer.status in {200, 404}  # 404: nothing of the pet was ever accepted

    await eventually(answered, what=f"what was said of {pet}")
    return found


async def _letters(fleet: Fleet) -> dict[tuple[str, str], list[tuple[str, str]]]:
    """Reasons and errors of dead letters, by pet and job."""
    found: dict[tuple[str, str], list[tuple[str, str]]] = {}
    for letter in await fleet.letters():
        pet, job_id, reason, error = (letter[name].decode() for name in (b"pet_id", b"job_id", b"reason", b"error"))
        found.setdefault((pet, job_id), []).append((reason, short(error)))
    return found
