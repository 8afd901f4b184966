"""A process that ends at one of its exchanges with Redis, as those see it who share that Redis with it."""

import itertools
from collections.abc import Awaitable, Callable
from typing import Any

Exchange = Callable[..., Awaitable[list[Any]]]


class DiedError(Exception):
    """The process is gone."""


def dies_at(exchange: Exchange, number: int, *, before: bool) -> Exchange:
    """In place of `exchange`: before or after the one of that number the process ends."""
    numbers = itertools.count(1)

    async def dies(*args: Any) -> list[Any]:
        this = next(numbers)
        if this > number or (this == number and before):
            raise DiedError
        replies = await exchange(*args)
        if this == number:
            raise DiedError
        return replies

    return dies
