"""The process that sends spans: what is encoded and sent there has an interpreter of its own, for which neither readers
nor jobs wait.
"""

import asyncio
import logging
from collections.abc import Callable
from typing import Final

from msgspec import json

from sploot_clusterd import child
from sploot_clusterd.child import Child
from sploot_clusterd.tracing.messages import Outcome
from sploot_clusterd.waiting import pause

log = logging.getLogger(__name__)

_MODULE: Final = "sploot_clusterd.tracing.sending_child"
_KEEPS_MEMORY: Final = {"MALLOC_TRIM_THRESHOLD_": str(64 * 2**20), "MALLOC_MMAP_THRESHOLD_": str(32 * 2**20)}
"""Settings of glibc. Memory that is given back to the kernel between one request and the next took a third of the
process's CPU.
"""
_PAUSE: Final = 1.0
"""Seconds from the end of one process to the start of the next."""
_GLANCE: Final = 0.01
"""Seconds between two looks at one that has closed its output."""
_LAST_SECONDS: Final = 2.0
"""That a process has to send what is left, when the daemon stops."""


class SendingProcess:
    """Is kept running from `start` to `close`, and started again where it has ended. To be used in one event loop."""

    def __init__(
        self, begin: bytes, ready: Callable[[], None], tell: Callable[[Outcome], None], end: Callable[[str], None]
    ) -> None:
        """`begin` is what each process is to read first; then `ready` may write to it, also while it is closed. What a
        process answers goes to `tell`; when one has ended, `end` is told how.
        """
        self._begin, self._ready, self._tell, self._end = begin, ready, tell, end
        self._process: Child | None = None
        self._input: asyncio.WriteTransport | None = None
        self._kept: asyncio.Task[None] | None = None
        self._closing = asyncio.Event()

    @property
    def is_there(self) -> bool:
        """Whether there is one to write to."""
        return self._input is not None

    @property
    def unread(self) -> int:
        """Bytes that wait until the process has read those before them."""
        return self._input.get_write_buffer_size() if self._input else 0

    def start(self) -> None:
        if self._kept is None:
            self._kept = asyncio.create_task(self._keep(), name="keeps the process that sends spans")

    def write(self, messages: bytes | bytearray) -> None:
        """Never waits. To be called only where it `is_there`."""
        assert self._input is not None  # noqa: S101 - as said above
        self._input.write(messages)

    async def close(self) -> None:
        """Ends the process, when it has read all and had a moment to send it."""
        self._closing.set()
        if self._kept is None:
            return
        if self._input:
            self._input.close()
        done, _ = await asyncio.wait({self._kept}, timeout=_LAST_SECONDS)
        if not done and self._process:
            self._process.kill()
        await self._kept

    async def _keep(self) -> None:
        while not self._closing.is_set():
            try:
                self._process = await asyncio.to_thread(child.started, _MODULE, **_KEEPS_MEMORY)
            except OSError as error:
                self._end(f"the process that sends spans cannot be started: {error.strerror}")
            except RuntimeError as error:  # no thread from which to start it
                self._end(f"the process that sends spans cannot be started: {error}")
            else:
                log.info("tracing's process has started", extra={"data": {"pid": self._process.pid}})
                code = await self._serve(self._process)
                self._end(f"the process that sends spans has ended ({code})")
            await pause(self._closing, _PAUSE)

    async def _serve(self, process: Child) -> int:
        """Until it has ended; then its exit code."""
        loop, answers = asyncio.get_running_loop(), asyncio.StreamReader()
        output, _ = await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(answers), process.stdout)
        self._input, _ = await loop.connect_write_pipe(asyncio.BaseProtocol, process.stdin)
        try:
            self._input.write(self._begin)
            self._ready()
            if self._closing.is_set():
                self._input.close()
            while line := await answers.readline():
                self._tell(json.decode(line, type=Outcome))
        finally:
            if not self._input.is_closing():
                self._input.abort()
            self._input = None
            output.close()
        while (code := process.poll()) is None:  # noqa: ASYNC110 - it is about to; there may be no thread to wait in
            await asyncio.sleep(_GLANCE)
        return code
