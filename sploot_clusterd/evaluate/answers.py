"""A simulated user, who answers what the daemon asks: truthfully, by the labels that most images have."""

import random

import numpy as np

from sploot_clusterd.engine import Params, Profiles
from sploot_clusterd.engine.questions import suggest
from sploot_clusterd.engine.statistics import Ints
from sploot_clusterd.evaluate.albums import LabelledAlbum, place_of
from sploot_clusterd.evaluate.user import UserReplay
from sploot_clusterd.model import Apart, Merge, Move, Split, Stay, cluster_id, cluster_number
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
                self._belongs(place_of(question.image_id), self._number(question.cluster), profiles)
        return question is not None

    def question(self) -> Same | Belongs | None:
        return next(iter(suggest(self.album, self._params, 1).suggestions), None)

    def _same(self, one: int, other: int, profiles: Profiles) -> None:
        named = [cluster_id(self.labelled.name, number) for number in (one, other)]
        if self._commonest(one) == self._commonest(other):
            self.correct(Merge(named), profiles, self.images_of(one, other))
        else:
            self.correct(Apart(named), profiles, self._spoken_of(one), self._spoken_of(other))

    def _belongs(self, image: int, number: int, profiles: Profiles) -> None:
        """One that does not is moved to the largest cluster of its label, or split off where there is none."""
        label, named = self.labelled.label[image], cluster_id(self.labelled.name, number)
        image_id = self.labelled.insight(image).image_id
        if self._commonest(number) == label:
            self.correct(Stay(named, [image_id]), profiles, np.append(self._spoken_of(number), image))
            return
        numbers, sizes = np.unique(self.clusters[self.clusters >= 0], return_counts=True)
        by_size = numbers[np.argsort(-sizes, kind="stable")].tolist()
        home = next((each for each in by_size if self._commonest(each) == label), None)
        alone = np.array([image])
        others = np.setdiff1d(self.images_of(number), alone)
        if home is None:
            self.correct(Split(named, [image_id]), profiles, others, alone, leaving=alone)
        else:
            to = cluster_id(self.labelled.name, home)
            self.correct(Move([image_id], to), profiles, others, np.append(self.images_of(home), image), leaving=alone)

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
