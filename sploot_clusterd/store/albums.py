"""Albums in Redis: loading what a job needs, and the one way to change them, the commit.

The store moves bytes. What they mean is the engine's: fields that begin with `r:` are rows of images and live in a hash
of their own, so that an album's small state can be read whole without its vectors.
"""

import secrets
from collections.abc import Collection, Mapping, Sequence
from enum import Enum
from itertools import chain
from typing import Any, Final, NamedTuple

from redis.exceptions import RedisError, ResponseError

from sploot_clusterd.errors import BadStateError
from sploot_clusterd.metrics import Metrics
from sploot_clusterd.model import EntryId
from sploot_clusterd.store import scripts
from sploot_clusterd.store.client import Clients, as_ours, once_more, send, translated
from sploot_clusterd.store.keys import Keys

_ROW: Final = b"r:"
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


class Commit(NamedTuple):
    """A pet's new state, and the entries that it settles. With `version` None the album stays as it is."""

    pet_id: str
    entries: Sequence[bytes]
    token: bytes
    erased: EntryId | None
    version: int | None = None
    writes: Mapping[bytes, bytes] = {}
    deletes: Collection[bytes] = ()
    view: bytes = b""


class Reply(Enum):
    COMMITTED = "ok"
    CONFLICT = "conflict"
    """The album or its erase mark moved on: load and apply again."""
    LOST = "lost"
    """Some entries are another consumer's now: nothing was written; `ours` are left."""


class Committed(NamedTuple):
    reply: Reply
    token: bytes
    ours: Collection[bytes] = ()


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
        retry_reads: bool,
    ) -> None:
        self._clients = clients
        self._keys = keys
        self._group = group
        self._view_seconds = view_seconds
        self._album_seconds = album_seconds or 0
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

    async def all_rows(self, pet_id: str) -> dict[str, bytes]:
        """Every row of an album, by image id. Read in pages: a commit in between is noticed by our own commit."""
        rows: dict[str, bytes] = {}
        images, cursor = self._keys.pet(pet_id).images, 0
        with translated():
            while True:
                self._loads.inc()
                cursor, page = await send(self._clients.commands, "HSCAN", images, cursor, "COUNT", _ROWS_A_PAGE)
                rows.update((image.decode(errors="replace"), row) for image, row in page.items())
                if not cursor:
                    return rows

    async def commit(self, consumer: str, commits: Sequence[Commit]) -> list[Committed | Exception]:
        """All of them in one round trip, in order; what Redis refused of one stands in its place.

        Raises StoreUnavailableError: then each may or may not have happened.
        """
        tokens = [_next_token(c) for c in commits]
        calls = [
            (self._commit_keys(c.pet_id), self._commit_arguments(consumer, c, token))
            for c, token in zip(commits, tokens, strict=True)
        ]
        self._commits.inc()
        with translated():
            replies = await scripts.COMMIT.pipelined(self._clients.commands, calls)
        return [_committed(reply, token) for reply, token in zip(replies, tokens, strict=True)]

    def _load_keys(self, pet_id: str) -> Sequence[str]:
        return (*self._keys.pet(pet_id), self._keys.erased)

    def _commit_keys(self, pet_id: str) -> Sequence[str]:
        return (self._keys.stream, self._keys.attempts, *self._keys.pet(pet_id), self._keys.erased)

    def _commit_arguments(self, consumer: str, commit: Commit, token: bytes) -> list[scripts.Argument]:
        row = len(_ROW)
        fields = {f: v for f, v in commit.writes.items() if not f.startswith(_ROW)}
        rows = {f[row:]: v for f, v in commit.writes.items() if f.startswith(_ROW)}
        old_fields = [f for f in commit.deletes if not f.startswith(_ROW)]
        old_rows = [f[row:] for f in commit.deletes if f.startswith(_ROW)]
        lists: tuple[Collection[bytes], ...] = (
            commit.entries,
            list(chain.from_iterable(fields.items())),
            list(chain.from_iterable(rows.items())),
            old_fields,
            old_rows,
        )
        return [
            self._group,
            consumer,
            commit.pet_id,
            commit.token,
            b"" if commit.version is None else token,
            _mark(commit.erased),
            commit.view,
            self._view_seconds,
            self._album_seconds,
            *map(len, lists),
            *chain.from_iterable(lists),
        ]


def _load_arguments(wanted: Wanted) -> list[scripts.Argument]:
    return [wanted.pet_id, wanted.token, *wanted.images]


def _next_token(commit: Commit) -> bytes:
    """`nonce.version`. Versions come again: after an erasure, and where a replica took over without the last commits.
    The nonce is new in each commit, so that no memory of the one album fits the other.
    """
    if commit.version is None:
        return commit.token
    return b"%s.%d" % (secrets.token_hex(8).encode(), commit.version)


def _mark(erased: EntryId | None) -> str:
    return str(erased) if erased else ""


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
