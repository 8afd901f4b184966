"""The engine: what a pet's jobs make of its album, and what a reader sees of it.

In here is computation only: no event loop, no Redis, no clock, no logging, no global random state. `apply` takes an
album, jobs and the rows of the images they name, and gives a new album with the fields to store; `render` makes the
view of it. Both are functions of their arguments.
"""

from sploot_clusterd.engine.album import Album, new_album
from sploot_clusterd.engine.album_decoding import decode_album
from sploot_clusterd.engine.album_size import album_nbytes
from sploot_clusterd.engine.algorithm import Algorithm, load_algorithm
from sploot_clusterd.engine.apply import Applied, apply
from sploot_clusterd.engine.axes import LEAST_SAMPLE
from sploot_clusterd.engine.draft import Changes, NeedsAllRowsError
from sploot_clusterd.engine.estimate import recluster_estimate, work_estimate
from sploot_clusterd.engine.fold import images_named
from sploot_clusterd.engine.jobs import JobStatus, Outcome
from sploot_clusterd.engine.learning import learn, other_lengths, worth_learning
from sploot_clusterd.engine.news import news_of
from sploot_clusterd.engine.params import HeroWeights, KindWeights, Params
from sploot_clusterd.engine.profile import (
    NO_PROFILES,
    NeedsProfileError,
    Profile,
    Profiles,
    decode_profile,
    encode_profile,
)
from sploot_clusterd.engine.render import around_wants, render
from sploot_clusterd.engine.restoring import NO_SNAPSHOTS, NeedsSnapshotError, Snapshots
from sploot_clusterd.engine.sample import (
    Fresh,
    Sample,
    Sampled,
    decode_sampled,
    encode_sampled,
    pet_of,
    slot,
)
from sploot_clusterd.engine.seen import seen_anew

__all__ = [
    "LEAST_SAMPLE",
    "NO_PROFILES",
    "NO_SNAPSHOTS",
    "Album",
    "Algorithm",
    "Applied",
    "Changes",
    "Fresh",
    "HeroWeights",
    "JobStatus",
    "KindWeights",
    "NeedsAllRowsError",
    "NeedsProfileError",
    "NeedsSnapshotError",
    "Outcome",
    "Params",
    "Profile",
    "Profiles",
    "Sample",
    "Sampled",
    "Snapshots",
    "album_nbytes",
    "apply",
    "around_wants",
    "decode_album",
    "decode_profile",
    "decode_sampled",
    "encode_profile",
    "encode_sampled",
    "images_named",
    "learn",
    "load_algorithm",
    "new_album",
    "news_of",
    "other_lengths",
    "pet_of",
    "recluster_estimate",
    "render",
    "seen_anew",
    "slot",
    "work_estimate",
    "worth_learning",
]
