"""What users say of a pet's clusters, drawn from a seed. They are blind: what became of anything is not looked at, so
that the same seed says the same whatever is killed meanwhile, and some of it is refused.
"""

from collections.abc import Sequence
from random import Random
from typing import Any, Final

from sploot_clusterd.correcting import OPS
from sploot_clusterd.engine.as_seen import digest_of

_LOOKS: Final = 4
_SOWN: Final = 3
"""Images of each look that are there from the beginning."""
_QUIET: Final = 0
"""The look, and the number of its cluster, of which nothing is said and to which nothing comes: what is said to be seen
of it is so, or is not.
"""
_DIMENSIONS: Final = 64
_SPREAD: Final = 0.3

_Json = dict[str, Any]


def saw_wrongly(payload: _Json) -> bool:
    """Whether it says that the quiet cluster was seen as it never is, and that this counts."""
    listed = [seen for seen in payload.get("seen", {}).values() if isinstance(seen, list)]
    return not payload.get("anyway") and any(len(seen) < _SOWN for seen in listed)


class Talk:
    """About one pet. Clusters and images are named where they would be if nobody had said anything."""

    def __init__(self, pet: str, random: Random) -> None:
        self._pet = pet
        self._random = random
        self._looks = [[random.gauss(0, 1) for _ in range(_DIMENSIONS)] for _ in range(_LOOKS)]
        self._images: list[list[str]] = [[] for _ in range(_LOOKS)]
        self._hidden = list[_Json]()
        self._jobs = list[str]()

    def sow(self) -> list[_Json]:
        """The images that the pet begins with: each look is a cluster of the same number."""
        return [self._insight(f"sown-{look}-{n}", look) for look in range(_LOOKS) for n in range(_SOWN)]

    def photo(self, image_id: str) -> _Json:
        """A new image, of any look but the quiet one."""
        return self._insight(image_id, self._random.randrange(1, _LOOKS))

    def says(self, job_id: str) -> _Json:
        """What a job says of users' corrections: one or two, now and then with what was seen."""
        ops = self._random.choices(OPS, k=self._random.choice((1, 1, 1, 2)))
        said = {"corrections": [self._correction(op) for op in ops]}
        self._jobs.append(job_id)
        return said if self._random.random() < 0.75 else {**said, **self._seen()}

    def _correction(self, op: str) -> _Json:
        one, other = self._random.sample(range(1, _LOOKS), 2)
        cluster, rival = self._cluster(one), self._id(other)
        some = self._some(self._images[one])
        match op:
            case "merge":
                hero = {"image_id": some[0]} if self._coin() else {}
                label = {"label": self._name()} if self._coin() else {}
                body: _Json = {"clusters": [cluster, rival], **label, **hero}
            case "apart":
                body = {"clusters": [cluster, rival]}
            case "move":
                body = {"image_ids": some, "to": rival, "asked": self._coin()}
            case "rename":
                body = {"cluster": cluster, "label": self._name()}
            case "set_hero":
                body = {"cluster": cluster, "image_id": some[0]}
            case "hide":
                body = {"cluster": cluster} if self._coin() else {"image_ids": some}
                self._hidden.append(body)
            case "unhide":
                body = self._random.choice(self._hidden or [{"cluster": cluster}])
            case "undo":
                body = {"job_id": self._random.choice(self._jobs or ["nobody"])}
            case _:
                body = {"cluster": cluster, "image_ids": some}
        return {"op": op, **body}

    def _seen(self) -> _Json:
        """Of the quiet cluster: all of it, its digest, or too little, also where that counts for nothing."""
        images = [f"sown-{_QUIET}-{n}" for n in range(_SOWN)]
        seen, anyway = self._random.choice(
            ((images, False), (digest_of(images, _SOWN), False), (images[1:], False), (images[1:], True))
        )
        return {"seen": {self._id(_QUIET): seen}, "anyway": anyway}

    def _insight(self, image_id: str, look: int) -> _Json:
        self._images[look].append(image_id)
        vector = [self._random.gauss(center, _SPREAD) for center in self._looks[look]]
        return {"image_id": image_id, "embedding": vector}

    def _cluster(self, look: int) -> str:
        """That of the look, or one that was split off, if there is one."""
        return self._id(look if self._random.random() < 0.9 else _LOOKS)

    def _id(self, number: int) -> str:
        return f"{self._pet}-cluster-{number}"

    def _some(self, images: Sequence[str]) -> list[str]:
        return self._random.sample(images, min(len(images), self._random.choice((1, 1, 2))))

    def _name(self) -> str:
        return f"name {self._random.randrange(1000)}"

    def _coin(self) -> bool:
        return self._random.random() < 0.5
