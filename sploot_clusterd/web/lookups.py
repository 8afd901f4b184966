"""The routes by which people look into what there is: lists of images, jobs, ids."""

from typing import Final

from sploot_clusterd.web import contract
from sploot_clusterd.web.jobs import AboutJobs, JobsAfter, Sought
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
            200: Answer("A page of them.", contract.IMAGES, ("ETag",)),
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
        "What became of a pet's latest jobs, those that were heard of last first.",
        {
            200: Answer("A page of them.", contract.JOBS),
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
            200: Answer("What is known of it.", contract.JOB_STATE),
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
            200: Answer("What was found in a part of all that is kept.", contract.FOUND),
            422: refused("A parameter breaks its rule.", "after: expected what an answer had for `next`"),
        },
        query=Sought,
    ),
)
