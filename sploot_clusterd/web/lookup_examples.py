"""Examples of what people look up, for the OpenAPI document; as in `contract`, tests hold them against the answers."""

from typing import Final

from sploot_clusterd.found import Findings, Found
from sploot_clusterd.jobs import Jobs, JobState
from sploot_clusterd.model import Rename
from sploot_clusterd.view import (
    Cluster,
    ClusterImage,
    ClusterImages,
    Evidence,
    HiddenList,
    Map,
    MapCell,
    Maps,
    Member,
    Said,
    SaidList,
    Why,
    WhyCell,
    WhyHero,
    WhySaid,
)

SAID: Final = SaidList(
    [
        Said(
            "correction_789",
            "ann@example.com",
            "2025-10-30T12:34:56.789Z",
            [Rename("pet_123-cluster-0", "On the beach")],
        )
    ],
    7,
)
HIDDEN: Final = HiddenList(
    [
        Cluster(
            "pet_123-cluster-5", "Blurred", "img_030", [Member("img_030", 0.4, 0, 0.1)], 0.1, 1, False, "0d41f3aa", True
        )
    ],
    ["img_021"],
    7,
)
MAPS: Final = Maps(
    [
        Map(
            "clip-vit-b32",
            [
                MapCell(0, -0.8125, 0.1044, 2, "pet_123-cluster-0", "img_001"),
                MapCell(3, 1.0, -0.2188, 1, None, "img_030"),
            ],
        )
    ],
    7,
)
WHY: Final = Why(
    "img_012",
    "pet_123-cluster-1",
    WhyCell(2, ["img_014"]),
    0.9,
    7,
    hidden=False,
    evidence=[
        Evidence("pet_123-cluster-1", 3.5, 0.8, 0.41, own=True),
        Evidence("pet_123-cluster-0", -1.25, 0.8, 0.12, own=False),
    ],
    said=[WhySaid("correction_789", "rename")],
    hero=WhyHero(False, False, 0.7, 0.4, 0.27, 0.03),
)
JOB_STATE: Final = JobState(
    "job_457",
    "retrying",
    "2025-11-27T02:20:00.123Z",
    attempts=2,
    next_at="2025-11-27T02:20:02.000Z",
    error="RuntimeError: no",
)
JOBS: Final = Jobs(
    "pet_123",
    [
        JobState("job_458", "queued", "2025-11-27T02:20:01.017Z"),
        JOB_STATE,
        JobState("job_456", "applied", "2025-11-27T02:19:58.401Z", version=7),
        JobState(
            "job_455",
            "dead",
            "2025-11-27T02:19:57.000Z",
            attempts=0,
            reason="dimension",
            error="payload.images[0].embedding: expected 3 numbers",
        ),
    ],
    None,
    complete=True,
)
FOUND: Final = Findings(
    [
        Found("image", "pet_123", image_id="img_001"),
        Found("dead_letter", "pet_123", "job_455", dead_letter="1764210000123-0", reason="dimension"),
    ],
    "keys-0-7168",
)
IMAGES: Final = ClusterImages(
    "pet_123",
    "pet_123-cluster-0",
    31,
    [
        ClusterImage("img_001", 0.9312, 0.9, "2025-10-30T12:00:00.000Z", 0),
        ClusterImage("img_017", 0.9027, None, None),
    ],
    "img_017",
    7,
)
