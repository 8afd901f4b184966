"""The OpenAPI document, held against the routes, the handlers and what they answer."""

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pytest
from aiohttp import ClientSession

import sploot_clusterd
from sploot_clusterd.config import LimitsSettings
from sploot_clusterd.errors import BadJobError, StoreUnavailableError
from sploot_clusterd.web import contract
from sploot_clusterd.web.openapi import Document
from sploot_clusterd.web.routes import ROUTES
from sploot_clusterd.wire import decode_corrections, decode_request
from tests.web.answers import ANSWERS, BACK, BATCH, ERASE, FEED, IMAGE, LATEST, VERSION, VIEW, WAS, Case, asked
from tests.web.json_schema import errors, resolved
from tests.web.service import (
    TOKEN,
    Reply,
    Serve,
    Service,
    query_for,
    token_for,
)
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
    operation += query_for(operation)
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
        requests |= {422: asked(operation, pet_id="a%20b", image_id="a%20b", letter_id="a%20b")}
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
    """By the two tests above, those of the view, the document, what is off or pending, and of connections (503)."""
    seen = {(case.operation, case.status) for case in ANSWERS} | {(VIEW, 200), ("GET /openapi.json", 200)}
    seen |= {(name, status) for name in SERVED for status in common_answers(name)}
    documented = {
        (name, int(status)) for name, operation in operations(document).items() for status in operation["responses"]
    }
    assert seen <= documented
    left = {(name, status) for name, status in documented - seen if name != "GET /metrics"}
    probes = ("GET /healthz", "GET /readyz", "GET /openapi.json")
    off = ((name, 501) for name in (FEED, LATEST, WAS, VERSION, IMAGE, BACK))
    pending = {(ERASE, 202)}
    assert left == {(BATCH, 503), *pending, *off, *((name, 500) for name in probes), (probes[0], 503), (probes[2], 503)}


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
