"""What `--profile` chooses: by which profile an album's images are compared, and in which order albums' jobs come."""

import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple, Protocol

from sploot_clusterd.engine import NO_PROFILES, Profile, Profiles
from sploot_clusterd.engine.learning import FIRST_SAMPLE
from sploot_clusterd.engine.scale import LEAST_PETS
from sploot_clusterd.errors import ClusterdError, ConfigError
from sploot_clusterd.evaluate.albums import LabelledAlbum
from sploot_clusterd.evaluate.cross_validation import learn_folds
from sploot_clusterd.evaluate.fleet import Fleet, adopted
from sploot_clusterd.evaluate.replay import MODEL_VERSION, Replay, Result
from sploot_clusterd.profile.file import read_profile


class Learning(NamedTuple):
    """The profiles that albums were compared by."""

    told: str
    """In a sentence without its full stop."""
    profiles: Mapping[str, Profile]
    """By what they are to the reader, in the order in which they were learned."""
    seconds: float
    """CPU time of learning; no part of the albums' own."""


class Ran(NamedTuple):
    """What became of the albums."""

    results: list[Result]
    """In the order of the albums."""
    learning: Learning | None
    """None: no profile was to be had."""


class Mode(Protocol):
    """A value of `--profile`."""

    about: str
    """For the title of what is measured."""

    def run(self, replays: Iterable[Replay], seed: int, came: Callable[[int], None]) -> Ran:
        """Has all jobs of the albums done, and calls `came` with how many images each of them brought."""


class Given:
    """Profiles that are there from the start. So the albums do not meet, and are measured one after the other."""

    def __init__(
        self,
        about: str,
        profiles_of: Callable[[LabelledAlbum], Profiles] = lambda _: NO_PROFILES,
        learning: Learning | None = None,
    ) -> None:
        self.about = about
        self._profiles_of = profiles_of
        self._learning = learning

    def run(self, replays: Iterable[Replay], seed: int, came: Callable[[int], None]) -> Ran:
        del seed  # nothing is drawn
        return Ran([self._result(each, came) for each in replays], self._learning)

    def _result(self, replay: Replay, came: Callable[[int], None]) -> Result:
        profiles = self._profiles_of(replay.labelled)
        for images in replay.sizes:
            replay.step(profiles)
            came(images)
        return replay.result()


class Online:
    """What a fleet sees: jobs of all albums in turn, at random, and a profile that is learned from them meanwhile."""

    about = "a profile learned online"

    def run(self, replays: Iterable[Replay], seed: int, came: Callable[[int], None]) -> Ran:
        fleet, every = Fleet(), list(replays)
        turns = [(each, images) for each in every for images in each.sizes]
        random.Random(f"{seed} turns").shuffle(turns)  # noqa: S311 - guards no secret
        for each, images in turns:
            fleet.take(each.labelled.name, each.step(fleet.profiles))
            came(images)
        results = [each.result() for each in every]
        profiles = {f"generation {each.generation}": each for each in fleet.generations}
        return Ran(results, Learning(_told(fleet, results), profiles, fleet.seconds))


def mode(chosen: str | Path, file: Path, composition: Path | None, albums: Sequence[LabelledAlbum]) -> Mode:
    """That of `--profile`: `none`, `online`, `folds`, or a file. Raises ConfigError for what cannot be used."""
    match chosen:
        case Path():
            return _from_file(chosen, albums[0])
        case "folds":
            return _from_folds(file, composition)
        case "online":
            return Online()
        case _:
            return Given("no profile")


def _from_file(file: Path, album: LabelledAlbum) -> Given:
    """As `clusterd profile import` would have albums use it: settled."""
    try:
        found = read_profile(file)
    except ClusterdError as error:
        raise ConfigError(f"--profile: {error}") from None
    lengths = {"embedding": album.embedding.shape[1], **{kind: rows.shape[1] for kind, rows in album.others.items()}}
    for kind, each in found.kinds.items():
        if lengths.get(kind, each.length) != each.length:
            raise ConfigError(
                f"--profile: {file}: {kind}: the profile is for {each.length} values, and the albums have "
                f"{lengths[kind]}: give the profile of the encoder that made them"
            )
    if found.kinds.keys().isdisjoint(lengths):
        raise ConfigError(
            f"--profile: {file}: the profile is for {', '.join(found.kinds) or 'nothing'}, and the albums have "
            f"{', '.join(lengths)}: give the profile of the encoder that made them"
        )
    profiles = adopted(replace(found, model_version=MODEL_VERSION, generation=1, settled=True))
    told = f"the profile is generation {found.generation} of {found.model_version!r}, of {found.sampled:,} images"
    return Given(f"profile {file}", lambda _: profiles, Learning(told, {"given": found}, 0.0))


def _from_folds(file: Path, composition: Path | None) -> Given:
    folds = learn_folds(file, composition)
    profiles = {fold: adopted(profile) for fold, profile in folds.profiles.items()}
    images = " and ".join(f"{profile.sampled:,}" for profile in folds.profiles.values())
    told = f"{len(profiles)} profiles, of {images} images; {folds.seconds:.1f} seconds of learning"
    return Given(
        "profiles learned on the other folds",
        lambda album: profiles[int(folds.of_album[album.number])],
        Learning(told, {f"for fold {fold}": profile for fold, profile in folds.profiles.items()}, folds.seconds),
    )


def _told(fleet: Fleet, results: Sequence[Result]) -> str:
    if not fleet.generations:
        there = f"there are {len(fleet.sample)} of {len(set(fleet.sample.pets()))}"
        return f"no profile was learned: it takes {FIRST_SAMPLE} sampled images of {LEAST_PETS} albums, and {there}"
    newest = fleet.generations[-1]
    ended = sum(result.generation == newest.generation for result in results)
    return (
        f"the profile came to generation {newest.generation}, of {newest.sampled:,} images and "
        f"{'settled' if newest.settled else 'not settled'}; {ended} of {len(results)} albums ended with it; "
        f"{fleet.seconds:.1f} seconds of learning"
    )
