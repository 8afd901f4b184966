"""What is wrong with Redis servers, by their own account (INFO: managed ones often forbid CONFIG)."""

import asyncio
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple, Self

from sploot_clusterd.errors import NotClusteredError, StartError, StoreUnavailableError
from sploot_clusterd.store.gateway import Gateway

_OLDEST: Final = (7, 0)
_LUA_MENDED: Final = {(7, 2): 11, (7, 4): 6, (8, 0): 4, (8, 2): 2}
"""The patch level from which a series has the fixes for CVE-2025-49844, 46817, 46818 and 46819; later series have them
all, and 7.0 never got them.
"""
_REDIS_MOVES_MENDED: Final = (7, 2, 7)
_VALKEY_MOVES_MENDED: Final = (7, 2, 6)
"""From where on a server lives through the move of a slot in which a client waits; series after it all do."""


class Finding(NamedTuple):
    """Something that an operator should mend. With `fatal` the daemon does not start on such a server."""

    name: str
    fatal: bool
    text: str

    def at(self, server: str) -> Self:
        """The same, of one of several servers."""
        text = self.text if server in self.text else f"redis node {server}: {self.text}"
        return self._replace(name=f"{self.name} of {server}", text=text)


class Servers:
    """All that we were led to: of a cluster each node, its replicas too."""

    def __init__(self, gateway: Gateway, *, in_cluster: bool) -> None:
        """`in_cluster`: as the settings say."""
        self._gateway = gateway
        self._in_cluster = in_cluster
        self._accepted = False

    async def look(self) -> list[Finding]:
        """What is wrong with them. Raises StartError for what the daemon does not start with, StoreUnavailableError.

        Once they were accepted, such a finding is one of the others: to end then would help nobody.
        """
        try:
            names = await self._gateway.servers()
        except NotClusteredError as error:
            raise StartError(error.detail) from error
        looked = await asyncio.gather(*map(self._look_at, names))
        away = [each for each in looked if isinstance(each, StoreUnavailableError)]
        if len(away) == len(looked):
            raise away[0]
        all_findings: list[Finding] = []
        for name, each in zip(names, looked, strict=True):
            of_one = [Finding("node", False, each.detail)] if isinstance(each, StoreUnavailableError) else each
            all_findings += [finding.at(name) for finding in of_one] if name else of_one
        fatal = [finding.text for finding in all_findings if finding.fatal]
        if fatal and not self._accepted:
            raise StartError("; ".join(fatal))
        self._accepted = True
        return all_findings

    async def _look_at(self, server: str) -> list[Finding] | StoreUnavailableError:
        try:
            info = await self._gateway.ask_server(server, "INFO")
        except StoreUnavailableError as error:
            return error
        lines = (line.partition(":") for line in info.decode(errors="replace").splitlines())
        return findings({name: value for name, _, value in lines}, in_cluster=self._in_cluster)


def findings(info: Mapping[str, Any], *, in_cluster: bool = False) -> list[Finding]:
    """What is wrong with the server whose INFO this is. What it does not tell is not held against it."""
    of_cluster = _of_cluster_versions(info) if in_cluster else _of_unexpected_cluster(info)
    return [*_of_version(info), *of_cluster, *_of_eviction(info), *_of_durability(info)]


def _of_unexpected_cluster(info: Mapping[str, Any]) -> Iterator[Finding]:
    if str(info.get("cluster_enabled", 0)) == "1":
        text = (
            "redis.url leads to a node of a Redis Cluster: set redis.cluster (REDIS_CLUSTER) to true and "
            "stream.partitions to 64, say, or name a server that is in none"
        )
        yield Finding("cluster", True, text)


def _of_cluster_versions(info: Mapping[str, Any]) -> Iterator[Finding]:
    """Some end when a slot is moved while a client waits for a stream in it, as consumers do."""
    for name, mended in (("valkey_version", _VALKEY_MOVES_MENDED), ("redis_version", _REDIS_MOVES_MENDED)):
        if version := _version(info, name):
            if mended[:2] == version[:2] and version < mended:
                text = ".".join(map(str, mended))
                yield Finding(
                    "moves",
                    False,
                    f"a node may crash when a slot is moved from it (redis/redis#13311): upgrade it to {text}",
                )
            return


def _of_version(info: Mapping[str, Any]) -> Iterator[Finding]:
    """Servers that only tell with which Redis they are compatible (Valkey) have fixes and numbers of their own."""
    version_text, version = str(info.get("redis_version", "")), _version(info, "redis_version")
    if not version:
        return
    series, patch = version[:2], version[2]
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


def _version(info: Mapping[str, Any], name: str) -> tuple[int, int, int] | None:
    found = re.match(r"(\d+)\.(\d+)(?:\.(\d+))?", str(info.get(name, "")))
    return (int(found[1]), int(found[2]), int(found[3] or 0)) if found else None
