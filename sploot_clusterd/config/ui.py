"""Settings of the page for people."""

from dataclasses import dataclass
from typing import Final

from sploot_clusterd.config.kinds import text

_URL: Final = r"(https?://[^/\s{}\"'<>\\;,]+)?/(?!/)[^\s\"'<>\\;,]*\{image_id\}[^\s\"'<>\\;,]*"

_PAGE: Final = r"(https?://[^/\s\"'<>\\#]+)?/(?!/)[^\s\"'<>\\#]*"


@dataclass(frozen=True, slots=True)
class UiSettings:
    """The page for people, /ui; http.ui says whether it is served."""

    image_url: str | None = text(
        None,
        "Where browsers get a photo, with {image_id} and {size} (pixels, the longer side); unset: drawn tiles.",
        _URL,
        "a URL, or a path on the same host, with {image_id} in its path or query",
    )
    runbooks: str | None = text(
        None,
        "Where browsers can read operations.md: figures of the pipeline then lead to what to do about them.",
        _PAGE,
        "a URL of http or https, or a path on the same host, without #",
    )
