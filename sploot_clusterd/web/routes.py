"""Every route, with its handler and its documentation. `app.py` says what is served where."""

from typing import Any, Final

from sploot_clusterd.model import CorrectionsRequest, JobRequest
from sploot_clusterd.web import contract
from sploot_clusterd.web.answers import JSON, NDJSON, TEXT
from sploot_clusterd.web.batch import corrections_refused
from sploot_clusterd.web.feed import After, Feeding
from sploot_clusterd.web.handlers import Handlers
from sploot_clusterd.web.letter_routes import LETTERS
from sploot_clusterd.web.lookups import JOBS, LOOKS, MEMBERS
from sploot_clusterd.web.openapi import Document
from sploot_clusterd.web.operator_routes import OPERATING
from sploot_clusterd.web.ops import MetricsPage, Probes
from sploot_clusterd.web.past_routes import PAST, RESTORE
from sploot_clusterd.web.quality import QUALITY
from sploot_clusterd.web.questions import Asking, Wanted
from sploot_clusterd.web.route import Answer, Body, Route, refused

_BAD_ID: Final = refused(
    "The pet's id breaks the rule.", "pet_id: expected 1 to 128 of the characters A-Z a-z 0-9 . _ : -"
)
_TRY_AGAIN: Final = refused(
    "The backlog is full; or Redis does not answer, and the job may have been accepted: submit it again.",
    "the backlog is full: 10000 jobs are waiting",
    "Retry-After",
)

PROBES: Final = (
    Route(
        "GET", "/healthz", None, Probes.healthz, "Is the process alive?", {200: Answer("It is.", contract.Alive("ok"))}
    ),
    Route(
        "GET",
        "/readyz",
        None,
        Probes.readyz,
        "Does the daemon do its work?",
        {
            200: Answer("It does.", contract.Ready("ready", [], [])),
            503: Answer(
                "It does not, and why; or, as a detail alone, too many connections are open.",
                contract.NotReady("not ready", "not ready", ["redis unavailable"], []),
                or_else=contract.Refusal,
            ),
        },
    ),
)

DOCUMENT: Final = (
    Route(
        "GET",
        "/openapi.json",
        None,
        Document.openapi,
        "This document.",
        {200: Answer("OpenAPI 3.1.", content_type=JSON)},
    ),
)

INTERNAL: Final = (
    Route(
        "POST",
        "/internal/cluster-jobs",
        "submit",
        Handlers.submit,
        "Submit a job: what is new about one pet's images.",
        {
            202: Answer("Redis has the job.", contract.Accepted("accepted")),
            403: refused(
                "The caller has not the scope `submit`; or not `correct`, and the job has corrections.",
                corrections_refused().detail,
            ),
            422: refused(
                "The JSON has the wrong shape or breaks a limit.", "payload.quality_score: expected `float` <= 1.0"
            ),
            503: _TRY_AGAIN,
        },
        Body(JobRequest, contract.JOB),
    ),
    Route(
        "POST",
        "/internal/cluster-jobs/batch",
        "submit",
        Handlers.submit_batch,
        "Submit many jobs, one a line (at most 1,000): each is taken or refused by itself.",
        {
            200: Answer(
                "A result a line that is not blank, in order: Redis has the job, or the answer that it would have got. "
                "Retry-After is there if a line may be sent again.",
                contract.LineAccepted("accepted", "job_456"),
                ("Retry-After",),
                NDJSON,
                or_else=contract.LineRefused,
            ),
            400: refused("The body is badly framed."),
            415: refused(
                "The body is encoded, or its Content-Type is not application/x-ndjson. None at all is taken for it."
            ),
            422: refused(
                "There is no line, or there are too many.",
                "a batch has at most 1000 lines: send the others in another one",
            ),
            503: refused(
                "Too many connections are open. What Redis or a full backlog refuses is told line by line.",
                "too many connections",
                "Retry-After",
            ),
        },
        Body(JobRequest, contract.JOB, NDJSON),
    ),
    Route(
        "GET",
        "/internal/pets/{pet_id}/clusters",
        "read",
        Handlers.view,
        "Read a pet's clusters.",
        {
            200: Answer("The view, as it was stored.", contract.VIEW, ("ETag",)),
            304: Answer("The view is the one that If-None-Match names.", headers=("ETag",)),
            404: refused("There is no view.", "cluster state not found"),
            422: _BAD_ID,
        },
    ),
    Route(
        "POST",
        "/internal/pets/{pet_id}/corrections",
        "correct",
        Handlers.correct,
        "Submit a user's corrections of a pet's clusters.",
        {
            200: Answer("Of a dry run: what would come of them.", contract.PREVIEW),
            202: Answer("Redis has them, as a job.", contract.Accepted("accepted")),
            404: refused(
                "No job of this pet was applied yet.", "no job of this pet was applied yet: there is nothing to correct"
            ),
            409: refused(
                "Of a dry run: they would be refused.",
                "payload.corrections[0]: pet_123-cluster-7 is gone: none of its images is left",
            ),
            422: refused(
                "The pet's id breaks the rule, or the JSON has the wrong shape or breaks a limit.",
                "corrections[0].label: expected 1 to 128 printable characters, at least one of them visible",
            ),
            503: _TRY_AGAIN,
        },
        Body(CorrectionsRequest, contract.CORRECTIONS),
    ),
    Route(
        "POST",
        "/internal/pets/{pet_id}/invalidate",
        "operate",
        Handlers.invalidate,
        "Drop a pet's view; its album stays, and the next job renders the view again.",
        {202: Answer("Done.", contract.Invalidated("removed")), 422: _BAD_ID},
    ),
    Route(
        "DELETE",
        "/internal/pets/{pet_id}",
        "erase",
        Handlers.erase,
        "Forget a pet: album, view, dead letters; jobs accepted before do not bring it back.",
        {
            200: Answer("Done.", contract.Erased("erased")),
            202: Answer(
                "Done, but for history, whose database does not answer: it follows.", contract.Pending("pending")
            ),
            422: _BAD_ID,
        },
    ),
    Route(
        "GET",
        "/internal/health/redis",
        "operate",
        Handlers.redis_health,
        "Ask Redis now.",
        {200: Answer("It answers.", contract.RedisHealth("ok", 0.25))},
    ),
)

