"""A shown cluster as it is in a view: its JSON, and what of that is news where it is another than before."""

from collections.abc import Sequence
from typing import Final

import msgspec
from msgspec import Struct

from sploot_clusterd import view


class Face(Struct, frozen=True, gc=False):
    """A cluster as a view shows it; `images` are those that it lists, best first."""

    label: str
    hero: str | None
    size: int
    provisional: bool
    images: Sequence[str]


class Fragment(Struct, frozen=True, gc=False):
    """`face` is at hand where it was asked for when the JSON was made."""

    label: str
    raw: bytes
    face: Face | None = None


class _Member(Struct, gc=False):
    image_id: str


class _Shown(Struct, gc=False):
    label: str
    hero_image_id: str | None
    members: list[_Member]
    size: int
    provisional: bool


_encode: Final = msgspec.json.Encoder().encode
_decode: Final = msgspec.json.Decoder(_Shown).decode


def fragment_of(cluster: view.Cluster, *, with_face: bool) -> Fragment:
    return Fragment(cluster.label, _encode(cluster), face_of(cluster) if with_face else None)


def face_of(cluster: view.Cluster | _Shown) -> Face:
    images = [member.image_id for member in cluster.members]
    return Face(cluster.label, cluster.hero_image_id, cluster.size, cluster.provisional, images)


def decoded_face(raw: bytes) -> Face:
    """Of a cluster as JSON."""
    return face_of(_decode(raw))
