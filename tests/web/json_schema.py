"""As much of JSON Schema as the OpenAPI document uses. An unknown keyword is an error: nothing goes unchecked."""

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

_TYPES: Mapping[str, Callable[[Any], bool]] = {
    "object": lambda value: isinstance(value, dict),
    "array": lambda value: isinstance(value, list),
    "string": lambda value: isinstance(value, str),
    "boolean": lambda value: isinstance(value, bool),
    "integer": lambda value: isinstance(value, int) and not isinstance(value, bool),
    "number": lambda value: isinstance(value, int | float) and not isinstance(value, bool),
    "null": lambda value: value is None,
}
_SAYS_NOTHING = {
    "title",
    "description",
    "default",
    "type",
    "properties",
    "items",
    "additionalProperties",
    "discriminator",  # of alternatives that are all tried
}
_SAYS_NOTHING |= {"format", "contentEncoding"}  # of times and packed vectors: the daemon itself looks into those
_CHECKS: Mapping[str, Callable[[Any, Any], bool]] = {
    "enum": lambda allowed, value: value in allowed,
    "pattern": lambda pattern, value: re.search(pattern, value) is not None and not value.endswith("\n"),
    "minimum": lambda least, value: value >= least,
    "maximum": lambda most, value: value <= most,
    "multipleOf": lambda of, value: value % of == 0,
    "minItems": lambda least, value: len(value) >= least,
    "maxItems": lambda most, value: len(value) <= most,
    "maxProperties": lambda most, value: len(value) <= most,
    "maxLength": lambda most, value: len(value) <= most,
    "required": lambda names, value: set(names) <= value.keys(),
}


def errors(schema: Mapping[str, Any], value: Any, document: Mapping[str, Any], at: str = "$") -> list[str]:
    """What is wrong with `value`, with its place; empty if nothing is."""
    return list(_errors(schema, value, document, at))


def resolved(schema: Mapping[str, Any], document: Mapping[str, Any]) -> Mapping[str, Any]:
    """The schema that a reference names; itself if it is none."""
    if "$ref" not in schema:
        return schema
    assert len(schema) == 1
    found: Any = document
    for part in schema["$ref"].removeprefix("#/").split("/"):
        found = found[part]
    return found


def _errors(schema: Mapping[str, Any], value: Any, document: Mapping[str, Any], at: str) -> Iterator[str]:
    schema = resolved(schema, document)
    unknown = schema.keys() - _SAYS_NOTHING - _CHECKS.keys() - {"anyOf", "propertyNames"}
    assert not unknown, f"{at}: keywords that this checker does not know: {unknown}"
    if "anyOf" in schema:
        tried = [errors(each, value, document, at) for each in schema["anyOf"]]
        if all(tried):
            yield from min(tried, key=len)
        return
    if "type" in schema and not _TYPES[schema["type"]](value):
        yield f"{at}: not of type {schema['type']}"
        return
    for keyword in schema.keys() & _CHECKS.keys():
        if not _CHECKS[keyword](schema[keyword], value):
            yield f"{at}: {keyword} {schema[keyword]}"
    for place, inner, each in _parts(schema, value, at):
        yield from _errors(inner, each, document, place)


def _parts(schema: Mapping[str, Any], value: Any, at: str) -> Iterator[tuple[str, Mapping[str, Any], Any]]:
    if isinstance(value, list) and "items" in schema:
        yield from ((f"{at}[{n}]", schema["items"], each) for n, each in enumerate(value))
    if isinstance(value, dict):
        known = schema.get("properties", {})
        rest = schema.get("additionalProperties")
        for name, each in value.items():
            if "propertyNames" in schema:
                yield f"{at}.{name} (the name)", schema["propertyNames"], name
            if name in known or rest:
                yield f"{at}.{name}", known.get(name, rest), each
