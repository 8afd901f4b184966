"""The process that writes, from within: does what the daemon asks of it, until that has ended.

To be started by `writing_process`: by standard input come the settings and what is to be done, by standard output goes
what became of it.
"""

import logging
import os
import pickle
import sys
import traceback
from collections.abc import Callable
from contextlib import suppress
from logging.handlers import QueueHandler
from typing import Any, BinaryIO

from sploot_clusterd import garbage
from sploot_clusterd.errors import ClusterdError
from sploot_clusterd.history.database import Database
from sploot_clusterd.history.writing_process import Answer


class _Records(QueueHandler):
    """Keeps what is logged for the daemon, whose log it goes to."""

    def __init__(self) -> None:
        super().__init__(queue=None)  # type: ignore[arg-type]
        self.kept: list[logging.LogRecord] = []

    def enqueue(self, record: logging.LogRecord) -> None:
        self.kept.append(record)

    def take(self) -> list[logging.LogRecord]:
        taken, self.kept = self.kept, []
        return taken


def main() -> None:
    """Returns when the daemon has closed its end of the pipes, or is no more."""
    requests, answers = sys.stdin.buffer, os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # what anybody prints is no answer
    records = _Records()
    logging.getLogger().addHandler(records)
    logging.getLogger().setLevel(logging.INFO)
    with suppress(EOFError, pickle.UnpicklingError, BrokenPipeError):
        database = Database.open(pickle.load(requests))  # noqa: S301 - the daemon's
        garbage.look_seldom()
        _serve(database, requests, answers, records)


def _serve(database: Database, requests: BinaryIO, answers: BinaryIO, records: _Records) -> None:
    while True:
        work, arguments = pickle.load(requests)  # noqa: S301 - as above
        outcome, error = _done(database, work, arguments)
        answers.write(pickle.dumps(Answer(outcome, error, records.take())))
        answers.flush()


def _done(database: Database, work: Callable[..., Any], arguments: tuple[Any, ...]) -> tuple[Any, Exception | None]:
    try:
        return work(database, *arguments), None
    except ClusterdError as error:
        return None, error
    except Exception as error:  # noqa: BLE001 - whatever it is, the daemon's log has it
        return None, _portable(error)


def _portable(error: Exception) -> Exception:
    """With its traceback told; a plain one in place of what cannot be pickled."""
    try:
        pickle.loads(pickle.dumps(error))  # noqa: S301 - a moment old
        portable = error
    except Exception:  # noqa: BLE001 - each class has reasons of its own
        portable = RuntimeError(f"{type(error).__name__}: {error}")
    portable.add_note("".join(traceback.format_exception(error)))
    return portable


if __name__ == "__main__":
    main()
