"""What pets want of the storage service: which insights are out, and when each is to be asked for.

Each pet has a set of its wants by due time, so that nothing is wanted twice and DELETE finds all of it; one set holds
the pets by the time of their first want, so that they take turns. To take a want is to put its due time off by a lease:
what a process that died had taken is due again when that ends. Only who knows the lease may settle it.
"""

from collections.abc import Collection, Mapping, Sequence
from itertools import zip_longest
from typing import Any, Final, NamedTuple

from sploot_clusterd.errors import BadStateError, StoreUnavailableError
from sploot_clusterd.keys import Keys, Layout
from sploot_clusterd.store import scripts
from sploot_clusterd.store.commit import LIST
from sploot_clusterd.store.gateway import Call, Gateway

_HANDED_MS: Final = 600_000
"""Until what was handed over is asked for again, where the job was set aside."""


class TakenImage(NamedTuple):
    """`missed_ms` is how long ago it was asked for in vain first, -1 if it was not; `takes` how often it was taken
    before without an outcome, and `handed` how often a job with its answer was handed over that was not applied;
    `trace` is the context of the run that wanted it, as `Context.text`, "" where none is known.
    """

    image_id: str
    missed_ms: int
    takes: int
    handed: int
    trace: str = ""

    @property
    def is_list(self) -> bool:
        return self.image_id == LIST


class Settlement(NamedTuple):
    """What became of taken wants; `payload` is the job that brings their answers, b"" without one.

    `handed` are those whose answers are in the job: they are wanted until it is applied. `done` are wanted no more.
    `missing` (nothing is known of them yet) and `later` (the service could not say) are due again after so many ms. The
    job is put off while the pet wants more than `most_wanted` (0: any number).
    """

    pet_id: str
    lease: int
    handed: Collection[str] = ()
    done: Collection[str] = ()
    missing: Mapping[str, int] = {}
    later: Mapping[str, int] = {}
    payload: bytes = b""
    most_wanted: int = 0

    def only(self, ours: Collection[str]) -> "Settlement":
        """What of it is about these images. The payload is the caller's."""
        return self._replace(
            handed=[image for image in self.handed if image in ours],
            done=[image for image in self.done if image in ours],
            missing={image: ms for image, ms in self.missing.items() if image in ours},
            later={image: ms for image, ms in self.later.items() if image in ours},
        )


class Taken(NamedTuple):
    """Some of a pet's wants, in hand until their lease ends."""

    pet_id: str
    lease: int
    images: Sequence[TakenImage]

    def put_back(self) -> Settlement:
        """They are due again at once, as if they had not been taken."""
        return Settlement(self.pet_id, self.lease, later={image.image_id: 0 for image in self.images})


class Settled(NamedTuple):
    """How it went. `lease` is a new one: of those that were put off for as long as a lease, or of all that was to be
    settled and was not, as there is no room for the job (`full`). `lost`: nothing was settled, as some were not ours
    any more; these still are.
    """

    lease: int = 0
    full: bool = False
    lost: Collection[str] | None = None


class Queue(NamedTuple):
    """Pets by when the first of their things is due; `due` are those that wait longest."""

    pets: int
    overdue_ms: int
    """How long the first has been due."""
    due: Sequence[str]


async def due_pets(gateway: Gateway, queues: Sequence[tuple[Keys, str]], most: int) -> Queue:
    """Of the queues of all partitions together, each named beside the partition's keys: they take turns. Raises
    StoreUnavailableError.
    """
    calls = [Call({"most": most}, [queue], keys) for keys, queue in queues]
    pets, overdue_ms, due = 0, 0, list[Sequence[bytes]]()
    for reply in await gateway.run_each(scripts.DUE_PETS, calls):
        if isinstance(reply, Exception):
            continue  # its server is away: others' pets have their turns
        count, overdue, *some = reply
        pets, overdue_ms = pets + count, max(overdue_ms, overdue)
        due.append(some)
    in_turn = [pet for round_ in zip_longest(*due) for pet in round_ if pet is not None]
    return Queue(pets, overdue_ms, [pet.decode(errors="replace") for pet in in_turn[:most]])


class Wants:
    """Every method raises StoreUnavailableError."""

    def __init__(self, gateway: Gateway, layout: Layout, *, most_jobs: int) -> None:
        """`most_jobs` is how many unsettled entries a partition may hold."""
        self._gateway = gateway
        self._layout = layout
        self._most_jobs = most_jobs

    async def want_lists(self, pet_ids: Sequence[str]) -> int:
        """The pets' whole lists are wanted from now on; how many were not already."""
        calls = [Call({"pet_id": pet_id}, keys=self._layout.of(pet_id)) for pet_id in pet_ids]
        return sum(map(_count, await self._gateway.run_for_pets(scripts.WANT_LISTS, calls)))

    async def due(self, most: int) -> Queue:
        """The pets that want something, of those that are due so many at most."""
        return await due_pets(self._gateway, [(keys, keys.wants) for keys in self._layout.partitions], most)

    async def take(self, most: Mapping[str, int], lease_ms: int) -> list[Taken]:
        """Of these pets so many of what is due at most. Pets of whom nothing is due are left out."""
        calls = [
            Call({"pet_id": pet_id, "most": count, "lease_ms": lease_ms}, keys=self._layout.of(pet_id))
            for pet_id, count in most.items()
        ]
        replies = await self._gateway.run_for_pets(scripts.TAKE_WANTS, calls)
        return [taken for pet_id, reply in zip(most, replies, strict=True) if (taken := _taken(pet_id, reply))]

    async def settle(self, settlement: Settlement, lease_ms: int) -> Settled:
        """In one step: all of it and the job, or nothing. After a lost reply it may have happened."""
        what, *told = await self._gateway.at(self._layout.of(settlement.pet_id)).run(
            scripts.SETTLE_WANTS,
            pet_id=settlement.pet_id,
            lease=settlement.lease,
            lease_ms=lease_ms,
            handed_ms=_HANDED_MS,
            payload=settlement.payload,
            most_jobs=self._most_jobs,
            most_wanted=settlement.most_wanted,
            done=settlement.done,
            handed=settlement.handed,
            missing=[part for each in settlement.missing.items() for part in each],
            later=[part for each in settlement.later.items() for part in each],
        )
        if what == b"lost":
            return Settled(lost=[image.decode(errors="replace") for image in told])
        return Settled(int(told[0]), full=what == b"full")


def _count(reply: Any) -> int:
    if isinstance(reply, Exception):
        raise reply
    return int(reply)


def _taken(pet_id: str, reply: Any) -> Taken | None:
    """None where nothing is due, the pet is in motion, its server is away, or what is stored of its wants cannot be
    read: its jobs tell of that.
    """
    if isinstance(reply, (BadStateError, StoreUnavailableError)):
        return None
    lease, *images = reply
    if not images:
        return None
    return Taken(
        pet_id,
        int(lease),
        [
            TakenImage(image.decode(errors="replace"), missed, takes, handed, trace.decode(errors="replace"))
            for image, missed, takes, handed, trace in images
        ],
    )
