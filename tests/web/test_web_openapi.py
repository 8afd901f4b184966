"""The OpenAPI document, held against the routes, the handlers and what they answer."""

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import pytest
from aiohttp import ClientSession

import sploot_clusterd
from sploot_clusterd.config import LimitsSettings
from sploot_clusterd.errors import BacklogFullError, BadJobError, BadStateError, StoreUnavailableError
from sploot_clusterd.web import contract
from sploot_clusterd.web.openapi import Document
from sploot_clusterd.web.routes import ROUTES
from sploot_clusterd.wire import decode_corrections, decode_request
from tests.web.json_schema import errors, resolved
from tests.web.service import CORRECTING, CORRECTIONS, JOBS, PET, TOKEN, Reply, Serve, Service, body_for, raw, token_for
from tests.wire.corpus import CORPUS

WEB = Path(sploot_clusterd.__file__).parent / "web"
OPERATIONS = {f"{route.method} {route.path}": route for route in ROUTES}
SERVED = [name for name in OPERATIONS if name != "GET /metrics"]


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    return Document(ROUTES, LimitsSettings()).content()


def operations(document: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {
        f"{method.upper()} {path}": operation
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    }


def test_every_route_is_there_and_no_other(document: dict[str, Any]):
    documented = operations(document)
    assert {name: operation["security"] for name, operation in documented.items()} == {
        name: [{"token": [route.scope]}] if route.guarded else [] for name, route in OPERATIONS.items()
    }
    assert len({operation["operationId"] for operation in documented.values()}) == len(documented) == len(ROUTES)


def test_every_status_that_the_code_gives_is_there(document: dict[str, Any]):
    coded: set[str] = set()
    for file in WEB.glob("*.py"):
        coded |= set(re.findall(r"(?:RefusedError\(|status=|\}, )(\d{3})\b", file.read_text()))
    documented = {status for operation in operations(document).values() for status in operation["responses"]}
    assert len(coded) >= 12
    assert coded - documented == {"405"}  # of methods that are not there
    assert "405" in document["info"]["description"]


def asked(operation: str, body: bytes | None = None, pet_id: str = "pet_123", **headers: str) -> bytes:
    method, _, path = operation.partition(" ")
    if body is None:
        body = body_for(path) if method == "POST" else b""
    return raw(method, path.format(pet_id=pet_id, image_id="img_1"), body, **headers)


def check_answer(document: dict[str, Any], operation: str, reply: Reply) -> None:
    """Body and headers are as they are documented for that status, to the letter."""
    documented = operations(document)[operation]["responses"][str(reply.status)]
    assert ("content" in documented) == bool(reply.body)
    if reply.body:
        [content] = documented["content"].values()
        body = json.loads(reply.body)
        assert errors(content["schema"], body, document) == []
        schemas = [resolved(each, document) for each in content["schema"].get("anyOf", [content["schema"]])]
        assert set(body) in [set(schema["properties"]) for schema in schemas]
    headers = {name.lower() for name in documented.get("headers", ())}
    sent = reply.headers.keys() & {"etag", "retry-after"}
    assert sent == headers or (sent < headers and "batch" in operation)


SUBMIT, BATCH, CORRECT = f"POST {JOBS}", f"POST {JOBS}/batch", f"POST {PET}/corrections"
INVALIDATE, ERASE, VIEW = f"POST {PET}/invalidate", f"DELETE {PET}", f"GET {PET}/clusters"
SUGGEST = f"GET {PET}/suggestions"
SAID, HIDDEN, WHY = f"GET {PET}/corrections", f"GET {PET}/hidden", f"GET {PET}/images/{{image_id}}/why"
FEED = "GET /internal/feed"
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
    *(Case(each, 200, asked(each)) for each in (SAID, HIDDEN, WHY)),
    *(Case(each, 304, asked(each, If_None_Match="*")) for each in (SAID, HIDDEN, WHY)),
    *(Case(each, 404, asked(each, pet_id="pet_9")) for each in (SAID, HIDDEN, WHY)),
    *(Case(each, 503, asked(each), BadStateError("field head of the album cannot be read")) for each in (SAID, WHY)),
    Case(FEED, 200, asked(f"{FEED}?partition=1")),
    Case(FEED, 410, asked(f"{FEED}?after=17-1")),
    Case(FEED, 422, asked(f"{FEED}?partition=2")),
    Case(FEED, 422, asked(f"{FEED}?after=x")),
    Case(INVALIDATE, 202, asked(INVALIDATE)),
    Case(INVALIDATE, 202, asked(INVALIDATE, pet_id="pet_9")),
    Case(ERASE, 200, asked(ERASE)),
    Case(ERASE, 200, asked(ERASE, pet_id="pet_9")),
    Case("GET /internal/health/redis", 200, asked("GET /internal/health/redis")),
]


@pytest.fixture
async def busy(serve: Serve) -> Service:
    """With bounds that are soon reached."""
    return await serve(max_body_bytes=4096, body_timeout_s=0.1)


@pytest.mark.parametrize("case", ANSWERS)
async def test_an_answer_is_as_documented(document: dict[str, Any], service: Service, case: Case):
    service.store.error = case.error
    reply = await service.send(case.request)
    assert reply.status == case.status
    check_answer(document, case.operation, reply)


