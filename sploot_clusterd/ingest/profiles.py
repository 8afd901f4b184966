"""The profiles that this process knows, which of them albums move to, and what the fleet's samples have room for.

Read by the planner on the loop and in the pool, so what it reads is replaced as a whole and never changed.
"""

from collections.abc import Collection, Mapping
from typing import Final, NamedTuple

from sploot_clusterd.engine import (
    Album,
    Fresh,
    Profile,
    Profiles,
    decode_profile,
    encode_sampled,
    slot,
)
from sploot_clusterd.ingest.lengths import Lengths
from sploot_clusterd.ingest.offered import Offered
from sploot_clusterd.ingest.scheduling import TokenBucket
from sploot_clusterd.store import Commit, Offer, Polled, ProfileStore, State, UsedProfile
from sploot_clusterd.store.profiles import SAMPLED_MODELS, digest

_MOST_KNOWN: Final = 32
"""Profiles in memory, about 1 MB each: those in use, and the old generations that albums asked for last."""
_IMAGES_A_MOVE: Final = 200
"""A move clusters an album from its images: one of more than these counts as several."""

ProfileKey = tuple[str, int]
"""Model version and generation."""


class Snapshot(NamedTuple):
    """The registry at one moment: which of them an album uses is told from what it was computed with."""

    profiles: Profiles
    digests: Mapping[ProfileKey, str]

    def used_profiles(self, album: Album) -> list[UsedProfile]:
        """The profiles that the album rests on."""
        if not album.spaces:
            return []
        return [
            UsedProfile(space.model_version, space.profile, self.digests[space.model_version, space.profile])
            for space in album.spaces.values()
            if space.profile
        ]


class ProfileRegistry:
    """One process's profiles. What is not in it is fetched when an album needs it."""

    def __init__(self, store: ProfileStore, *, sampling: bool, moves_per_second: float) -> None:
        """`sampling`: whether images are offered to the samples."""
        self.store = store
        self._sampling = sampling
        self._current = Snapshot(Profiles({}, {}), {})
        self._polled = Polled({}, {})
        self._open = 0
        """Model versions that are sampled."""
        self._moves = TokenBucket(moves_per_second)
        self._lengths = Lengths()
        self._offered = Offered()

    @property
    def states(self) -> Mapping[str, State]:
        """By model version, as of the last `update`."""
        return self._polled.states

    def sampled(self, model_version: str) -> int:
        """Images in the model version's sample, as of the last `update`."""
        size = self._polled.samples.get(model_version)
        return size.images if size else 0

    def two_lengths(self) -> str:
        """A warning if vectors of two lengths came under one model version lately, else empty."""
        return self._lengths.warning()

    def knows(self, model_version: str, generation: int) -> bool:
        return (model_version, generation) in self._current.profiles.known

    def current(self, model_version: str) -> Profile | None:
        """The one that albums adopt, if there is one and it is known."""
        known, adopt = self._current.profiles
        return known.get((model_version, adopt.get(model_version, 0)))

    def snapshot(self, album: Album, *, at_once: bool) -> Snapshot:
        """What applying jobs to the album may use. New spaces adopt the current profile; older ones move to it if
        `at_once`, else as many albums a second as are allowed to.
        """
        snapshot = self._current
        if not album.spaces:
            return snapshot
        known, adopt = snapshot.profiles
        apart = {
            s.model_version: s for s in album.spaces.values() if s.profile != adopt.get(s.model_version, s.profile)
        }
        if not apart:
            return snapshot
        # Where another process is ahead of this one, the album stays with what that one gave it.
        fit = {v for v, s in apart.items() if s.profile < adopt[v] and known[v, adopt[v]].fits(dict(s.layout))}
        movers = fit if fit and (at_once or self._moves.take(album.num_vector_images / _IMAGES_A_MOVE)) else set()
        adopt = {v: generation for v, generation in adopt.items() if v not in apart or v in movers}
        return snapshot._replace(profiles=Profiles(known, adopt))

    def offers(self, pet_id: str, fresh: Collection[Fresh], *, is_new: bool) -> list[Offer]:
        """Those of the images that may enter a sample, one for each slot: the first to come would keep it anyway.
        `is_new`: the pet has no album yet.
        """
        offers: dict[tuple[str, str], Offer] = {}
        before: Collection[tuple[str, str]] = () if is_new else self._offered.of(pet_id)
        for each in fresh:
            self._lengths.note(each, self.current(each.model_version))
            if not self._is_sampled(each.model_version):
                continue
            name, priority = slot(pet_id, each.image_id)
            key = (each.model_version, name)
            if key not in before and key not in offers and self._has_room(each.model_version, priority):
                offers[key] = Offer(each.model_version, name, priority, encode_sampled(each.sampled()))
        return list(offers.values())

    def committed(self, commit: Commit) -> None:
        """What it offered has come to the samples."""
        self._offered.committed(commit)

    async def fetch(self, model_version: str, generation: int) -> None:
        """Makes a published profile known. Raises StoreUnavailableError, or BadStateError if it cannot be had."""
        raw = await self.store.fetch(model_version, generation)
        profile = decode_profile(raw)
        known, adopt = self._current.profiles
        kept = {**known, (model_version, generation): profile}
        for key in list(kept)[: max(0, len(kept) - _MOST_KNOWN)]:
            if adopt.get(key[0]) != key[1]:
                del kept[key]
        digests = {**self._current.digests, (model_version, generation): digest(raw)}
        self._current = Snapshot(Profiles(kept, adopt), {key: digests[key] for key in kept})

    def forget(self, used_profiles: Collection[UsedProfile]) -> None:
        """Redis does not hold these any more, or others in their place: albums are not to adopt them."""
        gone = {(each.model_version, each.generation) for each in used_profiles}
        known, adopt = self._current.profiles
        self._current = Snapshot(
            Profiles(
                {key: profile for key, profile in known.items() if key not in gone},
                {version: generation for version, generation in adopt.items() if (version, generation) not in gone},
            ),
            {key: each for key, each in self._current.digests.items() if key not in gone},
        )

    def update(self, polled: Polled) -> None:
        """From now on albums adopt the current generations, as far as they are known."""
        known = self._current.profiles.known
        current = {version: state.generation for version, state in polled.states.items()}
        adopt = {version: generation for version, generation in current.items() if (version, generation) in known}
        self._current = self._current._replace(profiles=Profiles(known, adopt))
        self._offered.polled(self._polled.samples, polled.samples)
        self._polled = polled
        self._open = sum(not each.settled for each in polled.states.values())

    def _is_sampled(self, model_version: str) -> bool:
        if not self._sampling:
            return False
        state = self._polled.states.get(model_version)
        return self._open < SAMPLED_MODELS if state is None else not state.settled

    def _has_room(self, model_version: str, priority: float) -> bool:
        size = self._polled.samples.get(model_version)
        return size is None or size.highest is None or priority < size.highest
