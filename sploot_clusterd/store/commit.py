"""A commit as the script takes it: a pet's new state, what it rests on, and the entries that it settles."""

import random
from collections.abc import Collection, Mapping, Sequence
from enum import Enum
from itertools import chain
from typing import Final, NamedTuple

from sploot_clusterd.model import EntryId
from sploot_clusterd.store.keys import Keys
from sploot_clusterd.store.profiles import SAMPLED_MODELS, Foundation, Offer
from sploot_clusterd.store.scripts import Argument

ROW: Final = b"r:"
"""What the fields begin with that are rows of images."""


class Commit(NamedTuple):
    """A pet's new state, and the entries that it settles. With `version` None the album stays as it is.

    `foundations` are the profiles that it was computed with; `offers` are for the fleet's samples.
    """

    pet_id: str
    entries: Sequence[bytes]
    token: bytes
    erased: EntryId | None
    version: int | None = None
    writes: Mapping[bytes, bytes] = {}
    deletes: Collection[bytes] = ()
    view: bytes = b""
    foundations: Collection[Foundation] = ()
    offers: Collection[Offer] = ()


class Reply(Enum):
    COMMITTED = "ok"
    CONFLICT = "conflict"
    """The album or its erase mark moved on: load and apply again."""
    LOST = "lost"
    """Some entries are another consumer's now: nothing was written; `ours` are left."""
    UNFOUNDED = "unfounded"
    """Redis no longer holds the profiles that the state was computed with: fetch them, load and apply again."""


class Committed(NamedTuple):
    reply: Reply
    token: bytes
    ours: Collection[bytes] = ()


class Terms(NamedTuple):
    """What is the same for every commit of a process. Lives in seconds after the last commit; 0 stands for ever."""

    group: str
    view_life: int
    album_life: int
    most_sampled: int
    """Images in a full sample of the fleet."""


def next_token(commit: Commit) -> bytes:
    """`nonce.version`. Versions come again: after an erasure, and where a replica took over without the last commits.
    The nonce is new in each commit, so that no memory of the one album fits the other. It is not the system's random
    number: to ask for one lets go of the interpreter's lock, and a computing thread may take it.
    """
    if commit.version is None:
        return commit.token
    return b"%016x.%d" % (random.getrandbits(64), commit.version)


def call(keys: Keys, terms: Terms, consumer: str, commit: Commit, token: bytes) -> tuple[list[str], list[Argument]]:
    """Keys and arguments of the script; `token` is that of the new state."""
    named = [keys.stream, keys.attempts, *keys.pet(commit.pet_id), keys.erased, keys.profiles]
    named += [keys.profile(each.model_version) for each in commit.foundations]
    samples = {}
    for model_version in dict.fromkeys(each.model_version for each in commit.offers):
        samples[model_version] = len(named) + 1
        named += keys.sample(model_version)
    fields = {name: value for name, value in commit.writes.items() if not name.startswith(ROW)}
    rows = {name.removeprefix(ROW): value for name, value in commit.writes.items() if name.startswith(ROW)}
    lists: Sequence[Sequence[Argument]] = (
        list(commit.entries),
        list(chain.from_iterable(fields.items())),
        list(chain.from_iterable(rows.items())),
        [name for name in commit.deletes if not name.startswith(ROW)],
        [name.removeprefix(ROW) for name in commit.deletes if name.startswith(ROW)],
        [part for each in commit.foundations for part in (each.generation, each.digest)],
        [
            part
            for each in commit.offers
            for part in (each.model_version, samples[each.model_version], each.slot, repr(each.priority), each.image)
        ],
    )
    return named, [
        terms.group,
        consumer,
        commit.pet_id,
        commit.token,
        b"" if commit.version is None else token,
        str(commit.erased) if commit.erased else "",
        commit.view,
        terms.view_life,
        terms.album_life,
        terms.most_sampled,
        SAMPLED_MODELS,
        *map(len, lists),
        *chain.from_iterable(lists),
    ]
