"""The routes of history, with what the OpenAPI document says of them."""

from typing import Final

from sploot_clusterd.changes import Change, ClusterChange
from sploot_clusterd.model import RestoreRequest
from sploot_clusterd.past import ImageStay, PastCluster, PastClusters, PastVersion, PastVersions, Whereabouts
from sploot_clusterd.web.contract import Accepted
from sploot_clusterd.web.past import AskedStays, AskedVersions, LookingBack
from sploot_clusterd.web.restoring import Restoring
from sploot_clusterd.web.route import Answer, Body, Route, refused

_NO_HISTORY: Final = refused("History is off.", "history is off: set history.url (DATABASE_URL) to a database")
_HISTORY_AWAY: Final = refused(
    "History's database does not answer, or is asked too much; or too many connections are open.",
    "too many look-ups in history: history.lookups_per_second bounds them",
    "Retry-After",
)

_AT: Final = "2025-11-27T02:20:00.123Z"
_CLUSTERS: Final = PastClusters(
    "pet_123",
    2,
    "5f0c6d2ab81e4973",
    "c03d5ee9a7714b02.2",
    _AT,
    True,
    1,
    3,
    1,
    [PastCluster("pet_123-cluster-0", "Portraits", "img_001", ["img_001", "img_009"], [])],
    ["img_077"],
    None,
)
_VERSIONS: Final = PastVersions(
    "pet_123",
    [
        PastVersion(
            "2-1764210000123",
            2,
            "5f0c6d2ab81e4973",
            "5f0c6d2ab81e4973.1",
            "c03d5ee9a7714b02.2",
            _AT,
            True,
            1,
            3,
            1,
            ["job_457"],
            Change(
                2, ["job_457"], 1, 3, 1, [ClusterChange("pet_123-cluster-0", "changed", size=2, images_in=["img_009"])]
            ),
        )
    ],
    "2-1764210000123",
)
_WHEREABOUTS: Final = Whereabouts(
    "img_009",
    [ImageStay("pet_123", "5f0c6d2ab81e4973", "pet_123-cluster-0", 2, None, _AT, None, True, True)],
    None,
)

PAST: Final = (
    Route(
        "GET",
        "/internal/pets/{pet_id}/clusters/latest",
        "read",
        LookingBack.latest_clusters,
        "Read the newest version of a pet's clusters that history has.",
        {
            200: Answer("The clusters.", _CLUSTERS),
            404: refused("History has nothing of the pet.", "history has nothing of this pet"),
            422: refused("The pet's id breaks the rule."),
            501: _NO_HISTORY,
            503: _HISTORY_AWAY,
        },
    ),
    Route(
        "GET",
        "/internal/pets/{pet_id}/clusters/history",
        "read",
        LookingBack.clusters_history,
        "Read the versions of a pet's clusters, the newest first, and what was different in each.",
        {
            200: Answer("Versions before an event's id, or until a time.", _VERSIONS),
            404: refused("History has nothing of the pet.", "history has nothing of this pet"),
            422: refused("The pet's id breaks the rule, or a parameter does.", "limit: expected `int` <= 1000"),
            501: _NO_HISTORY,
            503: _HISTORY_AWAY,
        },
        query=AskedVersions,
    ),
    Route(
        "GET",
        "/internal/pets/{pet_id}/clusters/{version}",
        "read",
        LookingBack.clusters_at_version,
        "Read a version of a pet's clusters.",
        {
            200: Answer("The clusters as they were.", _CLUSTERS),
            404: refused("History has no such version.", "history has no version 7 of this pet"),
            422: refused("The pet's id breaks the rule, or the version is no number."),
            501: _NO_HISTORY,
            503: _HISTORY_AWAY,
        },
    ),
    Route(
        "GET",
        "/internal/images/{image_id}/clusters",
        "read",
        LookingBack.image_clusters,
        "Read which clusters an image was in, the last first.",
        {
            200: Answer("Its stays in clusters.", _WHEREABOUTS),
            404: refused("History has nothing of the image.", "history has nothing of this image"),
            422: refused("The image's id breaks the rule, or a parameter does.", "limit: expected `int` <= 1000"),
            501: _NO_HISTORY,
            503: _HISTORY_AWAY,
        },
        query=AskedStays,
    ),
)

RESTORE: Final = (
    Route(
        "POST",
        "/internal/pets/{pet_id}/restore",
        "operate",
        Restoring.restore,
        "Make a former version of a pet's clusters the newest one; images that came since stay.",
        {
            202: Answer("Redis has it, as a job.", Accepted("accepted")),
            404: refused(
                "History has no album of that version, or the pet was erased.",
                "history has no album of version 7 of this pet: the last one before it is of version 5",
            ),
            422: refused(
                "The JSON has the wrong shape, or the pet's id breaks the rule.", "version: expected `int` >= 1"
            ),
            501: _NO_HISTORY,
            503: refused(
                "The backlog is full; or Redis or history's database does not answer, or is asked too much: ask again.",
                "the backlog is full: 10000 jobs are waiting",
                "Retry-After",
            ),
        },
        Body(RestoreRequest, RestoreRequest(version=7)),
    ),
)
