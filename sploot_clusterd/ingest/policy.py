"""What becomes of a run that failed, and where a batch is computed: pure functions, easily read and tested."""

import random
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

from sploot_clusterd.errors import BadJobError, BadStateError, Reason

_FIRST_MS: Final = 1000
_LONGEST_MS: Final = 60_000
_INLINE_PIECE: Final = 0.001
_INLINE_TOTAL: Final = 0.004
_INLINE_TINY: Final = 0.00025
_INLINE_BESIDE: Final = 0.0003
"""Seconds of estimated work: of one pet, of a batch, of one pet in a batch of any size, and of a batch while the pool
computes another.
"""
_HOP_SECONDS: Final = 1.0
_INLINE_BYTES: Final = 64 * 1024
_INLINE_BYTES_BESIDE: Final = 4 * 1024
"""Payload above this is decoded in the thread pool: about 0.3 ms of packed vectors, or a few ms of JSON numbers."""


class Again(NamedTuple):
    """Try it again. `attempts` counts this failure too."""

    attempts: int
    delay_ms: int


class SetAside(NamedTuple):
    reason: Reason


def after_failure(error: Exception, attempts: int, max_attempts: int) -> Again | SetAside:
    """What to do with a job whose run raised `error`, after `attempts` earlier failures.

    A job that can never work is set aside at once. Anything else may pass, and is tried `max_attempts` times in all.
    """
    if isinstance(error, BadJobError):
        return SetAside(error.reason)
    if isinstance(error, BadStateError):
        return SetAside("bad_state")
    failed = attempts + 1
    if failed >= max_attempts:
        return SetAside("max_attempts")
    return Again(failed, backoff_ms(failed))


def backoff_ms(failures: int) -> int:
    """Milliseconds until the next try: min(60 s, 1 s * 2^(failures - 1)), times a random factor from 0.5 to 1."""
    ceiling = min(float(_LONGEST_MS), _FIRST_MS * 2.0 ** (failures - 1))
    return round(ceiling * random.uniform(0.5, 1.0))  # noqa: S311 - spreads load, guards no secret


def conflict_pause(tries: int, took: float) -> float:
    """Seconds before a commit that met a conflict is computed again: up to twice the seconds that it `took`, at least
    2 ms, doubling, and at most a tenth of a second. Rivals that pause for less than they compute never part.
    """
    return random.uniform(0.0, min(max(2.0 * took, 0.002 * 2**tries), 0.1))  # noqa: S311


def decode_in_thread(size: int, *, busy: bool) -> bool:
    """Whether a batch of `size` bytes is decoded in the thread pool; `busy` as for `in_thread`."""
    return size > (_INLINE_BYTES_BESIDE if busy else _INLINE_BYTES)


def hops(estimates: Sequence[float]) -> Iterator[slice]:
    """Cuts a batch into parts of about a second of estimated work each: after each part the consumer shows progress."""
    begin, total = 0, 0.0
    for n, estimate in enumerate(estimates):
        if n > begin and total + estimate > _HOP_SECONDS:
            yield slice(begin, n)
            begin, total = n, 0.0
        total += estimate
    if begin < len(estimates):
        yield slice(begin, len(estimates))


def in_thread(estimates: Sequence[float], *, busy: bool) -> bool:
    """Whether a batch goes to the thread pool, by the estimated seconds of each pet's work.

    Tiny work runs between the loop's other work, for a hop costs it a quarter of its rate; each piece is done within
    half a slice, so it does not matter how many there are. One large piece, or many together, goes to the pool; and
    while the pool is `busy` all but the least does: each array operation beside a computing thread waits for the
    interpreter's lock, and the loop must not be the one that waits.
    """
    largest, total = max(estimates, default=0.0), sum(estimates)
    if busy:
        return total > _INLINE_BESIDE
    return largest > _INLINE_PIECE or (largest > _INLINE_TINY and total > _INLINE_TOTAL)
