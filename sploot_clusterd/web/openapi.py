"""`/openapi.json`: the HTTP contract for machines, made of the wire's structs and the table of routes."""

from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property
from typing import Any, Final

import msgspec
from aiohttp import hdrs, web

from sploot_clusterd import __version__
from sploot_clusterd.config import LimitsSettings
from sploot_clusterd.model import ID_PATTERN
from sploot_clusterd.web.answers import JSON, Response
from sploot_clusterd.web.auth import TOKEN_HEADER
from sploot_clusterd.web.route import PARAMETER, Answer, Route

_SCHEMAS: Final = "#/components/schemas/"
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


_ANY: Final = {
    400: Answer("The bytes are no HTTP as it should be; the connection ends."),
    431: Answer("The request line or a header is too long."),
    500: Answer("A fault of the daemon.", example={"detail": "internal error"}),
    503: Answer("Too many connections are open.", headers=("Retry-After",), example={"detail": "too many connections"}),
}
_GUARDED: Final = {
    401: Answer("The token is wrong or missing.", example={"detail": "invalid internal token"}),
    503: Answer(
        "Redis does not answer, refuses, or too many connections are open. A write may have happened all the same; "
        "to repeat it is harmless.",
        headers=("Retry-After",),
        example={"detail": "redis unavailable"},
    ),
}
_WITH_BODY: Final = {
    400: Answer("The body is not JSON (NaN and Infinity are not), nests too deeply, or is badly framed."),
    408: Answer("The body did not arrive in time."),
    413: Answer("The body is too large."),
    415: Answer("The body is encoded, or its Content-Type is not JSON. None at all is taken for JSON."),
}


class Document:
    """The document of one configuration; made when it is first asked for."""

    def __init__(self, routes: Iterable[Route[Any]], limits: LimitsSettings) -> None:
        self._routes = tuple(routes)
        self._limits = limits

    async def openapi(self, _request: web.BaseRequest) -> Response:
        return Response(200, self._encoded)

    @cached_property
    def _encoded(self) -> bytes:
        return msgspec.json.encode(self.content())

    def content(self) -> dict[str, Any]:
        paths: dict[str, dict[str, Any]] = {}
        for route in self._routes:
            paths.setdefault(route.path, {})[route.method.lower()] = _operation(route)
        _bound(paths, self._limits)
        return {
            "openapi": "3.1.0",
            "info": {"title": "sploot-clusterd", "version": __version__, "description": _ABOUT},
            "paths": paths,
            "components": {
                "schemas": _schemas(self._routes, self._limits),
                "securitySchemes": {"token": {"type": "apiKey", "in": "header", "name": TOKEN_HEADER}},
            },
        }


def _answers(route: Route[Any]) -> dict[int, Answer]:
    """All that the route may answer. What is said of fewer routes goes before what is said of more."""
    guarded, with_body = _GUARDED if route.guarded else {}, _WITH_BODY if route.body else {}
    return {**_ANY, **guarded, **with_body, **route.answers}


def _operation(route: Route[Any]) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "operationId": route.handler.__name__,
        "summary": route.summary,
        "security": [{"token": []}] if route.guarded else [],
        "responses": {str(status): _response(answer) for status, answer in sorted(_answers(route).items())},
    }
    if parameters := list(_parameters(route)):
        operation["parameters"] = parameters
    if route.body:
        content = {"schema": _reference(route.body.struct), "example": route.body.example}
        operation["requestBody"] = {"required": True, "content": {route.body.content_type: content}}
    return operation


def _parameters(route: Route[Any]) -> Iterator[dict[str, Any]]:
    for name in PARAMETER.findall(route.path):
        yield {"name": name, "in": "path", "required": True, "schema": dict(_ID)}
    if route.query:
        _, components = msgspec.json.schema_components([route.query])
        query = components[route.query.__name__]
        for name, schema in query["properties"].items():
            yield {"name": name, "in": "query", "required": name in query["required"], "schema": schema}
    if 304 in route.answers:  # noqa: PLR2004 - a status
        yield {"name": str(hdrs.IF_NONE_MATCH), "in": "header", "schema": {"type": "string"}}


def _response(answer: Answer) -> dict[str, Any]:
    response: dict[str, Any] = {"description": answer.about}
    if answer.headers:
        response["headers"] = {name: _HEADERS[name] for name in answer.headers}
    content: dict[str, Any] = {}
    if answer.body:
        schema = _reference(answer.body)
        content["schema"] = {"anyOf": [schema, _reference(answer.or_else)]} if answer.or_else else schema
    if answer.example is not None:
        content["example"] = answer.example
    if answer.body or answer.content_type:
        response["content"] = {answer.content_type or JSON: content}
    return response


def _reference(struct: type[msgspec.Struct]) -> dict[str, str]:
    return {"$ref": _SCHEMAS + struct.__name__}


def _schemas(routes: Iterable[Route[Any]], limits: LimitsSettings) -> dict[str, Any]:
    answers = [answer for route in routes for answer in _answers(route).values()]
    structs = {struct for answer in answers for struct in (answer.body, answer.or_else)}
    structs |= {route.body.struct for route in routes if route.body}
    named = sorted((struct for struct in structs if struct), key=lambda struct: struct.__name__)
    _, schemas = msgspec.json.schema_components(named, ref_template=_SCHEMAS + "{name}")
    _bound(schemas, limits)
    payload, image = schemas["JobPayload"]["properties"], schemas["ImageInsight"]["properties"]
    for name in ("images", "labels"):
        _not_null(payload[name])["maxItems"] = limits.images_per_job
    for name in ("image_ids", "removed_image_ids"):
        _not_null(payload[name])["maxItems"] = limits.image_ids_per_job
    _not_null(payload["coverage"])["maxProperties"] = limits.images_per_job
    for corrections in (_not_null(payload["corrections"]), schemas["CorrectionsRequest"]["properties"]["corrections"]):
        corrections["maxItems"] = limits.images_per_job
    schemas["Merge"]["properties"]["clusters"]["maxItems"] = limits.images_per_job
    for op in ("Split", "Move"):
        schemas[op]["properties"]["image_ids"]["maxItems"] = limits.images_per_job
    for kind in ("embedding", "pose", "context"):
        _not_null(image[kind]).update(minItems=1, maxItems=limits.vector_length)
        image[kind]["description"] = "Not all zeros; one length for each kind and model version."
    _not_null(image["captured_at"])["format"] = "date-time"
    image["captured_at"]["description"] = "RFC 3339; without a zone it is taken as UTC."
    schemas["PackedVector"]["properties"]["data"].update(_BASE64)
    return schemas


def _not_null(nullable: Mapping[str, Any]) -> dict[str, Any]:
    """The schema of a value that may be null, where it is not."""
    schema: dict[str, Any] = nullable["anyOf"][0]
    return schema


def _bound(schema: Any, limits: LimitsSettings) -> None:
    """Sets the length of ids, which is a setting, and has patterns end as JSON Schema's do, not Python's."""
    if isinstance(schema, dict):
        if schema.get("pattern") == ID_PATTERN:
            schema["maxLength"] = limits.id_length
        if isinstance(pattern := schema.get("pattern"), str):
            schema["pattern"] = pattern.replace(r"\Z", "$")
    for inner in schema.values() if isinstance(schema, dict) else schema if isinstance(schema, list) else ():
        _bound(inner, limits)
