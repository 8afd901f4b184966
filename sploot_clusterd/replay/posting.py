"""Posts jobs to a daemon, one or many in a request, and again what it puts off."""

import asyncio
import json
import time
from collections.abc import Callable, Sequence
from typing import Any, Final, NamedTuple

import aiohttp

from sploot_clusterd.replay.jobs import Posted
from sploot_clusterd.replay.tally import ACCEPTED, Tally
from sploot_clusterd.replay.watching import Watching

_TRIES: Final = 8
_LONGEST_PAUSE: Final = 30.0
_LONGEST_REASON: Final = 200
_NO_ANSWER: Final = 0
_OK: Final = 200
_UNAVAILABLE: Final = 503
_JSON: Final = {"Content-Type": "application/json"}
_NDJSON: Final = {"Content-Type": "application/x-ndjson"}


class _Answer(NamedTuple):
    """`pause` is what Retry-After says, in seconds; None where it says nothing."""

    status: int
    text: str
    pause: float | None = None


class Posting:
    """Of one run. `now` gives the seconds since its beginning; `watching` is None where no views are looked at."""

    def __init__(
        self,
        client: aiohttp.ClientSession,
        url: str,
        tally: Tally,
        *,
        now: Callable[[], float],
        watching: Watching | None,
    ) -> None:
        """`url` is the daemon's, without a path."""
        self._client = client
        self._url = f"{url}/internal/cluster-jobs"
        self._tally = tally
        self._now = now
        self._watching = watching

    async def post(self, jobs: Sequence[Posted], *, in_batch: bool) -> dict[str, int]:
        """Posts the jobs, a single one or as a batch, and counts what became of them. Gives the pets whose views are to
        be watched now, and their versions before.
        """
        before = {}
        if self._watching:
            for job in jobs:
                if (version := await self._watching.before(job.pet_id)) is not None:
                    before[job.pet_id] = version
        accepted = await (self._batch(jobs) if in_batch else self._one(jobs[0]))
        pets = {job.pet_id for job in accepted}
        for pet_id in before.keys() - pets:
            await self._watch(pet_id, before.pop(pet_id), accepted=False)
        return before

    async def watch(self, before: dict[str, int]) -> None:
        """Until readers see these, or too long."""
        await asyncio.gather(*(self._watch(pet_id, version, accepted=True) for pet_id, version in before.items()))

    async def _watch(self, pet_id: str, version: int, *, accepted: bool) -> None:
        if self._watching:
            await self._watching.until_seen(pet_id, version, accepted=accepted)

    async def _one(self, job: Posted) -> Sequence[Posted]:
        """The job if it was accepted. A 503 is tried again when its Retry-After says: this slows the rest, too."""
        answer = _Answer(_NO_ANSWER, "")
        for left in reversed(range(_TRIES)):
            answer = await self._request(self._url, job.body, _JSON)
            if answer.status != _UNAVAILABLE or answer.pause is None or not left:
                break
            await asyncio.sleep(answer.pause)
        self._tally.count(answer.status, _reason(answer), self._now())
        return [job] if answer.status == ACCEPTED else []

    async def _batch(self, jobs: Sequence[Posted]) -> Sequence[Posted]:
        """Those accepted. Lines that got a 503 are sent again, in their order, when the answer says."""
        left, accepted = list(jobs), list[Posted]()
        for again in reversed(range(_TRIES)):
            body = b"".join(job.body.replace(b"\n", b" ") + b"\n" for job in left)
            answer = await self._request(f"{self._url}/batch", body, _NDJSON)
            put_off = []
            for job, (status, reason) in zip(left, _lines(answer, len(left)), strict=True):
                if status == _UNAVAILABLE and answer.pause is not None and again:
                    put_off.append(job)
                    continue
                self._tally.count(status, reason, self._now())
                if status == ACCEPTED:
                    accepted.append(job)
            left = put_off
            if not left:
                break
            await asyncio.sleep(answer.pause or 0)
        return accepted

    async def _request(self, url: str, body: bytes, headers: dict[str, str]) -> _Answer:
        began = time.monotonic()
        try:
            async with self._client.post(url, data=body, headers=headers) as response:
                text = await response.text(errors="replace")
                pause = response.headers.get("Retry-After", "")
        except (aiohttp.ClientError, TimeoutError) as error:
            return _Answer(_NO_ANSWER, str(error) or type(error).__name__)
        self._tally.answered(time.monotonic() - began, self._now())
        return _Answer(response.status, text, min(float(pause), _LONGEST_PAUSE) if pause.isdecimal() else None)


def _lines(answer: _Answer, count: int) -> list[tuple[int, str]]:
    """Status and reason of each line of a batch; those of the whole answer where it was not taken apart."""
    if answer.status != _OK:
        return [(answer.status, _reason(answer))] * count
    found = [_parsed(line) for line in answer.text.splitlines() if line]
    if len(found) != count or not all(isinstance(line, dict) for line in found):
        return [(_NO_ANSWER, "an answer that is none of a batch")] * count
    return [
        (ACCEPTED, "") if line.get("status") == "accepted" else (_status(line), str(line.get("detail", "")))
        for line in found
    ]


def _status(line: dict[str, Any]) -> int:
    status = line.get("status")
    return status if isinstance(status, int) else _NO_ANSWER


def _reason(answer: _Answer) -> str:
    parsed = _parsed(answer.text)
    detail = parsed.get("detail") if isinstance(parsed, dict) else None
    return str(detail or answer.text or "no reason given")[:_LONGEST_REASON]


def _parsed(text: str) -> Any:
    """The JSON value, or None for what is none."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None
