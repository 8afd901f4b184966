"""Which cells took in which. A row names the cell that its image was put into; this tells where that has gone since.

There may be nearly as many pairs as images, and most jobs ask for none of them: they are kept as they are stored, in
two arrays.
"""

from collections.abc import Collection, Iterator, Mapping
from typing import Literal, Self

import msgspec
import numpy as np
from msgspec import Struct

from sploot_clusterd.engine.statistics import Ints

_Form = Literal["<u2", "<u4", "<i8"]


class _Record(Struct, array_like=True):
    form: _Form
    gone: memoryview
    heirs: memoryview


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(dict[int, int] | _Record).decode
_NONE: Ints = np.zeros(0, dtype=np.int64)


class Heirs(Mapping[int, int]):
    """Cells that are gone -> the living cells that took them in. A value: it never changes."""

    __slots__ = ("_gone", "_heirs")

    def __init__(self, gone: Ints = _NONE, heirs: Ints = _NONE) -> None:
        """Both [k]; `gone` rises."""
        self._gone = gone
        self._heirs = heirs

    @classmethod
    def decode(cls, raw: bytes) -> Self:
        """What `encode` made; a map of numbers is read too, as albums were once stored.

        Raises DecodeError, ValueError or OverflowError for anything else.
        """
        record = _decode(raw)
        if isinstance(record, dict):
            return cls(*_columns(record))
        gone, heirs = (np.frombuffer(each, record.form).astype(np.int64) for each in (record.gone, record.heirs))
        if len(gone) != len(heirs) or (gone[1:] <= gone[:-1]).any():
            raise ValueError("cells that are gone do not rise, or have not one heir each")
        return cls(gone, heirs)

    def encode(self) -> bytes:
        largest = max(self._gone.max(initial=0), self._heirs.max(initial=0))
        form: _Form = "<u2" if largest < 1 << 16 else "<u4" if largest < 1 << 32 else "<i8"
        gone, heirs = (memoryview(each.astype(form).tobytes()) for each in (self._gone, self._heirs))
        return _encode(_Record(form, gone, heirs))

    def merged(self, into: Mapping[int, int], living: Collection[int]) -> "Heirs":
        """After more cells were taken in by others; without the cells whose heirs do not live any more."""
        merged, takers = _columns(into)
        gone, heirs = np.concatenate([self._gone, merged]), np.concatenate([self._heirs, takers])
        again = np.isin(heirs, merged)
        heirs[again] = takers[merged.searchsorted(heirs[again])]
        kept = np.isin(heirs, np.fromiter(living, dtype=np.int64))
        order = gone[kept].argsort()
        return Heirs(gone[kept][order], heirs[kept][order])

    def __getitem__(self, cell_id: int) -> int:
        at = int(self._gone.searchsorted(cell_id))
        if at == len(self._gone) or self._gone[at] != cell_id:
            raise KeyError(cell_id)
        return int(self._heirs[at])

    def __iter__(self) -> Iterator[int]:
        return iter(self._gone.tolist())

    def __len__(self) -> int:
        return len(self._gone)


def _columns(pairs: Mapping[int, int]) -> tuple[Ints, Ints]:
    """The keys, rising, and their values, [k] each. Raises OverflowError."""
    keys = np.fromiter(pairs.keys(), dtype=np.int64, count=len(pairs))
    values = np.fromiter(pairs.values(), dtype=np.int64, count=len(pairs))
    order = keys.argsort()
    return keys[order], values[order]
