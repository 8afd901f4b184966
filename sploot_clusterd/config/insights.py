"""Settings of the storage service that keeps insights; and what its URL and its token may be."""

# ruff: noqa: RUF009 - the calls return dataclass fields

from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from sploot_clusterd.config.kinds import Secret, SecretUrl, number, secret, secret_url, switch, text, whole

URL_ALLOWED: Final = (
    "http://host or https://host (a port and a path may follow), without user, query and fragment; a token goes to "
    "insights.token"
)
TOKEN_PATTERN: Final = r"[\x21-\x7e]+"  # noqa: S105 - what goes into a header as it is
TOKEN_ALLOWED: Final = "a text of visible ASCII characters, without blanks"  # noqa: S105 - says what one looks like
NO_FIELD: Final = "none"


def url_is_allowed(url: str) -> bool:
    try:
        parts = urlsplit(url)
        is_whole = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False
    spare = "@" in parts.netloc or "?" in url or "#" in url or any(not "!" <= character <= "~" for character in url)
    return is_whole and not spare


@dataclass(frozen=True, slots=True)
class InsightsSettings:
    """The storage service that is asked for the insights of images that jobs only name. Off until it has a URL."""

    url: SecretUrl | None = secret_url(
        None,
        "Where the storage service is, with or without /internal at its end. Unset: nothing is asked.",
        url_is_allowed,
        URL_ALLOWED,
        env="STORAGE_SERVICE_URL",
    )
    token: Secret | None = secret(
        None,
        "What it is sent as bearer. Read again on SIGHUP.",
        TOKEN_PATTERN,
        TOKEN_ALLOWED,
        env="STORAGE_SERVICE_TOKEN",
    )
    token_file: str | None = text(
        None, "A file that holds the token, in place of token. Read again on SIGHUP.", env="STORAGE_SERVICE_TOKEN_FILE"
    )
    ca_file: str | None = text(None, "A file of CA certificates to trust; unset: the system's.")
    adapter: str = text(
        "storage_service",
        "What the service speaks: storage_service, or an entry point of the group sploot_clusterd.insights.",
        what="the name of an adapter",
    )
    label_field: str = text(
        "pose_category",
        f"The field of an answer that becomes an image's label; {NO_FIELD}: images get no label.",
        r"\w+",
        f"a field's name, or {NO_FIELD}",
    )
    version_field: str = text(
        "processor_version",
        "The field of an answer that names the encoder, whose images are compared with each other only; "
        f"{NO_FIELD}: all are one encoder's.",
        r"\w+",
        f"a field's name, or {NO_FIELD}",
    )
    timeout_seconds: float = number(5.0, "How long an answer may take, in seconds, its last byte included.", 0.1, 600.0)
    concurrency: int = whole(16, "Requests under way at once.", 1, 1000)
    rate: float = number(200.0, "Requests a second; 0: as fast as the service answers.", 0.0, 100_000.0)
    max_answer_bytes: int = whole(4 * 2**20, "The largest answer, in bytes, after decompression too.", 1024, 64 * 2**20)
    give_up_after_seconds: int = whole(
        86_400,
        "How long an image that has no embedding yet is asked for again, with growing pauses, in seconds.",
        1,
        10**8,
    )
    write_back: bool = switch(False, "Whether the service is told in which cluster each image is shown.")
