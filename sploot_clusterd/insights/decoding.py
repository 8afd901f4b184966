"""JSON of a storage service: of the shape that was expected, or a bad answer."""

from typing import Final, TypeVar

import msgspec

from sploot_clusterd.insights.source import BadAnswerError

T = TypeVar("T")

_LONGEST_DETAIL: Final = 200


def decoded(decoder: msgspec.json.Decoder[T], body: bytes) -> T:
    """Raises BadAnswerError: `not_json`, or `shape`."""
    try:
        return decoder.decode(body)
    except msgspec.ValidationError as error:
        raise BadAnswerError("shape", str(error)[:_LONGEST_DETAIL]) from None
    except (ValueError, RecursionError) as error:
        raise BadAnswerError("not_json", f"an answer that is no JSON: {error}"[:_LONGEST_DETAIL]) from None
