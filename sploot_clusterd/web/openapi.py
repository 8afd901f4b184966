"""`/openapi.json`: the HTTP contract for machines, made of the wire's structs and the table of routes."""

from collections.abc import Iterable, Iterator
from functools import cached_property
from typing import Any, Final

import msgspec
from aiohttp import hdrs, web

from sploot_clusterd import __version__
from sploot_clusterd.config import LimitsSettings
from sploot_clusterd.model import CLUSTER_PATTERN, ID_PATTERN, KINDS, NAMED_ID_PATTERN
from sploot_clusterd.web.answers import JSON, Response
from sploot_clusterd.web.auth import TOKEN_HEADER
from sploot_clusterd.web.past import LARGEST_VERSION
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
_BOUNDED: Final = {
    "images_per_job": "JobPayload.images JobPayload.labels JobPayload.coverage JobPayload.corrections "
    "CorrectionsRequest.corrections Merge.clusters Split.image_ids Move.image_ids",
    "image_ids_per_job": "JobPayload.image_ids JobPayload.removed_image_ids",
}
"""Setting -> the fields that have at most so many entries."""
_ID: Final = {"type": "string", "pattern": ID_PATTERN}
_IN_PATHS: Final[dict[str, dict[str, Any]]] = {
    "cluster_id": {"type": "string", "pattern": CLUSTER_PATTERN},
    "version": {"type": "integer", "minimum": 0, "maximum": LARGEST_VERSION},
}
"""Parameters that are no ids as others are."""
_TOKEN: Final = {
    "type": "apiKey",
    "in": "header",
    "name": TOKEN_HEADER,
    "description": "An operation names the scope that its caller has to have; who lacks it gets a 403.",
}
_ABOUT: Final = (
    "Errors are always {detail}. A path that does not exist is a 404 (below /internal a 401 without the token), and "
    "another method of one that does is a 405 with Allow. HEAD is answered wherever GET is. Unknown keys of a job are "
    "ignored."
)


class Document:
    """The document of one configuration; made when it is first asked for."""

    def __init__(self, routes: Iterable[Route[Any]], limits: LimitsSettings, base_path: str = "") -> None:
        self._routes = tuple(routes)
        self._limits = limits
        self._base_path = base_path

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
        document: dict[str, Any] = {
            "openapi": "3.1.0",
            "info": {"title": "sploot-clusterd", "version": __version__, "description": _ABOUT},
            "servers": [{"url": self._base_path or "/"}],
            "paths": paths,
            "components": {
                "schemas": _schemas(self._routes, self._limits),
                "securitySchemes": {"token": _TOKEN},
            },
        }
        return document


def _operation(route: Route[Any]) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "operationId": route.handler.__name__,
        "summary": route.summary,
        "security": [{"token": [route.scope]}] if route.guarded else [],
        "responses": {str(status): _response(answer) for status, answer in sorted(route.all_answers.items())},
    }
    if parameters := list(_parameters(route)):
        operation["parameters"] = parameters
    if route.body:
        content = {"schema": _reference(route.body.struct), "example": msgspec.to_builtins(route.body.example)}
        operation["requestBody"] = {"required": True, "content": {route.body.content_type: content}}
    return operation


def _parameters(route: Route[Any]) -> Iterator[dict[str, Any]]:
    for name in PARAMETER.findall(route.path):
        schema = dict(_IN_PATHS.get(name, _ID))
        yield {"name": name, "in": "path", "required": True, "schema": schema}
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
    if structs := [_reference(struct) for struct in _structs(answer)]:
        content["schema"] = structs[0] if len(structs) == 1 else {"anyOf": structs}
    if isinstance(answer.body, msgspec.Struct):
        content["example"] = msgspec.to_builtins(answer.body)
    if structs or answer.content_type:
        response["content"] = {answer.content_type or JSON: content}
    return response


def _structs(answer: Answer) -> Iterator[type[msgspec.Struct]]:
    """What the body may be."""
    if answer.body is not None:
        yield answer.body if isinstance(answer.body, type) else type(answer.body)
    if answer.or_else:
        yield answer.or_else


def _reference(struct: type[msgspec.Struct]) -> dict[str, str]:
    return {"$ref": _SCHEMAS + struct.__name__}


def _schemas(routes: Iterable[Route[Any]], limits: LimitsSettings) -> dict[str, Any]:
    answers = [answer for route in routes for answer in route.all_answers.values()]
    structs = {struct for answer in answers for struct in _structs(answer)}
    structs |= {route.body.struct for route in routes if route.body}
    named = sorted(structs, key=lambda struct: struct.__name__)
    _, schemas = msgspec.json.schema_components(named, ref_template=_SCHEMAS + "{name}")
    _bound(schemas, limits)
    for setting, fields in _BOUNDED.items():
        for struct, _, field in (name.partition(".") for name in fields.split()):
            schema = _not_null(schemas[struct]["properties"][field])
            schema["maxItems" if schema["type"] == "array" else "maxProperties"] = getattr(limits, setting)
    image = schemas["ImageInsight"]["properties"]
    for kind in KINDS:
        _not_null(image[kind]).update(minItems=1, maxItems=limits.vector_length)
        image[kind]["description"] = "Not all zeros; one length for each kind and model version."
    for moment in (image["captured_at"], schemas["PauseRequest"]["properties"]["until"]):
        _not_null(moment)["format"] = "date-time"
        moment["description"] = "RFC 3339; without a zone it is taken as UTC."
    schemas["PackedVector"]["properties"]["data"].update(_BASE64)
    return schemas


def _not_null(schema: dict[str, Any]) -> dict[str, Any]:
    """The schema of a value that may be null, where it is not."""
    alternatives: list[dict[str, Any]] = schema.get("anyOf", [schema])
    return alternatives[0]


def _bound(schema: Any, limits: LimitsSettings) -> None:
    """Sets the length of ids, which is a setting, and has patterns end as JSON Schema's do, not Python's."""
    if isinstance(schema, dict):
        if schema.get("pattern") in (ID_PATTERN, NAMED_ID_PATTERN):
            schema["maxLength"] = limits.id_length
        if isinstance(pattern := schema.get("pattern"), str):
            schema["pattern"] = pattern.replace(r"\Z", "$")
    for inner in schema.values() if isinstance(schema, dict) else schema if isinstance(schema, list) else ():
        _bound(inner, limits)
