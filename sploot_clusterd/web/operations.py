"""What the OpenAPI document says of each method of each route: purpose, answers by status, examples."""

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from msgspec import Struct

from sploot_clusterd.model import CorrectionsRequest, JobRequest
from sploot_clusterd.view import View
from sploot_clusterd.web import contract


class Answer(NamedTuple):
    """One status. Without a `body` the answer has none, or (with `content_type`) one that is no JSON. With both, each
    line is such a body.
    """

    about: str
    body: type[Struct] | None = contract.Refusal
    example: Mapping[str, Any] | None = None
    headers: tuple[str, ...] = ()
    content_type: str = ""
    or_else: type[Struct] | None = None
    """What the body may be as well."""


class Operation(NamedTuple):
    name: str
    summary: str
    answers: Mapping[int, Answer]
    request: type[Struct] | None = None
    example: Mapping[str, Any] | None = None
    content_type: str = "json"
    """Of the request; where it is "ndjson", each line is such a request."""


_RETRY: Final = ("Retry-After",)
_ETAG: Final = ("ETag",)

ANYWHERE: Final[Mapping[int, Answer]] = {
    400: Answer("The bytes are no HTTP as it should be; the connection ends."),
    431: Answer("The request line or a header is too long."),
    500: Answer("A fault of the daemon.", example={"detail": "internal error"}),
    503: Answer("Too many connections are open.", headers=_RETRY, example={"detail": "too many connections"}),
}
"""What any request may be answered."""

GUARDED: Final[Mapping[int, Answer]] = {
    401: Answer("The token is wrong or missing.", example={"detail": "invalid internal token"}),
    503: Answer(
        "Redis does not answer, refuses, or too many connections are open. A write may have happened all the same; "
        "to repeat it is harmless.",
        headers=_RETRY,
        example={"detail": "redis unavailable"},
    ),
}
"""What any request with a token may be answered, in place of the above."""

_BAD_ID: Final = Answer(
    "The pet's id breaks the rule.",
    example={"detail": "pet_id: expected 1 to 128 of the characters A-Z a-z 0-9 . _ : -"},
)

_REFUSED_BODIES: Final = {
    400: Answer("The body is not JSON (NaN and Infinity are not), nests too deeply, or is badly framed."),
    408: Answer("The body did not arrive in time."),
    413: Answer("The body is too large."),
    415: Answer("The body is encoded, or its Content-Type is not JSON. None at all is taken for JSON."),
}
_TRY_AGAIN: Final = Answer(
    "The backlog is full; or Redis does not answer, and the job may have been accepted: submit it again.",
    headers=_RETRY,
    example={"detail": "the backlog is full: 10000 jobs are waiting"},
)

OPERATIONS: Final[Mapping[str, Operation]] = {
    "GET /healthz": Operation(
        "healthz", "Is the process alive?", {200: Answer("It is.", contract.Alive, {"status": "ok"})}
    ),
    "GET /readyz": Operation(
        "readyz",
        "Does the daemon do its work?",
        {
            200: Answer("It does.", contract.Ready, {"status": "ready", "reasons": [], "warnings": []}),
            503: Answer(
                "It does not, and why; or, as a detail alone, too many connections are open.",
                contract.NotReady,
                {"status": "not ready", "detail": "not ready", "reasons": ["redis unavailable"], "warnings": []},
                or_else=contract.Refusal,
            ),
        },
    ),
    "GET /openapi.json": Operation(
        "openapi", "This document.", {200: Answer("OpenAPI 3.1.", None, content_type="json")}
    ),
    "GET /metrics": Operation(
        "metrics",
        "Every metric, on the metrics port only.",
        {
            200: Answer("Prometheus' text, or OpenMetrics where the request accepts it.", None, content_type="text"),
            401: Answer(
                "A token is set (metrics.tokens) and none was given, or another; as X-Internal-Token or as a bearer.",
                example={"detail": "invalid metrics token"},
                headers=("WWW-Authenticate",),
            ),
        },
    ),
    "POST /internal/cluster-jobs": Operation(
        "submit",
        "Submit a job: what is new about one pet's images.",
        {
            202: Answer("Redis has the job.", contract.Accepted, {"status": "accepted"}),
            **_REFUSED_BODIES,
            422: Answer(
                "The JSON has the wrong shape or breaks a limit.",
                example={"detail": "payload.quality_score: expected `float` <= 1.0"},
            ),
            503: _TRY_AGAIN,
        },
        JobRequest,
        contract.JOB,
    ),
    "POST /internal/cluster-jobs/batch": Operation(
        "submit_batch",
        "Submit many jobs, one a line (at most 1,000): each is taken or refused by itself.",
        {
            **_REFUSED_BODIES,
            200: Answer(
                "A result a line that is not blank, in order: Redis has the job, or the answer that it would have got. "
                "Retry-After is there if a line may be sent again.",
                contract.LineAccepted,
                {"status": "accepted", "job_id": "job_456"},
                _RETRY,
                content_type="ndjson",
                or_else=contract.LineRefused,
            ),
            400: Answer("The body is badly framed."),
            415: Answer(
                "The body is encoded, or its Content-Type is not application/x-ndjson. None at all is taken for it."
            ),
            422: Answer(
                "There is no line, or there are too many.",
                example={"detail": "a batch has at most 1000 lines: send the others in another one"},
            ),
            503: Answer(
                "Too many connections are open. What Redis or a full backlog refuses is told line by line.",
                headers=_RETRY,
                example={"detail": "too many connections"},
            ),
        },
        JobRequest,
        contract.JOB,
        content_type="ndjson",
    ),
    "GET /internal/pets/{pet_id}/clusters": Operation(
        "view",
        "Read a pet's clusters.",
        {
            200: Answer("The view, as it was stored.", View, contract.VIEW, _ETAG),
            304: Answer("The view is the one that If-None-Match names.", None, headers=_ETAG),
            404: Answer("There is no view, or it expired.", example={"detail": "cluster state not found"}),
            422: _BAD_ID,
        },
    ),
    "POST /internal/pets/{pet_id}/corrections": Operation(
        "correct",
        "Submit a user's corrections of a pet's clusters.",
        {
            202: Answer("Redis has them, as a job.", contract.Accepted, {"status": "accepted"}),
            **_REFUSED_BODIES,
            404: Answer(
                "No job of this pet was applied yet.",
                example={"detail": "no job of this pet was applied yet: there is nothing to correct"},
            ),
            422: Answer(
                "The pet's id breaks the rule, or the JSON has the wrong shape or breaks a limit.",
                example={"detail": "corrections[0].op: expected merge, split, move, rename or set_hero"},
            ),
            503: _TRY_AGAIN,
        },
        CorrectionsRequest,
        contract.CORRECTIONS,
    ),
    "POST /internal/pets/{pet_id}/invalidate": Operation(
        "invalidate",
        "Drop a pet's view; its album stays, and the next job renders the view again.",
        {202: Answer("Done.", contract.Invalidated, {"status": "removed"}), 422: _BAD_ID},
    ),
    "DELETE /internal/pets/{pet_id}": Operation(
        "erase",
        "Forget a pet: album, view, dead letters; jobs accepted before do not bring it back.",
        {200: Answer("Done.", contract.Erased, {"status": "erased"}), 422: _BAD_ID},
    ),
    "GET /internal/health/redis": Operation(
        "redis_health",
        "Ask Redis now.",
        {200: Answer("It answers.", contract.RedisHealth, {"status": "ok", "ping_ms": 0.25})},
    ),
}
