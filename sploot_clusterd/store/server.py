"""What is wrong with a Redis server, by its own account (INFO: managed ones often forbid CONFIG)."""

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple

from sploot_clusterd.errors import StartError
from sploot_clusterd.store.gateway import Gateway

_OLDEST: Final = (7, 0)
_LUA_MENDED: Final = {(7, 2): 11, (7, 4): 6, (8, 0): 4, (8, 2): 2}
"""The patch level from which a series has the fixes for CVE-2025-49844, 46817, 46818 and 46819; later series have them
all, and 7.0 never got them.
"""


class Finding(NamedTuple):
    """Something that an operator should mend. With `fatal` the daemon does not start on such a server."""

    name: str
    fatal: bool
    text: str


class Server:
    """The server that we were led to."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway
        self._accepted = False

    async def look(self) -> list[Finding]:
        """What is wrong with it. Raises StartError for what the daemon does not start with, StoreUnavailableError.

        Once a server was accepted, such a finding is one of the others: to end then would help nobody.
        """
        info = await self._gateway.ask_server(self._gateway.keys.stream, "INFO")
        lines = (line.partition(":") for line in info.decode(errors="replace").splitlines())
        all_findings = findings({name: value for name, _, value in lines})
        fatal = [finding.text for finding in all_findings if finding.fatal]
        if fatal and not self._accepted:
            raise StartError("; ".join(fatal))
        self._accepted = True
        return all_findings


def findings(info: Mapping[str, Any]) -> list[Finding]:
    """What is wrong with the server whose INFO this is. What it does not tell is not held against it."""
    return [*_of_version(info), *_of_eviction(info), *_of_durability(info)]


def _of_version(info: Mapping[str, Any]) -> Iterator[Finding]:
    """Servers that only tell with which Redis they are compatible (Valkey) have fixes and numbers of their own."""
    version_text = str(info.get("redis_version", ""))
    version = re.match(r"(\d+)\.(\d+)(?:\.(\d+))?", version_text)
    if not version:
        return
    series, patch = (int(version[1]), int(version[2])), int(version[3] or 0)
    if series < _OLDEST:
        # Older ones hand back deleted entries as pending, and cannot read our scripts.
        yield Finding(
            "version", True, f"redis 7.0 or newer is needed: this is {version_text}, upgrade the server at redis.url"
        )
    elif "valkey_version" not in info and series <= max(_LUA_MENDED):
        mended = _LUA_MENDED.get(series)
        if mended is None or patch < mended:
            text = f"redis has known faults in its Lua (CVE-2025-49844): upgrade it, this is {version_text}"
            yield Finding("version", False, text)


def _of_eviction(info: Mapping[str, Any]) -> Iterator[Finding]:
    policy = str(info.get("maxmemory_policy", "noeviction"))
    if policy.startswith("allkeys-"):
        text = (
            f"redis may delete jobs and albums when its memory is full: set maxmemory-policy noeviction, not {policy}"
        )
        yield Finding("eviction", True, text)
    elif policy != "noeviction":
        text = f"redis may delete views when its memory is full: set maxmemory-policy noeviction, not {policy}"
        yield Finding("eviction", False, text)


def _of_durability(info: Mapping[str, Any]) -> Iterator[Finding]:
    if str(info.get("aof_enabled", 1)) == "0":
        text = "redis keeps no append-only file: when it restarts, jobs and albums are lost; set appendonly yes"
        yield Finding("durability", False, text)
