"""Every error of the daemon. The lowest room: it imports nothing of the project."""

from typing import Literal

Reason = Literal[
    "malformed",
    "invalid",
    "mismatch",
    "dimension",
    "stale_correction",
    "max_attempts",
    "crash_loop",
    "bad_state",
    "payload_lost",
    "snapshot_gone",
]
"""Why a job became a dead letter; the closed set of that metric's label."""


class ClusterdError(Exception):
    """Base of all errors that the daemon raises on purpose."""


class ConfigError(ClusterdError):
    """A setting is unknown, of the wrong type or contradicts another. The text names it and what is allowed."""


class StartError(ClusterdError):
    """The daemon cannot start or go on as configured; trying again by itself would not help."""


class ConsumerNameTakenError(StartError):
    """Another live process consumes under this name in this group."""


class ServiceError(ClusterdError):
    """Another service, which a command asks, does not do what it was asked. The text says what to do about it."""


class RootTaskFailedError(ClusterdError):
    """A root task failed more often than its window allows; the process ends non-zero."""


class BadJobError(ClusterdError):
    """A job that can never be applied: a dead letter at first sight, or a 400 or 422 over HTTP."""

    def __init__(self, reason: Reason, detail: str) -> None:
        super().__init__(detail)
        self.reason: Reason = reason
        self.detail = detail


class StrayJobError(BadJobError):
    """The pet has left the partition that its job was added to, or is to come: the producer goes by another number of
    partitions than there are now.
    """

    def __init__(self, pet_id: str) -> None:
        super().__init__("mismatch", f"pet_id {pet_id!r} belongs to another partition since their number changed")
        self.pet_id = pet_id


class BadStateError(ClusterdError):
    """What is stored of an album cannot be read. It is kept for inspection."""


class StoreUnavailableError(ClusterdError):
    """Redis does not answer. What was asked may or may not have happened."""

    def __init__(self, detail: str = "redis unavailable") -> None:
        super().__init__(detail)
        self.detail = detail


class StoreRefusesError(StoreUnavailableError):
    """Redis answers and refuses writes (memory, disk, a replica): intake pauses and no attempt is used up."""


class NotClusteredError(StoreUnavailableError):
    """The server that was to be a node of a cluster is in none."""


class NoPermissionError(StoreUnavailableError):
    """Redis refuses a command, or a key, to our user."""


class GroupMissingError(StoreUnavailableError):
    """The consumer group, or its whole stream, was deleted: it has to be made again, from the first entry."""


class PartitionMovedError(StoreUnavailableError):
    """The number of partitions changes, and this one's pets are in motion, or were: nothing was done."""


class BusyError(ClusterdError):
    """As much of this is under way as may be: whoever asks has to come back."""


class BacklogFullError(ClusterdError):
    """The stream holds as many unsettled jobs as it may; the submitter has to come back."""


class HistoryUnavailableError(ClusterdError):
    """The database does not answer, or not in time. What was to be written may or may not have been."""

    def __init__(self, detail: str = "history unavailable") -> None:
        super().__init__(detail)
        self.detail = detail


class HistorySchemaError(HistoryUnavailableError):
    """The database's tables are not those that this version works with; the text says what to run."""


class HistoryInUseError(HistoryUnavailableError):
    """Another process writes to this SQLite file: there is one writer."""


class LookupsExceededError(HistoryUnavailableError):
    """More was asked of history than it may be, so that its database has time for what is written."""

    def __init__(self) -> None:
        super().__init__("too many look-ups in history: history.lookups_per_second bounds them")
