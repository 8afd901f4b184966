"""What pets are told of their jobs beside what these came to."""

import re
from collections.abc import Set as AbstractSet
from typing import Final

from sploot_clusterd.pet_keys import PetKeys
from sploot_clusterd.store.told import MOST_EVENTS, states
from tests.faults.fleet import Fleet

_NUMBERED: Final = re.compile(r"(?:job|img)-(\d+)$")


async def told_breaches(
    fleet: Fleet, pet: str, keys: PetKeys, present: AbstractSet[str], unsure: AbstractSet[str] = frozenset()
) -> list[str]:
    """What speaks against it, once all jobs are settled: of each job that a pet was told of, that took effect whose
    image is there, in the version that is told or an earlier one, and no other; and where nothing was forgotten, the
    pet was told of each. Jobs of images that are `unsure` may have gone with the stream: these wait for ever. To be
    asked of numbered ledgers.
    """
    events = await fleet.redis.lrange(keys.jobs, 0, -1)
    version = int((await fleet.redis.hget(keys.album, "token") or b".0").rpartition(b".")[2])
    there, told, breaches = {*map(_number, present)} - {""}, set[str](), list[str]()
    gone = {*map(_number, unsure)} - there
    for state in states(events):
        number = _number(state.job_id)
        told.add(number)
        if not number:
            continue  # it brought others, before the load
        is_as_told = {"applied": number in there, "dead": number not in there}.get(state.state, number in gone)
        if not is_as_told or (state.version or 0) > version:
            breaches.append(f"{pet} is told {state.state} ({state.version}) of job {state.job_id}")
    if len(events) < MOST_EVENTS and there - told:
        breaches.append(f"{pet} is told nothing of {len(there - told)} jobs")
    return breaches


def _number(name: str) -> str:
    number = _NUMBERED.search(name)
    return number[1] if number else ""
