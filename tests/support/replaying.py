"""What a reader of the feed does: applies changes to what it knows of a pet's view."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Replayed:
    """A pet's view, as far as events tell of it."""

    clusters: dict[str, dict[str, Any]] = field(default_factory=dict)
    """Label, hero, size, whether it is provisional, and the set of images of each."""
    unclustered: set[str] = field(default_factory=set)

    def apply(self, change: Mapping[str, Any]) -> None:
        """Applies a change as JSON gives it. Raises AssertionError for one that does not fit."""
        assert not change.get("truncated")
        for each in change.get("clusters", ()):
            going, coming = set(each.get("images_out", ())), set(each.get("images_in", ()))
            if each["what"] in ("merged", "gone"):
                assert self.clusters.pop(each["id"])["images"] == going
                continue
            if each["what"] in ("new", "split"):
                assert each["id"] not in self.clusters
                self.clusters[each["id"]] = {"provisional": False, "images": set()}
            cluster = self.clusters[each["id"]]
            cluster |= {name: each[name] for name in _NAMED if name in each}
            assert going <= cluster["images"]
            assert not coming & cluster["images"]
            cluster["images"] = (cluster["images"] - going) | coming
        loose = change.get("unclustered", {})
        assert self.unclustered.issuperset(loose.get("images_out", ()))
        self.unclustered = (self.unclustered - {*loose.get("images_out", ())}) | {*loose.get("images_in", ())}

    @classmethod
    def of(cls, view: Mapping[str, Any]) -> "Replayed":
        """What has to come out."""
        clusters = {
            each["id"]: {
                **{name: each[name] for name in _NAMED},
                "images": {member["image_id"] for member in each["members"]},
            }
            for each in view["clusters"]
        }
        return cls(clusters, {*view["unclustered"]})


_NAMED = ("label", "hero_image_id", "size", "provisional")
