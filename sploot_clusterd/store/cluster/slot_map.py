"""Which node serves which slot, as a cluster's node tells it. A map never changes: another one takes its place."""

from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final, Self

from sploot_clusterd.store.address import Place

_UNKNOWN_HOST: Final = b"?"
"""What a node announces that is to announce a name, and has none."""


@dataclass(frozen=True, slots=True)
class SlotMap:
    """`begins` are the first slots of ranges, in order; `ends` their last ones, and `owners` who serves them."""

    begins: Sequence[int] = ()
    ends: Sequence[int] = ()
    owners: Sequence[Place] = ()
    replicas: frozenset[Place] = frozenset()
    moved: Mapping[int, Place] = field(default_factory=dict)
    """Single slots of which a node said since that they are served elsewhere."""

    @classmethod
    def parse(cls, reply: Sequence[Any], asked: Place) -> Self:
        """From the reply to CLUSTER SLOTS. A node that announces no host is where the one is that was `asked`."""
        ranges = sorted((begin, end, [*map(_announced, nodes)]) for begin, end, *nodes in reply)
        places = [[Place(host or asked.host, port) for host, port in nodes] for *_, nodes in ranges]
        return cls(
            [begin for begin, *_ in ranges],
            [end for _, end, _ in ranges],
            [primary for primary, *_ in places],
            frozenset(replica for _, *others in places for replica in others),
        )

    @property
    def primaries(self) -> frozenset[Place]:
        return frozenset((*self.owners, *self.moved.values()))

    @property
    def nodes(self) -> frozenset[Place]:
        """Primaries and replicas."""
        return self.primaries | self.replicas

    def owner(self, slot: int) -> Place | None:
        """Who serves the slot; None where nobody does."""
        if self.moved and (place := self.moved.get(slot)):
            return place
        at = bisect_right(self.begins, slot) - 1
        return self.owners[at] if at >= 0 and slot <= self.ends[at] else None

    def with_owner(self, slot: int, place: Place) -> Self:
        return replace(self, moved={**self.moved, slot: place})

    def at(self, reached: Mapping[Place, Place]) -> Self:
        """With nodes where they are `reached`, where that is elsewhere than they announce."""
        if not reached:
            return self
        return replace(
            self,
            owners=[reached.get(place, place) for place in self.owners],
            replicas=frozenset(reached.get(place, place) for place in self.replicas),
        )

    def ranges(self) -> Iterator[tuple[int, int, Place]]:
        """First slot, last slot, and who serves them."""
        return zip(self.begins, self.ends, self.owners, strict=True)


def _announced(node: Sequence[Any]) -> tuple[str, int]:
    """The host is empty where the node leaves it to those who ask."""
    host, port, *_ = node
    if host == _UNKNOWN_HOST:
        host = _address(node)
    return (host or b"").decode(errors="replace"), int(port)


def _address(node: Sequence[Any]) -> bytes:
    """Its number, which stands behind its name where a name is what it is to be called by."""
    _host, _port, _id, *told = node
    names: dict[bytes, bytes] = dict(pair for each in told for pair in zip(each[::2], each[1::2], strict=True))
    return names.get(b"ip", b"")
