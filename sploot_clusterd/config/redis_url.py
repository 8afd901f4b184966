"""Which URLs `redis.url` may be: those that can be understood whole, without options that are settings of their own.

What was passed over in silence, such as a path that is no number, would lead to another database than was meant.
"""

import re
from collections.abc import Iterator
from typing import Final, NamedTuple
from urllib.parse import SplitResult, unquote, unquote_plus, urlsplit

_TEXT: Final = r"[^\x00-\x1f\x7f]+"
_TLS_PREFIX: Final = "ssl_"
_FILES: Final = ("ssl_ca_certs", "ssl_certfile", "ssl_keyfile")
_OPTIONS: Final = {
    "db": "[0-9]{1,9}",
    "username": _TEXT,
    "password": _TEXT,
    "ssl_cert_reqs": "none|optional|required",
    "ssl_check_hostname": "(?i:true|false|yes|no|1|0)",
    "ssl_ca_certs": _TEXT,
    "ssl_ca_path": _TEXT,
    "ssl_certfile": _TEXT,
    "ssl_keyfile": _TEXT,
}
"""Name to a pattern of its value. Timeouts and pool sizes are missing on purpose: they would undo the settings."""

_SENTINEL_PORT: Final = 26379
_SENTINELS: Final = r"(rediss?)\+sentinel://((?:[^/?#]*@)?)([^@/?#]+)/([A-Za-z0-9._-]+)(?=[/?]|$)"
_SENTINEL: Final = r"(?:\[([0-9A-Fa-f:.]+)\]|([^\s:\[\],]+))(?::([0-9]{1,5}))?"

ALLOWED: Final = (
    "redis://host, rediss://host (a port and a database number may follow: host:6379/0), unix:///path or "
    "redis+sentinel://host,host/service (rediss+sentinel:// for TLS; host:26379,host/service/0), with no "
    f"options but {', '.join(_OPTIONS)}; timeouts are settings of their own"
)


class Location(NamedTuple):
    """What a URL says of where Redis is."""

    url: str
    """The URL without its Sentinels, whose host then is nobody's."""
    sentinels: tuple[tuple[str, int], ...] = ()
    """Hosts and ports of those to be asked; without any, Redis is where the URL says."""
    service: str = ""
    """What the Sentinels call the primary and its replicas."""


def location(url: str) -> Location:
    """Raises ValueError for Sentinels that cannot be asked."""
    found = re.match(_SENTINELS, url)
    if found is None:
        return Location(url)
    scheme, user, hosts, service = found.groups()
    return Location(f"{scheme}://{user}sentinel{url[found.end() :]}", tuple(map(_sentinel, hosts.split(","))), service)


def is_allowed(url: str) -> bool:
    """Whether connections can be made from `url`. Raises ValueError for some of what is not allowed."""
    url = location(url).url
    parts = urlsplit(url)
    if not url.startswith(f"{parts.scheme}://") or parts.fragment or parts.port == 0:
        return False  # a fragment is the rest of a password with a # that was not written %23
    return _is_place(parts) and all(re.fullmatch(_OPTIONS.get(name, "(?!)"), value) for name, value in _options(parts))


def uses_tls(url: str) -> bool:
    """Whether the scheme alone asks for it."""
    return url.startswith(("rediss:", "rediss+"))


def password(url: str) -> str:
    """The one before the hosts; empty where there is none."""
    return unquote(urlsplit(location(url).url).password or "")


def tls_options(url: str) -> list[str]:
    """The names of the options in `url` that mean something with TLS only."""
    return [name for name, _ in _options(urlsplit(location(url).url)) if name.startswith(_TLS_PREFIX)]


def unverified(url: str) -> list[str]:
    """The options in `url` by which a connection is made to whoever answers there."""
    unsafe = {"ssl_cert_reqs": {"none"}, "ssl_check_hostname": {"false", "no", "0"}}
    options = _options(urlsplit(location(url).url))
    return [f"{name}={value}" for name, value in options if value.lower() in unsafe.get(name, ())]


def tls_files(url: str) -> Iterator[str]:
    """The files that options in `url` name."""
    return (value for name, value in _options(urlsplit(location(url).url)) if name in _FILES)


def _sentinel(text: str) -> tuple[str, int]:
    found = re.fullmatch(_SENTINEL, text)
    port = int(found[3] or _SENTINEL_PORT) if found else 0
    if found is None or not 0 < port < 2**16:
        raise ValueError
    return found[1] or found[2], port


def _is_place(parts: SplitResult) -> bool:
    if parts.scheme == "unix":
        return not parts.hostname and re.fullmatch("/.+", parts.path) is not None
    return parts.scheme in ("redis", "rediss") and re.fullmatch("(/[0-9]{1,9})?/?", parts.path) is not None


def _options(parts: SplitResult) -> Iterator[tuple[str, str]]:
    for option in filter(None, parts.query.split("&")):
        name, _, value = option.partition("=")
        yield name, unquote_plus(value)
