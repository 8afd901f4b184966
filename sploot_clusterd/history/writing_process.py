"""What is written to the database is written by a child of the daemon: transactions have an interpreter of their own,
for which readers and jobs do not wait.

process = WritingProcess(settings.history)
begun = await process.ask(Ledger(0).begin)
"""

import asyncio
import logging
import pickle
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from subprocess import TimeoutExpired
from typing import Any, Final, NamedTuple, cast

from sploot_clusterd import child
from sploot_clusterd.child import Child
from sploot_clusterd.config import HistorySettings
from sploot_clusterd.errors import HistoryUnavailableError

log = logging.getLogger(__name__)

_MODULE: Final = "sploot_clusterd.history.writing_child"
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
        self._thread = ThreadPoolExecutor(1, "history")
        self._child: Child | None = None

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
        process, self._child = self._child, None
        if process is None:
            return None
        for pipe in (process.stdin, process.stdout):
            with suppress(OSError):  # of what was not taken any more
                cast("Any", pipe).close()
        try:
            return process.wait(_PATIENCE)
        except TimeoutExpired:
            process.kill()
            return process.wait()


def _started(settings: HistorySettings) -> Child:
    try:
        process = child.started(_MODULE)
    except OSError as error:
        raise HistoryUnavailableError(f"the process that writes cannot be started: {error.strerror}") from error
    log.info("history's process has started", extra={"data": {"pid": process.pid}})
    with suppress(OSError):  # it has ended: whoever asks it sees that
        pickle.dump(settings, cast("Any", process.stdin))
    return process


def _exchange(process: Child, asked: object) -> Answer:
    """Albums go piece by piece: between two of them the loop has its turn."""
    requests, answers = cast("Any", process.stdin), cast("Any", process.stdout)
    pickle.dump(asked, requests)
    requests.flush()
    answer: Answer = pickle.load(answers)  # noqa: S301 - from our own child, by a pipe that nobody else has
    return answer
