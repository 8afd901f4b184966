"""The change feed beside what happened: one event for each commit, and no other."""

import json
from typing import Final

from sploot_clusterd.keys import Keys
from tests.faults.fleet import Fleet

FED: Final = {"FEED_ENABLED": "true"}


async def feed_breaches(fleet: Fleet) -> list[str]:
    """What speaks against it, where the feed is on: each pet's events lead from one token to the next, from none to
    that of its album, and no sequence is missing but those of erased pets.
    """
    return [breach for keys in fleet.layout.partitions for breach in await _breaches(fleet, keys)]


async def _breaches(fleet: Fleet, keys: Keys) -> list[str]:
    last, place, erased = dict[str, str](), "", 0
    missing, breaches = 0, list[str]()
    for key, fields in await fleet.redis.xrange(keys.feed):
        event, event_id = json.loads(fields[b"event"]), key.decode()
        sequence, before = (int(each.partition("-")[0] or 0) for each in (event_id, place))
        missing += sequence - before - 1
        if sequence == before + 1 and event["previous"] != place:
            breaches.append(f"{event_id} follows {event['previous']!r}, not {place!r}")
        place, pet = event_id, event["pet_id"]
        if event["kind"] == "erased":
            erased += 1
        elif event["before"] != last.get(pet, ""):
            breaches.append(f"{event_id} of {pet}: before it is {event['before']!r}, not {last.get(pet, '')!r}")
        last[pet] = event["after"]
    if missing and not erased:
        breaches.append(f"{missing} events are missing")
    for pet, token in last.items():
        if (await fleet.redis.hget(keys.pet(pet).album, "token") or b"").decode() != token:
            breaches.append(f"{pet} ends with {token!r} in the feed")
    return breaches
