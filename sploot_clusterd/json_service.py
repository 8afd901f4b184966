"""A service that a command asks, in JSON over HTTP: Grafana, the Alertmanager. Its URL comes from a variable."""

import http.client
import json
import os
import ssl
from typing import Any, Final, NamedTuple
from urllib.parse import urlsplit

from sploot_clusterd.errors import ConfigError, ServiceError

_PATIENCE: Final = 30.0
_LONGEST_TOLD: Final = 200


class Answer(NamedTuple):
    """`body` is None where it was no JSON; `text` are its first characters as they came."""

    status: int
    body: Any
    text: str


class JsonService:
    """Asks one service. Nothing is followed: a redirection would take the token along to wherever it leads."""

    def __init__(self, name: str, url: str, variable: str, token: str | None = None) -> None:
        """`name` is how errors call it, `variable` where its URL was found. Raises ConfigError for what is no URL."""
        try:
            parts = urlsplit(url)
            usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
        except ValueError:
            usable = False
        if not usable or parts.query or parts.fragment or parts.username or any(c.isspace() for c in url):
            raise ConfigError(f"{variable}: expected the URL of {name}, without user, query or fragment")
        self.name = name
        self._parts = parts
        self._variable = variable
        self._headers = {"Accept": "application/json", "Content-Type": "application/json"}
        if token:
            self._headers["Authorization"] = f"Bearer {token}"

    @property
    def url(self) -> str:
        """Without a slash at its end."""
        return self._parts.geturl().rstrip("/")

    def ask(self, method: str, path: str, body: object = None) -> Answer:
        """Raises ServiceError where there is no answer, or a redirection."""
        try:
            status, content = self._exchange(method, path, body)
        except (OSError, http.client.HTTPException) as error:
            told = str(error) or type(error).__name__
            raise ServiceError(
                f"{self.name} at {self.url}: {told}; is it running, is {self._variable} right?"
            ) from None
        text = content.decode(errors="replace")[:_LONGEST_TOLD]
        if 300 <= status < 400:  # noqa: PLR2004
            raise ServiceError(
                f"{self.name} at {self.url} sends us elsewhere ({status}): {self._variable} has to be where it ends up"
            )
        try:
            return Answer(status, json.loads(content), text)
        except ValueError:
            return Answer(status, None, text)

    def _exchange(self, method: str, path: str, body: object) -> tuple[int, bytes]:
        parts = self._parts
        connection = (
            http.client.HTTPSConnection(
                parts.hostname or "", parts.port, timeout=_PATIENCE, context=ssl.create_default_context()
            )
            if parts.scheme == "https"
            else http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=_PATIENCE)
        )
        try:
            content = None if body is None else json.dumps(body).encode()
            connection.request(method, parts.path.rstrip("/") + path, content, self._headers)
            response = connection.getresponse()
            return response.status, response.read()
        finally:
            connection.close()


def variable(name: str, what: str) -> str:
    """The value of an environment variable. Raises ConfigError where it is not set; `what` says what it should hold."""
    value = os.environ.get(name, "").strip()
    if not value:
        raise ConfigError(f"{name} is not set: it has to be {what}")
    if not value.isascii() or not value.isprintable():
        raise ConfigError(f"{name}: expected {what}, in printable ASCII")
    return value
