"""Settings for people: the effective values, where each comes from, and where the daemon can be reached."""

from collections.abc import Iterator
from typing import Final
from urllib.parse import SplitResult, urlsplit

from sploot_clusterd.config.http import HttpSettings
from sploot_clusterd.config.kinds import shown
from sploot_clusterd.config.load import Settings
from sploot_clusterd.config.schema import SCHEMA, value_of
from sploot_clusterd.config.sections import MetricsSettings
from sploot_clusterd.errors import ConfigError

_REACHED_AT: Final = {"0.0.0.0": "127.0.0.1", "*": "127.0.0.1", "::": "::1"}  # noqa: S104 - these are looked for, not bound


def lines(settings: Settings) -> Iterator[str]:
    """The settings as TOML with each one's source as a comment; secrets are masked."""
    yield f"# file: {settings.file or 'none'}"
    table = ""
    for key in SCHEMA:
        section, _, name = key.rpartition(".")
        if section != table:
            table = section
            yield f"\n[{table}]"
        value = value_of(settings, key)
        source = settings.sources.get(key, "default")
        yield f"# {name} is not set" if value is None else f"{name} = {shown(value)}  # {source}"


def base_url(host: str, port: int) -> str:
    """The URL at which this machine reaches a server that listens on `host`: loopback where it listens everywhere."""
    host = _REACHED_AT.get(host, host)
    return f"http://{f'[{host}]' if ':' in host else host}:{port}"


def url_of(name: str, section: HttpSettings | MetricsSettings) -> str:
    """`base_url` of a server of these settings, whose table is `name`. Raises ConfigError if only it knows its port."""
    if section.port == 0:
        raise ConfigError(f"{name}.port = 0: the port is known to the daemon only; use --url")
    return base_url(section.host, section.port)


def given_url(url: str) -> SplitResult:
    """What `--url` says, taken apart. Raises ConfigError for what is no URL of a daemon."""
    try:
        parts = urlsplit(url)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    if not usable or any(character.isspace() for character in url):
        raise ConfigError(f"--url {url}: expected a URL as in http://127.0.0.1:9105")
    return parts
