"""Structs of the wire and of a job on its way: what producers send, what the engine is given.

The wire structs mirror the HTTP contract to the letter; decoding and checking them is `wire`'s. They hold no cycles, so
the garbage collector need not look at them (gc=False).
"""

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any, Final, Literal, NamedTuple

import numpy as np
from msgspec import Meta, Struct

from sploot_clusterd.entry_ids import EntryId
from sploot_clusterd.snapshot import Restore

FloatVector = np.ndarray[tuple[int], np.dtype[np.float32]]

# \Z, for $ would let a trailing newline through.
NAMED_ID_PATTERN = r"^[A-Za-z0-9._:-]+\Z"
# In a path . and .. are steps: clients take them out before they send it, also where they are written as %2E.
ID_PATTERN = r"^(?!\.{1,2}\Z)[A-Za-z0-9._:-]+\Z"
# The characters themselves, for JSON Schema has no escapes for those beyond 16 bits: soft hyphen, joiners, marks of
# direction, fillers, Braille's blank, selectors of variants, tags.
_INVISIBLE = (
    "\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\u2800\u3164"
    "\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb\U0001d173-\U0001d17a\U000e0000-\U000e0fff"
)
# No control characters, nothing that ends a line, and something to see.
TEXT_PATTERN = rf"^(?![\s{_INVISIBLE}]*\Z)[^\x00-\x1f\x7f-\x9f\u2028\u2029]{{1,128}}\Z"
CLUSTER_PATTERN = r"^[A-Za-z0-9._:-]+-cluster-(0|[1-9][0-9]{0,14})\Z"

Id = Annotated[str, Meta(pattern=ID_PATTERN)]
"""An id of a pet, a job or an image. How long it may be is a setting."""
NamedId = Annotated[str, Meta(pattern=NAMED_ID_PATTERN)]
"""The same where it only names what may be there: earlier versions took `.` and `..`, and those can be removed."""
_is_id: Final = re.compile(ID_PATTERN).match
ClusterId = Annotated[str, Meta(pattern=CLUSTER_PATTERN)]
Text = Annotated[str, Meta(pattern=TEXT_PATTERN)]
Unit = Annotated[float, Meta(ge=0.0, le=1.0)]

KINDS = ("embedding", "pose", "context")
"""The vector kinds, in the order in which they are combined."""

SAMPLE_LIMIT = 4000
"""Images in a full sample of the fleet, of one model version."""
SLOTS_A_PET = 8


def is_id(text: str) -> bool:
    """Whether a text is an `Id`, where nothing was checked yet."""
    return _is_id(text) is not None


def slots(pet_id: str) -> list[str]:
    """Every slot that a pet may have in a sample."""
    return [f"{pet_id}#{number}" for number in range(SLOTS_A_PET)]


Dtype = Literal["f16", "f32"]


class PackedVector(Struct, frozen=True, gc=False):
    """A vector as base64 of little endian floats: four times smaller than a JSON array."""

    dtype: Dtype
    data: str


Vector = list[float] | PackedVector


class ImageInsight(Struct, frozen=True, gc=False):
    image_id: Id
    embedding: Vector | None = None
    pose: Vector | None = None
    context: Vector | None = None
    quality: Unit | None = None
    label: Text | None = None
    captured_at: datetime | None = None


class Merge(Struct, tag_field="op", tag="merge", frozen=True, gc=False, omit_defaults=True):
    """These clusters are one, of this name and with this hero if they are given."""

    clusters: Annotated[list[ClusterId], Meta(min_length=2)]
    label: Text | None = None
    image_id: Id | None = None


class Split(Struct, tag_field="op", tag="split", frozen=True, gc=False, omit_defaults=True):
    """These images of the cluster are a cluster of their own."""

    cluster: ClusterId
    image_ids: Annotated[list[Id], Meta(min_length=1)]
    asked: bool = False
    """Whether it answers a question: then nothing is said of the cluster's other images, but of its hero."""


class Move(Struct, tag_field="op", tag="move", frozen=True, gc=False, omit_defaults=True):
    """These images, wherever they are, belong to the cluster."""

    image_ids: Annotated[list[Id], Meta(min_length=1)]
    to: ClusterId
    asked: bool = False
    """As in `Split`: of the clusters that they leave, and of the one they come to."""


class Rename(Struct, tag_field="op", tag="rename", frozen=True, gc=False):
    cluster: ClusterId
    label: Text


class SetHero(Struct, tag_field="op", tag="set_hero", frozen=True, gc=False):
    """This image of the cluster represents it."""

    cluster: ClusterId
    image_id: Id


class Apart(Struct, tag_field="op", tag="apart", frozen=True, gc=False):
    """These two clusters are to stay two."""

    clusters: Annotated[list[ClusterId], Meta(min_length=2, max_length=2)]


class Stay(Struct, tag_field="op", tag="stay", frozen=True, gc=False):
    """These images of the cluster belong to it."""

    cluster: ClusterId
    image_ids: Annotated[list[Id], Meta(min_length=1)]


class Hide(Struct, tag_field="op", tag="hide", frozen=True, gc=False, omit_defaults=True):
    """The cluster, or these images, are kept and not shown. One of the two is given."""

    cluster: ClusterId | None = None
    image_ids: Annotated[list[Id], Meta(min_length=1)] | None = None


