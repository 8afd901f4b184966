"""Keeps the registry of profiles up to date, and learns and publishes new generations where the fleet has grown."""

import asyncio
import logging
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Final

from sploot_clusterd.engine import (
    LEAST_SAMPLE,
    KindWeights,
    Profile,
    Sampled,
    decode_sampled,
    encode_profile,
    learn,
    other_lengths,
    pet_of,
    worth_learning,
)
from sploot_clusterd.errors import BadStateError, StoreUnavailableError
from sploot_clusterd.health import Health
from sploot_clusterd.ingest.profiles import ProfileRegistry
from sploot_clusterd.ingest.retry import OutageLog
from sploot_clusterd.metrics import Metrics
from sploot_clusterd.model import SAMPLE_LIMIT
from sploot_clusterd.store import State
from sploot_clusterd.store.profiles import SAMPLED_MODELS
from sploot_clusterd.waiting import pause

log = logging.getLogger(__name__)

_EVERY: Final = 2.0
"""Seconds between passes: how long a process goes on with the generation before, once a new one is published."""
_STALE_SECONDS: Final = 900.0
"""Learning hangs if it takes longer: of three kinds of the longest vectors it takes some minutes of a core."""
_STALLED_SECONDS: Final = 3600.0
_TRY_AGAIN_SECONDS: Final = 600.0
_WARNING: Final = "profiles"
_UNREADABLE: Final = "profiles unreadable"
_LENGTHS: Final = "profile lengths"
_BLIND: Final = "profile blind"
_MOST_TOLD: Final = 5