QUESTIONS: Final = (
    Route(
        "GET",
        "/internal/pets/{pet_id}/suggestions",
        "read",
        Asking.suggestions,
        "What to ask a pet's user: the questions whose answers would put most photos right, the best one first.",
        {
            200: Answer("The questions, and the view's version that they are about.", contract.SUGGESTED, ("ETag",)),
            304: Answer("The questions are those that If-None-Match names.", headers=("ETag",)),
            404: refused(
                "No job of this pet was applied yet.", "no job of this pet was applied yet: there is nothing to ask"
            ),
            422: refused("The pet's id breaks the rule, or the limit does.", "limit: expected `int` <= 20"),
            503: refused(
                "Redis does not answer, refuses, or the album cannot be read; or too many connections are open.",
                "redis unavailable",
                "Retry-After",
            ),
        },
        query=Wanted,
    ),
)

FEED: Final = (
    Route(
        "GET",
        "/internal/feed",
        "read",
        Feeding.feed,
        "Read what changed for readers, event by event; with `wait` as soon as something did.",
        {
            200: Answer("Events behind the place `after`, in their order.", contract.FED),
            410: Answer(
                "Events after this place are not here any more, or it is none of this feed's.",
                contract.FeedGone("events after 17 are not here any more", "85-1764210000123"),
            ),
            422: refused(
                "A parameter breaks its rule, or there is no such partition.", "partition: expected `int` <= 0"
            ),
            501: refused("The feed is off.", "the feed is off: set feed.enabled (FEED_ENABLED) in every process"),
        },
        query=After,
    ),
)

METRICS: Final = (
    Route(
        "GET",
        "/metrics",
        None,
        MetricsPage.metrics,
        "Every metric, on the metrics port only.",
        {
            200: Answer("Prometheus' text, or OpenMetrics where the request accepts it.", content_type=TEXT),
            401: refused(
                "A token is set (metrics.tokens) and none was given, or another; as X-Internal-Token or as a bearer.",
                "invalid metrics token",
                "WWW-Authenticate",
            ),
        },
    ),
)

ROUTES: Final[tuple[Route[Any], ...]] = (
    *PROBES,
    *DOCUMENT,
    *INTERNAL,
    *QUESTIONS,
    *LOOKS,
    *QUALITY,
    *MEMBERS,
    *JOBS,
    *OPERATING,
    *LETTERS,
    *FEED,
    *PAST,
    *RESTORE,
    *METRICS,
)
