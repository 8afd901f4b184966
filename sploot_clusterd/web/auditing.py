"""Who changed what over HTTP: each change to the log and to the audit trail; of submitted jobs how many, by the minute.

A change was made by then, so nobody's answer depends on it: where Redis does not take the entry, the log has it.
"""

import asyncio
import logging
from collections import Counter
from collections.abc import Collection
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

import msgspec
from aiohttp import web

from sploot_clusterd.audit import AuditEntry
from sploot_clusterd.web.answers import Response

if TYPE_CHECKING:
    from sploot_clusterd.web.backend import Trail
    from sploot_clusterd.web.connection import Connection

log = logging.getLogger("sploot_clusterd.audit")

_EVERY: Final = 60.0
_SUBMITS: Final = frozenset({"submit", "submit_batch"})
_DRY_RUNS: Final = frozenset({"correct", "replay_letter"})
"""Where they accept, they answer 202."""
_LOOKED, _REFUSED, _FAULT = 200, 400, 500


def will_correct(request: web.BaseRequest, pet_ids: Collection[str]) -> None:
    """The jobs that are being submitted correct these pets: only their bodies told."""
    connection: Connection = request.protocol  # type: ignore[assignment]  # as the server makes them
    connection.corrected = (*pet_ids,)


class _Answer(msgspec.Struct):
    status: str
    letters: int | None = None


_decode: Final = msgspec.json.Decoder(_Answer).decode


class Auditor:
    """One process's; to be closed, that nothing which was counted is lost."""

    def __init__(self, trail: "Trail") -> None:
        self._trail = trail
        self._submitted: Counter[str] = Counter()
        """By actor."""
        self._timer: asyncio.TimerHandle | None = None
        self._telling: asyncio.Task[None] | None = None

    async def note(self, request: web.BaseRequest, what: str, pet_id: str | None, response: Response) -> None:
        """A handler's answer to a request that may have changed something. What was refused, or a dry run, did not.
        `pet_id` is that of the path.
        """
        connection: Connection = request.protocol  # type: ignore[assignment]  # as the server makes them
        corrected, connection.corrected = connection.corrected, ()
        if _REFUSED <= response.status < _FAULT or (what in _DRY_RUNS and response.status == _LOOKED):
            return
        actor = connection.caller.actor
        if what in _SUBMITS:
            self._count(actor, response.body.count(b'"accepted"'))
            for each in corrected:
                await self._tell(actor, "correct", each, _outcome(response)[0])
        else:
            known = pet_id if what != "erase" else None  # an erased pet's id is kept nowhere
            await self._tell(actor, what, known, *_outcome(response))

    async def close(self) -> None:
        """Tells what was counted."""
        if self._timer:
            self._timer.cancel()
        await self._tell_submitted()

    def _count(self, actor: str, jobs: int) -> None:
        if not jobs:
            return
        self._submitted[actor] += jobs
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(_EVERY, self._minute_ended)

    def _minute_ended(self) -> None:
        self._timer = None
        self._telling = asyncio.create_task(self._tell_submitted(), name="tells of submitted jobs")

    async def _tell_submitted(self) -> None:
        submitted, self._submitted = self._submitted, Counter()
        for actor, jobs in submitted.items():
            await self._tell(actor, "submit", None, "accepted", jobs)

    async def _tell(self, actor: str, what: str, pet_id: str | None, outcome: str, jobs: int | None = None) -> None:
        at = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        entry = AuditEntry(at, actor, what, pet_id, outcome, jobs)
        data = {"actor": actor, "what": what, "pet_id": pet_id, "outcome": outcome, "jobs": jobs}
        log.info("change", extra={"data": {name: value for name, value in data.items() if value is not None}})
        try:
            await self._trail.add(entry)
        except Exception as error:  # noqa: BLE001 - whatever it is, the change was made, and its answer is known
            log.warning("a change is in the log alone", extra={"data": {"what": what, "error": str(error)}})


def _outcome(response: Response) -> tuple[str, int | None]:
    """What the caller was told; of a batch, that there was an answer. And how many letters were changed."""
    if response.status >= _FAULT:
        return "unknown", None
    try:
        told = _decode(response.body)
    except msgspec.DecodeError:
        return "accepted", None
    return told.status, told.letters or None
