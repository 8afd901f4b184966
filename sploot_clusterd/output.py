"""Standard output and error that never wait for their reader: a log that is not read must not stop the event loop.

Writing keeps the text; a thread of the stream's own hands it to the system. What is not taken in time, or cannot be
written, is dropped, counted, and told in the log as soon as something gets through again.
"""

import atexit
import contextlib
import io
import logging
import os
import select
import stat
import sys
import threading
import time
from collections.abc import Callable
from queue import Empty, SimpleQueue
from typing import Final, TextIO

log = logging.getLogger(__name__)

_MOST_KEPT: Final = 2**20
"""Bytes: some thousand lines."""
_MOST_AT_ONCE: Final = 2**16
_PAUSE: Final = 0.002
"""Seconds between two writes: for each the interpreter's lock changes hands, so what comes meanwhile goes together."""
_PATIENCE: Final = 1.0
"""Seconds that an end waits for a reader."""


class Unblocked(io.TextIOBase):
    """A text stream for `descriptor`. `write` and `flush` never block and never fail. Any thread may call them."""

    def __init__(self, descriptor: int, name: str, encoding: str) -> None:
        self._descriptor = descriptor
        self._name = name
        self._encoding = encoding
        self._kept: SimpleQueue[bytes | Callable[[], None]] = SimpleQueue()
        """What is to be written, and what is to be called when all before it is out."""
        self._lock = threading.RLock()  # a destructor may complain here while something is being written
        self._unfinished = ""
        self._bytes_in = self._bytes_out = 0
        self._overflowed = self._fails = False
        self._dropped = self._told = 0
        self._count: Callable[[int], object] | None = None
        self._never = threading.Event()
        """To pause by: `time.sleep` fails in a process whose clock is faked, as one experiment's is."""
        threading.Thread(target=self._work, name=name, daemon=True).start()

    @property
    def encoding(self) -> str:  # type: ignore[override]
        return self._encoding

    def fileno(self) -> int:
        return self._descriptor

    def isatty(self) -> bool:
        return os.isatty(self._descriptor)

    def writable(self) -> bool:
        return True

    def write(self, text: str) -> int:
        with self._lock:
            lines, end, self._unfinished = (self._unfinished + text).rpartition("\n")
            if end:
                self._keep(lines + end)
        return len(text)

    def flush(self) -> None:
        """Hands an unfinished line to the thread, too. It waits for nothing."""
        with self._lock:
            if self._unfinished:
                self._keep(self._unfinished)
                self._unfinished = ""

    def drain(self, seconds: float) -> None:
        """Waits until all is written, for `seconds` at most."""
        written = threading.Event()
        self.flush()
        self._kept.put(written.set)
        written.wait(seconds)

    def count_dropped(self, count: Callable[[int], object]) -> None:
        """Has `count` told how many lines were dropped, before and from now on."""
        with self._lock:
            self._count = count
            count(self._dropped)

    def _keep(self, text: str) -> None:
        if not self._overflowed and self._bytes_in - self._bytes_out > _MOST_KEPT:
            self._overflowed = True
            self._kept.put(self._go_on)
        if self._overflowed:
            self._drop(text.count("\n"))
            return
        data = text.encode(self._encoding, "backslashreplace")
        self._bytes_in += len(data)
        self._kept.put(data)

    def _drop(self, lines: int) -> None:
        with self._lock:
            self._dropped += lines
            if self._count:
                self._count(lines)

    def _work(self) -> None:
        while True:
            texts, size, item = [], 0, self._next(wait=True)
            while isinstance(item, bytes):
                texts.append(item)
                size += len(item)
                item = self._next() if size < _MOST_AT_ONCE else None
            self._put_out(b"".join(texts))
            self._bytes_out += size
            if item:
                item()
            self._tell()
            self._never.wait(_PAUSE)

    def _next(self, *, wait: bool = False) -> bytes | Callable[[], None] | None:
        try:
            return self._kept.get(wait)
        except Empty:
            return None

    def _put_out(self, text: bytes) -> None:
        while text:
            try:
                text = text[os.write(self._descriptor, text) :]
                self._fails = False
            except BlockingIOError:
                ready = select.poll()
                ready.register(self._descriptor, select.POLLOUT)
                ready.poll()
            except OSError:  # the reader has gone, the disk is full: to go on without it is all that can be done
                self._fails = True
                self._drop(text.count(b"\n"))
                return

    def _go_on(self) -> None:
        self._overflowed = False

    def _tell(self) -> None:
        if self._fails or self._overflowed or self._told == self._dropped:
            return
        with self._lock:
            lines, self._told = self._dropped - self._told, self._dropped
        log.warning("%d lines were dropped", lines, extra={"data": {"stream": self._name, "lines": lines}})


def unblock() -> None:
    """Puts such streams in the place of the process's own standard output and error, until it ends."""
    if (sys.stdout, sys.stderr) != (sys.__stdout__, sys.__stderr__):
        return  # somebody else's, who sees to it
    one_place = os.path.sameopenfile(sys.stdout.fileno(), sys.stderr.fileno())  # which keeps the order of both
    sys.stderr = _unblocked(sys.stderr, "stderr")
    sys.stdout = sys.stderr if one_place else _unblocked(sys.stdout, "stdout")
    atexit.register(drain)


def drain() -> None:
    """Gives readers who are there a moment to take the last lines. To be called before `os._exit`."""
    deadline = time.monotonic() + _PATIENCE
    for stream in _in_place():
        stream.drain(max(0.0, deadline - time.monotonic()))


def count_dropped(count: Callable[[int], object]) -> None:
    """Has `count` called with the number of lines whenever some are dropped, on either stream."""
    for stream in _in_place():
        stream.count_dropped(count)


def _in_place() -> set[Unblocked]:
    return {stream for stream in (sys.stdout, sys.stderr) if isinstance(stream, Unblocked)}


def _unblocked(stream: TextIO, name: str) -> Unblocked:
    _make_nonblocking(stream.fileno())
    return Unblocked(stream.fileno(), name, stream.encoding)


def _make_nonblocking(descriptor: int) -> None:
    """For what does not write through Python's streams: the interpreter's own last words, faulthandler, a C library.

    The flag itself would hold for all programs that share the pipe or terminal, so it is opened again for us alone.
    A socket cannot be.
    """
    mode = os.fstat(descriptor).st_mode
    if stat.S_ISFIFO(mode) or stat.S_ISCHR(mode):
        with contextlib.suppress(OSError):
            ours = os.open(f"/proc/self/fd/{descriptor}", os.O_WRONLY | os.O_NONBLOCK | os.O_NOCTTY)
            os.dup2(ours, descriptor)
            os.close(ours)
