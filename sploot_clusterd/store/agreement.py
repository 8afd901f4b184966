"""Whether the processes over one Redis go by the same settings: each writes down its own, and compares.

Two namespaces over one stream split a pet in two, and a DELETE at one leaves what the other has. Of two namespaces of
which one is the beginning of the other's keys, each overwrites the other. With such a neighbour no process starts; what
else differs is a warning.
"""

import secrets
import socket
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict
from itertools import chain
from typing import Any, Final

import msgspec

from sploot_clusterd.config import Settings
from sploot_clusterd.errors import NoPermissionError, StartError, StoreUnavailableError
from sploot_clusterd.keys import namespace_agreement
from sploot_clusterd.pet_keys import KINDS
from sploot_clusterd.store import scripts
from sploot_clusterd.store.gateway import Call, Gateway, pairs
from sploot_clusterd.store.server import Finding

LIVES_MS: Final = 150_000
"""More than twice the time between two looks."""
_MOST_TOLD: Final = 5
_OWN_AFFAIR: Final = frozenset(
    {"albums.cache_bytes", "stream.consumers", "stream.consumer_name", "stream.read_count", "stream.read_timeout_ms"}
)
"""Settings of the compared sections that may differ from process to process."""


class Agreement:
    """One process's part in it."""

    def __init__(self, gateway: Gateway, settings: Settings) -> None:
        self._gateway = gateway
        self._keys = gateway.keys
        self._member = f"{socket.gethostname()}-{settings.service.instance} {secrets.token_hex(4)}"
        self._namespace = settings.clusters.namespace
        document = msgspec.json.encode(_compared(settings))
        self._document = document.decode()
        self._settings: dict[str, Any] = msgspec.json.decode(document)  # as the others read it
        self._accepted = False

    async def look(self) -> list[Finding]:
        """What others go by that differs. Raises StartError where that endangers data, unless this process was there
        first; StoreUnavailableError.
        """
        try:
            findings = [*await self._compare()]
        except NoPermissionError as error:
            return [_not_compared(error)]
        fatal = [finding.text for finding in findings if finding.fatal]
        if fatal and not self._accepted:
            await self.leave()
            raise StartError("; ".join(fatal))
        self._accepted = True
        return findings

    async def others(self) -> list[str]:
        """Processes that share the stream, or the namespace, and were there lately. Raises StoreUnavailableError."""
        seconds, micros = await self._gateway.ask_server("", "TIME")
        since = int(seconds) * 1000 + int(micros) // 1000 - LIVES_MS
        found: dict[bytes, bytes] = {}
        for key in self._registers:
            found |= pairs(await self._gateway.read("upkeep", "HGETALL", key))
        at = {member: int(told.partition(b" ")[0]) for member, told in found.items() if told[:1].isdigit()}
        names = (member.decode(errors="replace") for member in sorted(at) if at[member] > since)
        return [name.partition(" ")[0] for name in names if name != self._member]

    async def leave(self) -> None:
        """Nobody has to agree with this process any more. What goes wrong is left: it is forgotten by itself."""
        for key in self._registers:
            with suppress(StoreUnavailableError):
                await self._gateway.command("upkeep", "HDEL", key, self._member)

    @property
    def _registers(self) -> Sequence[str]:
        return self._keys.stream_agreement, self._keys.namespace_agreement

    async def _compare(self) -> Iterator[Finding]:
        values = {"member": self._member, "document": self._document, "lives": LIVES_MS}
        calls = [Call(values, [register]) for register in self._registers]  # one each: in a cluster they lie apart
        others: dict[str, dict[str, Any]] = {}
        unseen: list[Finding] = []
        for reply in await self._gateway.run_each(scripts.AGREE, calls):
            if isinstance(reply, StoreUnavailableError):
                unseen.append(_not_compared(reply))
            else:
                others |= _documents(reply[0])
        neighbours = await self._lived_in(list(_overlapping(self._namespace)))
        return chain(unseen, self._findings(others, neighbours))

    async def _lived_in(self, namespaces: Sequence[str]) -> list[str]:
        """Those of them that somebody uses, as far as we may and can see."""
        commands = [(self._keys, ("EXISTS", namespace_agreement(name))) for name in namespaces]
        replies = await self._gateway.read_each("upkeep", commands)
        return [name for name, reply in zip(namespaces, replies, strict=True) if reply == 1]

    def _findings(self, others: Mapping[str, Mapping[str, Any]], neighbours: Sequence[str]) -> Iterator[Finding]:
        for namespace in neighbours:
            yield Finding(
                "namespaces",
                True,
                f"clusters.namespace is {self._namespace!r} here, and {namespace!r} is in use on the same Redis: the "
                "keys of one are among the other's; give one of them another name or another database",
            )
        differences: dict[str, str] = {}
        for member, theirs in sorted(others.items()):
            for name, ours in self._settings.items():
                if name in theirs and theirs[name] != ours:
                    text = f"{name} is {ours!r} here and {theirs[name]!r} at {member.partition(' ')[0]}"
                    differences.setdefault(name, text)
        same_stream = [each for each in others.values() if each.get("stream.key") == self._settings["stream.key"]]
        if any(each.get("clusters.namespace") != self._namespace for each in same_stream):
            yield Finding(
                "namespace",
                True,
                f"{differences['clusters.namespace']}, over one stream: a pet would be split in two; give one of them "
                "another stream.key, or both the same clusters.namespace",
            )
        counts = {each.get("stream.partitions") for each in same_stream} | {self._settings["stream.partitions"]}
        is_split = len(counts) > 1 and 1 in counts  # of several, all go by what is recorded
        if is_split:
            yield Finding(
                "partitions",
                True,
                f"{differences['stream.partitions']}, over one stream: pets would be looked for in two places; set "
                "stream.partitions (CLUSTER_PARTITIONS) alike",
            )
        told = {"clusters.namespace", *(["stream.partitions"] if is_split else [])}
        texts = [text for name, text in differences.items() if name not in told]
        if texts:
            more = f" and {len(texts) - _MOST_TOLD} more" if len(texts) > _MOST_TOLD else ""
            text = f"processes disagree: {'; '.join(texts[:_MOST_TOLD])}{more}; set them alike"
            yield Finding("settings", False, text)


def _not_compared(error: StoreUnavailableError) -> Finding:
    return Finding("agreement", False, f"settings of processes cannot be compared: {error.detail}")


def _compared(settings: Settings) -> dict[str, Any]:
    """What has to be alike, by the settings' names."""
    values: dict[str, Any] = {}
    for section in ("clusters", "albums", "limits", "stream", "profiles", "feed", "engine"):
        values |= dict(_flat(section, asdict(getattr(settings, section))))
    return {name: value for name, value in values.items() if name not in _OWN_AFFAIR}


def _flat(prefix: str, values: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for name, value in values.items():
        if isinstance(value, dict):
            yield from _flat(f"{prefix}.{name}", value)
        else:
            yield f"{prefix}.{name}", value


def _documents(flat: Sequence[bytes]) -> dict[str, dict[str, Any]]:
    """What cannot be read was not written by us."""
    documents = {}
    for member, raw in pairs(flat).items():
        try:
            documents[member.decode(errors="replace")] = msgspec.json.decode(raw, type=dict[str, Any])
        except ValueError:
            continue
    return documents


def _overlapping(namespace: str) -> Iterator[str]:
    """Namespaces among whose keys those of this one are, and the nearest among its own."""
    parts = namespace.split(":")
    for count in range(1, len(parts)):
        if parts[count] in KINDS:
            yield ":".join(parts[:count])
    for kind in KINDS:
        yield f"{namespace}:{kind}"
