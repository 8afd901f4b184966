"""Sends albums through the engine as jobs in order of arrival, as the daemon would, and watches them."""

import random
import time
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

import msgspec
import numpy as np

from sploot_clusterd.engine import (
    NO_PROFILES,
    Album,
    Applied,
    Fresh,
    JobStatus,
    NeedsAllRowsError,
    Params,
    Profiles,
    apply,
    images_named,
    new_album,
    render,
)
from sploot_clusterd.engine.assignment import assignment
from sploot_clusterd.engine.statistics import Ints
from sploot_clusterd.entry_ids import EntryId
from sploot_clusterd.evaluate.albums import LabelledAlbum, image_id
from sploot_clusterd.evaluate.scores import Scores, scores
from sploot_clusterd.model import Correction, Job

MODEL_VERSION: Final = "eval"
"""Of all images, so that one profile is for all of them."""
_FIRST_MS: Final = 1_700_000_000_000
_JOB_EVERY_MS: Final = 1000
_LEAST_HERO_CLUSTER: Final = 3
_SETTLED: Final = 30
"""Images from which on churn is counted a second time: by then an album has found its form."""


class Heroes(NamedTuple):
    """Of clusters with three images or more that hold an undegraded one of their commonest label."""

    clusters: int
    right: int
    """Heroes that are undegraded and of the commonest label."""
    undegraded: int


class Churn(NamedTuple):
    """Mean share, a job, of earlier images that changed their cluster; None without such jobs."""

    overall: float | None
    settled: float | None
    """Of jobs into albums of 30 images or more."""


class Step(NamedTuple):
    """One job."""

    before: int
    """Images that had come before it."""
    brought: int
    seconds: float
    """The engine's CPU time, rendering included; other work on the machine hardly shows in it."""
    moved: float
    """Share of the earlier images that were in a shown cluster and are now in another, or in none."""


class Result(NamedTuple):
    """What became of one album."""

    scores: Scores
    heroes: Heroes
    churn: Churn
    clusters: Ints
    """[n], as `Session.clusters` gives them, after the last job."""
    hero_images: list[int]
    """Their places in the order of arrival."""
    steps: list[Step]
    generation: int
    """Of the profile that the album ended with; 0: none."""

    @property
    def microseconds(self) -> float:
        """The engine's CPU time for the whole album."""
        return sum(step.seconds for step in self.steps) * 1e6


class Session:
    """One album and its rows, held as the store would hold them."""

    def __init__(self, pet_id: str, params: Params) -> None:
        self._params = params
        self.album: Album = new_album(pet_id)
        self.rows: dict[str, bytes] = {}
        self.view = b""
        self.seconds = 0.0

    def run(self, job: Job, profiles: Profiles = NO_PROFILES) -> Applied:
        """Applies one job and renders the view."""
        began = time.thread_time()
        known = {image: self.rows[image] for image in images_named([job]) if image in self.rows}
        now_ms = job.sequence.ms
        try:
            applied = apply(self.album, [job], known, self._params, now_ms, profiles=profiles)
        except NeedsAllRowsError:
            applied = apply(self.album, [job], self.rows, self._params, now_ms, profiles=profiles, complete=True)
        self.album = applied.album
        self.rows.update(applied.rows)
        for image in applied.dropped_rows:
            del self.rows[image]
        self.view = render(self.album, self._params)
        self.seconds += time.thread_time() - began
        return applied

    @property
    def generation(self) -> int:
        """Of the profile that the album has now; 0: none."""
        return max((space.profile for space in self.album.spaces.values()), default=0)

    def clusters(self, images: Sequence[str]) -> Ints:
        """The cluster of each image, [n]; images in no shown cluster have numbers of their own below 0."""
        shown = assignment(self.album, self.rows, self._params)
        numbers = [shown.get(image) for image in images]
        return np.array([-1 - n if number is None else number for n, number in enumerate(numbers)], dtype=np.int64)


