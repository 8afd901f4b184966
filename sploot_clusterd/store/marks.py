"""What a partition holds beside its pets, and a rebuilt one has to begin with."""

from collections.abc import Collection, Mapping
from typing import Final, NamedTuple

from sploot_clusterd.keys import Layout, PartitionKeys
from sploot_clusterd.store import scripts
from sploot_clusterd.store.gateway import Gateway, pairs

_MARKS_A_PAGE: Final = 500


class PartitionMarks(NamedTuple):
    """`record` says how pets are spread over partitions, and `layout` by which such layout this one's are; both empty
    with one. `last_id` is the highest that the stream gave, `erased` are the marks of erasures by pet, and `profiles`
    the states by model version.
    """

    record: str
    layout: str
    last_id: str
    erased: Mapping[str, str]
    profiles: Mapping[str, str]


class Marks:
    """Of one partition. Every method raises StoreUnavailableError, or BadStateError."""

    def __init__(self, gateway: Gateway, layout: Layout) -> None:
        """`gateway` has the partition's keys."""
        self._gateway = gateway
        self._plain = layout.plain

    async def read(self) -> PartitionMarks:
        keys = self._gateway.keys
        (record,) = await self._gateway.read("upkeep", "MGET", self._plain.partitions)
        layout = None
        if isinstance(keys, PartitionKeys):
            (layout,) = await self._gateway.read("upkeep", "MGET", keys.layout)
        ((_, last_id),) = await self._gateway.run(scripts.INSPECT, more_keys=[keys.stream])
        erased = dict[str, str]()
        async for page in self._gateway.scan("upkeep", keys.erased, _MARKS_A_PAGE):
            erased |= _texts(page)
        profiles = _texts(pairs(await self._gateway.read("profiles", "HGETALL", keys.profiles)))
        return PartitionMarks(_text(record), _text(layout), _text(last_id), erased, profiles)

    async def generations(self, model_version: str, known: Collection[int]) -> dict[int, bytes]:
        """The published profiles of a model version that are not known yet."""
        key = self._gateway.keys.profile(model_version)
        names = [name.decode(errors="replace") for name in await self._gateway.read("profiles", "HKEYS", key)]
        new = [name for name in names if name.isascii() and name.isdecimal() and int(name) not in known]
        bodies = await self._gateway.read("profiles", "HMGET", key, *new) if new else []
        return {int(name): body for name, body in zip(new, bodies, strict=True) if body is not None}


def _text(value: bytes | None) -> str:
    return (value or b"").decode(errors="replace")


def _texts(page: Mapping[bytes, bytes]) -> dict[str, str]:
    return {_text(name): _text(value) for name, value in page.items()}
