"""A simulated user, who knows the labels, and while an album grows says what is right and what is wrong in its view."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np

from sploot_clusterd.correcting import clusters_named, images_corrected
from sploot_clusterd.engine import Fresh, Params, Profiles
from sploot_clusterd.engine.statistics import Ints
from sploot_clusterd.evaluate.albums import LabelledAlbum, image_id
from sploot_clusterd.evaluate.replay import Replay
from sploot_clusterd.evaluate.scores import contingency
from sploot_clusterd.model import Correction, Hide, Merge, NotHere, Rename, Split, Undo, cluster_id

_LOOKS: Final = 4
"""How often the user looks at an album: after each quarter of its jobs."""
_NOTICED: Final = 2
"""Images that must be in the wrong place for the user to bother."""


NONE: Final[Ints] = np.zeros(0, dtype=np.int64)
"""No images."""


class Corrections(NamedTuple):
    """What the user said of one album, and what became of it."""

    made: int
    refused: int
    broken: int
    """Of what was said: groups that are not together, and pairs of groups that are not apart, after the last job."""
    first: int | None
    """Images that had come when the first one was made; None: none was."""


class Fault(NamedTuple):
    """Two clusters of one label, or a group of another label in a cluster."""

    clusters: Sequence[int]
    strangers: Ints
    """Places of the images that do not belong; empty where the clusters are to be merged."""
    harm: int
    """Images in the wrong place."""


class UserReplay(Replay, ABC):
    """An album with a user, who says `most` things of it at most, evenly many after each quarter of its jobs."""

    def __init__(self, labelled: LabelledAlbum, params: Params, most_images: int, seed: int, most: int) -> None:
        super().__init__(labelled, params, most_images, seed)
        jobs = len(self.sizes)
        self._looks = {-(-jobs * quarter // _LOOKS) for quarter in range(1, _LOOKS + 1)}
        self._left = most
        self._said: Ints = np.full(len(labelled), -1)
        """Which of the groups that the user spoke of each image belongs to; -1: none."""
        self._groups = self._made = self._refused = 0
        self._first: int | None = None

    def step(self, profiles: Profiles) -> Sequence[Fresh]:
        fresh = super().step(profiles)
        looks = sum(look >= len(self.steps) for look in self._looks)
        if len(self.steps) in self._looks:
            for _ in range(-(-self._left // looks)):
                if not self.look(profiles):
                    break
        return fresh

    @abstractmethod
    def look(self, profiles: Profiles) -> bool:
        """Says one thing; False if there is nothing to say."""

    @property
    def corrections(self) -> Corrections:
        return Corrections(self._made, self._refused, broken(self._said, self.clusters), self._first)

    def correct(self, said: Sequence[Correction], profiles: Profiles, *groups: Ints, leaving: Ints = NONE) -> None:
        """Says one thing, in one correction or some. The images of each of the groups are one from then on, with all
        that was said to be one with any of them; those that are `leaving` (places, too) are not one any more with what
        they were one with.
        """
        self._left -= 1
        self._made += 1
        self._first = len(self.clusters) if self._first is None else self._first
        if not self.say(said, profiles):
            self._refused += 1
            return
        self._said[leaving] = -1
        for group in groups:
            known = self._said[group]
            self._said[np.isin(self._said, known[known >= 0])] = self._groups
            self._said[group] = self._groups
            self._groups += 1

    def is_held(self, image: int) -> bool:
        """Whether the user said something of it."""
        return bool(self._said[image] >= 0)

    def images_of(self, *clusters: int) -> Ints:
        """The places of the images in these clusters."""
        return np.flatnonzero(np.isin(self.clusters, clusters))


class CorrectedReplay(UserReplay):
    """The user corrects what is worst."""

    def look(self, profiles: Profiles) -> bool:
        fault = worst(self.labelled.label[: len(self.clusters)], self.clusters)
        if fault is not None:
            others = np.setdiff1d(self.images_of(*fault.clusters), fault.strangers)
            said = _correction(self.labelled.name, fault)
            self._slip(said, np.setdiff1d(self.images_of(fault.clusters[0]), fault.strangers), profiles)
            self.correct([said], profiles, others, fault.strangers, leaving=fault.strangers)
        return fault is not None

    def _slip(self, said: Correction, others: Ints, profiles: Profiles) -> None:
        """Says something else first, by mistake, and takes it back: that must not matter to what holds in the end."""
        cluster, *_ = clusters_named(said)
        image = image_id(int(others[0])) if len(others) else images_corrected(said)[0]
        slips = (
            Hide(cluster),
            Hide(image_ids=[image]),
            NotHere(cluster, [image]),
            Rename(cluster, "a slip of the tongue"),
        )
        slip = slips[self._made % len(slips)]
        if isinstance(slip, NotHere) and len(others) < _NOTICED:
            slip = slips[0]
        if not (self.say([slip], profiles) and self.say([Undo(self.last_said)], profiles)):
            self._refused += 1


def worst(label: Ints, clusters: Ints) -> Fault | None:
    """What is worst in an album of these labels [n] and clusters [n] (below 0: in none), if anything is noticed.

    It is the two largest clusters of one commonest label, or the largest group of another label in a cluster; whichever
    puts more images in the wrong place: those of the smaller cluster, or of the group.
    """
    shown = np.flatnonzero(clusters >= 0)
    if not len(shown):
        return None
    labels, numbers = np.unique(label[shown]), np.unique(clusters[shown])
    table = contingency(label[shown], clusters[shown])
    commonest, sizes = table.argmax(axis=0), table.max(axis=0)
    faults: list[Fault] = []
    for row in np.unique(commonest):
        pair = [at for at in np.argsort(-sizes, kind="stable") if commonest[at] == row][:2]
        if len(pair) == 2:  # noqa: PLR2004 - a pair
            faults.append(Fault(numbers[pair].tolist(), NONE, int(sizes[pair[1]])))
    strangers = table.copy()
    strangers[commonest, np.arange(len(numbers))] = 0
    row, at = np.unravel_index(strangers.argmax(), strangers.shape)
    group = np.flatnonzero((clusters == numbers[at]) & (label == labels[row]))
    faults.append(Fault([int(numbers[at])], group, int(strangers[row, at])))
    fault = max(faults, key=lambda each: each.harm)
    return fault if fault.harm >= _NOTICED else None


def broken(said: Ints, clusters: Ints) -> int:
    """How many of the groups `said` [n] (-1: none) are not together in one of the clusters [n], and how many pairs of
    them not apart.
    """
    spoken = np.flatnonzero(said >= 0)
    if not len(spoken):
        return 0
    table = contingency(said[spoken], clusters[spoken]) > 0
    parted, met = table.sum(axis=1) - 1, table.sum(axis=0)
    return int((parted > 0).sum() + (met * (met - 1) // 2).sum())


def _correction(pet_id: str, fault: Fault) -> Correction:
    named = [cluster_id(pet_id, number) for number in fault.clusters]
    if len(fault.strangers):
        return Split(named[0], [image_id(at) for at in fault.strangers.tolist()])
    return Merge(named)
