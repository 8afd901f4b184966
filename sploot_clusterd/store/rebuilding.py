"""Putting back what a Redis that was lost held: what partitions began with, profiles, albums, views.

Nothing that is there is written over. So each step may be done twice, and beside daemons that work already.
"""

import hashlib
import random
from collections.abc import Mapping, Sequence
from enum import Enum
from itertools import chain
from typing import Final, NamedTuple

from sploot_clusterd.config import Settings
from sploot_clusterd.keys import Keys, Layout
from sploot_clusterd.partitioning import Placing
from sploot_clusterd.store import scripts
from sploot_clusterd.store.gateway import Call, Gateway

_SHORTEST_LIFE: Final = 0.75
"""Of a view's usual one: those that come back together are not to expire together."""


class LostPet(NamedTuple):
    """What was kept of it. `fields` are those of its album, the token too; `view` is empty where there is none."""

    pet_id: str
    fields: Mapping[bytes, bytes]
    rows: Mapping[str, bytes]
    view: bytes


class PutBack(Enum):
    """THERE: it has an album. ERASED: it was erased, and history is still to forget it."""

    ERASED = -1
    THERE = 0
    RESTORED = 1


class Rebuilding:
    """Every method raises StoreUnavailableError."""

    def __init__(self, gateway: Gateway, layout: Layout, settings: Settings) -> None:
        self._gateway = gateway
        self._layout = layout
        self._view_life = settings.clusters.ttl_seconds
        self._album_life = settings.albums.ttl_seconds or 0

    async def put_placing(self, placing: Placing) -> None:
        """How pets are spread over partitions, where there are several and nothing is recorded. Before all else."""
        plain = self._gateway.at(self._layout.plain)
        if await plain.command("upkeep", "SET", self._layout.plain.partitions, str(placing), "NX"):
            self._layout.follow(placing)
            for keys in self._layout.several:
                if keys.goes_by != "1":
                    await self._gateway.at(keys).command("upkeep", "SET", keys.layout, keys.goes_by, "NX")

    async def put_profiles(self, models: Mapping[str, Mapping[int, bytes]], states: Mapping[str, str]) -> None:
        """Generations of each model version that are not there, then states: in every partition, as all have them."""
        for keys in self._layout.partitions:
            way = self._gateway.at(keys)
            for model, generations in models.items():
                known = {*await way.read("profiles", "HKEYS", keys.profile(model))}
                for generation, body in generations.items():
                    if b"%d" % generation not in known:
                        digest = hashlib.sha1(body, usedforsecurity=False).hexdigest()
                        told = (generation, body, f"{generation}:sha1", digest)
                        await way.command("profiles", "HSET", keys.profile(model), *told)
            for model, state in states.items():
                if await way.read("profiles", "HGET", keys.profiles, model) is None:
                    await way.command("profiles", "HSET", keys.profiles, model, state)

    async def begin(self, keys: Keys, last_id: str, event_id: str, marks: Mapping[str, str]) -> None:
        """Has a partition go on above the ids that its stream and its feed gave, with its marks of erasures."""
        flat = [*chain.from_iterable(marks.items())]
        call = Call({"last_id": last_id, "event_id": event_id, "marks": flat}, keys=keys)
        await self._gateway.run_all(scripts.REBUILD_PARTITION, [call])

    async def put_pets(self, pets: Sequence[LostPet]) -> list[PutBack]:
        """What became of each."""
        calls = [self._call(pet) for pet in pets]
        return [PutBack(int(reply)) for reply in await self._gateway.run_all(scripts.REBUILD_PET, calls)]

    def _call(self, pet: LostPet) -> Call:
        return Call(
            {
                "pet_id": pet.pet_id,
                "kept_view": pet.view,
                "view_life": int(self._view_life * random.uniform(_SHORTEST_LIFE, 1.0)) or 1,  # noqa: S311 - no secret
                "album_life": self._album_life,
                "fields": [*chain.from_iterable(pet.fields.items())],
                "rows": [*chain.from_iterable(pet.rows.items())],
            },
            keys=self._layout.of(pet.pet_id),
        )
