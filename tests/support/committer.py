"""Commits to one pet's album, one version after the other, with word of insights."""

from msgspec.structs import replace

from sploot_clusterd.store import AlbumStore, Commit, CommitOutcome, InsightNews
from tests.support.producer import Producer

PET = "pet"
VIEW = (b'{"wanted":', b',"more":1}')
"""What is before and behind the number of wants."""


class Committer:
    """Commits to one pet's album, one version after the other."""

    def __init__(self, albums: AlbumStore, producer: Producer) -> None:
        self._albums = albums
        self._producer = producer
        self._token = b""
        self._version = 0

    async def __call__(self, *new: str, old: tuple[str, ...] = (), **more: object) -> None:
        await self._producer.add()
        entry = next(each for each in await self._producer.read("me") if each.fields[b"payload"] == b"{}")
        self._version += 1
        news = InsightNews(new, old, VIEW[1], **more)
        commit = Commit(PET, [entry.key], self._token, None, self._version, {b"head": b"h"}, view=VIEW[0])
        (done,) = await self._albums.commit("me", [replace(commit, insights=news)])
        assert done.outcome is CommitOutcome.COMMITTED
        self._token = done.token
