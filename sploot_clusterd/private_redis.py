"""Where the private Redis of a data directory is: for the daemon that runs it, and for commands beside it."""

import os
import socket
import stat
from pathlib import Path
from typing import Final
from urllib.parse import quote

from sploot_clusterd import ownership
from sploot_clusterd.config import Given

_SOURCE: Final = "--embedded"
_PATIENCE: Final = 1.0
"""Seconds. A server that computes for longer than that is not asked by a command now."""


def socket_of(directory: Path) -> Path:
    """Its unix socket. Raises OSError for a relative directory where there is no working directory."""
    return directory.absolute() / "redis.sock"


def url_of(directory: Path) -> str:
    return f"unix://{quote(str(socket_of(directory)))}"


def settings_of(directory: Path) -> dict[str, Given]:
    """Overrides of settings; what the configuration says of another Redis does not count."""
    unset = ("username", "password", "sentinel_username", "sentinel_password", "ssl_ca_certs")
    values = {"url": url_of(directory), "ssl": False} | dict.fromkeys(unset)
    return {f"redis.{name}": Given(value, _SOURCE) for name, value in values.items()}


def history_of(directory: Path) -> Path:
    """The file beside it that history is kept in, where there is any."""
    return directory.absolute() / "history.sqlite3"


def is_found(directory: Path) -> bool:
    """Whether one of ours runs there and serves. Raises ConfigError if somebody else could have put it there."""
    try:
        socket = socket_of(directory)
        if not stat.S_ISSOCK(socket.lstat().st_mode):
            return False
        ownership.require_ours(socket.parent)
        ownership.require_ours_within(socket.parent)
    except OSError:
        return False
    return answers(directory)


def answers(directory: Path) -> bool:
    """Whether a server runs there and serves."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(_PATIENCE)
        try:
            connection.connect(os.fsencode(socket_of(directory)))
            connection.sendall(b"PING\r\n")
            return connection.recv(16).startswith(b"+PONG")
        except OSError:
            return False
