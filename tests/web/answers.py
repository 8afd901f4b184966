"""Requests that bring about each answer of a route's own."""

from typing import NamedTuple

from sploot_clusterd.errors import (
    BacklogFullError,
    BadJobError,
    BadStateError,
    HistoryUnavailableError,
    LookupsExceededError,
)
from tests.web.service import CORRECTING, CORRECTIONS, IDS, JOBS, PET, body_for, raw, token_for


def asked(operation: str, body: bytes | None = None, pet_id: str = "pet_123", **more: str) -> bytes:
    """`more` are parameters of the path, and headers."""
    method, _, path = operation.partition(" ")
    if body is None:
        body = body_for(path) if method == "POST" else b""
    given = {**IDS, "pet_id": pet_id}
    given |= {name: more.pop(name) for name in given.keys() & more.keys()}
    return raw(method, path.format(**given), body, **more)


SUBMIT, BATCH, CORRECT = f"POST {JOBS}", f"POST {JOBS}/batch", f"POST {PET}/corrections"
INVALIDATE, ERASE, VIEW = f"POST {PET}/invalidate", f"DELETE {PET}", f"GET {PET}/clusters"
SUGGEST = f"GET {PET}/suggestions"
SAID, HIDDEN, MAP = (f"GET {PET}/{which}" for which in ("corrections", "hidden", "map"))
WHY = f"GET {PET}/images/{{image_id}}/why"
IMAGES = f"GET {PET}/clusters/{{cluster_id}}/images"
TOLD, TOLD_OF_ONE = f"GET {PET}/jobs", f"GET {PET}/jobs/{{job_id}}"
PAUSE = "POST /internal/pause"
FIND = "GET /internal/find"
FEED = "GET /internal/feed"
LATEST, WAS, VERSION = (f"GET {PET}/clusters/{which}" for which in ("latest", "history", "{version}"))
IMAGE = "GET /internal/images/{image_id}/clusters"
BACK = f"POST {PET}/restore"
LETTERS = "GET /internal/dead-letters"
COUNTS, LETTER = f"{LETTERS}/counts", f"{LETTERS}/{{letter_id}}"
REPLAY, DROP = (f"POST /internal/dead-letters/{what}" for what in ("replay", "drop"))
REPLAY_ONE, DROP_ONE = "POST /internal/dead-letters/{letter_id}/replay", "DELETE /internal/dead-letters/{letter_id}"
MENDED = b'{"payload":"{\\"pet_id\\":\\"pet_123\\"}"}'
DRY_RUN = CORRECTIONS.replace(b"{", b'{"dry_run":true,', 1)
FULL = BacklogFullError("full")


class Case(NamedTuple):
    operation: str
    status: int
    request: bytes
    error: Exception | None = None


