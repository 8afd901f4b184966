"""A commit as the script takes it: a pet's new state, what it rests on, and the entries that it settles."""

import secrets
from collections.abc import Collection, Iterable, Mapping, Sequence
from enum import Enum
from itertools import chain
from typing import NamedTuple

from sploot_clusterd.keys import Keys
from sploot_clusterd.model import EntryId
from sploot_clusterd.store.connection import Argument
from sploot_clusterd.store.gateway import Call
from sploot_clusterd.store.profiles import SAMPLED_MODELS, Offer, UsedProfile
from sploot_clusterd.store.scripts import COMMIT


class Commit(NamedTuple):
    """A pet's new state, and the entries that it settles. With `version` None the album stays as it is.

    `writes` and `deletes` are fields of the album, `rows` and `dropped_rows` go by image id. `used_profiles` are the
    profiles that it was computed with; `offers` are for the fleet's samples.
    """

    pet_id: str
    entries: Sequence[bytes]
    token: bytes
    erased: EntryId | None
    version: int | None = None
    writes: Mapping[bytes, bytes] = {}
    deletes: Collection[bytes] = ()
    rows: Mapping[str, bytes] = {}
    dropped_rows: Collection[str] = ()
    view: bytes = b""
    used_profiles: Collection[UsedProfile] = ()
    offers: Collection[Offer] = ()


class CommitOutcome(Enum):
    COMMITTED = "ok"
    CONFLICT = "conflict"
    """The album or its erase mark moved on: load and apply again."""
    LOST = "lost"
    """Some entries are another consumer's now: nothing was written; `ours` are left."""
    PROFILE_CHANGED = "profile_changed"
    """Redis no longer holds the profiles that the state was computed with: fetch them, load and apply again."""


class Committed(NamedTuple):
    outcome: CommitOutcome
    token: bytes
    ours: Collection[bytes] = ()


class CommitSettings(NamedTuple):
    """What is the same for every commit of a process. Lives in seconds after the last commit; 0 stands for ever."""

    group: str
    view_life: int
    album_life: int
    most_sampled: int
    """Images in a full sample of the fleet."""


def next_tokens(commits: Sequence[Commit]) -> list[bytes]:
    """`nonce.version` each. Versions come again: after an erasure, and where a replica took over without the last
    commits. The nonce is new in each commit of a pet, so that no memory of the one album fits the other.
    """
    nonce = secrets.token_hex(8).encode()
    return [each.token if each.version is None else b"%s.%d" % (nonce, each.version) for each in commits]


def call(keys: Keys, settings: CommitSettings, consumer: str, commit: Commit, token: bytes) -> Call:
    """The script's call; `token` is that of the new state."""
    more_keys = [keys.profile(each.model_version) for each in commit.used_profiles]
    samples = {}
    for model_version in dict.fromkeys(each.model_version for each in commit.offers):
        samples[model_version] = len(COMMIT.keys) + len(more_keys) + 1
        more_keys += keys.sample(model_version)
    return Call(
        {
            "group": settings.group,
            "consumer": consumer,
            "pet_id": commit.pet_id,
            "token": commit.token,
            "new_token": b"" if commit.version is None else token,
            "mark": str(commit.erased) if commit.erased else "",
            "new_view": commit.view,
            "view_life": settings.view_life,
            "album_life": settings.album_life,
            "most_sampled": settings.most_sampled,
            "most_models": SAMPLED_MODELS,
            "entries": commit.entries,
            "fields": _flat(commit.writes.items()),
            "rows": _flat(commit.rows.items()),
            "old_fields": commit.deletes,
            "old_rows": commit.dropped_rows,
            "used_profiles": _flat((each.generation, each.digest) for each in commit.used_profiles),
            "offers": _flat(
                (each.model_version, samples[each.model_version], each.slot, repr(each.priority), each.image)
                for each in commit.offers
            ),
        },
        more_keys,
    )


def _flat(parts: Iterable[Sequence[Argument]]) -> list[Argument]:
    return list(chain.from_iterable(parts))
