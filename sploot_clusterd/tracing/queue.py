"""Spans that were not sent yet: encoded, and within bounds.

A request to a collector is felt by all that is in flight meanwhile, in the loop and, on a small machine, beside it. So
there are few, large ones, and each is in pieces, between which others have their turn.
"""

import asyncio
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from typing import Final

from sploot_clusterd.spans import Told
from sploot_clusterd.tracing.encoding import Piece
from sploot_clusterd.tracing.rows import Rows

_MOST_WAITING: Final = 16 * 2**20
"""Bytes; and what ended last."""
_MOST_SENT: Final = 2 * 2**20
"""Bytes of a request: half of what the strictest receivers take."""
_PIECE: Final = 64 * 2**10
"""Bytes; and what ended last. To write as many takes some 30 us."""
_GATHER: Final = 2.0
"""Seconds for which spans wait for others to go with."""


class Queue:
    """Those that came first go first. To be used by the loop's thread."""

    def __init__(self) -> None:
        self._pieces = deque[Piece]()
        self._last: Piece | None = None
        """The one that is added to."""
        self._bytes = 0
        self._many = asyncio.Event()

    @property
    def is_full(self) -> bool:
        return self._bytes >= _MOST_WAITING

    @property
    def size(self) -> int:
        """How many spans wait."""
        return sum(piece.size for piece in self._pieces)

    def add(self, ended: Told | Rows) -> None:
        """Raises what encoding it raises; then nothing is added."""
        piece = self._last
        if piece is None or len(piece.encoded) >= _PIECE:
            piece = self._begin_piece()
        self._bytes += piece.add(ended)

    def _begin_piece(self) -> Piece:
        piece = self._last = Piece()
        self._pieces.append(piece)
        if self._bytes >= _MOST_SENT:
            self._many.set()
        return piece

    async def gathered(self) -> None:
        """Returns when there is a whole request, or whatever there is has waited."""
        with suppress(TimeoutError):
            async with asyncio.timeout(_GATHER):
                await self._many.wait()

    def take(self) -> Sequence[Piece]:
        """Those of the next request; none if none waits."""
        taken, size = list[Piece](), 0
        while self._pieces and (not size or size + len(self._pieces[0].encoded) <= _MOST_SENT):
            taken.append(self._pieces.popleft())
            size += len(taken[-1].encoded)
        self._bytes -= size
        if self._bytes < _MOST_SENT:
            self._many.clear()
        if not self._pieces:
            self._last = None
        return taken if size else ()
