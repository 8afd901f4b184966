"""Who runs beside whom: batches side by side, a suspect with the process to itself.

If anything ran beside a suspect that ends the process, it would lose its run too, and look the same after a few times.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class Turns:
    """Turns are taken in the order in which they were asked for."""

    def __init__(self) -> None:
        self._door = asyncio.Lock()
        self._together = 0
        self._nobody = asyncio.Event()
        self._nobody.set()

    @asynccontextmanager
    async def together(self) -> AsyncIterator[None]:
        """Within it, others may run too, but nobody alone."""
        async with self._door:
            self._together += 1
            self._nobody.clear()
        try:
            yield
        finally:
            self._together -= 1
            if not self._together:
                self._nobody.set()

    @asynccontextmanager
    async def alone(self) -> AsyncIterator[None]:
        """Within it, nobody else runs. Not to be asked for within a turn."""
        async with self._door:
            await self._nobody.wait()
            yield
