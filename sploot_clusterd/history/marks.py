"""Keeping what a partition holds beside its pets, and every profile: by these `restore` begins."""

import hashlib
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Final

from sqlalchemy import Connection, delete, select

from sploot_clusterd.entry_ids import EntryId
from sploot_clusterd.history import statements
from sploot_clusterd.history.database import Database
from sploot_clusterd.history.schema import profile_generations, stream_marks
from sploot_clusterd.store import Marks, PartitionMarks

RECORD: Final = "record"
LAYOUT: Final = "layout"
LAST_ID: Final = "last_id"
ERASED: Final = "erased"
PROFILE: Final = "profile"
"""Kinds of marks: those of erasures have the pet's id for their name, and states of profiles the model version; the
others have none. Values are as in Redis.
"""
_EVERY: Final = 5.0
"""Seconds between two looks."""


class MarkKeeper:
    """Of one partition."""

    def __init__(self, partition: int, marks: Marks, ask: Callable[..., Awaitable[Any]]) -> None:
        self._partition = partition
        self._marks = marks
        self._ask = ask
        self._due_at = 0.0
        self._kept: PartitionMarks | None = None
        self._generations: dict[str, set[int]] = {}
        """Kept already, by model version."""

    async def keep(self) -> None:
        """Every few seconds, what is different. Raises HistoryUnavailableError, StoreUnavailableError."""
        now = time.monotonic()
        if now < self._due_at:
            return
        found = await self._marks.read()
        before = self._kept.profiles if self._kept else {}
        new = {
            model: await self._marks.generations(model, self._generations.get(model, ()))
            for model, state in found.profiles.items()
            if before.get(model) != state
        }
        if found != self._kept:
            await self._ask(_write, self._partition, found, new)
        for model, bodies in new.items():
            self._generations.setdefault(model, set()).update(bodies)
        self._kept, self._due_at = found, now + _EVERY


def _write(database: Database, partition: int, found: PartitionMarks, new: Mapping[str, Mapping[int, bytes]]) -> None:
    """A Redis that was lost may begin again from lower numbers: what is kept is to rebuild it from. So a generation is
    never written over, and what rises is never lowered.
    """
    now_ms = int(time.time() * 1000)
    bodies = [
        {
            "model_version": model,
            "generation": generation,
            "body": body,
            "digest": hashlib.sha1(body, usedforsecurity=False).hexdigest(),
            "seen_ms": now_ms,
        }
        for model, generations in new.items()
        for generation, body in generations.items()
    ]
    with database.write() as connection:
        statements.add(connection, profile_generations, bodies)
        kept = _values(connection, partition)
        _drop_erased(connection, partition, found)
        rows = [
            {"partition": partition, "kind": kind, "name": name, "value": value, "seen_ms": now_ms}
            for kind, name, value in _rows_of(found)
            if _order(kind, value) >= _order(kind, kept.get((kind, name), ""))
        ]
        statements.upsert(connection, stream_marks, rows)


def _values(connection: Connection, partition: int) -> dict[tuple[str, str], str]:
    marks = stream_marks.c
    found = select(marks.kind, marks.name, marks.value).where(marks.partition == partition)
    return {(kind, name): value for kind, name, value in connection.execute(found)}


def _drop_erased(connection: Connection, partition: int, found: PartitionMarks) -> None:
    marks = stream_marks.c
    ours = marks.partition == partition, marks.kind == ERASED
    gone = [name for name in connection.scalars(select(marks.name).where(*ours)) if name not in found.erased]
    for some in statements.pages(gone):
        connection.execute(delete(stream_marks).where(*ours, marks.name.in_(some)))


def _rows_of(found: PartitionMarks) -> Sequence[tuple[str, str, str]]:
    single = ((RECORD, "", found.record), (LAYOUT, "", found.layout), (LAST_ID, "", found.last_id))
    return [
        *(each for each in single if each[2]),
        *((ERASED, pet, mark) for pet, mark in found.erased.items()),
        *((PROFILE, model, state) for model, state in found.profiles.items()),
    ]


def _order(kind: str, value: str) -> tuple[int, ...]:
    """By which a mark rises; of those that do not it is alike."""
    if kind == LAST_ID:
        return EntryId.parse(value or "0-0")
    return (int(value.partition(" ")[0] or 0),) if kind == PROFILE else ()
