"""A commit as the script takes it: a pet's new state, what it rests on, and the entries that it settles."""

import secrets
import time
from collections.abc import Collection, Mapping, Sequence
from enum import Enum
from itertools import chain
from typing import Any, Final, NamedTuple

from msgspec import Struct

from sploot_clusterd.entry_ids import EntryId
from sploot_clusterd.keys import Keys
from sploot_clusterd.store import told
from sploot_clusterd.store.connection import Argument
from sploot_clusterd.store.gateway import Call
from sploot_clusterd.store.profiles import SAMPLED_MODELS, Offer, UsedProfile
from sploot_clusterd.store.scripts import COMMIT

LIST: Final = "*"
"""In the place of an image: the pet's whole list of images. No image is called so."""


class InsightNews(NamedTuple):
    """What a commit says of insights, where they are fetched.

    `new_wants` are images, or LIST, that are wanted from now on, and `old_wants` those that are not any more. The
    number of those that are out is put between the commit's `view` and the `rest_of_view`. `untold` is by image what
    the storage service is to be told of it, b"" if nothing any more.
    """

    new_wants: Collection[str] = ()
    old_wants: Collection[str] = ()
    rest_of_view: bytes = b""
    untold: Mapping[str, bytes] = {}


class Commit(Struct, frozen=True, gc=False):
    """A pet's new state, and the entries that it settles. With `version` None the album stays as it is.

    `writes` and `deletes` are fields of the album, `rows` and `dropped_rows` go by image id. `used_profiles` are the
    profiles that it was computed with; `offers` are for the fleet's samples. `insights` is None where none are fetched.
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
    insights: InsightNews | None = None
    change: bytes | None = None
    """What the feed is told, as JSON; None where changes are not fed."""
    jobs: Sequence[tuple[str, bool]] = ()
    """What the pet is told of: the jobs' ids, and whether each took effect now."""
    trace: str = ""
    """In which insights are wanted, as `Context.text`; "" where none is known."""


_NO_NEWS: Final = InsightNews()


class CommitOutcome(Enum):
    COMMITTED = "ok"
    CONFLICT = "conflict"
    """The album or its erase mark moved on: load and apply again."""
    LOST = "lost"
    """Some entries are another consumer's now: nothing was written; `ours` are left."""
    PROFILE_CHANGED = "profile_changed"
    """Redis no longer holds the profiles that the state was computed with: fetch them, load and apply again."""


class Committed(Struct, frozen=True, gc=False):
    outcome: CommitOutcome
    token: bytes
    ours: Collection[bytes] = ()
    feed_bytes: int = 0
    """What the feed takes with this one's event."""


class CommitSettings(NamedTuple):
    """What is the same for every commit of a process. Lives in seconds after the last commit; 0 stands for ever."""

    group: str
    view_life: int
    album_life: int
    most_sampled: int
    """Images in a full sample of the fleet."""
    jobs_life: int = 0
    """Of what the pet is told of its jobs; 0: it is not told."""


def next_tokens(commits: Sequence[Commit]) -> list[bytes]:
    """`nonce.version` each. Versions come again: after an erasure, and where a replica took over without the last
    commits. The nonce is new in each commit of a pet, so that no memory of the one album fits the other.
    """
    nonce = secrets.token_hex(8).encode()
    return [each.token if each.version is None else b"%s.%d" % (nonce, each.version) for each in commits]


def call(keys: Keys, settings: CommitSettings, consumer: str, commit: Commit, token: bytes) -> Call:
    """The script's call; `token` is that of the new state."""
    now_ms = int(time.time() * 1000)
    used = commit.used_profiles
    more_keys: list[str] = [keys.profile(each.model_version) for each in used] if used else []
    offers = _offered(keys, settings, commit.offers, more_keys) if commit.offers else ()
    insights: Sequence[Argument] = ()
    if commit.insights is not None:
        insights = _place_after(more_keys), commit.trace, commit.insights.rest_of_view
        more_keys += keys.of_insights(commit.pet_id)
    fed: Sequence[Argument] = ()
    if commit.change is not None:
        fed = _place_after(more_keys), commit.change, now_ms
        more_keys += [keys.feed, keys.feed_index]
    jobs: Sequence[Argument] = ()
    if settings.jobs_life and commit.jobs:
        jobs = settings.jobs_life, *told.applied(now_ms, _version(commit), commit.jobs)
        more_keys.append(keys.jobs(commit.pet_id))
    news = commit.insights or _NO_NEWS
    return Call(
        {
            "group": settings.group,
            "consumer": consumer,
            "pet_id": commit.pet_id,
            "token": commit.token,
            "mark": str(commit.erased) if commit.erased else "",
            "new_view": commit.view,
            "view_life": settings.view_life,
            "album_life": settings.album_life,
            "entries": commit.entries,
            "fields": () if commit.version is None else [b"token", token, *_flat(commit.writes)],
            "rows": _flat(commit.rows) if commit.rows else (),
            "old_fields": commit.deletes,
            "old_rows": commit.dropped_rows,
            "used_profiles": [part for each in used for part in (each.generation, each.digest)] if used else (),
            "offers": offers,
            "insights": insights,
            "new_wants": news.new_wants,
            "old_wants": news.old_wants,
            "untold": _flat(news.untold) if news.untold else (),
            "fed": fed,
            "told": jobs,
        },
        more_keys,
    )


def _offered(
    keys: Keys, settings: CommitSettings, offers: Collection[Offer], more_keys: list[str]
) -> Sequence[Argument]:
    """What the script takes of them; adds the keys that it needs."""
    offered: list[Argument] = [_place_after(more_keys), settings.most_sampled, SAMPLED_MODELS]
    more_keys.append(keys.profiles)
    samples: dict[str, int] = {}
    for model_version, slot, priority, image in offers:
        if model_version not in samples:
            samples[model_version] = _place_after(more_keys)
            more_keys += keys.sample(model_version)
        offered += model_version, samples[model_version], slot, repr(priority), image
    return offered


def _place_after(more_keys: Sequence[str]) -> int:
    """Of the next key, in Lua's KEYS."""
    return len(COMMIT.keys) + len(more_keys) + 1


def _version(commit: Commit) -> int:
    """The view's, after it."""
    if commit.version is not None:
        return commit.version
    number = commit.token.rpartition(b".")[2]
    return int(number) if number.isdigit() else 0


def _flat(pairs: Mapping[Any, Argument]) -> list[Argument]:
    return [*chain.from_iterable(pairs.items())]
