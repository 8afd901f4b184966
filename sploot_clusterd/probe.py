"""`clusterd --check`: asks a running daemon whether it is ready. As quick as the interpreter, so it imports little."""

# ruff: noqa: T201 - a command prints

import http.client
import json
import threading
from typing import Any, Final
from urllib.parse import urlsplit

from sploot_clusterd import stdio
from sploot_clusterd.config import Settings
from sploot_clusterd.config.show import given_url, url_of
from sploot_clusterd.errors import ConfigError

_PATIENCE: Final = 5.0


def check(url: str) -> int:
    """Print what the daemon at `url` says of itself. 0 if it is ready, else 1."""
    if not _threads_start():
        stdio.say("not ready: no thread can be started here (MemoryDenyWriteExecute?)")
        return 1
    try:
        status, answer = _ask(url)
    except (OSError, http.client.HTTPException) as error:
        stdio.say(f"not ready: {url}: {error or type(error).__name__}")
        return 1
    for warning in answer.get("warnings") or ():
        stdio.say(f"warning: {warning}")
    if status == http.client.OK:
        print("ready")
        return 0
    stdio.say("not ready: " + ("; ".join(map(str, answer.get("reasons") or ())) or f"status {status}"))
    return 1


def readiness_url(settings: Settings) -> str:
    """Where this configuration's daemon answers: its metrics port, for several may share an HTTP port."""
    for name, section in (("metrics", settings.metrics), ("http", settings.http)):
        if section.enabled:
            return f"{url_of(name, section)}/readyz"
    raise ConfigError("neither metrics nor http is enabled: there is nothing to ask")


def complete_url(url: str) -> str:
    """`--url` with the probe's path where it has none. Raises ConfigError."""
    parts = given_url(url)
    return parts._replace(path="/readyz").geturl() if parts.path in ("", "/") else url


def _ask(url: str) -> tuple[int, dict[str, Any]]:
    parts = urlsplit(url)
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    connection = kind(parts.hostname or "", parts.port, timeout=_PATIENCE)
    try:
        connection.request("GET", parts.path + (f"?{parts.query}" if parts.query else ""))
        response = connection.getresponse()
        body = response.read()
    finally:
        connection.close()
    try:
        answer = json.loads(body)
    except ValueError:
        answer = None
    return response.status, answer if isinstance(answer, dict) else {}


def _threads_start() -> bool:
    """Hardening can forbid threads, and the daemon then dies at its first job; a probe in the same unit tells why."""
    thread = threading.Thread(target=_nothing)
    try:
        thread.start()
    except RuntimeError:
        return False
    thread.join()
    return True


def _nothing() -> None:
    """What the thread that is started on trial does."""