def common_answers(operation: str) -> dict[int, bytes]:
    """Status -> a request that brings it about, of those that any route like this one may give."""
    route = OPERATIONS[operation]
    requests = {400: asked(operation, Transfer_Encoding="nonsense"), 431: asked(operation, X_Long="a" * 20_000)}
    if route.guarded:
        requests |= {401: asked(operation, X_Internal_Token="x"), 500: asked(operation)}
        requests |= {403: asked(operation, X_Internal_Token=token_for("erase" if route.scope != "erase" else "read"))}
    if route.guarded or route.path == "/readyz":
        requests |= {503: asked(operation)}
    if route.body:
        requests |= {408: asked(operation, b"{", Content_Length="9"), 413: asked(operation, Content_Length="9999")}
        requests |= {415: asked(operation, Content_Encoding="gzip")}
    if "{" in route.path:
        requests |= {422: asked(operation, pet_id="a%20b")}
    if operation == BATCH:
        del requests[503]  # it is told line by line
    return requests


@pytest.mark.parametrize("operation", SERVED)
async def test_a_common_answer_is_as_documented(document: dict[str, Any], busy: Service, operation: str):
    busy.health.set_fault("redis", "redis unavailable")
    for status, request in common_answers(operation).items():
        busy.store.error = {500: KeyError(), 503: StoreUnavailableError()}.get(status)
        reply = await busy.send(request)
        assert reply.status == status
        check_answer(document, operation, reply)


def test_every_documented_answer_was_seen(document: dict[str, Any]):
    """By the two tests above, those of the view and of the document, and those of connections (503)."""
    seen = {(case.operation, case.status) for case in ANSWERS} | {(VIEW, 200), ("GET /openapi.json", 200)}
    seen |= {(name, status) for name in SERVED for status in common_answers(name)}
    documented = {
        (name, int(status)) for name, operation in operations(document).items() for status in operation["responses"]
    }
    assert seen <= documented
    left = {(name, status) for name, status in documented - seen if name != "GET /metrics"}
    probes = ("GET /healthz", "GET /readyz", "GET /openapi.json")
    assert left == {(BATCH, 503), (FEED, 501), *((name, 500) for name in probes), (probes[0], 503), (probes[2], 503)}


async def test_it_is_served_without_a_token(service: Service, client: ClientSession, document: dict[str, Any]):
    for headers in ({}, {"X-Internal-Token": "wrong"}):
        async with client.get("/openapi.json", headers=headers) as answer:
            assert (answer.status, answer.content_type) == (200, "application/json")
            text = await answer.text()
            assert json.loads(text) == document
    assert TOKEN not in text


def test_every_example_is_valid(document: dict[str, Any]):
    examples = 0
    for operation in operations(document).values():
        for holder in (operation.get("requestBody", {}), *operation["responses"].values()):
            for content in holder.get("content", {}).values():
                if "example" in content:
                    examples += 1
                    assert errors(content["schema"], content["example"], document) == []
    assert examples >= 15
    decode_request(json.dumps(contract.JOB).encode(), LimitsSettings())
    decode_corrections("pet_123", msgspec.json.encode(contract.CORRECTIONS), LimitsSettings())


BEYOND_A_SCHEMA = {
    "all zeros",
    "captured_at",
    "number out of range",
    "a cluster's id is",
    "in all",
    "two different",
    "either cluster",
    "seen: at most",
}
"""What is checked of a vector's numbers, times, which clusters are corrected; beside all that is in a packed vector."""


@pytest.mark.parametrize("bad", [bad for bad in CORPUS if bad.reason == "invalid"], ids=lambda bad: bad.name)
def test_what_the_schema_lets_through_is_refused_for_what_no_schema_says(document: dict[str, Any], bad):
    if errors({"$ref": "#/components/schemas/JobRequest"}, json.loads(bad.body), document):
        return
    with pytest.raises(BadJobError) as refused:
        decode_request(bad.body, LimitsSettings())
    assert "packed" in bad.name or any(reason in refused.value.detail for reason in BEYOND_A_SCHEMA)


def test_references_and_patterns_can_be_used_elsewhere(document: dict[str, Any]):
    text = json.dumps(document)
    schemas = set(document["components"]["schemas"])
    assert set(re.findall(r'"#/components/schemas/(\w+)"', text)) == schemas
    assert r"\\Z" not in text


def test_limits_are_those_of_the_settings():
    limits = replace(LimitsSettings(), images_per_job=7, image_ids_per_job=8, vector_length=9, id_length=10)
    content = Document(ROUTES, limits).content()
    schema = {"$ref": "#/components/schemas/JobRequest"}

    def bad(**payload: object) -> list[str]:
        return errors(schema, {"pet_id": "pet", "payload": payload}, content)

    assert bad(image_ids=["a" * 10] * 8, labels=["a"] * 7, images=[{"image_id": "i", "pose": [1] * 9}] * 7) == []
    for payload in (
        {"image_ids": ["a" * 11]},
        {"image_ids": ["a"] * 9},
        {"removed_image_ids": ["a"] * 9},
        {"labels": ["a"] * 8},
        {"coverage": {str(n): 0 for n in range(8)}},
        {"images": [{"image_id": "i"}] * 8},
        {"images": [{"image_id": "i", "embedding": [1] * 10}]},
        {"images": [{"image_id": "i", "context": []}]},
        {"corrections": [{"op": "rename", "cluster": "pet-cluster-0", "label": "x"}] * 8},
        {"corrections": [{"op": "merge", "clusters": ["pet-cluster-0"] * 8}]},
        {"corrections": [{"op": "split", "cluster": "pet-cluster-0", "image_ids": ["a"] * 8}]},
        {"corrections": [{"op": "move", "to": "pet-cluster-0", "image_ids": ["a"] * 8}]},
    ):
        assert bad(**payload), payload
    assert errors(schema, {"pet_id": "a" * 11}, content)
