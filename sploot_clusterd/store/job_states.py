"""What became of a pet's jobs, for who asks: what the pet was told, and what waits in the stream."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from sploot_clusterd.jobs import JobState
from sploot_clusterd.keys import Keys, Layout
from sploot_clusterd.store import scripts
from sploot_clusterd.store.gateway import Gateway, pairs
from sploot_clusterd.store.pet_reads import PetReads
from sploot_clusterd.store.stream import entry_id
from sploot_clusterd.store.told import states, time_of
from sploot_clusterd.wire import first_place, named_ids

LOOKS: Final = 8
ENTRIES_A_LOOK: Final = 512
_BYTES_A_LOOK: Final = 2**20
"""So much of a stream is looked through for one question: a look holds up every other client for a millisecond."""


class JobStates:
    """Every method raises StoreUnavailableError; BadStateError where something else is under a key."""

    def __init__(self, gateway: Gateway, layout: Layout, follow: Callable[[], Awaitable[None]]) -> None:
        """`follow` has the layout go by what is recorded of it."""
        self._gateway = gateway
        self._layout = layout
        self._follow = follow
        self._reads = PetReads(gateway, layout, follow)

    async def of_pet(self, pet_id: str) -> tuple[Sequence[JobState], bool]:
        """What is known of the pet's latest jobs, those that were heard of last first; and whether all that waits was
        looked through.
        """
        told = states(await self._told(pet_id))
        known = {state.job_id for state in told}
        waiting, complete = await self._waiting(pet_id)
        return [*(state for state in waiting if state.job_id not in known), *told], complete

    async def of_job(self, pet_id: str, job_id: str) -> tuple[JobState | None, bool]:
        """As of the pet, of one job; the stream is only looked through where nothing was told of it."""
        for state in states(await self._told(pet_id)):
            if state.job_id == job_id:
                return state, True
        waiting, complete = await self._waiting(pet_id)
        return next((state for state in waiting if state.job_id == job_id), None), complete

    async def _told(self, pet_id: str) -> Sequence[bytes]:
        if not self._layout.is_known:
            await self._follow()
        return await self._reads.jobs(pet_id)

    async def _waiting(self, pet_id: str) -> tuple[list[JobState], bool]:
        """What is in the pet's stream, and in the plain one that producers add to who know no partitions."""
        found: dict[str, JobState] = {}
        complete = True
        for keys in dict.fromkeys((self._layout.of(pet_id), self._layout.plain)):
            complete &= await self._look(pet_id, keys, found)
        return [*found.values()], complete

    async def _look(self, pet_id: str, keys: Keys, found: dict[str, JobState]) -> bool:
        cursor = b""
        for _ in range(LOOKS):
            cursor, *entries = await self._gateway.at(keys).run(
                scripts.WAITING_JOBS,
                pet_id=pet_id,
                cursor=cursor,
                page_size=ENTRIES_A_LOOK,
                most_bytes=_BYTES_A_LOOK,
            )
            for key, flat in entries:
                fields, entry = pairs(flat), entry_id(key)
                named, job_id = named_ids(fields)
                if named == pet_id:
                    job_id = job_id or str(first_place(entry, fields))
                    found.setdefault(job_id, JobState(job_id, "queued", time_of(entry.ms)))
            if not cursor:
                return True
        return False
