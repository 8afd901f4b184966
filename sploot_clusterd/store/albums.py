"""Albums in Redis: loading what a job needs, and the one way to change them, the commit.

The store moves bytes. What they mean is the engine's: fields that begin with `r:` are rows of images and live in a hash
of their own, so that an album's small state can be read whole without its vectors.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final, NamedTuple

from redis.exceptions import RedisError, ResponseError

from sploot_clusterd.errors import BadStateError
from sploot_clusterd.metrics import Metrics
from sploot_clusterd.model import EntryId
from sploot_clusterd.store import scripts
from sploot_clusterd.store.client import Clients, as_ours, once_more, send, translated
from sploot_clusterd.store.commit import Commit, Committed, Reply, Terms, call, next_tokens
from sploot_clusterd.store.keys import Keys

_TOKEN: Final = b"token"
_ROWS_A_PAGE: Final = 500


class Wanted(NamedTuple):
    """What to load of a pet. `token` is that of the state in memory, b"" if there is none."""

    pet_id: str
    token: bytes
    images: Collection[str]


class Loaded(NamedTuple):
    """What is stored of a pet.

    `fields` is the album without its rows, or None where the caller's state is current (`token` unchanged); empty for
    a pet that has none. `rows` holds the rows of the wanted images that have one. Whatever was accepted up to `erased`
    must not be applied.
    """

    token: bytes
    fields: Mapping[bytes, bytes] | None
    rows: Mapping[str, bytes]
    erased: EntryId | None
    has_view: bool


class AlbumStore:
    """Loads and commits albums of one consumer group."""

    def __init__(
        self,
        clients: Clients,
        keys: Keys,
        metrics: Metrics,
        *,
        group: str,
        view_seconds: int,
        album_seconds: int | None,
        most_sampled: int,
        retry_reads: bool,
    ) -> None:
        """`most_sampled` images make a full sample of the fleet."""
        self._clients = clients
        self._keys = keys
        self._terms = Terms(group, view_seconds, album_seconds or 0, most_sampled)
        self._retry_reads = retry_reads
        self._loads = metrics.redis_round_trips.labels("load")
        self._commits = metrics.redis_round_trips.labels("commit")

    async def load(self, wanted: Sequence[Wanted]) -> list[Loaded | BadStateError]:
        """All of them in one round trip, in order. Raises StoreUnavailableError."""
        calls = [(self._load_keys(w.pet_id), _load_arguments(w)) for w in wanted]
        self._loads.inc()
        replies = await once_more(
            lambda: scripts.LOAD.pipelined(self._clients.commands, calls), enabled=self._retry_reads
        )
        return [_loaded(w, reply) for w, reply in zip(wanted, replies, strict=True)]

    async def all_rows(self, pet_id: str, token: bytes) -> dict[str, bytes] | None:
        """Every row of an album, by image id; None if it is not the album of that token any more.

        Read in pages. A commit in between would leave rows that do not fit the album.
        """
        rows: dict[str, bytes] = {}
        keys, cursor = self._keys.pet(pet_id), None
        with translated():
            while cursor != 0:
                self._loads.inc()
                cursor, page = await send(
                    self._clients.commands, "HSCAN", keys.images, cursor or 0, "COUNT", _ROWS_A_PAGE
                )
                rows.update((image.decode(errors="replace"), row) for image, row in page.items())
            self._loads.inc()
            return rows if await send(self._clients.commands, "HGET", keys.album, _TOKEN) == token else None

    async def commit(self, consumer: str, commits: Sequence[Commit]) -> list[Committed | Exception]:
        """All of them in one round trip, in order, at most one a pet; what Redis refused of one stands in its place.

        Raises StoreUnavailableError: then each may or may not have happened.
        """
        tokens = next_tokens(commits)
        calls = [
            call(self._keys, self._terms, consumer, each, token) for each, token in zip(commits, tokens, strict=True)
        ]
        self._commits.inc()
        with translated():
            replies = await scripts.COMMIT.pipelined(self._clients.commands, calls)
        return [_committed(reply, token) for reply, token in zip(replies, tokens, strict=True)]

    def _load_keys(self, pet_id: str) -> Sequence[str]:
        return (*self._keys.pet(pet_id), self._keys.erased)


def _load_arguments(wanted: Wanted) -> list[scripts.Argument]:
    return [wanted.pet_id, wanted.token, *wanted.images]


def _loaded(wanted: Wanted, reply: Any) -> Loaded | BadStateError:
    if isinstance(reply, RedisError):
        error = as_ours(reply)
        if isinstance(error, BadStateError):
            return error
        raise error
    token, album, view, mark, rows = reply
    fields = None
    if album != b"":
        fields = dict(zip(album[::2], album[1::2], strict=True))
        fields.pop(_TOKEN, None)
    elif token != wanted.token:
        fields = {}
    found = {image: row for image, row in zip(wanted.images, rows, strict=False) if row is not None}
    return Loaded(token, fields, found, EntryId.parse(mark.decode()) if mark else None, bool(view))


def _committed(reply: Any, token: bytes) -> Committed | Exception:
    if isinstance(reply, ResponseError):
        return as_ours(reply)
    if isinstance(reply, RedisError):
        with translated():
            raise reply
    what, *ours = reply
    return Committed(Reply(what.decode()), token, ours)
