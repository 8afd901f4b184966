"""Readers first: what computes looks here whether requests are being answered, and gives way to them."""

from collections.abc import Iterator
from contextlib import contextmanager


class InFlight:
    """Counts requests between their head and their answer. The event loop's own; another thread may look."""

    def __init__(self) -> None:
        self.count = 0

    @contextmanager
    def client_awaited(self) -> Iterator[None]:
        """For a request that is counted: while it waits for its client, nobody has to give way to it."""
        self.count -= 1
        try:
            yield
        finally:
            self.count += 1