class Replay:
    """One album on its way, in jobs of 1 to `most` images; `seed` draws their sizes."""

    def __init__(self, labelled: LabelledAlbum, params: Params, most: int, seed: int) -> None:
        self.labelled = labelled
        self.sizes = list(_sizes(len(labelled), most, seed))
        """Images of each job."""
        self._session = Session(labelled.name, params)
        self._corrections = 0
        self._images = [image_id(at) for at in range(len(labelled))]
        self.clusters: Ints = np.array([], dtype=np.int64)
        """Of the images that have come, as `Session.clusters` gives them."""
        self.steps: list[Step] = []

    def step(self, profiles: Profiles) -> Sequence[Fresh]:
        """The next job; the images that the fleet's sample may take. Raises IndexError after the last one."""
        session, before = self._session, self.clusters
        seen, brought = len(before), self.sizes[len(self.steps)]
        seconds = session.seconds
        fresh = session.run(_job(self.labelled, len(self.steps) + 1, range(seen, seen + brought)), profiles).fresh
        after = session.clusters(self._images[: seen + brought])
        self.steps.append(Step(seen, brought, session.seconds - seconds, _moved(before, after[:seen])))
        self.clusters = after
        return fresh

    @property
    def album(self) -> Album:
        """As it is now."""
        return self._session.album

    @property
    def last_said(self) -> str:
        """The id of the job by which the user spoke last."""
        return f"correction-{self._corrections}"

    def say(self, said: Sequence[Correction], profiles: Profiles) -> bool:
        """Applies what a user says after the latest job; False if it is refused."""
        self._corrections += 1
        sequence = EntryId(_FIRST_MS + len(self.steps) * _JOB_EVERY_MS, self._corrections)
        job = Job(self.labelled.name, self.last_said, sequence, corrections=said)
        (outcome,) = self._session.run(job, profiles).outcomes
        self.clusters = self._session.clusters(self._images[: len(self.clusters)])
        return outcome.status is JobStatus.APPLIED

    def result(self) -> Result:
        """After the last job."""
        shown = msgspec.json.decode(self._session.view)["clusters"]
        heroes = [self._images.index(cluster["hero_image_id"]) for cluster in shown]
        return Result(
            scores(self.labelled.label, self.clusters),
            _judged(heroes, self.labelled, self.clusters),
            _churn(self.steps),
            self.clusters,
            heroes,
            self.steps,
            self._session.generation,
        )


def replay(labelled: LabelledAlbum, params: Params, most: int, seed: int, profiles: Profiles = NO_PROFILES) -> Result:
    """The figures of one album that comes alone, by profiles that stay what they are."""
    album = Replay(labelled, params, most, seed)
    for _ in album.sizes:
        album.step(profiles)
    return album.result()


def _sizes(images: int, most: int, seed: int) -> Iterator[int]:
    """Of the jobs that bring so many images."""
    draw = random.Random(seed)  # noqa: S311 - draws sizes, guards no secret
    while images:
        yield (size := min(draw.randint(1, most), images))
        images -= size


def _job(labelled: LabelledAlbum, number: int, part: range) -> Job:
    sequence = EntryId(_FIRST_MS + number * _JOB_EVERY_MS, 0)
    insights = [labelled.insight(at) for at in part]
    return Job(labelled.name, f"job-{number}", sequence, model_version=MODEL_VERSION, images=insights)


def _moved(before: Ints, after: Ints) -> float:
    return float(((before >= 0) & (before != after)).mean()) if len(before) else 0.0


def _churn(steps: Sequence[Step]) -> Churn:
    later = [step.moved for step in steps if step.before]
    settled = [step.moved for step in steps if step.before >= _SETTLED]
    return Churn(float(np.mean(later)) if later else None, float(np.mean(settled)) if settled else None)


def _judged(heroes: Sequence[int], labelled: LabelledAlbum, clusters: Ints) -> Heroes:
    degraded = np.zeros(len(labelled), bool) if labelled.degraded is None else labelled.degraded.astype(bool)
    counted = right = undegraded = 0
    for hero in heroes:
        members = np.flatnonzero(clusters == clusters[hero])
        values, counts = np.unique(labelled.label[members], return_counts=True)
        commonest = labelled.label[members] == values[counts.argmax()]
        if len(members) < _LEAST_HERO_CLUSTER or not (commonest & ~degraded[members]).any():
            continue
        counted += 1
        undegraded += not degraded[hero]
        right += bool(not degraded[hero] and labelled.label[hero] == values[counts.argmax()])
    return Heroes(counted, right, undegraded)
