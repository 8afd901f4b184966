"""The page of the HTTP contract, made of the document that the daemon answers at /openapi.json."""

import json
from collections.abc import Iterator, Mapping
from itertools import groupby
from typing import Any, Final

from sploot_clusterd.config import LimitsSettings
from sploot_clusterd.web.answers import NDJSON
from sploot_clusterd.web.openapi import Document
from sploot_clusterd.web.routes import ROUTES

Schema = Mapping[str, Any]

_GROUPS: Final = {
    "submit": "Submitting jobs",
    "read": "Reading",
    "correct": "Correcting",
    "erase": "Erasing",
    "operate": "Operating",
    None: "Without a token",
}
"""Scope -> heading, in the order in which newcomers need them."""
_ABOUT: Final = """\
# HTTP

Every route, as `GET /openapi.json` of the daemon tells machines. What they are for is told by
[producers](producers.md), [readers](readers.md), [corrections](corrections.md), [the feed](feed.md),
[history](history.md) and [operations](operations.md). A token is a header `X-Internal-Token`; what one may do is its
[scopes](security.md#scopes).
"""


def http_page() -> str:
    content = Document(ROUTES, LimitsSettings()).content()
    return "\n".join([_ABOUT, content["info"]["description"], "", *_operations(content), *_structs(content)])


def _operations(content: Schema) -> Iterator[str]:
    operations = [
        (_scope(operation), f"{method.upper()} {path}", operation)
        for path, methods in content["paths"].items()
        for method, operation in methods.items()
    ]
    places = list(_GROUPS)
    operations.sort(key=lambda one: places.index(one[0]))
    for scope, group in groupby(operations, key=lambda one: one[0]):
        yield f"## {_GROUPS[scope]}\n"
        if scope:
            yield f"The token needs the scope `{scope}`.\n"
        for _, name, operation in group:
            yield f"### {name}\n\n{operation['summary']}\n"
            yield from _parameters(operation.get("parameters", ()))
            yield from _body(operation.get("requestBody"))
            yield from _answers(operation["responses"])


def _scope(operation: Schema) -> str | None:
    return next((scope for needed in operation["security"] for scope in needed["token"]), None)


def _parameters(parameters: list[Schema]) -> Iterator[str]:
    if not parameters:
        return
    yield "| parameter | in | type | required |\n|---|---|---|---|"
    for one in parameters:
        required = "yes" if one.get("required") else "no"
        yield _row(f"`{one['name']}`", one["in"], _type(one["schema"]), required)
    yield ""


def _body(body: Schema | None) -> Iterator[str]:
    for kind, content in body["content"].items() if body else ():
        yield f"The body is `{kind}`: {_type(content['schema'])}.\n"
        if "example" in content:
            yield _json(content["example"], indent=None if kind == NDJSON else 2)


def _answers(responses: Mapping[str, Schema]) -> Iterator[str]:
    yield "| status | when | body | headers |\n|---|---|---|---|"
    for status, answer in responses.items():
        contents = answer.get("content", {}).items()
        kinds = " or ".join(_type(one["schema"]) if "schema" in one else f"`{kind}`" for kind, one in contents)
        headers = ", ".join(f"`{name}`" for name in answer.get("headers", ()))
        yield _row(f"`{status}`", answer["description"], kinds, headers)
    yield ""
    for status, answer in responses.items():
        for content in answer.get("content", {}).values():
            if status.startswith("2") and "example" in content:
                yield f"With `{status}`, for example:\n\n{_json(content['example'])}"


def _structs(content: Schema) -> Iterator[str]:
    yield "## Types\n\nUnless one says otherwise, a key that may be missing may be `null`, too.\n"
    for name, schema in content["components"]["schemas"].items():
        yield f"### {name}\n"
        if "description" in schema:
            yield f"{schema['description']}\n"
        if "properties" not in schema:
            yield f"{_type(schema)}\n"
            continue
        yield "| key | type | required | default | meaning |\n|---|---|---|---|---|"
        for key, field in schema["properties"].items():
            required = "yes" if key in schema.get("required", ()) else "no"
            default = f"`{json.dumps(field['default'])}`" if "default" in field else ""
            yield _row(f"`{key}`", _type(field), required, default, field.get("description", ""))
        yield ""


def _type(schema: Schema) -> str:
    """A schema in words: one line of Markdown."""
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return f"[{name}](#{name.lower()})"
    if alternatives := schema.get("anyOf"):
        return " or ".join(_type(one) for one in alternatives)
    if "enum" in schema:
        return " or ".join(f"`{json.dumps(value)}`" for value in schema["enum"])
    kind = schema.get("type", "anything")
    words = {
        "array": f"list of {_type(schema['items'])}" if "items" in schema else "list",
        "object": _object(schema),
    }.get(kind, kind)
    return f"{words}{_bounds(schema)}"


def _object(schema: Schema) -> str:
    values = schema.get("additionalProperties")
    return f"object of {_type(values)}" if values else "object"


_BOUNDS: Final = {
    "minimum": "at least {}",
    "exclusiveMinimum": "more than {}",
    "maximum": "at most {}",
    "minLength": "at least {} characters",
    "maxLength": "at most {} characters",
    "minItems": "at least {}",
    "maxItems": "at most {}",
    "maxProperties": "at most {}",
    "format": "{}",
    "contentEncoding": "{}",
}


def _bounds(schema: Schema) -> str:
    told = [words.format(_number(schema[name])) for name, words in _BOUNDS.items() if name in schema]
    return f" ({', '.join(told)})" if told else ""


def _number(value: Any) -> str:
    return f"{value:,}" if isinstance(value, int) else str(value)


def _json(value: Any, indent: int | None = 2) -> str:
    return f"```json\n{json.dumps(value, indent=indent, ensure_ascii=False)}\n```\n"


def _row(*cells: str) -> str:
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"
