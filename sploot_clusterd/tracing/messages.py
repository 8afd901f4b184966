"""What the daemon tells the process that sends its spans, and what that answers.

Each message is MessagePack behind its length; an answer is a line of JSON. A sort is told once, and has a number
from then on.
"""

from collections.abc import Iterator, Mapping
from struct import Struct as Layout
from typing import Any, BinaryIO, Final

from msgspec import Struct, msgpack

from sploot_clusterd.spans import Kind, Sort, Value
from sploot_clusterd.tracing.ended import Told

_LENGTH: Final = Layout("<I")
"""What comes before a message."""
_MOST_SORTS: Final = 1024
"""That are known by number; then numbers are given anew. Most daemons have some dozens."""


class Begin(Struct, array_like=True):
    """The first message: where spans are sent, and whose they are."""

    endpoint: str
    """With its password, which is why it comes this way."""
    service: str
    instance: int
    environment: str
    pet_ids: bool


class NewSort(Struct, array_like=True, tag=True):
    """A sort, and its number in all that follows."""

    number: int
    name: str
    kind: Kind
    attributes: Mapping[str, Value]
    error: str


class Outcome(Struct, omit_defaults=True):
    """An answer: how many spans were sent, lost and dropped since the last one, and why."""

    sent: int = 0
    lost: int = 0
    dropped: int = 0
    error: str = ""

    @property
    def size(self) -> int:
        """How many spans it is about."""
        return self.sent + self.lost + self.dropped


def framed(message: Begin) -> bytes:
    """As `Outgoing` has the others."""
    encoded = msgpack.encode(message)
    return _LENGTH.pack(len(encoded)) + encoded


class Outgoing:
    """Messages on their way, as bytes one behind the other."""

    def __init__(self) -> None:
        self._numbers: dict[Sort, int] = {}
        self._encoder = msgpack.Encoder(enc_hook=self._number)
        self.waiting = bytearray()

    def add(self, told: Told) -> None:
        """Raises what encoding it raises; then nothing is added."""
        if told.sort not in self._numbers:
            self._introduce(told.sort)
        self._append(told)

    def take(self) -> bytearray:
        """All that waits."""
        taken, self.waiting = self.waiting, bytearray()
        return taken

    def _introduce(self, sort: Sort) -> None:
        if len(self._numbers) >= _MOST_SORTS:
            self._numbers.clear()
        number = len(self._numbers)
        self._append(NewSort(number, sort.name, sort.kind, sort.attributes, sort.error))
        self._numbers[sort] = number

    def _append(self, message: NewSort | Told) -> None:
        encoded = self._encoder.encode(message)
        self.waiting += _LENGTH.pack(len(encoded))
        self.waiting += encoded

    def _number(self, value: Any) -> int:
        """A sort's. Raises TypeError for anything else that MessagePack does not know."""
        if isinstance(value, Sort):
            return self._numbers[value]
        raise TypeError(f"no value of an attribute: {type(value).__name__}")


class Incoming:
    """Messages that arrive."""

    def __init__(self) -> None:
        self._sorts: dict[int, Sort] = {}
        self._decoder = msgpack.Decoder(NewSort | Told, dec_hook=self._sort)

    def told(self, message: bytes) -> Told | None:
        """What has ended, if that is what it says."""
        read: NewSort | Told = self._decoder.decode(message)
        if not isinstance(read, NewSort):
            return read
        self._sorts[read.number] = Sort(read.name, read.kind, read.attributes, read.error)
        return None

    def _sort(self, wanted: type, number: Any) -> Sort:
        """Nothing but sorts is decoded here."""
        assert wanted is Sort  # noqa: S101 - the types above say so
        return self._sorts[number]


def messages_in(written: BinaryIO) -> Iterator[bytes]:
    """Each as it arrives; one that was cut off by the end is none."""
    while len(begun := written.read(_LENGTH.size)) == _LENGTH.size:
        (length,) = _LENGTH.unpack(begun)
        if len(message := written.read(length)) == length:
            yield message