ANSWERS = [
    Case("GET /healthz", 200, asked("GET /healthz")),
    Case("GET /readyz", 200, asked("GET /readyz")),
    Case(SUBMIT, 202, asked(SUBMIT)),
    Case(SUBMIT, 400, asked(SUBMIT, b"{")),
    Case(SUBMIT, 403, asked(SUBMIT, CORRECTING, X_Internal_Token=token_for("submit"))),
    Case(SUBMIT, 422, asked(SUBMIT, b"{}")),
    Case(SUBMIT, 422, asked(SUBMIT), BadJobError("invalid", "too much")),
    Case(SUBMIT, 503, asked(SUBMIT), FULL),
    Case(BATCH, 200, asked(BATCH)),
    Case(BATCH, 200, asked(BATCH, b"{")),
    Case(BATCH, 200, asked(BATCH), FULL),
    Case(BATCH, 200, asked(BATCH, CORRECTING, X_Internal_Token=token_for("submit"))),
    Case(BATCH, 415, asked(BATCH, Content_Type="application/json")),
    Case(BATCH, 422, asked(BATCH, b"")),
    Case(CORRECT, 202, asked(CORRECT)),
    Case(CORRECT, 200, asked(CORRECT, DRY_RUN)),
    Case(CORRECT, 404, asked(CORRECT, DRY_RUN.replace(b"pet_123", b"pet_9"), "pet_9")),
    Case(CORRECT, 409, asked(CORRECT, DRY_RUN), BadJobError("stale_correction", "it is gone")),
    Case(CORRECT, 400, asked(CORRECT, b"{")),
    Case(CORRECT, 404, asked(CORRECT, CORRECTIONS.replace(b"pet_123", b"pet_9"), "pet_9")),
    Case(CORRECT, 422, asked(CORRECT, b'{"corrections": []}')),
    Case(VIEW, 304, asked(VIEW, If_None_Match="*")),
    Case(VIEW, 404, asked(VIEW, pet_id="pet_9")),
    Case(SUGGEST, 200, asked(SUGGEST)),
    Case(SUGGEST, 304, asked(SUGGEST, If_None_Match="*")),
    Case(SUGGEST, 404, asked(SUGGEST, pet_id="pet_9")),
    Case(SUGGEST, 422, asked(f"{SUGGEST}?limit=21")),
    Case(SUGGEST, 503, asked(SUGGEST), BadStateError("field head of the album cannot be read")),
    *(Case(each, 200, asked(each)) for each in (SAID, HIDDEN, MAP, WHY)),
    *(Case(each, 304, asked(each, If_None_Match="*")) for each in (SAID, HIDDEN, MAP, WHY)),
    *(Case(each, 404, asked(each, pet_id="pet_9")) for each in (SAID, HIDDEN, MAP, WHY)),
    *(
        Case(each, 503, asked(each), BadStateError("field head of the album cannot be read"))
        for each in (SAID, MAP, WHY)
    ),
    Case(IMAGES, 200, asked(IMAGES)),
    Case(IMAGES, 304, asked(IMAGES, If_None_Match="*")),
    Case(IMAGES, 404, asked(IMAGES, pet_id="pet_9")),
    Case(IMAGES, 422, asked(f"{IMAGES}?order=size")),
    Case(IMAGES, 422, asked(f"{IMAGES}?after=gone")),
    Case(IMAGES, 503, asked(IMAGES), BadStateError("field head of the album cannot be read")),
    Case(TOLD, 200, asked(TOLD)),
    Case(TOLD, 200, asked(f"{TOLD}?after=~5000-job_1")),
    Case(TOLD, 422, asked(f"{TOLD}?limit=257")),
    Case(TOLD, 422, asked(f"{TOLD}?after=~job_1")),
    Case(TOLD, 503, asked(f"{TOLD}?after=~"), HistoryUnavailableError()),
    Case(TOLD_OF_ONE, 200, asked(TOLD_OF_ONE)),
    Case(TOLD_OF_ONE, 404, asked(TOLD_OF_ONE, pet_id="pet_9")),
    Case(FIND, 200, asked(f"{FIND}?q=pet_123")),
    Case(FIND, 422, asked(FIND)),
    Case(FIND, 422, asked(f"{FIND}?q=pet_123&after=nowhere")),
    Case(PAUSE, 200, asked(PAUSE)),
    Case(PAUSE, 422, asked(PAUSE, b'{"reason":"a deploy","until":"2020-01-01T00:00:00Z"}')),
    Case(PAUSE, 422, asked(PAUSE, b'{"reason":"a deploy","until":"soon"}')),
    Case(PAUSE, 422, asked(PAUSE, b'{"reason":"","until":"2030-01-01T00:00:00Z"}')),
    Case("GET /internal/audit", 200, asked("GET /internal/audit")),
    Case("GET /internal/audit", 422, asked("GET /internal/audit?before=x")),
    Case("POST /internal/resume", 200, asked("POST /internal/resume")),
    Case(FEED, 200, asked(f"{FEED}?partition=1")),
    Case(FEED, 410, asked(f"{FEED}?after=17-1")),
    Case(FEED, 422, asked(f"{FEED}?partition=2")),
    Case(FEED, 422, asked(f"{FEED}?after=x")),
    Case(LATEST, 200, asked(LATEST)),
    Case(LATEST, 404, asked(LATEST, pet_id="pet_9")),
    Case(LATEST, 503, asked(LATEST), LookupsExceededError()),
    Case(WAS, 200, asked(f"{WAS}?before=17-1&at=2025-11-27T02:20:00Z&limit=1000")),
    Case(WAS, 404, asked(WAS, pet_id="pet_9")),
    Case(WAS, 422, asked(f"{WAS}?before=17")),
    Case(WAS, 422, asked(f"{WAS}?at=2025-11-27T02:20:00")),
    Case(WAS, 503, asked(WAS), HistoryUnavailableError()),
    Case(VERSION, 200, asked(VERSION)),
    Case(VERSION, 404, asked(VERSION, version="4")),
    Case(VERSION, 422, asked(VERSION, version="x")),
    Case(VERSION, 422, asked(VERSION, version="9" * 16)),
    Case(IMAGE, 200, asked(f"{IMAGE}?before=5&limit=7")),
    Case(IMAGE, 404, asked(IMAGE, image_id="img_9")),
    Case(IMAGE, 422, asked(f"{IMAGE}?before=0")),
    Case(BACK, 202, asked(BACK)),
    Case(BACK, 404, asked(BACK, pet_id="pet_9")),
    Case(BACK, 404, asked(BACK, b'{"version": 4}')),
    Case(BACK, 422, asked(BACK, b'{"version": 0}')),
    Case(BACK, 503, asked(BACK), HistoryUnavailableError()),
    Case(INVALIDATE, 202, asked(INVALIDATE)),
    Case(INVALIDATE, 202, asked(INVALIDATE, pet_id="pet_9")),
    Case(ERASE, 200, asked(ERASE)),
    Case(ERASE, 200, asked(ERASE, pet_id="pet_9")),
    Case(LETTERS, 200, asked(f"{LETTERS}?reason=invalid&pet=pet_123&since=2025-11-27T02:20:00Z&limit=500")),
    *(Case(each, 422, asked(f"{each}?after=nowhere")) for each in (LETTERS, COUNTS)),
    *(Case(each, 422, asked(f"{each}?reason=none")) for each in (LETTERS, COUNTS)),
    *(Case(each, 422, asked(f"{each}?since=2025-11-27T02:20:00")) for each in (LETTERS, COUNTS)),
    Case(COUNTS, 200, asked(COUNTS)),
    *(Case(each, 200, asked(each)) for each in (REPLAY, DROP, LETTER, DROP_ONE)),
    *(Case(each, 200, asked(each, b'{"pet":"pet_9"}')) for each in (REPLAY, DROP)),
    *(Case(each, 422, asked(each, b"{}")) for each in (REPLAY, DROP)),
    *(Case(each, 422, asked(each, b'{"all":true,"pet":"pet_123"}')) for each in (REPLAY, DROP)),
    Case(DROP_ONE, 200, asked(DROP_ONE, letter_id="6000-0")),
    *(Case(each, 422, asked(each, letter_id="pet_123")) for each in (LETTER, DROP_ONE, REPLAY_ONE)),
    *(Case(each, 404, asked(each, letter_id="6000-0")) for each in (LETTER, REPLAY_ONE)),
    Case(REPLAY_ONE, 202, asked(REPLAY_ONE)),
    Case(REPLAY_ONE, 202, asked(REPLAY_ONE, MENDED)),
    Case(REPLAY_ONE, 200, asked(REPLAY_ONE, MENDED[:-1] + b',"dry_run":true}')),
    Case(REPLAY_ONE, 403, asked(REPLAY_ONE, MENDED, X_Internal_Token=token_for("operate"))),
    Case(REPLAY_ONE, 404, asked(REPLAY_ONE, MENDED, letter_id="6000-0")),
    Case(REPLAY_ONE, 409, asked(REPLAY_ONE, letter_id="7000-0")),
    Case(REPLAY_ONE, 503, asked(REPLAY_ONE, letter_id="8000-0")),
    Case(REPLAY_ONE, 422, asked(REPLAY_ONE, MENDED.replace(b"pet_123", b"pet_9"))),
    Case(REPLAY_ONE, 422, asked(REPLAY_ONE, b'{"dry_run":true}')),
    Case("GET /internal/quality", 200, asked("GET /internal/quality")),
    Case("GET /internal/health/redis", 200, asked("GET /internal/health/redis")),
]
