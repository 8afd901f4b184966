"""Reads of what lies with a pet, wherever: its partition may be in motion, or go by another layout than we knew."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final

from sploot_clusterd.errors import ClusterdError
from sploot_clusterd.keys import Keys, Layout
from sploot_clusterd.store.connection import Argument
from sploot_clusterd.store.gateway import Gateway

_FIRST_LAYOUT: Final = b"1"
"""The number of a partition's layout where none is stored."""


class PetReads:
    """With one partition these are plain reads. Else who finds nothing asks for the number of the partition's layout,
    too, and looks elsewhere where that is not the one that we go by.
    """

    def __init__(self, gateway: Gateway, layout: Layout, follow: Callable[[], Awaitable[None]]) -> None:
        """`follow` has the layout go by what is recorded of it."""
        self._gateway = gateway
        self._layout = layout
        self._follow = follow

    async def views(self, pet_ids: Sequence[str]) -> Sequence[bytes | Exception | None]:
        """Of each pet its view, None where there is none, or why it cannot be read. Raises StoreUnavailableError where
        none can.
        """
        if self._layout.is_one:
            return list(await self._gateway.read("view", "MGET", *map(self._gateway.keys.view, pet_ids)))
        views = await self._found(pet_ids)
        missing = [n for n, view in enumerate(views) if view is None]
        if missing:
            looked_for = await self._looked_for([pet_ids[n] for n in missing])
            for n, view in zip(missing, looked_for, strict=True):
                views[n] = view
        return views

    async def has_album(self, pet_id: str) -> bool:
        """Whether there is an album of the pet. Raises StoreUnavailableError."""
        return bool(await self._first(pet_id, lambda keys: ("EXISTS", keys.pet(pet_id).album)))

    async def is_known(self, pet_id: str) -> bool:
        """Whether anything is kept of the pet. Raises StoreUnavailableError."""
        return bool(await self._first(pet_id, lambda keys: ("EXISTS", *keys.pet(pet_id))))

    async def jobs(self, pet_id: str) -> Sequence[bytes]:
        """What the pet was told of its jobs, as it is stored. Raises StoreUnavailableError, BadStateError."""
        told: Sequence[bytes] = await self._first(pet_id, lambda keys: ("LRANGE", keys.jobs(pet_id), 0, -1))
        return told

    async def _first(self, pet_id: str, command: Callable[[Keys], tuple[Argument, ...]]) -> Any:
        """What is there under the pet's keys, wherever it is now."""
        if self._layout.is_one:
            (reply,) = await self._read(self._layout.plain, command(self._layout.plain))
            return reply
        keys = self._layout.several[self._layout.number(pet_id)]
        expected = keys.goes_by.encode()
        there, (number,) = await self._read(keys, command(keys), ("MGET", keys.layout))
        if there or (number or _FIRST_LAYOUT) == expected:
            return there
        await self._follow()
        for place in self._layout.places(pet_id):
            (there,) = await self._read(place, command(place))
            if there:
                return there
        return there

    async def _read(self, keys: Keys, *commands: tuple[Argument, ...]) -> list[Any]:
        replies = await self._gateway.read_each("view", [(keys, command) for command in commands])
        for reply in replies:
            if isinstance(reply, Exception):
                raise reply
        return replies

    async def _found(self, pet_ids: Sequence[str]) -> list[bytes | Exception | None]:
        """What is there by the layout that we go by: who finds a view needs no number of another one."""
        keys = [self._layout.several[self._layout.number(pet_id)] for pet_id in pet_ids]
        names = [each.view(pet_id) for each, pet_id in zip(keys, pet_ids, strict=True)]
        if self._gateway.is_one_server:
            return list(await self._gateway.read("view", "MGET", *names))
        # One key a command: of several, of which some have moved to another node already, a cluster answers none.
        commands = [(each, ("MGET", name)) for each, name in zip(keys, names, strict=True)]
        replies = await self._gateway.read_each("view", commands)
        return [reply if isinstance(reply, Exception) else reply[0] for reply in replies]

    async def _looked_for(self, pet_ids: Sequence[str]) -> Sequence[bytes | Exception | None]:
        """Of pets without a view where we looked: asked again with the number of the layout there, by one command each,
        for what is told apart may be of before and after a move.
        """
        keys = [self._layout.several[self._layout.number(pet_id)] for pet_id in pet_ids]
        expected = [each.goes_by.encode() for each in keys]
        commands = [
            (each, ("MGET", each.view(pet_id), each.layout)) for each, pet_id in zip(keys, pet_ids, strict=True)
        ]
        try:
            replies = await self._gateway.read_each("view", commands)
        except ClusterdError as error:  # of these alone: the others' are found
            return [error] * len(pet_ids)
        views: list[bytes | Exception | None] = []
        for pet_id, goes_by, reply in zip(pet_ids, expected, replies, strict=True):
            if isinstance(reply, Exception):
                views.append(reply)
                continue
            stored, number = reply
            is_there = stored is not None or (number or _FIRST_LAYOUT) == goes_by
            views.append(stored if is_there else await self._moved_view(pet_id))
        return views

    async def _moved_view(self, pet_id: str) -> bytes | Exception | None:
        """Of a pet that is in motion, or was: it is put into its new place before it is taken from the old one."""
        try:
            await self._follow()
            for keys in self._layout.places(pet_id):
                (stored,) = await self._gateway.at(keys).read("view", "MGET", keys.view(pet_id))
                if stored is not None:
                    return bytes(stored)
        except ClusterdError as error:
            return error
        return None
