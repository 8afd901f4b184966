"""The routes by which people look into what there is: lists of images, jobs, ids."""

from typing import Final

from sploot_clusterd.web import lookup_examples
from sploot_clusterd.web.jobs import AboutJobs, JobsAfter, Sought
from sploot_clusterd.web.looks import Looking
from sploot_clusterd.web.members import Listed, Members
from sploot_clusterd.web.route import Answer, Route, refused

MEMBERS: Final = (
    Route(
        "GET",
        "/internal/pets/{pet_id}/clusters/{cluster_id}/images",
        "read",
        Members.images,
        "All images of a cluster, of which the view lists the best.",
        {
            200: Answer("A page of them.", lookup_examples.IMAGES, ("ETag",)),
            304: Answer("The page is the one that If-None-Match names.", headers=("ETag",)),
            404: refused("The pet's view has no such cluster.", "the pet's view has no such cluster"),
            422: refused(
                "An id breaks the rule, or a parameter does.",
                "after: this image is not in the cluster (any more): begin anew without it",
            ),
            503: refused(
                "Redis does not answer, refuses, the album cannot be read or changes too fast; or too many connections "
                "are open.",
                "redis unavailable",
                "Retry-After",
            ),
        },
        query=Listed,
    ),
)

JOBS: Final = (
    Route(
        "GET",
        "/internal/pets/{pet_id}/jobs",
        "read",
        AboutJobs.jobs,
        "What became of a pet's latest jobs, those that were heard of last first; then of those that only history has.",
        {
            200: Answer("A page of them.", lookup_examples.JOBS),
            422: refused("The pet's id breaks the rule, or a parameter does.", "limit: expected `int` <= 256"),
        },
        query=JobsAfter,
    ),
    Route(
        "GET",
        "/internal/pets/{pet_id}/jobs/{job_id}",
        "read",
        AboutJobs.job,
        "What became of a job.",
        {
            200: Answer("What is known of it.", lookup_examples.JOB_STATE),
            404: refused(
                "It does not wait, and the pet was not told of it lately.",
                "nothing is known of this job: it does not wait, and was not told of lately",
            ),
            422: refused("An id breaks the rule.", "job_id: expected 1 to 128 of the characters A-Z a-z 0-9 . _ : -"),
        },
    ),
    Route(
        "GET",
        "/internal/find",
        "read",
        AboutJobs.find,
        "What has this id: a pet, a job, an image, a dead letter.",
        {
            200: Answer("What was found in a part of all that is kept.", lookup_examples.FOUND),
            422: refused("A parameter breaks its rule.", "after: expected what an answer had for `next`"),
        },
        query=Sought,
    ),
)

_BAD_ID: Final = refused(
    "The pet's id breaks the rule.", "pet_id: expected 1 to 128 of the characters A-Z a-z 0-9 . _ : -"
)
_NO_ALBUM: Final = refused("No job of this pet was applied yet.", "no job of this pet was applied yet")
_UNREADABLE: Final = refused(
    "Redis does not answer, refuses, or the album cannot be read; or too many connections are open.",
    "redis unavailable",
    "Retry-After",
)


def _looked_up(found: Answer) -> dict[int, Answer]:
    """What a look into one album answers."""
    return {
        200: found,
        304: Answer("It is what If-None-Match names.", headers=("ETag",)),
        404: _NO_ALBUM,
        422: _BAD_ID,
        503: _UNREADABLE,
    }


LOOKS: Final = (
    Route(
        "GET",
        "/internal/pets/{pet_id}/corrections",
        "read",
        Looking.said,
        "Read what users said lately and can take back, by whom and when.",
        _looked_up(Answer("By jobs, the latest first.", lookup_examples.SAID, ("ETag",))),
    ),
    Route(
        "GET",
        "/internal/pets/{pet_id}/hidden",
        "read",
        Looking.hidden,
        "Read what users hid: clusters, and images.",
        _looked_up(Answer("Clusters as a view shows others, and images.", lookup_examples.HIDDEN, ("ETag",))),
    ),
    Route(
        "GET",
        "/internal/pets/{pet_id}/map",
        "read",
        Looking.map,
        "Read the pet's photos as a map: what is alike is near.",
        _looked_up(Answer("Of each model version its cells, as points.", lookup_examples.MAPS, ("ETag",))),
    ),
    Route(
        "GET",
        "/internal/pets/{pet_id}/images/{image_id}/why",
        "read",
        Looking.why,
        "Why is an image where it is?",
        {
            200: Answer("Evidence, what users said, and its score as a hero.", lookup_examples.WHY, ("ETag",)),
            304: Answer("It is what If-None-Match names.", headers=("ETag",)),
            404: refused("The pet has no such image, or no album.", "the pet has no such image"),
            422: refused("An id breaks the rule.", "image_id: expected 1 to 128 of the characters A-Z a-z 0-9 . _ : -"),
            503: _UNREADABLE,
        },
    ),
)
