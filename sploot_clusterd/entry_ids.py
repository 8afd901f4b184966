"""Ids of a stream's entries and of dead letters, as numbers that can be compared."""

from typing import Final, NamedTuple

from sploot_clusterd.partitioning import MOST_PARTITIONS

_LARGEST_PART: Final = 2**64 - 1
"""Of a stream entry's id: Redis has no room for more, and neither has a stored album."""


class EntryId(NamedTuple):
    """A stream entry's id as two numbers. Its order is the order of events: the later one wins."""

    ms: int
    seq: int

    @classmethod
    def parse(cls, entry_id: str) -> "EntryId":
        """From `ms-seq`. Raises ValueError for anything else."""
        ms, dash, seq = entry_id.partition("-")
        if not dash or not (ms + seq).isascii() or not ms.isdigit() or not seq.isdigit():
            raise ValueError(f"{entry_id[:64]!r} is not a stream entry id")
        parsed = cls(int(ms), int(seq))
        if max(parsed) > _LARGEST_PART:
            raise ValueError(f"{entry_id[:64]!r} is larger than any stream entry id")
        return parsed

    def __str__(self) -> str:
        return f"{self.ms}-{self.seq}"


class LetterId(NamedTuple):
    """A dead letter's id. Those of two partitions may be alike: where there are several, the partition goes with it."""

    entry: EntryId
    partition: int | None = None
    """None where there is one, and for whichever has such a letter."""

    @classmethod
    def parse(cls, text: str) -> "LetterId":
        """From `ms-seq` or `partition:ms-seq`. Raises ValueError for anything else."""
        partition, colon, entry = text.rpartition(":")
        if not colon:
            return cls(EntryId.parse(entry))
        if not (partition.isascii() and partition.isdigit()) or len(partition) > len(str(MOST_PARTITIONS)):
            raise ValueError(f"{partition[:64]!r} is not the number of a partition")
        return cls(EntryId.parse(entry), int(partition))

    def __str__(self) -> str:
        return str(self.entry) if self.partition is None else f"{self.partition}:{self.entry}"

    def means(self, letter: "LetterId") -> bool:
        """Whether it is the letter's, which names its partition where there are several."""
        return self.entry == letter.entry and self.partition in (None, letter.partition)


HIGHEST_ID: Final = EntryId(_LARGEST_PART, _LARGEST_PART)
"""A stream whose last id is this takes nothing more."""
