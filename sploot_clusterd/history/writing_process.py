"""What is written to the database is written by a child of the daemon: transactions have an interpreter of their own,
for which readers and jobs do not wait.

process = WritingProcess(settings.history)
begun = await process.ask(Ledger(0).begin)
"""

import asyncio
import logging
import os
import pickle
import signal
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any, Final, NamedTuple, cast

from sploot_clusterd.config import HistorySettings
from sploot_clusterd.errors import HistoryUnavailableError

log = logging.getLogger(__name__)

_MODULE: Final = "sploot_clusterd.history.writing_child"
_NOT_FOR_IT: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
"""A terminal and systemd send these to all processes of a service. The child ends when the daemon has."""
_PATIENCE: Final = 5.0
"""Seconds that a child has to end, which it does when its input does."""


class Answer(NamedTuple):
    """What became of what was asked: the outcome, or the error; and what was logged meanwhile."""

    outcome: Any
    error: Exception | None
    records: list[logging.LogRecord]


class WritingProcess:
    """Does one thing after the other. The process is started when there is something to be done, and again where it
    has ended.

    Whatever is asked may raise HistoryUnavailableError: the process ended, and what was to be written may have been.
    """

    def __init__(self, settings: HistorySettings) -> None:
        self._settings = settings
        self._thread = ThreadPoolExecutor(1, "history", signal.pthread_sigmask, (signal.SIG_BLOCK, _NOT_FOR_IT))
        self._child: subprocess.Popen[bytes] | None = None

    async def ask(self, work: Callable[..., Any], *arguments: object) -> Any:
        """What `work(database, *arguments)` gives or raises there; all of that is pickled. It is never cut off: who is
        cancelled meanwhile leaves it to its end.
        """
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._done, work, arguments)

    def ask_from_thread(self, work: Callable[..., Any], *arguments: object) -> Any:
        """As `ask`, for threads: it blocks."""
        return self._thread.submit(self._done, work, arguments).result()

    def close(self) -> None:
        """What is being done goes on to its end, or to that of the daemon; then the process ends."""
        self._thread.submit(self._end)
        self._thread.shutdown(wait=False)

    def _done(self, work: Callable[..., Any], arguments: tuple[object, ...]) -> Any:
        if self._child is None:
            self._child = _started(self._settings)
        try:
            answer = _exchange(self._child, (work, arguments))
        except (OSError, EOFError, pickle.UnpicklingError) as error:
            raise HistoryUnavailableError(f"the process that writes has ended ({self._end()})") from error
        except Exception:  # what cannot be pickled may be on its way by half
            self._end()
            raise
        for record in answer.records:
            logger = logging.getLogger(record.name)
            if logger.isEnabledFor(record.levelno):
                logger.handle(record)
        if answer.error is not None:
            raise answer.error
        return answer.outcome

    def _end(self) -> int | None:
        """Its exit code; None where there is no process."""
        child, self._child = self._child, None
        if child is None:
            return None
        for pipe in (child.stdin, child.stdout):
            with suppress(OSError):  # of what was not taken any more
                cast("Any", pipe).close()
        try:
            return child.wait(_PATIENCE)
        except subprocess.TimeoutExpired:
            child.kill()
            return child.wait()


def _started(settings: HistorySettings) -> "subprocess.Popen[bytes]":
    """It finds the modules where this process does. Called where the signals are blocked, which the child inherits: so
    none ends it, not even before its first line.
    """
    command = [sys.executable, "-P", "-s", "-m", _MODULE]
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    try:
        child = subprocess.Popen(command, env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE)  # noqa: S603 - ours
    except OSError as error:
        raise HistoryUnavailableError(f"the process that writes cannot be started: {error.strerror}") from error
    log.info("history's process has started", extra={"data": {"pid": child.pid}})
    with suppress(OSError):  # it has ended: whoever asks it sees that
        pickle.dump(settings, cast("Any", child.stdin))
    return child


def _exchange(child: "subprocess.Popen[bytes]", asked: object) -> Answer:
    """Albums go piece by piece: between two of them the loop has its turn."""
    requests, answers = cast("Any", child.stdin), cast("Any", child.stdout)
    pickle.dump(asked, requests)
    requests.flush()
    answer: Answer = pickle.load(answers)  # noqa: S301 - from our own child, by a pipe that nobody else has
    return answer
