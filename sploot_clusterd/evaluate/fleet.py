"""What a fleet learns of its encoder while its jobs come: the sample and the profiles, as the daemon has them."""

import time
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import NamedTuple

from sploot_clusterd.engine import (
    NO_PROFILES,
    Fresh,
    Profile,
    Profiles,
    Sample,
    Sampled,
    decode_profile,
    encode_profile,
    learn,
    worth_learning,
)
from sploot_clusterd.evaluate.replay import MODEL_VERSION


class Lesson(NamedTuple):
    """One learning of a profile."""

    profile: Profile | None
    """None: the sample gave none."""
    seconds: float
    """CPU time that it took."""


def lesson(
    sample: Sequence[Sampled], previous: Profile | None = None, pets: Sequence[str] = (), *, settled: bool = False
) -> Lesson:
    """Learns the next generation, final if `settled`. It is what comes back from Redis, whose axes are rounded."""
    began = time.thread_time()
    profile = learn(MODEL_VERSION, sample, previous, pets)
    if profile is not None:
        profile = decode_profile(encode_profile(replace(profile, settled=profile.settled or settled)))
    return Lesson(profile, time.thread_time() - began)


def adopted(*generations: Profile) -> Profiles:
    """What albums are given that move to the last of these; no profiles if there is none."""
    if not generations:
        return NO_PROFILES
    known = {(profile.model_version, profile.generation): profile for profile in generations}
    return Profiles(known, {MODEL_VERSION: generations[-1].generation})


class Fleet:
    """Learns whenever the sample is worth it, and has albums adopt the new generation with their next jobs."""

    def __init__(self) -> None:
        self.sample = Sample()
        self.generations: list[Profile] = []
        self.profiles = NO_PROFILES
        self.seconds = 0.0
        """CPU time of learning."""
        self._tried = 0

    def take(self, pet_id: str, fresh: Iterable[Fresh]) -> None:
        """What a job of that pet brought."""
        newest = self.generations[-1] if self.generations else None
        if newest is not None and newest.settled:
            return
        for image in fresh:
            self.sample.add(pet_id, image)
        if not worth_learning(len(self.sample), newest, self._tried):
            return
        profile, seconds = lesson(self.sample.images(), newest, self.sample.pets())
        self.seconds += seconds
        if profile is None:
            self._tried = len(self.sample)
        else:
            self.generations.append(profile)
            self.profiles = adopted(*self.generations)
