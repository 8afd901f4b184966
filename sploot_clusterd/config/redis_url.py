"""Which URLs `redis.url` may be: those that can be understood whole, without options that are settings of their own.

What was passed over in silence, such as a path that is no number, would lead to another database than was meant.
"""

import re
from collections.abc import Iterator
from typing import Final
from urllib.parse import SplitResult, unquote_plus, urlsplit

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

ALLOWED: Final = (
    "redis://host, rediss://host (a port and a database number may follow: host:6379/0) or unix:///path, with no "
    f"options but {', '.join(_OPTIONS)}; timeouts are settings of their own"
)


def is_allowed(url: str) -> bool:
    """Whether connections can be made from `url`. Raises ValueError for some of what is not allowed."""
    parts = urlsplit(url)
    if not url.startswith(f"{parts.scheme}://") or parts.fragment or parts.port == 0:
        return False  # a fragment is the rest of a password with a # that was not written %23
    return _is_place(parts) and all(re.fullmatch(_OPTIONS.get(name, "(?!)"), value) for name, value in _options(parts))


def tls_options(url: str) -> list[str]:
    """The names of the options in `url` that mean something with TLS only."""
    return [name for name, _ in _options(urlsplit(url)) if name.startswith(_TLS_PREFIX)]


def unverified(url: str) -> list[str]:
    """The options in `url` by which a connection is made to whoever answers there."""
    unsafe = {"ssl_cert_reqs": {"none"}, "ssl_check_hostname": {"false", "no", "0"}}
    options = _options(urlsplit(url))
    return [f"{name}={value}" for name, value in options if value.lower() in unsafe.get(name, ())]


def tls_files(url: str) -> Iterator[str]:
    """The files that options in `url` name."""
    return (value for name, value in _options(urlsplit(url)) if name in _FILES)


def _is_place(parts: SplitResult) -> bool:
    if parts.scheme == "unix":
        return not parts.hostname and re.fullmatch("/.+", parts.path) is not None
    return parts.scheme in ("redis", "rediss") and re.fullmatch("(/[0-9]{1,9})?/?", parts.path) is not None


def _options(parts: SplitResult) -> Iterator[tuple[str, str]]:
    for option in filter(None, parts.query.split("&")):
        name, _, value = option.partition("=")
        yield name, unquote_plus(value)
