"""Encoder profiles where there are several partitions: each has a copy, and a sample of its own; here they are one.

Nothing is published at one moment everywhere. So a profile's bytes are written first, to the first partition, whose
word holds if two publish at once, and then to the others; only then do the states change. Who finds some changed, or
bytes that no state tells of, finishes what another process had begun.
"""

from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from typing import Final

from sploot_clusterd.errors import BadStateError, StoreUnavailableError
from sploot_clusterd.keys import Keys, Layout
from sploot_clusterd.model import SAMPLE_LIMIT
from sploot_clusterd.store import scripts
from sploot_clusterd.store.gateway import Call, Gateway
from sploot_clusterd.store.partition import sampled_in_each
from sploot_clusterd.store.profiles import Polled, ProfileStore, SampleSize, State, digest

_NONE: Final = State(0)


class FleetProfiles(ProfileStore):
    """As `ProfileStore`, over all partitions of a layout."""

    def __init__(self, gateway: Gateway, layout: Layout, *, most_sampled: int = SAMPLE_LIMIT) -> None:
        """`most_sampled` images make a full sample of them all."""
        super().__init__(gateway, most_sampled=most_sampled)
        self._partitions = layout.partitions
        self._in_each = sampled_in_each(len(layout.partitions))
        self._stores: list[ProfileStore] = []

    @property
    def _each(self) -> Sequence[ProfileStore]:
        """That of each partition there is now: there may come to be more."""
        new = self._partitions[len(self._stores) :]
        self._stores += [ProfileStore(self._gateway.at(keys), most_sampled=self._in_each) for keys in new]
        return tuple(self._stores)

    async def poll(self, samples: Collection[str] = ()) -> Polled:
        """The newest states of any partition, and the sizes of the samples together. What others lag behind with is
        finished; one whose server is away is passed over, and its samples are missing then.
        """
        stores = self._each  # there may be more meanwhile
        replies = await self._gateway.run_each(scripts.POLL_PROFILES, [each.poll_call(samples) for each in stores])
        there = {
            each: await each.polled(samples, reply)
            for each, reply in zip(stores, replies, strict=True)
            if not isinstance(reply, Exception)
        }
        polled = list(there.values())
        states = {version: _newest(version, polled) for version in dict.fromkeys(v for p in polled for v in p.states)}
        for version, newest in states.items():
            if newest != _NONE:
                await self._bring(version, newest, there)
        all_there = len(there) == len(stores)
        sizes = {version: self._size(version, polled) if all_there else None for version in samples}
        return Polled(
            states,
            {version: size for version, size in sizes.items() if size is not None},
            [text for each in polled for text in each.unreadable],
        )

    async def fetch(self, model_version: str, generation: int) -> bytes:
        """A published profile, from whichever partition has it. Raises BadStateError if none has."""
        away: dict[str, StoreUnavailableError] = {}
        missing: BadStateError | None = None
        for keys, each in zip(self._partitions, self._each, strict=True):
            if (place := self._gateway.place(keys)) in away:
                continue
            try:
                return await each.fetch(model_version, generation)
            except BadStateError as error:
                missing = error
            except StoreUnavailableError as error:
                away[place] = error
        raise next(iter(away.values()), None) or missing or StoreUnavailableError

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
        await self._bring(model_version, state, {each: await each.poll() for each in self._each})
        return state == new and staged == profile

    async def _stage(self, version: str, new: State, profile: bytes) -> tuple[State, bytes]:
        """The bytes everywhere, as the first partition has them, and the state that they are to bring.

        The first may have lost what it had, as a replica took over: then another one's word holds.
        """
        state = new
        for n, keys in enumerate(self._partitions):
            found, there = await self._staged(keys, version, state, profile)
            if there != profile:
                for before in self._partitions[:n]:
                    await self._staged(before, version, found, there, instead_of=digest(profile))
            state, profile = found, there
        return state, profile

    async def _staged(
        self, keys: Keys, version: str, state: State, profile: bytes, *, instead_of: str = ""
    ) -> tuple[State, bytes]:
        """What a partition has now: its own, but where that has the digest `instead_of`."""
        values = {"generation": state.generation, "state": str(state), "profile": profile, "instead_of": instead_of}
        call = Call(values, [keys.profile(version)], keys)
        ((told, there),) = await self._gateway.run_each(scripts.STAGE_PROFILE, [call])
        return State.parse(told), there

    async def _bring(self, version: str, state: State, polled: Mapping[ProfileStore, Polled]) -> None:
        """The state to all partitions that have an older one, and the bytes to those that have lost them."""
        seen = {each: of_partition.states.get(version) for each, of_partition in polled.items()}
        behind = {each: state_there for each, state_there in seen.items() if state_there is None or state_there < state}
        if behind and state.generation:
            with suppress(BadStateError):  # nobody has it: who needs it says so
                profile = await self.fetch(version, state.generation)
                for keys, each in zip(self._partitions, self._each, strict=True):
                    if each in behind:
                        await self._staged(keys, version, state, profile)
        for each, state_there in behind.items():
            await each.publish(version, state_there, state)

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
