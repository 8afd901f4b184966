"""`/openapi.json`: the HTTP contract for machines, made of the wire's structs and the table of routes."""

import re
from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property
from typing import Any, Final

import msgspec
from aiohttp import hdrs, web

from sploot_clusterd import __version__
from sploot_clusterd.config import LimitsSettings
from sploot_clusterd.model import ID_PATTERN, NAMED_ID_PATTERN
from sploot_clusterd.web.answers import JSON, NDJSON, Reply
from sploot_clusterd.web.auth import TOKEN_HEADER
from sploot_clusterd.web.operations import ANYWHERE, GUARDED, OPERATIONS, Answer, Operation
from sploot_clusterd.web.routing import Route

_SCHEMAS: Final = "#/components/schemas/"
_CONTENT_TYPES: Final = {"json": JSON, "ndjson": NDJSON, "text": "text/plain"}
_HEADERS: Final = {
    "Retry-After": {"description": "Seconds after which to try again.", "schema": {"type": "integer", "minimum": 1}},
    "WWW-Authenticate": {"description": "How to present a token.", "schema": {"type": "string"}},
    "ETag": {"description": "A strong tag of the body's bytes.", "schema": {"type": "string"}},
}
_BASE64: Final = {
    "contentEncoding": "base64",
    "description": "Finite numbers of 2 (f16) or 4 bytes (f32) each, as many as a vector may have, not all 0.",
}
_ID: Final = {"type": "string", "pattern": ID_PATTERN}
_ABOUT: Final = (
    "Errors are always {detail}. A path that does not exist is a 404 (below /internal a 401 without the token), and "
    "another method of one that does is a 405 with Allow. HEAD is answered wherever GET is. Unknown keys of a job are "
    "ignored."
)


class Document:
    """The document of one configuration; made when it is first asked for."""

    def __init__(self, routes: Iterable[Route], limits: LimitsSettings) -> None:
        self._routes = tuple(route for route in routes if route.methods)
        self._limits = limits

    @cached_property
    def encoded(self) -> bytes:
        return msgspec.json.encode(self.content())

    def content(self) -> dict[str, Any]:
        paths: dict[str, dict[str, Any]] = {}
        for route in self._routes:
            paths[route.path] = {
                method.lower(): _operation(OPERATIONS[f"{method} {route.path}"], route.path, guarded=route.guarded)
                for method in route.methods
            }
        _bound(paths, self._limits)
        return {
            "openapi": "3.1.0",
            "info": {"title": "sploot-clusterd", "version": __version__, "description": _ABOUT},
            "paths": paths,
            "components": {
                "schemas": _schemas(self._limits),
                "securitySchemes": {"token": {"type": "apiKey", "in": "header", "name": TOKEN_HEADER}},
            },
        }


DOCUMENT: Final = web.RequestKey("openapi", Document)


async def openapi(request: web.BaseRequest) -> Reply:
    """GET: the document."""
    return Reply(200, request[DOCUMENT].encoded)


def _operation(operation: Operation, path: str, *, guarded: bool) -> dict[str, Any]:
    answers = {**ANYWHERE, **(GUARDED if guarded else {}), **operation.answers}
    described: dict[str, Any] = {
        "operationId": operation.name,
        "summary": operation.summary,
        "security": [{"token": []}] if guarded else [],
        "responses": {str(status): _response(answers[status]) for status in sorted(answers)},
    }
    if parameters := list(_parameters(operation, path)):
        described["parameters"] = parameters
    if operation.request:
        content = {"schema": _reference(operation.request), "example": operation.example}
        described["requestBody"] = {"required": True, "content": {_CONTENT_TYPES[operation.content_type]: content}}
    return described


def _parameters(operation: Operation, path: str) -> Iterator[dict[str, Any]]:
    for name in re.findall(r"\{(\w+)\}", path):
        yield {"name": name, "in": "path", "required": True, "schema": dict(_ID)}
    if 304 in operation.answers:  # noqa: PLR2004 - a status
        yield {"name": str(hdrs.IF_NONE_MATCH), "in": "header", "schema": {"type": "string"}}


def _response(answer: Answer) -> dict[str, Any]:
    described: dict[str, Any] = {"description": answer.about}
    if answer.headers:
        described["headers"] = {name: _HEADERS[name] for name in answer.headers}
    if answer.body:
        schema: dict[str, Any] = _reference(answer.body)
        if answer.or_else:
            schema = {"anyOf": [schema, _reference(answer.or_else)]}
        content: dict[str, Any] = {"schema": schema}
        if answer.example is not None:
            content["example"] = answer.example
        described["content"] = {_CONTENT_TYPES[answer.content_type or "json"]: content}
    elif answer.content_type:
        described["content"] = {_CONTENT_TYPES[answer.content_type]: {}}
    return described


def _reference(struct: type[msgspec.Struct]) -> dict[str, str]:
    return {"$ref": _SCHEMAS + struct.__name__}


def _schemas(limits: LimitsSettings) -> dict[str, Any]:
    told = (ANYWHERE, GUARDED, *(operation.answers for operation in OPERATIONS.values()))
    structs = {struct for answers in told for answer in answers.values() for struct in (answer.body, answer.or_else)}
    structs |= {operation.request for operation in OPERATIONS.values()}
    named = sorted((struct for struct in structs if struct), key=lambda struct: struct.__name__)
    _, schemas = msgspec.json.schema_components(named, ref_template=_SCHEMAS + "{name}")
    _bound(schemas, limits)
    payload, image = schemas["JobPayload"]["properties"], schemas["ImageInsight"]["properties"]
    for name in ("images", "labels"):
        _given(payload[name])["maxItems"] = limits.images_per_job
    for name in ("image_ids", "removed_image_ids"):
        _given(payload[name])["maxItems"] = limits.image_ids_per_job
    _given(payload["coverage"])["maxProperties"] = limits.images_per_job
    for corrections in (_given(payload["corrections"]), schemas["CorrectionsRequest"]["properties"]["corrections"]):
        corrections["maxItems"] = limits.images_per_job
    schemas["Merge"]["properties"]["clusters"]["maxItems"] = limits.images_per_job
    for op in ("Split", "Move"):
        schemas[op]["properties"]["image_ids"]["maxItems"] = limits.images_per_job
    for kind in ("embedding", "pose", "context"):
        _given(image[kind]).update(minItems=1, maxItems=limits.vector_length)
        image[kind]["description"] = "Not all zeros; one length for each kind and model version."
    _given(image["captured_at"])["format"] = "date-time"
    image["captured_at"]["description"] = "RFC 3339; without a zone it is taken as UTC."
    schemas["PackedVector"]["properties"]["data"].update(_BASE64)
    return schemas


def _given(nullable: Mapping[str, Any]) -> dict[str, Any]:
    """The schema of a value that may be null, where it is not."""
    schema: dict[str, Any] = nullable["anyOf"][0]
    return schema


def _bound(schema: Any, limits: LimitsSettings) -> None:
    """Sets the length of ids, which is a setting, and has patterns end as JSON Schema's do, not Python's."""
    if isinstance(schema, dict):
        if schema.get("pattern") in (ID_PATTERN, NAMED_ID_PATTERN):
            schema["maxLength"] = limits.id_length
        if isinstance(pattern := schema.get("pattern"), str):
            schema["pattern"] = pattern.replace(r"\Z", "$")
    for inner in schema.values() if isinstance(schema, dict) else schema if isinstance(schema, list) else ():
        _bound(inner, limits)
