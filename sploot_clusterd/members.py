"""All images of a cluster, gathered from the stored rows when somebody wants them, in a thread: no reader waits."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Final, NamedTuple

import msgspec

from sploot_clusterd.engine import Params, Profile, decode_album, decode_profile
from sploot_clusterd.engine.album import Album, Cluster
from sploot_clusterd.engine.members import Gathered, Gathering, find_cluster, profile_of, provisional_members
from sploot_clusterd.errors import BadJobError, BadStateError
from sploot_clusterd.model import cluster_number
from sploot_clusterd.store import AlbumStore, ProfileStore
from sploot_clusterd.view import ClusterImage, ClusterImages, Order

_MOST_REMEMBERED: Final = 50_000
"""Images of clusters that are kept in their orders until their albums change: who lists one asks for several pages."""
_TRIES: Final = 3

_encode = msgspec.json.Encoder().encode


class _Listed(NamedTuple):
    """A cluster's images in each order, as of the album's token."""

    token: bytes
    version: int
    orders: Mapping[Order, Sequence[Gathered]]

    @property
    def size(self) -> int:
        return len(self.orders["fit"])


class Members:
    """One process's. Albums are read one at a time, a page of rows after the other."""

    def __init__(self, albums_of: Callable[[str], AlbumStore], profiles: ProfileStore, params: Params) -> None:
        """`albums_of` tells where a pet's album is."""
        self._albums_of = albums_of
        self._profiles = profiles
        self._params = params
        self._known: dict[tuple[str, int], _Listed] = {}
        """The one that was made last is last."""
        self._turn = asyncio.Lock()

    async def page(self, pet_id: str, cluster_id: str, order: Order, after: str, limit: int) -> bytes | None:
        """A page of the cluster's images as JSON; None if the pet's view has no such cluster.

        Raises StoreUnavailableError; BadStateError if the album cannot be read, or not between two changes; BadJobError
        where `after` is not in the cluster.
        """
        number = cluster_number(pet_id, cluster_id)
        listed = None if number is None else await self._current(pet_id, number)
        if listed is None:
            return None
        images = listed.orders[order]
        first = next((n for n, each in enumerate(images, 1) if each.image_id == after), None) if after else 0
        if first is None:
            raise BadJobError("invalid", "after: this image is not in the cluster (any more): begin anew without it")
        page = images[first : first + limit]
        following = page[-1].image_id if first + limit < len(images) else None
        told = [_told(each) for each in page]
        return _encode(ClusterImages(pet_id, cluster_id, len(images), told, following, listed.version))

    async def _current(self, pet_id: str, number: int) -> _Listed | None:
        known = self._known.get((pet_id, number))
        if known and await self._albums_of(pet_id).is_current(pet_id, known.token):
            return known
        async with self._turn:
            for _ in range(_TRIES):
                listed = await self._gather(pet_id, number)
                if listed is None or await self._albums_of(pet_id).is_current(pet_id, listed.token):
                    self._remember((pet_id, number), listed)
                    return listed
        raise BadStateError("the pet's album changes faster than its images are read: ask again")

    async def _gather(self, pet_id: str, number: int) -> _Listed | None:
        albums = self._albums_of(pet_id)
        known = self._known.get((pet_id, number))
        loaded = await albums.load_one(pet_id, token=known.token if known else b"")
        if loaded is None:
            return None
        if known and loaded.fields is None:
            return known  # somebody else, whose turn it was, has gathered them
        album = await asyncio.to_thread(decode_album, pet_id, loaded.fields or {})
        cluster = find_cluster(album, number)
        if not isinstance(cluster, Cluster):
            members = provisional_members(album, cluster) if cluster else None
        else:
            gathering = Gathering(album, cluster, self._params, await self._profile(album, cluster))
            async for rows in albums.row_pages(pet_id):
                await asyncio.to_thread(gathering.take, rows)
            members = gathering.members()
        if members is None:
            return None
        return _Listed(loaded.token, album.version, await asyncio.to_thread(_in_orders, members))

    async def _profile(self, album: Album, cluster: Cluster) -> Profile | None:
        model_version, generation = profile_of(album, cluster)
        if not generation:
            return None
        return await asyncio.to_thread(decode_profile, await self._profiles.fetch(model_version, generation))

    def _remember(self, key: tuple[str, int], listed: _Listed | None) -> None:
        self._known.pop(key, None)
        if listed is None or listed.size > _MOST_REMEMBERED:
            return
        self._known[key] = listed
        images = sum(each.size for each in self._known.values())
        while images > _MOST_REMEMBERED:
            oldest = next(iter(self._known))
            images -= self._known.pop(oldest).size


def _in_orders(members: Sequence[Gathered]) -> dict[Order, Sequence[Gathered]]:
    """Those that fit best, that are newest, or best, come first; of equals the lower id does."""
    named = sorted(members, key=lambda each: each.image_id)
    return {
        "fit": sorted(named, key=lambda each: -2.0 if each.fit is None else -each.fit),
        "time": sorted(named, key=lambda each: -each.taken_ms),
        "quality": sorted(named, key=lambda each: 1.0 if each.quality is None else -each.quality),
    }


def _told(each: Gathered) -> ClusterImage:
    captured_at = None
    if each.captured_ms is not None:
        captured_at = datetime.fromtimestamp(each.captured_ms / 1000, UTC).isoformat(timespec="milliseconds")
        captured_at = captured_at.replace("+00:00", "Z")
    return ClusterImage(each.image_id, each.fit, each.quality, captured_at, each.cell)
