"""Teaches schemathesis NDJSON: it writes a single line, and so reads one."""

import json
from typing import Any

import schemathesis

schemathesis.serializer.alias("application/x-ndjson", "application/json")


@schemathesis.deserializer("application/x-ndjson")
def line(_context: Any, response: Any) -> Any:
    return json.loads(response.content)
