"""How good the clusters are, worked out when somebody asks: from some albums at a time, so that nobody waits for it.

Nothing is kept for it where jobs are applied: what is not known from albums as they are comes from counters that are
there anyway.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from datetime import UTC, datetime
from typing import Final, NamedTuple

from sploot_clusterd.encoder_words import told
from sploot_clusterd.engine import Params, decode_album, decode_profile
from sploot_clusterd.engine.review import Reviewed, review, summed
from sploot_clusterd.errors import BadStateError
from sploot_clusterd.quality import Encoder, FleetFigures, Quality, Sample
from sploot_clusterd.store import State, Store

MOST_ALBUMS: Final = 100
"""Of one look, which are loaded one after the other."""
_LONGEST_LOOK: Final = 3.0
_GOOD_FOR: Final = 60.0
"""Seconds: of a look at most, and how long its figures are answered with."""
_MOST_ENCODERS: Final = 10


class _Look(NamedTuple):
    """`at` by the monotonic clock."""

    at: float
    sample: Sample
    encoders: list[Encoder]


class Reviewer:
    """One process's. `report` raises StoreUnavailableError."""

    def __init__(self, store: Store, params: Params, fleet: Callable[[], FleetFigures] | None) -> None:
        """`fleet` tells what processes did; None where nobody watches them."""
        self._store = store
        self._params = params
        self._fleet = fleet
        self._pets: AsyncIterator[str] | None = None
        """Goes on with the next look where this one ended."""
        self._known: _Look | None = None
        self._words: dict[tuple[str, int], list[str]] = {}
        self._looking: asyncio.Task[_Look] | None = None

    async def report(self) -> Quality:
        """Of a look that is at most a minute old; whoever asks meanwhile waits for the same one."""
        if self._known is not None and time.monotonic() - self._known.at <= _GOOD_FOR:
            known = self._known
        else:
            if self._looking is None:
                self._looking = asyncio.create_task(self._look(), name="looks at some albums")
                self._looking.add_done_callback(self._looked)
            known = await asyncio.shield(self._looking)
        _, sample, encoders = known
        return Quality(sample, self._fleet() if self._fleet else None, encoders)

    def _looked(self, look: asyncio.Task["_Look"]) -> None:
        self._looking = None
        if not look.cancelled():
            look.exception()  # those who wait have it; there may be none any more

    async def _look(self) -> "_Look":
        sample, encoders = await self._sample(), await self._encoders()
        self._known = _Look(time.monotonic(), sample, encoders)
        return self._known

    async def _sample(self) -> Sample:
        found: dict[str, Reviewed] = {}
        unreadable, complete = 0, self._pets is None
        deadline = time.monotonic() + _LONGEST_LOOK
        pets = self._pets or self._every_pet()
        self._pets = None  # where Redis goes away meanwhile it is begun anew
        while len(found) < MOST_ALBUMS and time.monotonic() < deadline:
            pet_id = await anext(pets, None)
            if pet_id is None:
                break
            if pet_id in found:
                continue
            try:
                reviewed = await self._review(pet_id)
            except BadStateError:
                unreadable += 1
                continue
            if reviewed is not None:
                found[pet_id] = reviewed
        else:
            self._pets, complete = pets, False
        at = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        return summed(found.values(), at, unreadable=unreadable, complete=complete)

    async def _review(self, pet_id: str) -> Reviewed | None:
        """In a thread. None if the pet has no album. Raises BadStateError."""
        loaded = await self._store.of(pet_id).albums.load_one(pet_id)
        fields = loaded.fields if loaded else None
        if fields is None:
            return None
        return await asyncio.to_thread(lambda: review(decode_album(pet_id, fields), self._params))

    async def _every_pet(self) -> AsyncIterator[str]:
        """As Redis has them, some of them twice."""
        for number in range(len(self._store.partitions)):
            async for page in self._store.pictures(number).named():
                for pet_id in page:
                    yield pet_id

    async def _encoders(self) -> list[Encoder]:
        states = (await self._store.profiles.poll()).states
        found = []
        for version, state in sorted(states.items())[:_MOST_ENCODERS]:
            found.append(Encoder(version, state.generation, state.settled, await self._told(version, state)))
        return found

    async def _told(self, version: str, state: State) -> list[str]:
        """Worked out once for each generation. Empty where there is no profile yet, or it cannot be read."""
        key = version, state.generation
        if state.generation and key not in self._words:
            with suppress(BadStateError):
                raw = await self._store.profiles.fetch(*key)
                words = await asyncio.to_thread(lambda: told(decode_profile(raw)))
                self._words = {each: self._words[each] for each in self._words if each[0] != version} | {key: words}
        return self._words.get(key, [])
