"""Encoder profiles where there are several partitions: each has a copy, and a sample of its own; here they are one.

Nothing is published at one moment everywhere. So a profile's bytes are written first, to the first partition, whose
word holds if two publish at once, and then to the others; only then do the states change. Who finds some changed, or
bytes that no state tells of, finishes what another process had begun.
"""

from collections.abc import Collection, Sequence
from typing import Final

from sploot_clusterd.errors import BadStateError
from sploot_clusterd.keys import Layout
from sploot_clusterd.model import SAMPLE_LIMIT
from sploot_clusterd.store import scripts
from sploot_clusterd.store.gateway import Call, Gateway
from sploot_clusterd.store.partition import sampled_in_each
from sploot_clusterd.store.profiles import Polled, ProfileStore, SampleSize, State

_NONE: Final = State(0)


class FleetProfiles(ProfileStore):
    """As `ProfileStore`, over all partitions of a layout."""

    def __init__(self, gateway: Gateway, layout: Layout, *, most_sampled: int = SAMPLE_LIMIT) -> None:
        """`most_sampled` images make a full sample of them all."""
        super().__init__(gateway, most_sampled=most_sampled)
        self._partitions = layout.partitions
        self._in_each = sampled_in_each(len(layout.partitions))

    @property
    def _each(self) -> Sequence[ProfileStore]:
        return [ProfileStore(self._gateway.at(keys), most_sampled=self._in_each) for keys in self._partitions]

    async def poll(self, samples: Collection[str] = ()) -> Polled:
        """The newest states of any partition, and the sizes of the samples together. What others lag behind with is
        finished.
        """
        stores = self._each  # there may be more meanwhile
        replies = await self._gateway.run_each(scripts.POLL_PROFILES, [each.poll_call(samples) for each in stores])
        polled = [await each.polled(samples, reply) for each, reply in zip(stores, replies, strict=True)]
        states = {version: _newest(version, polled) for version in dict.fromkeys(v for p in polled for v in p.states)}
        for version, newest in states.items():
            if newest != _NONE:
                await self._bring(version, newest, polled)
        sizes = {version: self._size(version, polled) for version in samples}
        return Polled(
            states,
            {version: size for version, size in sizes.items() if size is not None},
            [text for each in polled for text in each.unreadable],
        )

    async def fetch(self, model_version: str, generation: int) -> bytes:
        """A published profile, from whichever partition has it. Raises BadStateError if none has."""
        for each in self._each[:-1]:
            try:
                return await each.fetch(model_version, generation)
            except BadStateError:
                continue
        return await self._each[-1].fetch(model_version, generation)

    async def sample(self, model_version: str) -> dict[str, bytes]:
        """The sampled images of all by slot: those of lowest priority, as one sample of them all would hold them."""
        images: dict[str, bytes] = {}
        for each in self._each:
            images |= await each.sample(model_version)
        if len(images) <= self._most_sampled:
            return images
        priorities: dict[str, float] = {}
        for each in self._each:
            priorities |= await each.priorities(model_version)
        known = sorted((priorities[slot], slot) for slot in images if slot in priorities)
        return {slot: images[slot] for _, slot in known[: self._most_sampled]}

    async def start_again(self, model_version: str, seen: State, new: State, profile: bytes) -> bool:
        published = await self.publish(model_version, seen, new, profile)
        if published:
            for each in self._each:
                await each.forget_sample(model_version)
        return published

    async def drop_sample(self, model_version: str) -> bool:
        return any([await each.drop_sample(model_version) for each in self._each])

    async def publish(self, model_version: str, seen: State | None, new: State, profile: bytes = b"") -> bool:
        """As of one partition; False also where another process had begun to publish, which is finished then."""
        polled = (await self.poll()).states.get(model_version)
        if polled != seen:
            return False
        state, staged = new, profile
        if profile:
            state, staged = await self._stage(model_version, new, profile)
        await self._bring(model_version, state, [await each.poll() for each in self._each])
        return state == new and staged == profile

    async def _stage(self, version: str, new: State, profile: bytes) -> tuple[State, bytes]:
        """The bytes everywhere, as the first partition has them, and the state that they are to bring."""
        state = str(new)
        for keys in self._partitions:
            values = {"generation": new.generation, "state": state, "profile": profile}
            (reply,) = await self._gateway.run_each(
                scripts.STAGE_PROFILE, [Call(values, [keys.profile(version)], keys)]
            )
            state, profile = reply[0].decode(), reply[1]
        return State.parse(state.encode()), profile

    async def _bring(self, version: str, state: State, polled: Sequence[Polled]) -> None:
        """The state to all partitions that have an older one; those that came meanwhile get it the next time."""
        for each, of_partition in zip(self._each, polled, strict=False):
            seen = of_partition.states.get(version)
            if seen is None or seen < state:
                await each.publish(version, seen, state)

    def _size(self, version: str, polled: Collection[Polled]) -> SampleSize | None:
        """Of all samples together; None where one cannot be read."""
        sizes = [each.samples[version] for each in polled if version in each.samples]
        if len(sizes) < len(polled):
            return None
        bounds = [size.highest for size in sizes]
        highest = None if None in bounds else max(bound for bound in bounds if bound is not None)
        return SampleSize(min(sum(size.images for size in sizes), self._most_sampled), highest)


def _newest(version: str, polled: Collection[Polled]) -> State:
    return max(each.states.get(version, _NONE) for each in polled)
