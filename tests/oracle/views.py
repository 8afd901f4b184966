"""What has to hold of a view, and of two that follow each other, by docs/readers.md and clustering.md."""

from collections import Counter
from collections.abc import Mapping

from sploot_clusterd.engine import Params
from tests.oracle.said import Said
from tests.oracle.users import Users

_ROUNDED = 2e-4
"""Scores are shown to four digits."""


class Views:
    """The view of now and the one before. Members are all shown, so `max_cluster_size` has to be large."""

    def __init__(self, params: Params) -> None:
        self._params = params
        self.view: dict = {}
        self.real: dict[str, dict] = {}
        self.members: dict[str, set[str]] = {}

    def forget(self) -> None:
        """What is shown next goes on from an earlier view than the last one."""
        self.real, self.members = {}, {}

    def check(self, view: dict, said: Said, users: Users) -> None:
        before, members_before = self.real, self.members
        self.view = view
        self.real = {each["id"]: each for each in view["clusters"] if not each["provisional"]}
        self.members = {key: {member["image_id"] for member in each["members"]} for key, each in self.real.items()}
        self._check_counts(said, users)
        self._check_provisional(said, users)
        self._check_clusters(said)
        users.check(self.members, self.real, said.versions())
        self._check_ids(before, members_before)
        self._check_heroes(before, users)
        self._check_labels(said, users)

    def _check_counts(self, said: Said, users: Users) -> None:
        there = {name for name, image in said.images.items() if image.there}
        shown = [member["image_id"] for each in self.view["clusters"] for member in each["members"]]
        everywhere = shown + self.view["unclustered"]
        assert len(everywhere) == len(set(everywhere)), "an image is shown twice"
        assert set(everywhere) == there - users.hidden, "an image is missing, or should be gone"
        metrics = self.view["metrics"]
        assert metrics["num_images"] == len(there)
        assert metrics.get("num_hidden", 0) == len(users.hidden)
        assert metrics["num_unclustered"] == len(self.view["unclustered"])
        assert metrics["num_clusters"] == len(self.view["clusters"])
        assert self.view["model_version"] == (said.model[1] if said.model else None)
        if said.quality is not None:
            assert metrics["quality_score"] == said.quality[1]
        if said.labels is not None and said.labels[2]:
            assert metrics["coverage"] == said.labels[2]

    def _check_provisional(self, said: Said, users: Users) -> None:
        shown = {each["label"]: each for each in self.view["clusters"] if each["provisional"]}
        dealt = said.provisional(users.hidden)
        assert len(shown) == len(dealt)
        for label, names in dealt:
            cluster = shown[label] if label is not None else next(iter(shown.values()))
            best = said.best_first(names)
            assert [member["image_id"] for member in cluster["members"]] == best, "dealt out otherwise"
            assert cluster["hero_image_id"] == best[0]

    def _check_clusters(self, said: Said) -> None:
        versions = said.versions()
        for key, each in self.real.items():
            names = self.members[key]
            assert each["size"] == len(names)
            assert [member["position"] for member in each["members"]] == list(range(len(names)))
            scores = [member["score"] for member in each["members"]]
            assert scores == sorted(scores, reverse=True)
            assert each["hero_image_id"] in names
            assert len({versions[name] for name in names}) == 1, "images of different encoders are together"
            for member in each["members"]:
                assert member["quality_score"] == said.images[member["image_id"]].quality
        assert len({each["id"] for each in self.view["clusters"]}) == len(self.view["clusters"])

    def _check_labels(self, said: Said, users: Users) -> None:
        """Labels that no user gave."""
        offered = said.labels[1] if said.labels else ()
        for key, each in self.real.items():
            if each["label"] in users.names:  # the photos that it was given for may have gone since
                continue
            stated = [said.images[name].stated for name in self.members[key]]
            votes = Counter(state[2] for state in stated if state and state[2])
            if votes:
                assert each["label"] == min(votes, key=lambda label: (-votes[label], label)), "not by majority"
            else:
                assert each["label"] in offered or each["label"].startswith("Group "), "a label from nowhere"

    def _check_ids(self, before: Mapping[str, dict], members: Mapping[str, set[str]]) -> None:
        there = {name for names in self.members.values() for name in names}
        for key in self.real.keys() & before.keys():
            own = members[key] & there
            assert self.members[key] & members[key] or not own, f"{key} passed to other photos"

    def _check_heroes(self, before: Mapping[str, dict], users: Users) -> None:
        for key in self.real.keys() & before.keys():
            now, hero = self.real[key], before[key]["hero_image_id"]
            scores = {member["image_id"]: member["score"] for member in now["members"]}
            lead = scores[now["hero_image_id"]] - scores.get(hero, -1.0)
            if now["hero_image_id"] != hero and now["hero_image_id"] not in users.pins:
                assert lead > self._params.hero.margin - _ROUNDED, "a hero changed for one that is hardly better"
