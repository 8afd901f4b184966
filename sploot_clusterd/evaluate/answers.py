"""A simulated user, who answers what the daemon asks: truthfully, by the labels that most images have."""

import random

import numpy as np

from sploot_clusterd.engine import Params, Profiles
from sploot_clusterd.engine.questions import suggest
from sploot_clusterd.engine.statistics import Ints
from sploot_clusterd.evaluate.albums import LabelledAlbum, image_id, place_of
from sploot_clusterd.evaluate.user import UserReplay
from sploot_clusterd.model import Apart, Correction, Merge, Move, Split, Stay, cluster_id, cluster_number
from sploot_clusterd.view import Belongs, Same


class AskedReplay(UserReplay):
    """The user answers the best question, and is then asked again."""

    def __init__(self, labelled: LabelledAlbum, params: Params, most_images: int, seed: int, most: int) -> None:
        super().__init__(labelled, params, most_images, seed, most)
        self._params = params

    def look(self, profiles: Profiles) -> bool:
        question = self.question()
        match question:
            case Same():
                one, other = map(self._number, question.clusters)
                self._same(one, other, profiles)
            case Belongs():
                images = np.array([place_of(each) for each in question.image_ids])
                self._belongs(images, self._number(question.cluster), profiles)
        return question is not None

    def question(self) -> Same | Belongs | None:
        return next(iter(suggest(self.album, self._params, 1).suggestions), None)

    def _same(self, one: int, other: int, profiles: Profiles) -> None:
        named = [cluster_id(self.labelled.name, number) for number in (one, other)]
        if self._commonest(one) == self._commonest(other):
            self.correct([Merge(named)], profiles, self.images_of(one, other))
        else:
            self.correct([Apart(named)], profiles, self._spoken_of(one), self._spoken_of(other))

    def _belongs(self, images: Ints, number: int, profiles: Profiles) -> None:
        """Those that do not are moved to the largest cluster of their label, or split off where there is none."""
        name, labels = self.labelled.name, self.labelled.label[images]
        own = self._commonest(number)
        staying, strange = images[labels == own], images[labels != own]
        said, groups = list[Correction](), [np.append(np.setdiff1d(self._spoken_of(number), strange), staying)]
        if len(staying):
            said.append(Stay(cluster_id(name, number), _ids(staying)))
        for label in np.unique(labels[labels != own]).tolist():
            leaving, home = images[labels == label], self._home(label)
            if home is None:
                said.append(Split(cluster_id(name, number), _ids(leaving), asked=True))
            else:
                said.append(Move(_ids(leaving), cluster_id(name, home), asked=True))
            groups.append(leaving if home is None else np.append(self._spoken_of(home), leaving))
        self.correct(said, profiles, *groups, leaving=strange)

    def _home(self, label: int) -> int | None:
        """The largest cluster of the label."""
        numbers, sizes = np.unique(self.clusters[self.clusters >= 0], return_counts=True)
        by_size = numbers[np.argsort(-sizes, kind="stable")].tolist()
        return next((each for each in by_size if self._commonest(each) == label), None)

    def _commonest(self, number: int) -> int:
        labels, counts = np.unique(self.labelled.label[self.images_of(number)], return_counts=True)
        return int(labels[counts.argmax()])

    def _spoken_of(self, number: int) -> Ints:
        """The places of the cluster's hero, which stands for it, and of those of its images that are one by now."""
        heroes = [each.hero for each in self.album.clusters.values() if each.number == number]
        spoken = [at for at in self.images_of(number).tolist() if self.is_held(at)]
        return np.array([*spoken, *(place_of(hero) for hero in heroes if hero is not None)])

    def _number(self, cluster: str) -> int:
        number = cluster_number(self.labelled.name, cluster)
        if number is None:
            raise ValueError(f"{cluster} is no cluster of the album")
        return number


class GuessedReplay(AskedReplay):
    """As many questions, of two clusters at random: what to ask well is worth is the difference."""

    def __init__(self, labelled: LabelledAlbum, params: Params, most_images: int, seed: int, most: int) -> None:
        super().__init__(labelled, params, most_images, seed, most)
        self._random = random.Random(f"{seed} questions")  # noqa: S311 - guards no secret

    def question(self) -> Same | Belongs | None:
        numbers = np.unique(self.clusters[self.clusters >= 0]).tolist()
        if len(numbers) < 2:  # noqa: PLR2004 - a pair
            return None
        return Same([cluster_id(self.labelled.name, number) for number in self._random.sample(numbers, 2)], 0.0)


def _ids(images: Ints) -> list[str]:
    return [image_id(at) for at in images.tolist()]
