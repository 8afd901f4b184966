"""The OpenAPI document, held against the routes, the handlers and what they answer."""

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pytest
from aiohttp import ClientSession
from json_schema import errors, resolved
from web_service import CORRECTIONS, JOB, TOKEN, Serve, Service, body_for, raw

import sploot_clusterd
from sploot_clusterd.config import LimitsSettings
from sploot_clusterd.errors import BacklogFullError, BadJobError, StoreUnavailableError
from sploot_clusterd.web import contract
from sploot_clusterd.web.openapi import Document
from sploot_clusterd.web.routes import ROUTES
from sploot_clusterd.wire import decode_corrections, decode_request
from tests.wire.corpus import CORPUS

WEB = Path(sploot_clusterd.__file__).parent / "web"
JOBS, PET = "/internal/cluster-jobs", "/internal/pets/{pet_id}"
BATCH = JOBS + "/batch"
VIEWS, CORRECT = PET + "/clusters", PET + "/corrections"


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    content = Document(ROUTES, LimitsSettings()).content()
    return json.loads(json.dumps(content))


@pytest.fixture
async def busy(serve: Serve) -> Service:
    """With bounds that are soon reached."""
    return await serve(max_body_bytes=4096, body_timeout_s=0.1)


def operations(document: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {
        f"{method.upper()} {path}": operation
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    }


def check_body(document: dict[str, Any], operation: str, status: int, body: Any) -> None:
    """The body is of the shape that is documented for that status, to the letter."""
    [content] = operations(document)[operation]["responses"][str(status)]["content"].values()
    assert errors(content["schema"], body, document) == []
    schemas = [resolved(each, document) for each in content["schema"].get("anyOf", [content["schema"]])]
    assert set(body) in [set(schema["properties"]) for schema in schemas]


def test_every_route_and_method_is_there_and_no_other(document: dict[str, Any]):
    routes = {f"{route.method} {route.path}": route.guarded for route in ROUTES}
    documented = operations(document)
    assert documented.keys() == routes.keys()
    assert len(routes) == len(ROUTES)
    assert {name: operation["security"] for name, operation in documented.items()} == {
        name: [{"token": []}] if guarded else [] for name, guarded in routes.items()
    }
    assert len({operation["operationId"] for operation in documented.values()}) == len(documented)


def test_every_status_that_the_code_gives_is_there(document: dict[str, Any]):
    given: set[str] = set()
    for file in WEB.glob("*.py"):
        given |= set(re.findall(r"(?:RefusedError\(|status=|\}, )(\d{3})\b", file.read_text()))
    documented = {status for operation in operations(document).values() for status in operation["responses"]}
    assert len(given) >= 12
    assert given - documented == {"405"}  # of methods that are not there
    assert "405" in document["info"]["description"]


ANSWERS: list[tuple[str, int, tuple[bytes, Exception | None]]] = [
    ("GET /healthz", 200, (raw("GET", "/healthz"), None)),
    ("GET /readyz", 200, (raw("GET", "/readyz"), None)),
    (f"POST {JOBS}", 202, (raw("POST", JOBS, JOB), None)),
    (f"POST {JOBS}", 400, (raw("POST", JOBS, b"{"), None)),
    (f"POST {JOBS}", 401, (raw("POST", JOBS, JOB, X_Internal_Token="x"), None)),
    (f"POST {JOBS}", 408, (raw("POST", JOBS, b"{", Content_Length="9"), None)),
    (f"POST {JOBS}", 413, (raw("POST", JOBS, b"", Content_Length="9999"), None)),
    (f"POST {JOBS}", 415, (raw("POST", JOBS, JOB, Content_Encoding="gzip"), None)),
    (f"POST {JOBS}", 422, (raw("POST", JOBS, b"{}"), None)),
    (f"POST {JOBS}", 422, (b"", BadJobError("invalid", "too much"))),
    (f"POST {JOBS}", 500, (b"", KeyError())),
    (f"POST {JOBS}", 503, (b"", BacklogFullError("full"))),
    *(
        (f"POST {BATCH}", status, (raw("POST", BATCH, body, **headers), error))
        for status, body, headers, error in (
            (200, JOB, {}, None),
            (200, b"{", {}, None),
            (200, JOB, {}, BacklogFullError("full")),
            (400, b"zz\r\n", {"Transfer_Encoding": "chunked", "Content_Length": ""}, None),
            (408, b"{", {"Content_Length": "9"}, None),
            (413, b"", {"Content_Length": "9999"}, None),
            (415, JOB, {"Content_Type": "application/json"}, None),
            (422, b"", {}, None),
        )
    ),
    *(
        (f"POST {CORRECT}", status, (raw("POST", CORRECT.format(pet_id=pet_id), body, **headers), None))
        for status, pet_id, body, headers in (
            (202, "pet_123", CORRECTIONS, {}),
            (400, "pet_123", b"{", {}),
            (404, "pet_9", CORRECTIONS.replace(b"pet_123", b"pet_9"), {}),
            (408, "pet_123", b"{", {"Content_Length": "9"}),
            (413, "pet_123", b"", {"Content_Length": "9999"}),
            (415, "pet_123", CORRECTIONS, {"Content_Encoding": "gzip"}),
            (422, "pet_123", b'{"corrections": []}', {}),
        )
    ),
    (f"GET {VIEWS}", 304, (raw("GET", VIEWS.format(pet_id="pet_123"), If_None_Match="*"), None)),
    (f"GET {VIEWS}", 404, (raw("GET", VIEWS.format(pet_id="pet_9")), None)),
    (f"DELETE {PET}", 200, (raw("DELETE", PET.format(pet_id="pet_9")), None)),
    (f"POST {PET}/invalidate", 202, (raw("POST", PET.format(pet_id="pet_9") + "/invalidate"), None)),
]


def asked(operation: str, pet_id: str = "pet_123", **headers: str) -> bytes:
    method, _, path = operation.partition(" ")
    return raw(method, path.format(pet_id=pet_id), body_for(path) if method == "POST" else b"", **headers)


@pytest.mark.parametrize(("operation", "status", "case"), ANSWERS)
async def test_an_answer_is_as_documented(
    document: dict[str, Any], busy: Service, operation: str, status: int, case: tuple[bytes, Exception | None]
):
    given, busy.store.error = case
    reply = await busy.send(given or asked(operation))
    assert reply.status == status
    if reply.body:
        check_body(document, operation, status, json.loads(reply.body))
    documented = operations(document)[operation]["responses"][str(status)]
    assert ("content" in documented) == bool(reply.body)
    headers = {name.lower() for name in documented.get("headers", ())}
    given = reply.headers.keys() & {"etag", "retry-after"}
    assert given == headers or (given < headers and operation == f"POST {BATCH}")


GUARDED = [f"{route.method} {route.path}" for route in ROUTES if route.guarded]
OPEN = ["GET /healthz", "GET /readyz", "GET /openapi.json"]


@pytest.mark.parametrize("operation", [*GUARDED, *OPEN])
async def test_what_any_request_may_be_answered_is_as_documented(
    document: dict[str, Any], service: Service, operation: str
):
    service.health.fault("redis", "redis unavailable")
    expected = {431: asked(operation, X_Long="a" * 20_000), 400: asked(operation, Transfer_Encoding="nonsense")}
    if operation == "GET /readyz":
        expected[503] = asked(operation)
    if operation in GUARDED:
        expected |= {401: asked(operation, X_Internal_Token="x"), 500: asked(operation)}
        expected |= {} if operation == f"POST {BATCH}" else {503: asked(operation)}
    if "{pet_id}" in operation:
        expected[422] = asked(operation, pet_id="a%20b")
    for status, request in expected.items():
        service.store.error = {500: KeyError(), 503: StoreUnavailableError()}.get(status)
        reply = await service.send(request)
        assert reply.status == status
        check_body(document, operation, status, json.loads(reply.body))


def test_every_documented_answer_was_seen(document: dict[str, Any]):
    """By the two tests above, that of the view below, and those of connections (503) and the metrics port."""
    seen = {(operation, status) for operation, status, *_ in ANSWERS}
    seen |= {(operation, status) for operation in (*GUARDED, *OPEN) for status in (400, 431)}
    seen |= {(operation, status) for operation in GUARDED for status in (401, 500, 503)}
    seen |= {(operation, 422) for operation in GUARDED if "{pet_id}" in operation}
    seen |= {("GET /readyz", 503), (f"GET {VIEWS}", 200), ("GET /internal/health/redis", 200), (OPEN[2], 200)}
    documented = {
        (name, int(status)) for name, operation in operations(document).items() for status in operation["responses"]
    }
    assert seen <= documented
    left = {(name, status) for name, status in documented - seen if name != "GET /metrics"}
    assert left == {(name, 500) for name in OPEN} | {("GET /healthz", 503), ("GET /openapi.json", 503)}


async def test_redis_health_and_invalidations_are_as_documented(document: dict[str, Any], client: ClientSession):
    for operation, status in (
        ("GET /internal/health/redis", 200),
        (f"POST {PET}/invalidate", 202),
        (f"POST {PET}/invalidate", 202),
        (f"DELETE {PET}", 200),
    ):
        method, _, path = operation.partition(" ")
        async with client.request(method, path.format(pet_id="pet_123")) as answer:
            assert answer.status == status
            check_body(document, operation, status, await answer.json())


async def test_it_is_served_without_a_token(service: Service, client: ClientSession, document: dict[str, Any]):
    for headers in ({}, {"X-Internal-Token": "wrong"}):
        async with client.get("/openapi.json", headers=headers) as answer:
            assert (answer.status, answer.content_type) == (200, "application/json")
            text = await answer.text()
            assert json.loads(text) == document
    assert TOKEN not in text


def test_every_example_is_valid(document: dict[str, Any]):
    found = 0
    for operation in operations(document).values():
        for holder in (operation.get("requestBody", {}), *operation["responses"].values()):
            for content in holder.get("content", {}).values():
                if "example" in content:
                    found += 1
                    assert errors(content["schema"], content["example"], document) == []
    assert found >= 15
    decode_request(json.dumps(contract.JOB).encode(), LimitsSettings())
    decode_corrections("pet_123", msgspec.json.encode(contract.CORRECTIONS), LimitsSettings())


BEYOND_A_SCHEMA = {"all zeros", "captured_at", "number out of range", "a cluster's id is", "in all"}
"""What is checked of a vector's numbers, times, whose clusters are corrected; beside all that is in a packed vector."""


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
