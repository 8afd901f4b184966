"""Write-back: the storage service is told where readers see images, the newest word on each, some at a time."""

import asyncio
import logging
from collections.abc import Mapping
from typing import Final

import msgspec

from sploot_clusterd.errors import StoreUnavailableError
from sploot_clusterd.health import Health
from sploot_clusterd.insights.source import BadAnswerError, Shown, SourceError
from sploot_clusterd.insights.upstream import Upstream
from sploot_clusterd.metrics import Metrics
from sploot_clusterd.store import Untold
from sploot_clusterd.view import Seen
from sploot_clusterd.waiting import backoff, pause

log = logging.getLogger(__name__)

_TICK: Final = 0.5
_PETS_A_PASS: Final = 4
"""Told side by side, so that most of the requests under way are left to those who ask."""
_IMAGES_A_PASS: Final = 16
_LEASE_MS: Final = 60_000
_TROUBLE_MS: Final = 2000
_FIRST_DELAY: Final = 0.05
_LONGEST_DELAY: Final = 0.8

_seen: Final = msgspec.json.Decoder(Seen).decode


class Teller:
    """`run` is a root task."""

    name: Final = "write_back"

    def __init__(
        self, *, untold: Untold, upstream: Upstream, metrics: Metrics, health: Health, stopping: asyncio.Event
    ) -> None:
        self._untold = untold
        self._upstream = upstream
        self._waiting = metrics.insights_untold_pets
        self._health = health
        self._stopping = stopping
        self._failures = 0
        health.expect(self.name)

    async def run(self) -> None:
        """Until the daemon stops, whatever becomes of Redis and of the service."""
        while not self._stopping.is_set():
            self._health.progress(self.name)
            try:
                idle = not await self._pass()
                self._failures = 0
            except StoreUnavailableError:  # the consumers and the pulse tell of it
                self._failures += 1
                await pause(self._stopping, backoff(self._failures, _FIRST_DELAY, _LONGEST_DELAY))
            else:
                if idle:
                    await pause(self._stopping, _TICK)

    async def _pass(self) -> bool:
        """Whether there was anything to tell."""
        queue = await self._untold.due(0 if self._upstream.is_open else _PETS_A_PASS)
        self._waiting.set(queue.pets)
        taken = await self._untold.take(queue.due, _IMAGES_A_PASS, _LEASE_MS)
        await asyncio.gather(*(self._tell(pet_id, untold) for pet_id, untold in taken.items() if untold))
        return bool(queue.due)

    async def _tell(self, pet_id: str, untold: Mapping[str, bytes]) -> None:
        """What the service does not take, it is not told again; while it cannot be reached, all waits."""
        told: dict[str, bytes] = {}
        delay_ms = 0
        for image_id, raw in untold.items():
            seen = _seen(raw)
            shown = Shown(pet_id, image_id, *(getattr(seen, name) for name in Seen.__struct_fields__))
            try:
                await self._upstream.tell(shown)
            except BadAnswerError:
                pass  # counted and logged by its reason
            except SourceError:
                delay_ms = round(backoff(1, _TROUBLE_MS, _TROUBLE_MS))
                break
            told[image_id] = raw
            self._health.progress(self.name)
            if self._stopping.is_set():
                break
        await self._untold.settle(pet_id, told, delay_ms)
