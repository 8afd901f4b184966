"""Times as texts."""

from datetime import UTC, datetime
from functools import lru_cache


@lru_cache(maxsize=8)
def timestamp(since_epoch_ms: int) -> str:
    """RFC 3339, in UTC, to the millisecond."""
    second, ms = divmod(since_epoch_ms, 1000)
    return f"{_second(second)}.{ms:03d}Z"


@lru_cache(maxsize=8)
def _second(since_epoch: int) -> str:
    """Kept, as the whole is, for all that comes in it: to format a date takes half as long as to decode a small job."""
    return datetime.fromtimestamp(since_epoch, UTC).strftime("%Y-%m-%dT%H:%M:%S")
