"""The bodies of answers as structs, and examples, for the OpenAPI document; tests hold them against the answers.

Handlers do not use them: a view goes out as it was stored, and the others are too small to need one.
"""

from typing import Annotated, Final, Literal

from msgspec import Meta, Struct

from sploot_clusterd.audit import AuditEntry, AuditPage
from sploot_clusterd.changes import Change, ClusterChange, Event, ImageChange, Page, Preview
from sploot_clusterd.model import (
    Apart,
    CorrectionsRequest,
    Hide,
    Id,
    Merge,
    Move,
    NotHere,
    Rename,
    SetHero,
    Split,
    Stay,
    Undo,
    Unhide,
)
from sploot_clusterd.view import (
    Belongs,
    Cluster,
    Member,
    Same,
    Suggestions,
    View,
    ViewMetrics,
)


class Refusal(Struct):
    """Every answer that is not what was asked for."""

    detail: str


class Alive(Struct):
    status: Literal["ok"]


class Ready(Struct):
    status: Literal["ready"]
    reasons: list[str]
    warnings: list[str]


class NotReady(Struct):
    status: Literal["not ready"]
    detail: str
    reasons: list[str]
    warnings: list[str]


class Accepted(Struct):
    status: Literal["accepted"]


class LineAccepted(Struct):
    """A line of a batch that Redis has."""

    status: Literal["accepted"]
    job_id: Id


class LineRefused(Struct):
    """A line of a batch that was not taken; `status` is what the job would have got by itself."""

    detail: str
    line: Annotated[int, Meta(ge=1)]
    status: Literal[400, 403, 422, 503]


class Invalidated(Struct):
    """`noop` where there was no view."""

    status: Literal["removed", "noop"]


class Erased(Struct):
    """`noop` where there was nothing."""

    status: Literal["erased", "noop"]


class Pending(Struct):
    status: Literal["pending"]


class RedisHealth(Struct):
    status: Literal["ok"]
    ping_ms: Annotated[float, Meta(ge=0.0)]


class Halted(Struct):
    status: Literal["paused"]


class Resumed(Struct):
    """`noop` where nothing was paused."""

    status: Literal["resumed", "noop"]


class PutBack(Struct):
    status: Literal["replayed"]


class Checked(Struct):
    """A payload that would be taken."""

    status: Literal["checked"]


class Dropped(Struct):
    """`noop` where there was no such letter."""

    status: Literal["dropped", "noop"]


class FeedGone(Struct):
    """`newest` is the place from which to go on, after all views were read."""

    detail: str
    newest: str


FED: Final = Page(
    0,
    [
        Event(
            "2-1764210000123",
            2,
            "2025-11-27T02:20:00.123Z",
            "1-1764209990017",
            "changed",
            "pet_123",
            "5f0c6d2ab81e4973",
            "5f0c6d2ab81e4973.1",
            "c03d5ee9a7714b02.2",
            Change(
                2,
                ["job_457"],
                2,
                9,
                1,
                [
                    ClusterChange("pet_123-cluster-0", "changed", size=5, images_in=["img_009"]),
                    ClusterChange("pet_123-cluster-2", "merged", successor="pet_123-cluster-0", images_out=["img_004"]),
                ],
                ImageChange(images_out=["img_004"]),
            ),
        )
    ],
    "2-1764210000123",
    "2-1764210000123",
)
JOB: Final = {
    "pet_id": "pet_123",
    "job_id": "job_456",
    "reason": "insights_ready",
    "force": False,
    "payload": {
        "image_ids": ["img_001", "img_002", "img_003"],
        "labels": ["Portraits", "Action Shots"],
        "coverage": {"portrait": 0.6, "action": 0.4},
        "quality_score": 0.85,
        "model_version": "clip-b32@3",
        "images": [
            {
                "image_id": "img_004",
                "embedding": [0.1, 0.2],
                "pose": {"dtype": "f16", "data": "ZjI="},
                "quality": 0.9,
                "label": "Portraits",
                "captured_at": "2025-10-30T12:00:00Z",
            }
        ],
        "removed_image_ids": ["img_000"],
        "corrections": [{"op": "rename", "cluster": "pet_123-cluster-0", "label": "On the beach"}],
    },
    "metadata": {"triggered_by": "insight-service"},
}
CORRECTIONS: Final = CorrectionsRequest(
    [
        Merge(["pet_123-cluster-0", "pet_123-cluster-2"]),
        Split("pet_123-cluster-1", ["img_005", "img_006"]),
        Move(["img_077"], "pet_123-cluster-1", asked=True),
        Rename("pet_123-cluster-0", "On the beach"),
        SetHero("pet_123-cluster-0", "img_002"),
        Apart(["pet_123-cluster-0", "pet_123-cluster-3"]),
        Stay("pet_123-cluster-0", ["img_009"]),
        NotHere("pet_123-cluster-0", ["img_013"]),
        Hide("pet_123-cluster-5"),
        Unhide(image_ids=["img_021"]),
        Undo("correction_780"),
    ],
    "correction_789",
    {"pet_123-cluster-0": "5b1c9e07", "pet_123-cluster-1": ["img_005", "img_006", "img_008"]},
)
PAUSE: Final = {"reason": "moving to another storage service", "until": "2025-10-30T13:00:00Z"}
SUGGESTED: Final = Suggestions(
    [
        Same(["pet_123-cluster-0", "pet_123-cluster-4"], 3.125),
        Belongs("img_012", "pet_123-cluster-1", 2.75, ["img_012", "img_031", "img_044"]),
    ],
    7,
)
AUDITED: Final = AuditPage(
    [
        AuditEntry("2025-11-27T02:20:00.123Z", "people/ann", "correct", "pet_123", "accepted"),
        AuditEntry("2025-11-27T02:19:10.004Z", "producer/0", "submit", None, "accepted", 412),
    ],
    "1764209950004-0-0",
)
VIEW: Final = View(
    "pet_123",
    [
        Cluster(
            "pet_123-cluster-0", "Portraits", "img_001", [Member("img_001", 0.95, 0, 0.9)], 0.91, 31, False, "5b1c9e07"
        )
    ],
    ViewMetrics({"portrait": 0.6, "action": 0.4}, 0.85, "2025-10-30T12:34:56.789Z", 1, 32, 1, None),
    "2025-10-30T12:34:56.789Z",
    7,
    "clip-b32@3",
    ["img_077"],
)
PREVIEW: Final = Preview(
    VIEW,
    Change(8, [], 1, 32, 1, [ClusterChange("pet_123-cluster-2", "merged", successor="pet_123-cluster-0")]),
    [["pet_123-cluster-0", "pet_123-cluster-2"]],
)
