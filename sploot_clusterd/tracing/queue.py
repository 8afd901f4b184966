"""Spans that were not sent yet: encoded, and within bounds."""

from collections import deque
from threading import Condition
from typing import Final

from sploot_clusterd.tracing.encoding import Batch
from sploot_clusterd.tracing.ended import EndedSpan
from sploot_clusterd.tracing.rows import Rows

_MOST_WAITING: Final = 16 * 2**20
"""Bytes; and what ended last."""
_FULL: Final = 768 * 2**10
"""Bytes of a batch; and what ended last. Proxies may take 1 MiB at most, unless they are told otherwise."""
_GATHER: Final = 1.0
"""Seconds for which spans wait for others to go with."""


class Queue:
    """Those that came first go first. One thread adds, another one takes."""

    def __init__(self) -> None:
        self._batches = deque[Batch]()
        self._bytes = 0
        self._is_closed = False
        self._changed = Condition()

    @property
    def is_full(self) -> bool:
        return self._bytes >= _MOST_WAITING

    def add(self, ended: EndedSpan | Rows) -> None:
        """Raises what encoding it raises; then nothing is added."""
        with self._changed:
            has_room = bool(self._batches) and not _is_full(self._batches[-1])
            batch = self._batches[-1] if has_room else Batch()
            self._bytes += batch.add(ended)
            if not has_room:
                self._batches.append(batch)
            if len(self._batches) == 1 and (not has_room or _is_full(batch)):
                self._changed.notify()

    def next(self) -> Batch | None:
        """Waits for a batch that is full, or as long as spans wait for others. None when there is none left, and there
        will be none.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._batches or self._is_closed)
            self._changed.wait_for(lambda: self._is_closed or _is_full(self._batches[0]), _GATHER)
            if not self._batches:
                return None
            batch = self._batches.popleft()
            self._bytes -= len(batch.encoded)
            return batch

    def close(self) -> None:
        """Nothing more is added; what is there waits for no others."""
        with self._changed:
            self._is_closed = True
            self._changed.notify()


def _is_full(batch: Batch) -> bool:
    return len(batch.encoded) >= _FULL