class ProfileLearner:
    """`run` is a root task of every process with consumers. What fails here stops no job: albums stay as they are."""

    name: Final = "profiles"

    def __init__(
        self,
        registry: ProfileRegistry,
        *,
        metrics: Metrics,
        health: Health,
        stopping: asyncio.Event,
        weights: KindWeights,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`weights` are those by which albums combine kinds: how alike images are depends on them."""
        self._registry = registry
        self._weights = weights
        self._store = registry.store
        self._metrics = metrics
        self._health = health
        self._stopping = stopping
        self._tried: dict[str, tuple[int, float]] = {}
        """By model version: the size of the sample that gave no profile, and when."""
        self._clock = clock
        self._grown: dict[str, tuple[int, float]] = {}
        """By model version that is sampled: how large the sample was, and since when."""
        self._stuck: list[str] = []
        """Why nothing could be learned at the last pass."""
        self._told, self._told_lengths = "", False
        self._outage = OutageLog("profiles wait for redis")
        health.expect(self.name, _STALE_SECONDS)

    async def run(self) -> None:
        """Refreshes and learns until the daemon stops, whatever becomes of Redis."""
        while not self._stopping.is_set():
            try:
                await self.refresh()
                await self.learn()
                self._stuck = []
                self._outage.available()
            except StoreUnavailableError as error:
                self._outage.unavailable(error)
            except BadStateError as error:
                self._stuck = [str(error)]  # told with the next look
            self._health.progress(self.name)
            await pause(self._stopping, _EVERY)

    async def refresh(self) -> None:
        """One look at what is published and sampled; what cannot be read is told. Raises StoreUnavailableError."""
        polled = await self._store.poll(
            [version for version, state in self._registry.states.items() if not state.settled]
        )
        unreadable = list(polled.unreadable)
        try:
            for version, state in polled.states.items():
                if state.generation and not self._registry.knows(version, state.generation):
                    unreadable += await self._fetch(version, state)
        finally:
            self._registry.update(polled)
            self._report()
        self._tell([*unreadable, *self._stuck])
        await self._make_room()

    async def _make_room(self) -> None:
        """Where all places of samples are taken, those that have not grown lately give way: made-up names, most likely.

        A sample that is large enough to learn from stays, and so does one of an encoder that has a profile.
        """
        now = self._clock()
        sampled = {version: state for version, state in self._registry.states.items() if not state.settled}
        self._grown = {version: seen for version, seen in self._grown.items() if version in sampled}
        for version in sampled:
            size = self._registry.sampled(version)
            if version not in self._grown or self._grown[version][0] != size:
                self._grown[version] = (size, now)
        if len(sampled) < SAMPLED_MODELS:
            return
        for version, (size, since) in self._grown.items():
            stalled = now - since > _STALLED_SECONDS and size < LEAST_SAMPLE and not sampled[version].generation
            if stalled and await self._store.drop_sample(version):
                log.info("a sample that did not grow gave way", extra={"data": {"model_version": version}})

    async def _fetch(self, version: str, state: State) -> list[str]:
        """Why it cannot be had, if so: one that cannot be read keeps no album from the others."""
        try:
            await self._registry.fetch(version, state.generation)
        except BadStateError as error:
            return [str(error)]
        log.info("profile at hand", extra={"data": _log_fields(version, state)})
        return []

    def _tell(self, unreadable: Sequence[str]) -> None:
        """Of what cannot be read: a warning while it is so, and a line when it changes."""
        text = f"profiles cannot be read: {'; '.join(unreadable[:_MOST_TOLD])}" if unreadable else ""
        if text:
            self._health.set_warning(_UNREADABLE, text)
        else:
            self._health.clear_warning(_UNREADABLE)
        if text and text != self._told:
            log.error("profiles cannot be read", extra={"data": {"errors": unreadable[:_MOST_TOLD]}})
        self._told = text

    async def learn(self) -> bool:
        """Learns one profile, if there is one worth it and nobody else is at it; whether one was published.

        Raises StoreUnavailableError, BadStateError.
        """
        for version, state in self._registry.states.items():
            if self._is_worth_it(version, state):
                return await self._store.may_learn() and await self._learn(version, state)
        return False

    def _is_worth_it(self, version: str, state: State) -> bool:
        previous, size = self._registry.current(version), self._registry.sampled(version)
        if state.settled or (state.generation and previous is None):
            return False
        tried, at = self._tried.get(version, (0, 0.0))
        # A full sample does not grow, but what is in it changes.
        return worth_learning(size, previous, tried if self._clock() - at < _TRY_AGAIN_SECONDS else 0)

    async def _learn(self, version: str, state: State) -> bool:
        images = await self._store.sample(version)
        previous, full = self._registry.current(version), self._registry.sampled(version) >= SAMPLE_LIMIT
        # In a thread of its own: no rebuild is to wait for the seconds that this may take.
        next_profile = await asyncio.to_thread(_next_profile, version, images, previous, self._weights, full=full)
        if next_profile is None:
            self._tried[version] = (len(images), self._clock())
            return False
        new, profile = next_profile
        if not await self._store.publish(version, state, new, profile):
            log.info("another process published its profile first", extra={"data": _log_fields(version, new)})
            return False
        self._metrics.profiles_learned.inc()
        log.info("profile learned", extra={"data": {**_log_fields(version, new), "images": len(images)}})
        await self.refresh()
        return True

    def _report(self) -> None:
        states = self._registry.states
        profiles = [profile for version in states if (profile := self._registry.current(version))]
        metrics = self._metrics
        metrics.profile_generation.set(max((profile.generation for profile in profiles), default=0))
        metrics.profile_images.set(max((profile.sampled for profile in profiles), default=0))
        metrics.profile_drift.set(max((profile.drift or 0.0 for profile in profiles), default=0.0))
        likenesses = [profile.likeness for profile in profiles if profile.likeness is not None]
        metrics.profile_scale.set(min((each.scale for each in likenesses), default=1.0))
        metrics.profile_contrast.set(min((each.contrast for each in likenesses), default=0.0))
        self._warn_of_blind(profiles)
        metrics.sampled_images.set(sum(map(self._registry.sampled, states)))
        if text := self._registry.two_lengths():
            self._health.set_warning(_LENGTHS, text)
            if not self._told_lengths:
                log.warning("vectors of two lengths come under one model version", extra={"data": {"warning": text}})
        else:
            self._health.clear_warning(_LENGTHS)
        self._told_lengths = bool(text)
        if sum(not state.settled for state in states.values()) < SAMPLED_MODELS:
            self._health.clear_warning(_WARNING)
        else:
            self._health.set_warning(
                _WARNING, f"{SAMPLED_MODELS} model versions are sampled, and no other one will get a profile"
            )

    def _warn_of_blind(self, profiles: Sequence[Profile]) -> None:
        """Of encoders that find one pet's photos no more alike than any others."""
        blind = [each.model_version for each in profiles if each.likeness and not each.likeness.tells_apart]
        if blind:
            self._health.set_warning(
                _BLIND,
                f"photos of one pet are no more alike than any others by the vectors of model version {blind[0]!r}: "
                "its clusters say little",
            )
        else:
            self._health.clear_warning(_BLIND)


def _next_profile(
    version: str, raw: Mapping[str, bytes], previous: Profile | None, weights: KindWeights, *, full: bool
) -> tuple[State, bytes] | None:
    """The next profile, encoded; None if the sample gives none. Whatever a sample provokes must not stop the daemon.

    What was learned from a full sample is final, though some of it gave way meanwhile or could not be read.
    """
    try:
        readable = dict(_readable(raw))
        sample = list(readable.values())
        profile = learn(version, sample, previous, list(map(pet_of, readable)), weights)
    except Exception:
        log.exception("no profile could be learned", extra={"data": {"model_version": version, "images": len(raw)}})
        return None
    if profile is None:
        return None
    profile = replace(profile, settled=profile.settled or (full and not other_lengths(profile, sample)))
    return State(profile.generation, profile.settled), encode_profile(profile)


def _readable(raw: Mapping[str, bytes]) -> Iterator[tuple[str, Sampled]]:
    """By slot, in the order of the slots: what is learned does not depend on the order in which Redis gives them."""
    for slot in sorted(raw):
        try:
            yield slot, decode_sampled(raw[slot])
        except BadStateError as error:
            log.warning("a sampled image cannot be read", extra={"data": {"slot": slot, "error": str(error)}})


def _log_fields(version: str, state: State) -> dict[str, object]:
    return {"model_version": version, "generation": state.generation, "settled": state.settled}
