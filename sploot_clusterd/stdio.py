"""The standard streams of a command: they are there, show every letter, and stand in no signal's way."""

import contextlib
import errno
import io
import math
import os
import select
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Final

_STREAMS: Final = (("stdin", "r"), ("stdout", "w"), ("stderr", "w"))
_OF_WRITING: Final = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EBADF, errno.EAGAIN}
_actions: Final[list[Callable[[], object]]] = []
"""What an interruption does, the last one only, in place of raising KeyboardInterrupt."""
_SAME_SIGNAL_SECONDS: Final = 0.1
"""Wrappers that signal the process and then its group are asking once, not twice."""


def prepare() -> None:
    """To be called before anything is opened. Descriptors that are closed lead to /dev/null: the next file or socket
    would get their number. What the output's encoding lacks is shown escaped.
    """
    for descriptor, (name, mode) in enumerate(_STREAMS):
        try:
            os.fstat(descriptor)
        except OSError:
            _to_devnull(descriptor)
        if getattr(sys, name) is None:
            stream = open(descriptor, mode, encoding="utf-8", closefd=False)  # noqa: SIM115 - stays
            setattr(sys, name, stream)
            setattr(sys, f"__{name}__", stream)
    for output in (sys.stdout, sys.stderr):
        if isinstance(output, io.TextIOWrapper):
            output.reconfigure(errors="backslashreplace")
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(write_through=False)  # argparse keeps to itself what fails before it is flushed


def told(error: OSError) -> str:
    """What is wrong with which file. An error without a name is one of the output, where it can be."""
    what = error.strerror or str(error)
    if error.filename is None and error.errno in _OF_WRITING:
        return f"standard output: {what}"
    return f"{error.filename}: {what}" if error.filename else what


def say(text: str) -> None:
    """On standard error, if anybody is there."""
    with contextlib.suppress(OSError):
        print(text, file=sys.stderr, flush=True)  # noqa: T201 - for commands


def finish() -> None:
    """What could not be written must not fail again at the interpreter's end, and change the exit code."""
    for descriptor, stream in ((1, sys.stdout), (2, sys.stderr)):
        try:
            stream.flush()
        except OSError:
            _to_devnull(descriptor)


@contextlib.contextmanager
def interruptible(*numbers: signal.Signals) -> Iterator[None]:
    """Within it these signals raise KeyboardInterrupt, once; a second one ends the process at once.

    A write that waits for a reader who has stalled ends, and so would each one after it. What is ignored stays ignored.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    asked_at = -math.inf

    def interrupt(number: int, _: FrameType | None) -> None:
        nonlocal asked_at
        now = time.monotonic()
        if now - asked_at < _SAME_SIGNAL_SECONDS:
            return
        if asked_at > 0:
            os._exit(128 + number)
        asked_at = now
        for descriptor in (1, 2):
            if not _takes_more(descriptor):
                _to_devnull(descriptor)
        if not _actions:
            raise KeyboardInterrupt
        _actions[-1]()

    heeded = [number for number in numbers if signal.getsignal(number) is not signal.SIG_IGN]
    before = {number: signal.signal(number, interrupt) for number in heeded}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextlib.contextmanager
def on_interruption(action: Callable[[], object]) -> Iterator[None]:
    """Within it nothing is raised; `action` is called instead, as a signal's handler."""
    _actions.append(action)
    try:
        yield
    finally:
        _actions.pop()


def _takes_more(descriptor: int) -> bool:
    ready = select.poll()
    ready.register(descriptor, select.POLLOUT)
    return bool(ready.poll(0))


def _to_devnull(descriptor: int) -> None:
    null = os.open(os.devnull, os.O_RDWR)
    if null != descriptor:
        os.dup2(null, descriptor)
        os.close(null)
    os.set_inheritable(descriptor, True)
