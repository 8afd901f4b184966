"""Which pets a partition holds, found among all keys of its server."""

import re
from collections.abc import AsyncIterator
from typing import Final

from sploot_clusterd.keys import Keys
from sploot_clusterd.pet_keys import PetKeys
from sploot_clusterd.store.gateway import Gateway
from sploot_clusterd.store.probe import probe

_KEYS_A_PAGE: Final = 1000
_SPECIAL: Final = re.compile(r"([*?\[\]\\^])")
"""In a pattern of Redis'."""


async def pets_of(gateway: Gateway, source: Keys) -> AsyncIterator[set[str]]:
    """The pets of which something is kept there, some at a time, some more than once. Raises StoreUnavailableError."""
    prefix = _prefix(source)
    kinds = {getattr(source.pet(""), name).removeprefix(prefix): name for name in PetKeys._fields}
    async for keys in _keys(gateway.at(source), pattern_of(source)):
        named = (key.decode(errors="replace").removeprefix(prefix).partition(":") for key in keys)
        yield {pet_id for kind, colon, pet_id in named if kind + colon in kinds and pet_id}


def pattern_of(keys: Keys) -> str:
    """What all keys of a partition that are named by the namespace are like."""
    return _SPECIAL.sub(r"\\\1", _prefix(keys)) + "*"


def _prefix(keys: Keys) -> str:
    return keys.view("").removesuffix("state:")


async def _keys(gateway: Gateway, pattern: str) -> AsyncIterator[list[bytes]]:
    """Pages of those that are there all the time. A cluster's servers know only their own, and a cursor means nothing
    to another one: where the partition comes to another server meanwhile it is begun anew there, and while it is on its
    way, none is found.
    """
    await probe(gateway)
    server, cursor = gateway.place(gateway.keys), b"0"
    while True:
        cursor, keys = await gateway.ask_server(server, "SCAN", cursor, "MATCH", pattern, "COUNT", _KEYS_A_PAGE)
        await probe(gateway)
        if (now := gateway.place(gateway.keys)) != server:
            server, cursor = now, b"0"
            continue
        yield keys
        if cursor == b"0":
            return
