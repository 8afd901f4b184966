"""The component that fetches insights: takes up what is wanted and due, and asks the storage service side by side."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Final

from sploot_clusterd.config import Settings
from sploot_clusterd.errors import StoreUnavailableError
from sploot_clusterd.health import Health
from sploot_clusterd.insights.asking import Asker
from sploot_clusterd.insights.settling import Settling
from sploot_clusterd.insights.spans import fetching
from sploot_clusterd.insights.upstream import Upstream
from sploot_clusterd.metrics import Metrics
from sploot_clusterd.spans import OFF, Tracer
from sploot_clusterd.store import Taken, TakenImage, Wants
from sploot_clusterd.waiting import backoff, pause

log = logging.getLogger(__name__)

_TICK: Final = 0.5
"""Seconds between looks where this process knows of nothing new: others leave word too, and what waits becomes due."""
_FIRST_DELAY: Final = 0.05
_LONGEST_DELAY: Final = 0.8
_AHEAD: Final = 2
"""Images in hand for each request that may be under way, so that none has to wait for Redis."""
_MOST_AT_ONCE: Final = 64
"""Images of a pet in one job."""
_LEAST_PETS: Final = 4
_SHARE: Final = 8
"""Images of a pet that are taken while others wait: fewer would make small jobs, more a long round."""
_MOST_LISTED: Final = 256
"""Ids of a list in one job: with their vectors, these are what is applied in one commit."""
_SUSPICIOUS: Final = 2
"""Takes without an outcome after which an image is asked for with nothing else in hand: it may end processes."""
_CRASH_LOOP: Final = 5
_MOST_HANDED: Final = 2
"""Jobs with an image's answer that were set aside, after which it is asked for no more."""
_LEASE_MARGIN: Final = 2.0
"""Seconds beyond those that a request, and the one before it, may take: so long a dead process's wants are nobody's."""
_MOST_WANTED: Final = 2000
"""Insights out of a pet with which no more of its list is announced."""


class Fetcher:
    """`run` is a root task. `left` is set where this process's commits left word of wants."""

    name: Final = "insights"

    def __init__(
        self,
        *,
        wants: Wants,
        upstream: Upstream,
        settings: Settings,
        left: asyncio.Event,
        metrics: Metrics,
        health: Health,
        stopping: asyncio.Event,
        tracer: Tracer = OFF,
    ) -> None:
        asked, limits = settings.insights, settings.limits
        self._wants = wants
        self._upstream = upstream
        self._left = left
        self._tracer = tracer
        self._metrics = metrics
        self._health = health
        self._stopping = stopping
        self._concurrency = asked.concurrency
        self._most_at_once = min(_MOST_AT_ONCE, limits.images_per_job)
        waits = _AHEAD * asked.concurrency / asked.rate if asked.rate else 0.0
        self._lease_ms = round(1000 * (_AHEAD * asked.timeout_seconds + waits + _LEASE_MARGIN))
        self._asker = Asker(
            upstream,
            Settling(wants, stopping, self._lease_ms),
            metrics,
            give_up_after_ms=1000 * asked.give_up_after_seconds,
            most_listed=min(_MOST_LISTED, limits.image_ids_per_job),
            most_wanted=min(_MOST_WANTED, max(1, settings.albums.announced_images // 2)),
        )
        self._in_hand: dict[asyncio.Task[None], Taken] = {}
        self._failures = 0
        health.expect(self.name)

    async def run(self) -> None:
        """Until the daemon stops, whatever becomes of Redis and of the service."""
        try:
            while not self._stopping.is_set():
                self._health.progress(self.name)
                try:
                    await self._pass()
                    self._failures = 0
                except StoreUnavailableError:  # the consumers and the pulse tell of it
                    self._failures += 1
                    await pause(self._stopping, backoff(self._failures, _FIRST_DELAY, _LONGEST_DELAY))
        finally:
            await self._drop_all()

    async def _pass(self) -> None:
        """Takes up as much as there is room for, or waits until there may be something."""
        in_hand = sum(len(taken.images) for taken in self._in_hand.values())
        if in_hand > self._concurrency:  # to wait for more makes larger jobs, and no request waits for it
            await self._wait()
            return
        room = 0 if self._upstream.is_open else 1 if self._upstream.in_doubt else _AHEAD * self._concurrency - in_hand
        self._left.clear()
        queue = await self._wants.due(min(room, max(_LEAST_PETS, room // _SHARE)))
        self._metrics.insights_pets_waiting.set(queue.pets)
        self._metrics.insights_oldest_wait.set(queue.overdue_ms / 1000)
        if not queue.due:
            await self._wait(self._left.wait if room else self._upstream.ready)
            return
        share = min(max(1, room // len(queue.due)), self._most_at_once)
        await self._begin(await self._wants.take(dict.fromkeys(queue.due, share), self._lease_ms))

    async def _begin(self, takes: list[Taken]) -> None:
        suspects: list[Taken] = []
        for taken in takes:
            plain: list[TakenImage] = []
            for image in taken.images:
                alone = taken._replace(images=[image])
                if image.handed >= _MOST_HANDED:
                    await self._asker.give_up(alone, "set_aside")
                elif image.takes >= _SUSPICIOUS:
                    suspects.append(alone)
                elif image.is_list:
                    self._start(self._asker.whole_list, alone)
                else:
                    plain.append(image)
            if plain:
                self._start(self._asker.images, taken._replace(images=plain))
        for number, suspect in enumerate(suspects):
            await (self._wants.settle(suspect.put_back(), self._lease_ms) if number else self._run_alone(suspect))

    async def _run_alone(self, suspect: Taken) -> None:
        await self._nothing_in_hand()
        (image,) = suspect.images
        if image.takes >= _CRASH_LOOP:
            await self._asker.give_up(suspect, "crash_loop")
        elif not self._stopping.is_set():
            self._start(self._asker.whole_list if image.is_list else self._asker.images, suspect)
            await self._nothing_in_hand()

    async def _nothing_in_hand(self) -> None:
        """Returns when that is so, or the daemon stops."""
        while self._in_hand and not self._stopping.is_set():
            await self._wait()

    def _start(self, serve: Callable[[Taken], Awaitable[None]], taken: Taken) -> None:
        task = asyncio.create_task(self._serve(serve, taken))
        self._in_hand[task] = taken
        task.add_done_callback(self._in_hand.pop)

    async def _serve(self, serve: Callable[[Taken], Awaitable[None]], taken: Taken) -> None:
        """What goes wrong in one pet's answers ends no others': they are due again when their lease ends."""
        try:
            with fetching(self._tracer, taken):
                await serve(taken)
        except Exception:
            log.exception("insights could not be taken up", extra={"data": {"pet_id": taken.pet_id}})

    async def _wait(self, until: Callable[[], Awaitable[object]] | None = None) -> None:
        """For anything that is in hand, for `until`, or for a moment."""
        own = [asyncio.ensure_future(wait()) for wait in (self._stopping.wait, until) if wait]
        try:
            await asyncio.wait({*own, *self._in_hand}, timeout=_TICK, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for each in own:
                each.cancel()
            await asyncio.wait(own)
        self._health.progress(self.name)

    async def _drop_all(self) -> None:
        """What is in hand is put back, for others to take up at once."""
        dropped = dict(self._in_hand)
        for task in dropped:
            task.cancel()
        if dropped:
            await asyncio.wait(dropped)
        for taken in dropped.values():
            with suppress(StoreUnavailableError):
                await self._wants.settle(taken.put_back(), self._lease_ms)
