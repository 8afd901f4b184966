"""What jobs said of images, by the rules of docs/producers.md: the newest place counts, whenever it is applied."""

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

from sploot_clusterd.entry_ids import EntryId
from sploot_clusterd.model import Job


@dataclass
class Image:
    """What is known of one image, each with the place of the job that said it."""

    listed: tuple[EntryId, float | None] | None = None
    stated: tuple[EntryId, float | None, str | None] | None = None
    version: tuple[EntryId, str] | None = None
    removed: EntryId | None = None
    turn: tuple[EntryId, int] | None = None

    @property
    def there(self) -> bool:
        return bool(self.listed or self.stated or self.version)

    @property
    def quality(self) -> float | None:
        if self.stated and self.stated[1] is not None:
            return self.stated[1]
        return self.listed[1] if self.listed else None

    def remove(self, at: EntryId) -> None:
        self.removed = max(self.removed or at, at)
        self.listed, self.stated, self.version = (
            each if each is not None and each[0] >= self.removed else None
            for each in (self.listed, self.stated, self.version)
        )
        if self.turn is not None and self.turn[0] < self.removed:
            left = [each[0] for each in (self.listed, self.stated) if each is not None]
            self.turn = (min(left), 0) if left else None

    def is_news(self, at: EntryId, known: tuple | None) -> bool:
        return (self.removed is None or at >= self.removed) and (known is None or at > known[0])

    def announce(self, at: EntryId, place: int) -> None:
        if self.removed is None or at >= self.removed:
            self.turn = min(self.turn or (at, place), (at, place))


@dataclass
class Said:
    """What all jobs said so far."""

    images: dict[str, Image] = field(default_factory=dict)
    labels: tuple[EntryId, tuple[str, ...], dict[str, float]] | None = None
    quality: tuple[EntryId, float] | None = None
    model: tuple[EntryId, str] | None = None

    def take(self, job: Job) -> None:
        at = job.sequence
        for name in job.removed:
            self.images.setdefault(name, Image()).remove(at)
        mentioned = list(dict.fromkeys([*job.image_ids, *(insight.image_id for insight in job.images)]))
        for name in job.image_ids:
            image = self.images.setdefault(name, Image())
            if image.is_news(at, image.listed):
                image.listed = (at, job.quality_score)
            image.announce(at, mentioned.index(name))
        for insight in {each.image_id: each for each in job.images}.values():
            image = self.images.setdefault(insight.image_id, Image())
            if image.is_news(at, image.stated):
                image.stated = (at, insight.quality, insight.label)
            image.announce(at, mentioned.index(insight.image_id))
        for insight in job.images:
            image = self.images[insight.image_id]
            if insight.vectors and image.is_news(at, image.version):
                image.version = (at, job.model_version or "")
        self._take_pet(job)

    def _take_pet(self, job: Job) -> None:
        at = job.sequence
        if (job.labels or job.coverage) and (self.labels is None or at > self.labels[0]):
            self.labels = (at, tuple(dict.fromkeys(job.labels)), dict(job.coverage))
        if job.quality_score is not None and (self.quality is None or at > self.quality[0]):
            self.quality = (at, job.quality_score)
        if job.model_version is not None and (self.model is None or at > self.model[0]):
            self.model = (at, job.model_version)

    def versions(self) -> dict[str, str]:
        """The model version of each image that has vectors."""
        return {name: image.version[1] for name, image in self.images.items() if image.there and image.version}

    def waiting(self, hidden: Collection[str]) -> list[str]:
        """The images without vectors that are not hidden."""
        there = [name for name, image in self.images.items() if image.there and not image.version]
        return [name for name in there if name not in hidden]

    def provisional(self, hidden: Collection[str]) -> list[tuple[str | None, list[str]]]:
        """The same by label, as they are dealt out."""
        waiting = self.waiting(hidden)
        waiting.sort(key=lambda name: (self.images[name].turn, name))
        labels = self.labels[1] if self.labels else ()
        if not labels:
            return [(None, waiting)] if waiting else []
        dealt, first = [], 0
        for label, size in zip(labels, shares(labels, self.labels[2], len(waiting)), strict=True):
            if size:
                dealt.append((label, waiting[first : first + size]))
            first += size
        return dealt

    def best_first(self, names: Sequence[str]) -> list[str]:
        return sorted(names, key=lambda name: -(self.images[name].quality or 0.0))


def shares(labels: Sequence[str], coverage: dict[str, float], total: int) -> list[int]:
    """How many images each label gets. The oracle's labels and keys match in one way only, by a prefix of letters."""
    given = [
        next((share for key, share in coverage.items() if label.lower().startswith(key)), None) for label in labels
    ]
    rest = max(1.0 - sum(share for share in given if share is not None), 0.0)
    without = given.count(None)
    parts = [rest / without if share is None else share for share in given]
    whole = sum(parts)
    exact = [total * part / whole if whole else total / len(parts) for part in parts]
    counts = [math.floor(round(value, 9)) for value in exact]
    order = sorted(range(len(parts)), key=lambda at: (-round(exact[at] - counts[at], 9), at))
    for at in order[: total - sum(counts)]:
        counts[at] += 1
    return counts
