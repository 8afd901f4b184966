"""Settings of the history in SQL; and which URLs of databases it may have."""

# ruff: noqa: RUF009 - the calls return dataclass fields

import re
from dataclasses import dataclass
from typing import Final
from urllib.parse import parse_qsl, urlsplit

from sploot_clusterd.config.kinds import SecretUrl, number, secret_url, switch, whole

URL_ALLOWED: Final = (
    "sqlite:///file (sqlite:////file from the root on), or postgresql://user:password@host/database with what libpq "
    "allows (several hosts, options as sslmode after a ?); in a password, %, @, / and # are written %25, %40, %2F, %23"
)
_SQLITE: Final = re.compile(r"sqlite:///([^?#\x00-\x1f\x7f:]*[^?#\x00-\x1f\x7f/:])")
_POSTGRESQL: Final = re.compile(r"(?:postgres|postgresql)(?:\+\w+)?(://.*)")
"""A driver that is named, as in URLs for other programs, is passed over: there is one for all."""


def sqlite_file(url: str) -> str | None:
    """The file's path, as it is given; None where the URL is no file's."""
    found = _SQLITE.fullmatch(url)
    return found[1] if found else None


def libpq_url(url: str) -> str | None:
    """The URL as libpq takes it; None where it is no PostgreSQL's."""
    found = _POSTGRESQL.fullmatch(url)
    return f"postgresql{found[1]}" if found else None


def url_is_allowed(url: str) -> bool:
    if any(character.isspace() or character < " " for character in url):
        return False
    return sqlite_file(url) is not None or _names_database(url)


def _names_database(url: str) -> bool:
    """A URL that names none would lead to whichever bears the user's name."""
    parts = urlsplit(libpq_url(url) or "")
    options = dict(parse_qsl(parts.query, keep_blank_values=True))
    stray = re.search("%(?![0-9A-Fa-f]{2})", parts.netloc + parts.path)
    named = parts.path.strip("/") or options.get("dbname") or options.get("service")
    return parts.scheme == "postgresql" and not parts.fragment and not stray and bool(named)


@dataclass(frozen=True, slots=True)
class HistorySettings:
    """What was: versions of clusters, photos' whereabouts and jobs, in a database. Off until it has a URL."""

    url: SecretUrl | None = secret_url(
        None,
        "The database to keep history in: sqlite:///file or postgresql://. It turns the change feed on.",
        url_is_allowed,
        URL_ALLOWED,
        env="DATABASE_URL",
    )
    retention_days: int = whole(
        90, "How long former versions and jobs are kept, in days. What is current is kept for ever.", 1, 36500
    )
    lookups_per_second: float = number(
        100.0, "Look-ups in the database that readers may cause, a second, in this process.", 0.1, 100_000.0
    )
    pooler: bool = switch(
        False, "Whether the URL is that of a pooler that lends connections by transaction, as PgBouncer does."
    )
