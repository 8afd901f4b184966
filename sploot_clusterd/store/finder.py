"""Finds what has an id: a pet and a dead letter at once, a job or an image by going through what is kept.

There is no index of them, so that no job pays for one. A search looks through a part, and says where it goes on.
"""

import re
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, NamedTuple

from sploot_clusterd.entry_ids import LetterId
from sploot_clusterd.errors import BadJobError
from sploot_clusterd.found import MOST_FOUND, Found
from sploot_clusterd.keys import Keys, Layout
from sploot_clusterd.store.fleet_letters import FleetLetters
from sploot_clusterd.store.gateway import Gateway
from sploot_clusterd.store.letters import LetterSummary
from sploot_clusterd.store.pet_reads import PetReads
from sploot_clusterd.store.pets_of import pattern_of
from sploot_clusterd.store.told import states

STEPS: Final = 16
"""Pages of one search: each is a hundred dead letters, or those pets that are among a thousand keys."""
_KEYS_A_PAGE: Final = 1000
_PLACE: Final = re.compile(r"(letters|keys)-(\d{1,5})-(\d{1,20}(?:-\d{1,20})?)\Z")


class _Place(NamedTuple):
    """In which partition's letters, or which server's keys, and from where on there."""

    where: str
    number: int
    cursor: str

    def __str__(self) -> str:
        return "-".join(map(str, self))


class Finder:
    """Every method raises StoreUnavailableError."""

    def __init__(
        self, gateway: Gateway, layout: Layout, letters: FleetLetters, follow: Callable[[], Awaitable[None]]
    ) -> None:
        """`follow` has the layout go by what is recorded of it."""
        self._gateway = gateway
        self._layout = layout
        self._letters = letters
        self._follow = follow
        self._reads = PetReads(gateway, layout, follow)

    async def find(self, name: str, after: str) -> tuple[list[Found], str]:
        """What is found under the id behind the place `after` ("" at first), and where to go on, "" for nowhere.

        Raises BadJobError for what is no place.
        """
        if not self._layout.is_known:
            await self._follow()
        place: _Place | None = _place(after) if after else _Place("letters", 0, "0-0")
        found = [] if after else await self._at_once(name)
        for _ in range(STEPS):
            if place is None or len(found) >= MOST_FOUND:
                break
            look = self._look_at_letters if place.where == "letters" else self._look_at_keys
            more, place = await look(name, place)
            found += more
        return found, str(place or "")

    async def _at_once(self, name: str) -> list[Found]:
        found = [Found("pet", name)] if await self._reads.is_known(name) else []
        try:
            letter = LetterId.parse(name)
        except ValueError:
            return found
        return found + [_found_letter(each) for each in await self._letters.summaries(letter)]

    async def _look_at_letters(self, name: str, place: _Place) -> tuple[list[Found], _Place | None]:
        """Those of jobs, and of pets, that are called so."""
        if place.number >= len(self._layout.partitions):
            return [], _Place("keys", 0, "0")
        page, cursor = await self._letters.page(place.number, place.cursor)
        found = [_found_letter(each) for each in page if name in (each.fields.get("job_id"), each.fields.get("pet_id"))]
        if cursor:
            return found, place._replace(cursor=cursor)
        return found, _Place("letters", place.number + 1, "0-0")

    async def _look_at_keys(self, name: str, place: _Place) -> tuple[list[Found], _Place | None]:
        """Those of pets that are among some keys of a server."""
        servers = sorted(await self._gateway.servers(primaries=True))
        if place.number >= len(servers):
            return [], None
        pattern = "*" + pattern_of(self._layout.plain)
        scan = ("SCAN", place.cursor, "MATCH", pattern, "COUNT", _KEYS_A_PAGE)
        cursor, keys = await self._gateway.ask_server(servers[place.number], *scan)
        found = await self._look_into([key.decode(errors="replace") for key in keys], name)
        if cursor != b"0":
            return found, place._replace(cursor=cursor.decode())
        return found, _Place("keys", place.number + 1, "0")

    async def _look_into(self, keys: Sequence[str], name: str) -> list[Found]:
        asked: list[tuple[Keys, str, str]] = []
        partitions = {each.tag: each for each in self._layout.partitions}
        for key in keys:
            before, brace, _ = key.rpartition("}:")  # names have none but in their tags
            of = partitions.get(before + brace)
            if of is not None:
                asked += [(of, prefix, key) for prefix in (of.pet("").images, of.jobs("")) if key.startswith(prefix)]
        if not asked:
            return []
        commands = [
            (of, ("HEXISTS", key, name) if prefix == of.pet("").images else ("LRANGE", key, 0, -1))
            for of, prefix, key in asked
        ]
        found = []
        for (_, prefix, key), reply in zip(asked, await self._gateway.read_each("view", commands), strict=True):
            pet_id = key.removeprefix(prefix)
            if reply == 1:
                found.append(Found("image", pet_id, image_id=name))
            elif isinstance(reply, list) and any(state.job_id == name for state in states(reply)):
                found.append(Found("job", pet_id, job_id=name))
        return found  # what could not be read is told of where the pet is asked for


def _place(text: str) -> _Place:
    match = _PLACE.match(text)
    if not match or ("-" in match[3]) is not (match[1] == "letters"):
        raise BadJobError("invalid", "after: expected what an answer had for `next`")
    return _Place(match[1], int(match[2]), match[3])


def _found_letter(letter: LetterSummary) -> Found:
    fields = letter.fields
    pet_id, job_id, reason = (fields.get(name) or None for name in ("pet_id", "job_id", "reason"))
    return Found("dead_letter", pet_id, job_id=job_id, dead_letter=str(letter.letter_id), reason=reason)
