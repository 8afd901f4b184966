"""A pet's life by a seed: jobs of every kind, one by one and together, late and again, with an oracle beside it."""

import random
from collections.abc import Sequence
from copy import deepcopy

from sploot_clusterd.engine import JobStatus, Params
from sploot_clusterd.model import (
    Apart,
    Correction,
    Hide,
    Insight,
    Job,
    Merge,
    Move,
    NotHere,
    Rename,
    SetHero,
    Split,
    Stay,
    Undo,
    Unhide,
)
from tests.engine.pet import START_MS, Pet, direction, insight
from tests.engine.pet import job as numbered
from tests.oracle.said import Said
from tests.oracle.users import Users
from tests.oracle.views import Views

_ALL = 1000
"""Members shown: all of them, so that a view tells which images a cluster has."""
_SETTINGS = [
    Params(max_cluster_size=_ALL),
    Params(max_cluster_size=_ALL, max_cells=24, rebuild_least=3),
    Params(max_cluster_size=_ALL, min_cluster_size=3),
    Params(max_cluster_size=_ALL, algorithm="average_linkage"),
]
_DIMENSIONS = {"m@1": 12, "m@2": 16}
_LABELS = [("Portraits", "Sleep", "Play"), ("Play", "Outdoors"), ()]
_COVERAGE = [{}, {"portrait": 0.5, "play": 0.3}, {"sleep": 0.2}]


