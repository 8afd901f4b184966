"""`clusterd dlq`: looks at the dead letters, puts their jobs back, deletes them."""

# ruff: noqa: T201 - a command prints

import argparse
import asyncio
import json
import shutil
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sploot_clusterd import stdio
from sploot_clusterd.config import Settings
from sploot_clusterd.dead_letters import Replayed
from sploot_clusterd.entry_ids import LetterId
from sploot_clusterd.errors import ClusterdError
from sploot_clusterd.progress import Progress
from sploot_clusterd.store import FleetLetters, LetterSummary, session

_FAILED: Final = 1
_COLUMNS: Final = (("age", 5), ("id", 17), ("reason", 12), ("pet", 16), ("job", 16), ("attempts", 8))
_SHORTEST_ERROR: Final = 40
_LONG_NUMBER: Final = 10
_UNBOUNDED_WIDTH: Final = 160
"""Of a line where nobody's terminal bounds it."""
_UNITS: Final = (("d", 86_400), ("h", 3_600), ("m", 60))
_WHY_NOT: Final = {
    Replayed.GONE: "gone: no such letter, or it was put back or dropped meanwhile",
    Replayed.EMPTY: "empty: the payload was lost, so there is nothing to put back; drop the letter",
    Replayed.ERASED: "erased: the pet was erased after the job was accepted; drop the letter",
    Replayed.FULL: "full: the stream holds as many jobs as it may; replay the rest when consumers have caught up",
}


@dataclass(frozen=True, slots=True)
class Selection:
    """Which letters are meant: those named, or all that every given filter lets through, the oldest first."""

    ids: Sequence[LetterId] = ()
    reasons: Collection[str] = ()
    pets: Collection[str] = ()
    since_ms: int | None = None
    until_ms: int | None = None
    limit: int | None = None

    async def pages(self, letters: FleetLetters) -> AsyncIterator[list[LetterSummary]]:
        """The letters meant, in pages. Of those named, the ones that are there."""
        remaining = sys.maxsize if self.limit is None else self.limit
        async for page in self._read(letters):
            selected = [letter for letter in page if self._takes(letter)][:remaining]
            remaining -= len(selected)
            if selected:
                yield selected
            if not remaining:
                return

    async def _read(self, letters: FleetLetters) -> AsyncIterator[list[LetterSummary]]:
        if not self.ids:
            async for page in letters.pages(self.since_ms, self.until_ms):
                yield page
        for letter in self.ids:
            async for page in letters.pages(letter.entry.ms, letter.entry.ms):
                yield [each for each in page if letter.means(each.letter_id)]

    def _takes(self, letter: LetterSummary) -> bool:
        return (not self.reasons or letter.fields.get("reason") in self.reasons) and (
            not self.pets or not {letter.fields.get("pet_id"), letter.fields.get("other_pet_id")}.isdisjoint(self.pets)
        )


def run(settings: Settings, args: argparse.Namespace) -> int:
    """What the command line asks for; the exit code. Raises ClusterdError, where Redis cannot be reached too."""
    if args.action == "show":
        return show(settings, args.id)
    selection = Selection(
        ids=getattr(args, "ids", ()),
        reasons=args.reason or (),
        pets=args.pet or (),
        since_ms=args.since,
        until_ms=args.until,
        limit=args.limit,
    )
    if args.action == "list":
        return list_letters(settings, selection, as_json=args.json)
    if args.action == "replay":
        return replay(settings, selection, args.rate, dry_run=args.dry_run)
    return drop(settings, selection, dry_run=args.dry_run)


def list_letters(settings: Settings, selection: Selection, *, as_json: bool) -> int:
    """Print a line for each: a table for people, or a JSON object a line. 0."""

    async def work(letters: FleetLetters) -> int:
        count = 0
        async for page in selection.pages(letters):
            if not as_json and not count:
                print(_head())
            count += len(page)
            for letter in page:
                print(json.dumps(_object(letter)) if as_json else _row(letter))
        if not count:
            stdio.say("no dead letter matches")
        return 0

    return _run(settings, work)


def show(settings: Settings, letter: LetterId) -> int:
    """Print one whole. 0, or 1 where there is no such letter."""

    async def work(letters: FleetLetters) -> int:
        fields = await letters.whole(letter)
        if fields is None:
            raise ClusterdError(f"{letter}: there is no such dead letter; `clusterd dlq list` shows those there are")
        payload = fields.pop(b"payload", b"")
        for name, value in fields.items():
            print(
                f"{_plain(name.decode(errors='backslashreplace'))}: {_plain(value.decode(errors='backslashreplace'))}"
            )
        print(f"payload ({len(payload)} bytes):\n{_plain(payload.decode(errors='backslashreplace'), keep=chr(10))}")
        return 0

    return _run(settings, work)


def replay(settings: Settings, selection: Selection, rate: float, *, dry_run: bool) -> int:
    """Put jobs back, `rate` a second (0: as fast as it goes). 0 if all that were meant went back, else 1."""
    if dry_run:
        return _rehearse(settings, selection, "replayed", needs_payload=True)
    return _run(settings, lambda letters: _replay(letters, selection, rate))


