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

PORT: Final = 6379
_SENTINEL_PORT: Final = 26379
_SENTINELS: Final = r"(rediss?)\+sentinel://((?:[^/?#]*@)?)([^@/?#]+)/([A-Za-z0-9._-]+)(?=[/?]|$)"
_NODES: Final = r"(rediss?://(?:[^/?#]*@)?)([^@/?#,]*)((?:,[^@/?#,]*)+)(?=[/?]|$)"
_HOST: Final = r"(?:\[([0-9A-Fa-f:.]+)\]|([^\s:\[\],]+))(?::([0-9]{1,5}))?"

ALLOWED: Final = (
    "redis://host, rediss://host (a port and a database number may follow: host:6379/0; of a Redis Cluster several "
    "nodes: host:6379,host:6379), unix:///path or "
    "redis+sentinel://host,host/service (rediss+sentinel:// for TLS; host:26379,host/service/0), with no "
    f"options but {', '.join(_OPTIONS)}; timeouts are settings of their own"
)


class Location(NamedTuple):
    """What a URL says of where Redis is."""

    url: str
    """The URL without its Sentinels, whose host then is nobody's, and of several nodes with the first one only."""
    sentinels: tuple[tuple[str, int], ...] = ()
    """Hosts and ports of those to be asked; without any, Redis is where the URL says."""
    service: str = ""
    """What the Sentinels call the primary and its replicas."""
    nodes: tuple[tuple[str, int], ...] = ()
    """Hosts and ports of a cluster's nodes, where several are named."""


def location(url: str) -> Location:
    """Raises ValueError for Sentinels, or several nodes, that cannot be asked."""
    if found := re.match(_NODES, url):
        begin, first, others = found.groups()
        nodes = tuple(place(each, PORT) for each in (first + others).split(","))
        return Location(f"{begin}{first}{url[found.end() :]}", nodes=nodes)
    found = re.match(_SENTINELS, url)
    if found is None:
        return Location(url)
    scheme, user, hosts, service = found.groups()
    sentinels = tuple(place(each, _SENTINEL_PORT) for each in hosts.split(","))
    return Location(f"{scheme}://{user}sentinel{url[found.end() :]}", sentinels, service)


def is_allowed(url: str) -> bool:
    """Whether connections can be made from `url`. Raises ValueError for some of what is not allowed."""
    url = location(url).url
    parts = urlsplit(url)
    if not url.startswith(f"{parts.scheme}://") or parts.fragment or parts.port == 0:
        return False  # a fragment is the rest of a password with a # that was not written %23
    return _is_place(parts) and all(re.fullmatch(_OPTIONS.get(name, "(?!)"), value) for name, value in _options(parts))


def database(url: str) -> int:
    """Which one is meant: by its number in the path, or by the option that goes before it."""
    parts = urlsplit(location(url).url)
    options = dict(reversed([*_options(parts)]))
    in_path = "" if parts.scheme == "unix" else parts.path.strip("/")
    return int(options.get("db") or in_path or 0)


def place(text: str, port: int) -> tuple[str, int]:
    """Host and port; `port` where the text has none. Raises ValueError."""
    found = re.fullmatch(_HOST, text)
    port = int(found[3] or port) if found else 0
    if found is None or not 0 < port < 2**16:
        raise ValueError
    return found[1] or found[2], port


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


def _is_place(parts: SplitResult) -> bool:
    if parts.scheme == "unix":
        return not parts.hostname and re.fullmatch("/.+", parts.path) is not None
    return parts.scheme in ("redis", "rediss") and re.fullmatch("(/[0-9]{1,9})?/?", parts.path) is not None


def _options(parts: SplitResult) -> Iterator[tuple[str, str]]:
    for option in filter(None, parts.query.split("&")):
        name, _, value = option.partition("=")
        yield name, unquote_plus(value)
