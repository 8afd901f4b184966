"""When readers see a job: its pet's view is read until its version is higher than before the job was posted."""

import asyncio
import time
from collections.abc import Callable
from typing import Any, Final

import aiohttp

from sploot_clusterd.replay.tally import Tally

_AT_ONCE: Final = 4
_EVERY: Final = 0.1
"""Seconds between jobs that are watched: reading is not to be what the run measures."""
_QUIET: Final = 10.0
"""For so long no other job of the pet may have been posted, or that one might be what is seen."""
_PATIENCE: Final = 30.0
_FIRST_PAUSE: Final = 0.01
_LONGEST_PAUSE: Final = 0.25
_NOT_FOUND: Final = 404
_OK: Final = 200


class Watching:
    """Of one run. `now` gives the seconds since its beginning."""

    def __init__(self, client: aiohttp.ClientSession, url: str, tally: Tally, now: Callable[[], float]) -> None:
        """`url` is the daemon's, without a path."""
        self._client = client
        self._url = url
        self._tally = tally
        self._now = now
        self._posted_at: dict[str, float] = {}
        self._watched: set[str] = set()
        self._next = 0.0

    async def before(self, pet_id: str) -> int | None:
        """To be called before a job of the pet is posted: its view's version; None if the job is not to be watched."""
        at = self._now()
        quiet = at - self._posted_at.get(pet_id, -_QUIET) >= _QUIET
        self._posted_at[pet_id] = at
        if not pet_id or not quiet or at < self._next or len(self._watched) >= _AT_ONCE:
            return None
        self._next = at + _EVERY
        self._watched.add(pet_id)
        version = await self._version(pet_id)
        if version is None:
            self._watched.discard(pet_id)
        return version

    async def until_seen(self, pet_id: str, version: int, *, accepted: bool) -> None:
        """To be called when the job was answered; `version` is what `before` said."""
        began, wait = time.monotonic(), _FIRST_PAUSE
        try:
            while accepted:
                found = await self._version(pet_id)
                passed = time.monotonic() - began
                if (seen := found is not None and found > version) or passed > _PATIENCE:
                    self._tally.seen(passed, self._now(), succeeded=seen)
                    break
                await asyncio.sleep(wait)
                wait = min(wait * 1.5, _LONGEST_PAUSE)
        finally:
            self._watched.discard(pet_id)

    async def _version(self, pet_id: str) -> int | None:
        """That of the view, 0 where there is none; None where the read failed. Each read counts for its objective."""
        began = time.monotonic()
        found: Any = None
        try:
            async with self._client.get(f"{self._url}/internal/pets/{pet_id}/clusters") as response:
                if response.status == _OK:
                    found = (await response.json()).get("version")
                elif response.status == _NOT_FOUND:
                    found = 0
        except (aiohttp.ClientError, TimeoutError, ValueError, AttributeError):
            found = None
        succeeded = isinstance(found, int)
        self._tally.reads.add(time.monotonic() - began, succeeded=succeeded)
        return found if succeeded else None
