"""Who changed what: a capped stream in each partition, of which people see one list, the newest first."""

import re
from typing import Final, NamedTuple

import msgspec

from sploot_clusterd.audit import MOST_ENTRIES, AuditEntry, AuditPage
from sploot_clusterd.errors import BadJobError
from sploot_clusterd.keys import Layout
from sploot_clusterd.store import scripts
from sploot_clusterd.store.gateway import Gateway, pairs

_PLACE: Final = re.compile(r"(\d{1,20})-(\d{1,20})-(\d{1,5})\Z")
_encode: Final = msgspec.json.Encoder().encode
_decode: Final = msgspec.json.Decoder(AuditEntry).decode


class _Place(NamedTuple):
    """An entry's id and its partition: of two with one id, the one of the higher partition comes first."""

    ms: int
    seq: int
    partition: int

    def __str__(self) -> str:
        return "-".join(map(str, self))


class AuditTrail:
    """Every method raises StoreUnavailableError. What is about a pet lies in its partition."""

    def __init__(self, gateway: Gateway, layout: Layout) -> None:
        self._gateway = gateway
        self._layout = layout

    async def add(self, entry: AuditEntry) -> None:
        keys = self._layout.of(entry.pet_id) if entry.pet_id else self._layout.partitions[0]
        most = -(-MOST_ENTRIES // len(self._layout.partitions))
        await self._gateway.at(keys).run(scripts.AUDIT, pet_id=entry.pet_id or "", entry=_encode(entry), most=most)

    async def entries(self, before: str, limit: int) -> AuditPage:
        """At most so many behind the place `before` ("" at first). Raises BadJobError for what is no place."""
        place = _place(before) if before else None
        commands = []
        for keys in self._layout.partitions:
            begin = "+" if place is None else f"{'' if keys.partition < place.partition else '('}{place.ms}-{place.seq}"
            commands.append((keys, ("XREVRANGE", keys.audit, begin, "-", "COUNT", limit + 1)))
        found: list[tuple[_Place, AuditEntry]] = []
        for (keys, _), reply in zip(commands, await self._gateway.read_each("upkeep", commands), strict=True):
            if isinstance(reply, Exception):
                raise reply
            for key, flat in reply:
                entry = _entry(pairs(flat).get(b"entry", b""))
                if entry is not None:
                    ms, _, seq = key.decode().partition("-")
                    found.append((_Place(int(ms), int(seq), keys.partition), entry))
        found.sort(key=lambda each: each[0], reverse=True)
        following = str(found[limit - 1][0]) if len(found) > limit else None
        return AuditPage([entry for _, entry in found[:limit]], following)


def _place(text: str) -> _Place:
    match = _PLACE.match(text)
    if not match or max(map(int, match.groups())) >= 2**64:
        raise BadJobError("invalid", "before: expected what an answer had for `next`")
    return _Place(*map(int, match.groups()))


def _entry(raw: bytes) -> AuditEntry | None:
    """None for what another hand added."""
    try:
        return _decode(raw)
    except (ValueError, RecursionError):
        return None
