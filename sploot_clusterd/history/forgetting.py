"""Pets that were erased are forgotten here too: until that is done, Redis remembers that it is still to be."""

import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

from sploot_clusterd.history import bulk
from sploot_clusterd.history.database import Database
from sploot_clusterd.history.schema import erased_pets
from sploot_clusterd.history.writing import erase_pet
from sploot_clusterd.keys import Keys
from sploot_clusterd.store import Erasure

_EVERY: Final = 0.5
"""Seconds between two looks: a DELETE waits for them."""


class Forgetter:
    """Of the pets of one partition. As a rule the feed's event does it: this sees to it that it was done, also where
    the event was trimmed unread.
    """

    def __init__(self, keys: Keys, erasure: Erasure, ask: Callable[..., Awaitable[Any]]) -> None:
        self._keys = keys
        self._erasure = erasure
        self._ask = ask
        self._due_at = 0.0

    async def forget(self) -> None:
        """To be called where the feed is read to its end. Raises HistoryUnavailableError, StoreUnavailableError."""
        now = time.monotonic()
        if now < self._due_at:
            return
        self._due_at = now + _EVERY
        erased = await self._erasure.erasing(self._keys)
        if erased and await self._ask(_forget_wholly, erased):
            for pet_id, at_ms in erased.items():
                await self._erasure.forgotten(self._keys, pet_id, at_ms)


def _forget_wholly(database: Database, erased: Mapping[str, int]) -> bool:
    """Whether nothing is left of these, in no file of SQLite's either: else readers were in the way."""
    forget(database, erased)
    return database.checkpoint()


def forget(database: Database, erased: Mapping[str, int]) -> int:
    """Deletes what there is of pets that were erased at these times (ms), unless that was done before. How many pets
    that were. Raises HistoryUnavailableError.
    """
    with database.write() as connection:
        rows = bulk.fetch(connection, erased_pets, ("pet_id", "erased_ms"), erased)
        known = {row.pet_id: row.erased_ms for row in rows}
        late = {pet_id: at_ms for pet_id, at_ms in sorted(erased.items()) if known.get(pet_id, -1) < at_ms}
        for pet_id, at_ms in late.items():
            erase_pet(connection, pet_id, at_ms, "")
    return len(late)
