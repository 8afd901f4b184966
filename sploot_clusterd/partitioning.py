"""Which partition a pet belongs to, and the hash tags that give each partition a slot of its own."""

import binascii
import functools
import math
import zlib
from dataclasses import astuple, dataclass
from typing import Final, Self

MOST_PARTITIONS: Final = 256
SLOTS: Final = 16_384
"""Of a Redis Cluster."""

TAGS: Final = (  # noqa: SIM905 - a table of words
    "460 16 461 17 201 177 200 176 131 247 130 246 50 426 51 427 113 265 112 264 72 218 73 219 3 34 2 35 223 49 222 "
    "48 274 102 275 103 209 63 208 62 25 453 24 452 58 232 59 233 346 471 347 470 166 210 167 211 256 120 257 121 437 "
    "41 436 40 278 12 279 13 205 173 204 172 29 243 28 242 54 422 55 423 117 261 116 260 76 400 77 401 7 30 6 31 227 "
    "151 226 150 270 106 271 107 411 67 410 66 21 457 20 456 140 236 141 237 342 269 343 268 162 214 163 215 252 38 "
    "253 39 433 45 432 44 14 462 15 463 69 203 68 202 245 133 244 132 238 52 239 53 267 111 266 110 406 70 407 71 36 "
    "1 37 0 157 221 156 220 100 276 101 277 61 417 60 416 451 27 450 26 230 146 231 147 473 119 472 118 212 78 213 79 "
    "122 9 123 8 43 229 42 228 10 466 11 467 171 207 170 206 241 137 240 136 420 56 421 57 263 115 262 114 402 74 403 "
    "75 32 5 33 4 153 225 152 224 18 272 19 273 65 413 64 412 249 23 248 22 234 142 235 143 477 340 476 341 216 160 "
    "217 161 126 250 127 251 47 431 46 430"
).split()
"""By partition: the text between the braces. Slots follow the sequence of van der Corput (1935): the first 2, 4, 8 and
so on lie evenly in the range of slots, and a partition keeps its tag whatever the count.
"""


def partition_of(pet_id: str, count: int) -> int:
    """The pet's hash, modulo the count."""
    return hash_of(pet_id) % count


@dataclass(frozen=True, slots=True)
class Placing:
    """How pets are spread over partitions, also while their number changes: what is recorded in Redis.

    Partitions fall into groups, by their numbers modulo what both counts can be divided by. A pet's group is the same
    by either count, so groups are moved one after the other.
    """

    count: int
    number: int = 1
    """Of the layout: each change of the count is followed by the next one."""
    former: int = 0
    """The count before the last change; 0 where there was none."""
    target: int = 0
    """The count to come; 0 where it does not change."""
    moved: int = 0
    """How many groups go by the target already."""
    moving: bool = False
    """Whether the next one is in motion."""

    @classmethod
    def parse(cls, text: str) -> Self:
        """Raises ValueError for what is no record."""
        count, number, former, target, moved, moving = (*map(int, text.split(" ")), *(1, 0, 0, 0, 0))[:6]
        placing = cls(count, number, former, target, moved, bool(moving))
        if not (0 < count <= MOST_PARTITIONS and 0 <= target <= MOST_PARTITIONS) or str(placing) != text:
            raise ValueError(text)
        return placing

    def __str__(self) -> str:
        """The count alone where it never changed."""
        if self == Placing(self.count):
            return str(self.count)
        return " ".join(str(int(part)) for part in astuple(self))

    @property
    def groups(self) -> int:
        return math.gcd(self.count, self.target) if self.target else 1

    @property
    def total(self) -> int:
        """How many partitions there may be pets in."""
        return max(self.count, self.target)

    @property
    def progress(self) -> str:
        """How far a change has come, for people."""
        moving = ", the next one is in motion" if self.moving else ""
        return (
            f"their number changes from {self.count} to {self.target}, {self.moved} of {self.groups} groups have moved"
            f"{moving}: if nobody is at it, run clusterd partitions move {self.target} again"
        )

    def place(self, pet_id: str) -> int:
        """The pet's partition. One of a group in motion is said to be where it was."""
        if not self.target:
            return partition_of(pet_id, self.count)
        hashed = hash_of(pet_id)
        return hashed % (self.target if hashed % self.groups < self.moved else self.count)

    def ever_placed(self, pet_id: str, partition: int) -> bool:
        """Whether the pet is, was last or will be in that partition."""
        counts = filter(None, (self.count, self.former, self.target))
        return partition in (partition_of(pet_id, count) for count in counts)

    def number_of(self, partition: int) -> int:
        """The number of the layout that the partition's pets are placed by."""
        return self.number + (self.target > 0 and partition % self.groups < self.moved)

    def is_open(self, partition: int) -> bool:
        """Whether there may be pets in it that are not in motion."""
        if not self.target:
            return partition < self.count
        group = partition % self.groups
        if self.moving and group == self.moved:
            return False
        return partition < (self.target if group < self.moved else self.count)


def hash_of(pet_id: str) -> int:
    """CRC-32 (ISO 3309, as in zlib and PNG) of the id in UTF-8. Never to change: jobs rely on it."""
    return zlib.crc32(pet_id.encode())


def tag_of(partition: int) -> str:
    """What each of the partition's keys begins with."""
    return f"{{{TAGS[partition]}}}:"


def slot_of(key: str) -> int:
    """The key's slot in a Redis Cluster: CRC-16 (XMODEM) of its first text in braces, or else of all of it."""
    begin = key.find("{")
    end = key.find("}", begin + 1)
    if begin >= 0 and end > begin + 1:
        return _slot_of_tag(key[begin + 1 : end])
    return binascii.crc_hqx(key.encode(), 0) % SLOTS


@functools.lru_cache(maxsize=MOST_PARTITIONS)
def _slot_of_tag(text: str) -> int:
    return binascii.crc_hqx(text.encode(), 0) % SLOTS
