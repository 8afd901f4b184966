"""How far a command has come, on one line of a terminal."""

import contextlib
import math
import sys
import time
from typing import Final

_EVERY: Final = 0.2


class Progress:
    """Shows nothing where standard error is no terminal, or one that is gone."""

    def __init__(self) -> None:
        self._shows = sys.stderr.isatty()
        self._shown_at = -math.inf

    def show(self, text: str) -> None:
        """In place of what was shown before; not more often than can be read."""
        now = time.monotonic()
        if now - self._shown_at >= _EVERY:
            self._shown_at = now
            self._write(f"\r{text}")

    def keep(self, text: str) -> None:
        """The last of it, which stays."""
        self._write(f"\r{text}\n")

    def end(self) -> None:
        """What was shown last stays."""
        if self._shown_at > -math.inf:
            self._write("\n")

    def clear(self) -> None:
        self._write("\r\033[K")

    def _write(self, text: str) -> None:
        if self._shows:
            with contextlib.suppress(OSError):
                print(text, end="", file=sys.stderr, flush=True)  # noqa: T201 - for commands
