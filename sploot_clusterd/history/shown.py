"""What a view shows of a pet, of which history keeps intervals: which images where, and each cluster's face."""

from collections.abc import Iterator
from typing import Final

import msgspec
from msgspec import Struct

from sploot_clusterd.errors import BadStateError
from sploot_clusterd.history.folding import Face
from sploot_clusterd.history.schema import UNCLUSTERED


class _Member(Struct):
    image_id: str


class _Cluster(Struct):
    id: str
    label: str
    hero_image_id: str | None
    members: list[_Member]
    size: int = -1


class _Counts(Struct, frozen=True):
    num_clusters: int = 0
    num_images: int = 0
    num_unclustered: int = 0
    num_hidden: int = 0


class Shown(Struct):
    """A view, or what of it is kept in rows."""

    clusters: list[_Cluster] = []
    unclustered: list[str] = []
    metrics: _Counts = _Counts()

    def members(self) -> Iterator[tuple[str, str]]:
        """(cluster, image)."""
        for cluster in self.clusters:
            for member in cluster.members:
                yield cluster.id, member.image_id
        for image in self.unclustered:
            yield UNCLUSTERED, image

    def lists_all(self) -> bool:
        """Whether no image is in one of its clusters and not listed there, as it does of large ones."""
        return not self.metrics.num_hidden and all(each.size == len(each.members) for each in self.clusters)

    def faces(self) -> dict[str, Face]:
        """By cluster."""
        return {each.id: Face(each.hero_image_id, each.label) for each in self.clusters}


_decode: Final = msgspec.json.Decoder(Shown).decode


def shown_in(view: bytes) -> Shown:
    """Raises BadStateError for what is no view."""
    try:
        return _decode(view)
    except msgspec.DecodeError as error:
        raise BadStateError(f"a view cannot be read: {error}") from error