def drop(settings: Settings, selection: Selection, *, dry_run: bool) -> int:
    """Delete letters for good. 0; 1 where one that was named is not there."""
    if dry_run:
        return _rehearse(settings, selection, "dropped", needs_payload=False)

    async def work(letters: FleetLetters) -> int:
        dropped = 0
        try:
            async for page in selection.pages(letters):
                call = asyncio.ensure_future(letters.drop([letter.letter_id for letter in page]))
                try:
                    await asyncio.shield(call)
                finally:  # interrupted or not, what is under way is waited for, and counts
                    dropped += await call
        finally:  # also where Redis went away, or it is interrupted: they are gone
            print(f"{dropped} dropped")
        return _missing(len(selection.ids) - dropped)

    return _run(settings, work)


def _rehearse(settings: Settings, selection: Selection, what: str, *, needs_payload: bool) -> int:
    async def work(letters: FleetLetters) -> int:
        reasons: Counter[str] = Counter()
        empty = 0
        async for page in selection.pages(letters):
            meant = [letter for letter in page if letter.payload_bytes or not needs_payload]
            reasons.update(letter.fields.get("reason", "unknown") for letter in meant)
            empty += len(page) - len(meant)
        print(f"dry run: {reasons.total()} would be {what}")
        for reason, count in reasons.most_common():
            print(f"  {count} x {_plain(reason)}")
        if empty:
            print(f"  {empty} x {_WHY_NOT[Replayed.EMPTY]}")
        missing = _missing(len(selection.ids) - reasons.total() - empty)
        return _FAILED if empty else missing

    return _run(settings, work)


def _missing(letters: int) -> int:
    """Says that so many of those named are not there; the exit code."""
    if letters <= 0:
        return 0
    print(f"  {letters} x {_WHY_NOT[Replayed.GONE]}")
    return _FAILED


async def _replay(letters: FleetLetters, selection: Selection, rate: float) -> int:
    tally: Counter[Replayed] = Counter()
    progress = Progress()
    start, count = time.monotonic(), 0
    try:
        async for letter in _one_by_one(letters, selection):
            if rate and (early := start + count / rate - time.monotonic()) > 0:
                await asyncio.sleep(early)
            count += 1
            call = asyncio.ensure_future(letters.replay(letter))
            try:
                await asyncio.shield(call)
            finally:  # interrupted or not, what is under way is waited for, and counts
                tally[await call] += 1
            progress.show(f"{tally[Replayed.DONE]} replayed")
            if call.result() is Replayed.FULL:
                break
    finally:  # also where Redis went away, or it is interrupted: what was put back by then stays so
        progress.end()
        refused = tally.total() - tally[Replayed.DONE]
        print(f"{tally[Replayed.DONE]} replayed, {refused} not")
        for outcome, why in _WHY_NOT.items():
            if tally[outcome]:
                print(f"  {tally[outcome]} x {why}")
    return _FAILED if refused else 0


async def _one_by_one(letters: FleetLetters, selection: Selection) -> AsyncIterator[LetterId]:
    """Those named, whether they are there or not; else those that the filters let through."""
    for letter in selection.ids:
        yield letter
    if not selection.ids:
        async for page in selection.pages(letters):
            for summary in page:
                yield summary.letter_id


def _run(settings: Settings, work: Callable[[FleetLetters], Awaitable[int]]) -> int:
    return session.run(settings, lambda store: work(store.letters))


def _head() -> str:
    return " ".join(f"{name:<{width}}" for name, width in _COLUMNS) + " error"


def _row(letter: LetterSummary) -> str:
    fields = letter.fields
    cells = (
        _age(letter),
        str(letter.letter_id),
        *(fields.get(name, "") for name in ("reason", "pet_id", "job_id", "attempts")),
    )
    start = " ".join(f"{_plain(cell) or '-':<{width}}" for cell, (_, width) in zip(cells, _COLUMNS, strict=True))
    room = shutil.get_terminal_size((_UNBOUNDED_WIDTH, 0)).columns - len(start) - 1
    error = _plain(fields.get("error", ""))
    room = max(room, _SHORTEST_ERROR)
    return f"{start} {error if len(error) <= room else error[: room - 1] + '…'}"


def _object(letter: LetterSummary) -> dict[str, Any]:
    attempts = letter.fields.get("attempts", "")
    numbers = {"attempts": int(attempts)} if attempts.isdecimal() and len(attempts) < _LONG_NUMBER else {}
    return {"id": str(letter.letter_id), **letter.fields, **numbers, "payload_bytes": letter.payload_bytes}


def _age(letter: LetterSummary) -> str:
    seconds = max(0, int(time.time() - letter.id.ms / 1000))
    return next((f"{seconds // size}{unit}" for unit, size in _UNITS if seconds >= size), f"{seconds}s")


def _plain(text: str, keep: str = "") -> str:
    """For a terminal: nothing in a letter may move its cursor or look like a line of ours."""
    return "".join(_escaped(text, keep))


def _escaped(text: str, keep: str) -> Iterator[str]:
    for character in text:
        printed = character.isprintable() or character in keep
        yield character if printed else character.encode("unicode_escape").decode()
