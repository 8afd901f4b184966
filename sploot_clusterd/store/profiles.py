"""Encoder profiles in Redis: the fleet's samples that they are learned from, and every generation that was published.

What a profile and a sampled image are is the engine's; here they are bytes.
"""

import hashlib
import secrets
from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final, NamedTuple, Self

from sploot_clusterd.errors import BadStateError
from sploot_clusterd.model import SAMPLE_LIMIT
from sploot_clusterd.store import scripts
from sploot_clusterd.store.gateway import Call, Gateway, pairs

SAMPLED_MODELS: Final = 16
"""Model versions that are sampled at a time: what a producer calls its encoder must not fill Redis."""
LEARNING_MS: Final = 10_000
"""How long others leave learning to the process that began: longer than it takes, as a rule."""
_NEVER_EXPIRES: Final = -1
_IMAGES_A_PAGE: Final = 100
_SETTLED: Final = " settled"


class State(NamedTuple):
    """How far a model version's profile has come. Generation 0: there is only a sample."""

    generation: int
    settled: bool = False
    """It is never learned anew, and nothing is sampled for it."""

    @classmethod
    def parse(cls, text: bytes) -> Self:
        """Raises BadStateError."""
        digits = text.decode(errors="replace").removesuffix(_SETTLED)
        if not (digits.isascii() and digits.isdecimal()):
            raise BadStateError(f"{text[:64]!r} is not the state of a profile: a generation, settled or not")
        return cls(int(digits), text.endswith(_SETTLED.encode()))

    def __str__(self) -> str:
        return f"{self.generation}{_SETTLED * self.settled}"


class SampleSize(NamedTuple):
    images: int
    highest: float | None
    """The priority below which a slot may still enter; None where there is room for all."""


class Polled(NamedTuple):
    """By model version: the states, and the sizes of those samples that were asked for."""

    states: Mapping[str, State]
    samples: Mapping[str, SampleSize]
    unreadable: Sequence[str] = ()
    """What is stored and cannot be read, and its mend; it is in neither of the two."""


class UsedProfile(NamedTuple):
    """A profile that an album was computed with; `digest` tells it from another of the same generation."""

    model_version: str
    generation: int
    digest: str


class Offer(NamedTuple):
    """An image for the fleet's sample; `priority` is from 0 to 1, and the lowest ones stay."""

    model_version: str
    slot: str
    priority: float
    image: bytes


def digest(profile: bytes) -> str:
    """As publishing stores it."""
    return hashlib.sha1(profile, usedforsecurity=False).hexdigest()


class ProfileStore:
    """Samples and profiles of all model versions. Every method raises StoreUnavailableError."""

    def __init__(self, gateway: Gateway, *, most_sampled: int = SAMPLE_LIMIT) -> None:
        """`most_sampled` images make a full sample."""
        self._gateway = gateway
        self._keys = gateway.keys
        self._most_sampled = most_sampled

    async def poll(self, samples: Collection[str] = ()) -> Polled:
        """All states, and the sizes of the samples of these model versions."""
        (reply,) = await self._gateway.run_each(scripts.POLL_PROFILES, [self.poll_call(samples)])
        return await self.polled(samples, reply)

    def poll_call(self, samples: Collection[str]) -> Call:
        """What `poll` asks, to be asked together with others."""
        keys = [key for model_version in samples for key in self._keys.sample(model_version)]
        return Call({"most_sampled": self._most_sampled}, keys, self._keys)

    async def polled(self, samples: Collection[str], reply: Sequence[Any]) -> Polled:
        """What the reply says."""
        flat, *sizes = reply
        states, unreadable = self._states(pairs(flat))
        readable = {}
        for model_version, (count, highest) in zip(samples, sizes, strict=True):
            if count < 0:
                unreadable += [fault.text for fault in await self._gateway.inspect(self._keys.sample(model_version))]
            else:
                readable[model_version] = SampleSize(count, float(highest) if highest else None)
        return Polled(states, readable, unreadable)

    def _states(self, stored: Mapping[bytes, bytes]) -> tuple[dict[str, State], list[str]]:
        states, unreadable = dict[str, State](), list[str]()
        for name, state in stored.items():
            try:
                states[name.decode()] = State.parse(state)
            except (UnicodeDecodeError, BadStateError) as error:
                why = "no UTF-8" if isinstance(error, UnicodeDecodeError) else str(error)
                unreadable.append(f"{name[:128]!r} in {self._keys.profiles}: {why}; HDEL it there, or mend it")
        return states, unreadable

    async def fetch(self, model_version: str, generation: int) -> bytes:
        """A published profile. Raises BadStateError if it is not there."""
        key = self._keys.profile(model_version)
        profile: bytes | None = await self._gateway.read("profiles", "HGET", key, generation)
        if profile is None:
            raise BadStateError(
                f"generation {generation} of the profile of {model_version!r} is not in Redis any more: albums were "
                "computed with it, so restore it from a backup"
            )
        return profile

    async def sample(self, model_version: str) -> dict[str, bytes]:
        """The sampled images by slot. What comes and goes meanwhile may or may not be among them."""
        images: dict[str, bytes] = {}
        async for page in self._gateway.scan("profiles", self._keys.sample(model_version).images, _IMAGES_A_PAGE):
            images.update((slot.decode(errors="replace"), image) for slot, image in page.items())
        return images

    async def priorities(self, model_version: str) -> dict[str, float]:
        """Of the sampled images, by slot."""
        slots = self._keys.sample(model_version).slots
        flat = await self._gateway.read("profiles", "ZRANGE", slots, 0, -1, "WITHSCORES")
        return {slot.decode(errors="replace"): float(priority) for slot, priority in pairs(flat).items()}

    async def forget_sample(self, model_version: str) -> None:
        """What is sampled from now on is another sample."""
        await self._gateway.command("profiles", "UNLINK", *self._keys.sample(model_version))

    async def may_learn(self) -> bool:
        """Whether no process began to learn a profile within `LEARNING_MS`; if so, this one has begun.

        It only spares work: who publishes is decided by `publish`. Raises BadStateError if what is there never expires.
        """
        token, key = secrets.token_hex(8), self._keys.learning
        if await self._gateway.command("profiles", "SET", key, token, "NX", "PX", LEARNING_MS) is not None:
            return True
        if await self._gateway.read("profiles", "PTTL", key) == _NEVER_EXPIRES:
            raise BadStateError(f"{key} was not written by us, and keeps everybody from learning profiles: DEL it")
        return False

    async def start_again(self, model_version: str, seen: State, new: State, profile: bytes) -> bool:
        """As `publish`, without the sample: what is sampled from then on is another one."""
        published = await self.publish(model_version, seen, new, profile)
        if published:
            await self.forget_sample(model_version)
        return published

    async def drop_sample(self, model_version: str) -> bool:
        """Forgets a model version of which there is only a sample; False if there is more."""
        return bool(
            await self._gateway.run(
                scripts.DROP_SAMPLE, more_keys=self._keys.sample(model_version), model_version=model_version
            )
        )

    async def publish(self, model_version: str, seen: State | None, new: State, profile: bytes = b"") -> bool:
        """Makes `new` the model version's state; False, with nothing changed, if that is not `seen` any more.

        Without a profile the generation stays; what was published never changes. What settles loses its sample.
        """
        reply = await self._gateway.run(
            scripts.PUBLISH_PROFILE,
            more_keys=(self._keys.profile(model_version), *self._keys.sample(model_version)),
            model_version=model_version,
            seen="" if seen is None else str(seen),
            generation=new.generation,
            settled=int(new.settled),
            profile=profile,
        )
        return bool(reply == b"ok")