class World:
    """One seed, one life."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        params = self._random.choice(_SETTINGS)
        self.pet = Pet(params)
        self._said = Said()
        self._users = Users()
        self._views = Views(params)
        self._looks = self._random.randint(2, 5)
        self._spread = self._random.choice([0.2, 0.5, 1.0])
        self._jobs: list[Job] = []
        self._late: list[Job] = []
        self._corrects = self._random.random() < 0.7
        """Then all images are of one version: where there are several, a view does not tell what belongs together."""
        self._names: list[str] = []
        self._number = 0

    @property
    def jobs(self) -> int:
        """How many were made so far."""
        return self._number

    def live(self, steps: int) -> None:
        """Raises AssertionError where the engine and the pages disagree."""
        for _ in range(steps):
            chance = self._random.random()
            if chance < 0.3 and self._corrects and self._views.members:
                self._correct()
            elif chance < 0.35 and self._jobs:
                self._repeat()
            elif chance < 0.4:
                self._refuse()
            else:
                self._send()
            if self._random.random() < 0.1 and self.pet.fields:
                self.pet.reload()

    def _send(self) -> None:
        jobs = [self._job() for _ in range(self._random.choice([1, 1, 1, 2, 4]))]
        if self._late and self._random.random() < 0.5:
            jobs.insert(0, self._late.pop())
        if len(jobs) > 1 and self._random.random() < 0.2:
            self._late.append(jobs.pop())
        self._apply(*jobs)

    def _correct(self) -> None:
        said = self._correction()
        users, takes_back = deepcopy(self._users), self._random.random() < 0.15
        job = self._next(corrections=[said], force=self._random.random() < 0.1)
        before = self._views.members
        (outcome,) = self.pet.apply(job).outcomes
        assert outcome.status is JobStatus.APPLIED or outcome.error.reason == "invalid", outcome.error
        if outcome.status is JobStatus.REJECTED:
            return
        self._jobs.append(job)
        self._said.take(job)
        self._users.say(said, before, job.sequence)
        self._check()
        if isinstance(said, Split):
            self._check_split(said, before)
        if takes_back and any(word.job_id == job.job_id for word in self.pet.album.words):
            self._users = users
            self._views.forget()
            self._apply(self._next(corrections=[Undo(job.job_id)]))

    def _check_split(self, said: Split, before: dict[str, set[str]]) -> None:
        (home,) = [key for key, names in self._views.members.items() if said.image_ids[0] in names]
        assert self._views.members[home] == set(said.image_ids), "not just what was split off"
        whole = set(said.image_ids) == before[said.cluster]
        assert home == said.cluster if whole else home not in before, "not under a new id"

    def _repeat(self) -> None:
        again = self._random.choice(self._jobs)._replace(sequence=self._next().sequence, force=True)
        assert not self.pet.apply(again).changed, "a job that came again changed something"

    def _refuse(self) -> None:
        """What cannot be applied leaves no trace."""
        bad = self._next(corrections=[Rename("pet_123-cluster-999999", "x")])
        if "m@1" in self._said.versions().values() and self._random.random() < 0.5:
            bad = self._next([self._insight("m@1"), insight("bad", direction(0, dimension=5))])
        applied = self.pet.apply(bad)
        assert [outcome.status for outcome in applied.outcomes] == [JobStatus.REJECTED]
        assert not applied.changed

    def _apply(self, *jobs: Job) -> None:
        """One by one: together they would come to the same, as a law says."""
        for job in jobs:
            version = self.pet.album.version
            applied = self.pet.apply(job)
            assert {outcome.status for outcome in applied.outcomes} <= {JobStatus.APPLIED}, applied.outcomes
            assert version <= self.pet.album.version <= version + applied.changed  # it stays where a job says nothing
            self._said.take(job)
            self._jobs.append(job)
            gone = [name for name in job.removed if self._said.images[name].removed == job.sequence]
            self._users.forget(gone, job.sequence)
            self._check()

    def _check(self) -> None:
        self._views.check(self.pet.view, self._said, self._users)

    def _job(self) -> Job:
        choose = self._random.random
        version = "m@1" if self._corrects or choose() < 0.7 else "m@2"
        images = [self._insight(version) for _ in range(self._random.choice([0, 1, 1, 2, 3, 6]))]
        known = self._names or ["none"]
        return self._next(
            images=images,
            image_ids=[self._name() for _ in range(self._random.choice([0, 0, 0, 1, 3]))],
            removed=[self._random.choice(known) for _ in range(self._random.choice([0, 0, 0, 1, 2]))],
            labels=self._random.choice(_LABELS) if choose() < 0.2 else (),
            coverage=self._random.choice(_COVERAGE) if choose() < 0.2 else {},
            quality_score=self._random.choice([0.3, 0.6, 0.85]) if choose() < 0.2 else None,
            model_version=version,
            force=choose() < 0.05,
        )

    def _insight(self, version: str) -> Insight:
        look = self._random.randrange(self._looks)
        vector = direction(look, self._spread, self._random.randrange(10**6), _DIMENSIONS[version])
        return insight(
            self._name(),
            None if self._random.random() < 0.1 else vector,
            self._random.choice([None, 0.2, 0.5, 0.6, 0.9]),
            self._random.choice([None, None, None, "Sleep", "Zoo"]),
            START_MS - self._random.randrange(400) * 86_400_000,
        )

    def _name(self) -> str:
        if self._names and self._random.random() < 0.25:
            return self._random.choice(self._names)
        self._names.append(f"img-{len(self._names)}")
        return self._names[-1]

    def _correction(self) -> Correction:
        members = {key: sorted(names) for key, names in self._views.members.items()}
        keys = sorted(members)
        key = self._random.choice(keys)
        others = [other for other in keys if other != key]
        some = self._random.sample(members[key], self._random.randint(1, len(members[key])))
        bare = self._said.waiting(self._users.hidden)[:1]
        anywhere = [self._random.choice(members[other]) for other in self._random.sample(keys, min(2, len(keys)))]
        return self._random.choice(
            [
                Merge([key, self._random.choice(keys)]),
                Split(key, some, asked=self._random.random() < 0.5),
                Move(anywhere, key, asked=self._random.random() < 0.5),
                Rename(key, f"name {len(self._jobs)}"),
                SetHero(key, some[0]),
                Stay(key, some),
                NotHere(key, some) if len(some) < len(members[key]) else Stay(key, some),
                Unhide(image_ids=sorted(self._users.hidden)[:2])
                if self._users.hidden
                else Hide(image_ids=some[:2] + bare),
                Apart([key, self._random.choice(others)]) if others else Stay(key, some),
            ]
        )

    def _next(self, images: Sequence[Insight] = (), **more: object) -> Job:
        self._number += 1
        return numbered(self._number, *images, **more)