class Unhide(Struct, tag_field="op", tag="unhide", frozen=True, gc=False, omit_defaults=True):
    """What was hidden is shown again."""

    cluster: ClusterId | None = None
    image_ids: Annotated[list[Id], Meta(min_length=1)] | None = None


class NotHere(Struct, tag_field="op", tag="not_here", frozen=True, gc=False):
    """These images of the cluster do not belong to it, wherever they do."""

    cluster: ClusterId
    image_ids: Annotated[list[Id], Meta(min_length=1)]


class Undo(Struct, tag_field="op", tag="undo", frozen=True, gc=False):
    """What this job's corrections said was never said."""

    job_id: Id


Correction = Merge | Split | Move | Rename | SetHero | Apart | Stay | Hide | Unhide | NotHere | Undo


Seen = Annotated[str, Meta(pattern=r"^[0-9a-f]{8}\Z")] | list[Id]
"""What a user saw of a cluster: the view's digest of it, or the images that it listed."""


class JobPayload(Struct, frozen=True, gc=False, omit_defaults=True):
    """What a job says. Everything may be missing or null, as today's producers leave it."""

    image_ids: list[Id] | None = None
    labels: list[Text] | None = None
    coverage: dict[Text, Unit] | None = None
    quality_score: Unit | None = None
    model_version: Text | None = None
    images: list[ImageInsight] | None = None
    removed_image_ids: list[NamedId] | None = None
    corrections: list[Correction] | None = None
    seen: dict[ClusterId, Seen] | None = None
    anyway: bool | None = None


class JobRequest(Struct, frozen=True, gc=False, omit_defaults=True):
    """The body of POST /internal/cluster-jobs."""

    pet_id: Id
    job_id: Id | None = None
    reason: str | None = None
    force: bool | None = None
    payload: JobPayload | None = None
    metadata: dict[str, Any] | None = None

    @property
    def corrects(self) -> bool:
        """Whether it has a user's corrections."""
        return bool(self.payload and self.payload.corrections)


class CorrectionsRequest(Struct, frozen=True, gc=False):
    """The body of POST /internal/pets/{pet_id}/corrections."""

    corrections: Annotated[list[Correction], Meta(min_length=1)]
    job_id: Id | None = None
    seen: dict[ClusterId, Seen] | None = None
    """What the user saw: where it is so no more, nothing changes."""
    anyway: bool = False
    """Whether they are meant all the same."""
    dry_run: bool = False
    """Whether only to tell what would come of it."""


class PauseRequest(Struct, frozen=True, gc=False):
    """The body of POST /internal/pause."""

    reason: Text
    until: datetime


FetchedKind = Literal["answers", "part_of_list", "list"]
"""What a job tells that we made of what a storage service answered; `list` is a list's last part."""


class RestoreRequest(Struct, frozen=True, gc=False):
    """The body of POST /internal/pets/{pet_id}/restore."""

    version: Annotated[float, Meta(ge=1, le=2**53, multiple_of=1)]
    """Whole, also where it is written as 7.0: JSON has one type of numbers."""
    job_id: Id | None = None


class Insight(NamedTuple):
    """What one job says of one image. `vectors` holds the kinds that were given: float32 [d], not normalised."""

    image_id: str
    vectors: Mapping[str, FloatVector]
    quality: float | None
    label: str | None
    captured_ms: int | None


class Job(NamedTuple):
    """One decoded, checked job. `sequence` is its first entry id as far as its entry knows; `repeats` that of an entry
    of the same job that came before it and is not settled either. `fetched`: it is what a storage service answered, and
    says nothing where a producer did: of `images` it fills in vectors of those that are there without, and it announces
    only those `image_ids` of which nothing is known.
    """

    pet_id: str
    job_id: str
    sequence: EntryId
    force: bool = False
    image_ids: Sequence[str] = ()
    labels: Sequence[str] = ()
    coverage: Mapping[str, float] = {}
    quality_score: float | None = None
    model_version: str | None = None
    images: Sequence[Insight] = ()
    removed: Sequence[str] = ()
    corrections: Sequence[Correction] = ()
    trace: str | None = None
    """The `traceparent` of its metadata, whatever that is."""
    carried: Sequence[object] = ()
    """The `traceparent` and `tracestate` of its envelope, or else of its metadata, whatever they are."""
    repeats: EntryId | None = None
    fetched: FetchedKind | None = None
    restore: Restore | None = None
    actor: str | None = None
    """Who sent it, where somebody who is known did over HTTP."""
    seen: Mapping[str, str | Sequence[str]] = {}
    """What a user saw of clusters, if that counts: see `Seen`."""


def cluster_id(pet_id: str, number: object) -> str:
    """The public id of the pet's cluster of that number."""
    return f"{pet_id}-cluster-{number}"


def cluster_number(pet_id: str, cluster: str) -> int | None:
    """The number in a cluster's public id; None if it is no cluster of this pet."""
    number = cluster.removeprefix(f"{pet_id}-cluster-")
    return int(number) if number != cluster and number.isdecimal() else None
