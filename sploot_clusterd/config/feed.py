"""Settings of the change feed."""

from dataclasses import dataclass

from sploot_clusterd.config.kinds import switch, whole


@dataclass(frozen=True, slots=True)
class FeedSettings:
    """The change feed: an event of each change of a pet's clusters, for other services. Off until it is enabled."""

    enabled: bool = switch(
        False, "Whether changes are fed; alike in every process, or some changes have no event.", env="FEED_ENABLED"
    )
    bytes: int = whole(
        256 * 2**20,
        "The most bytes that events take, in all partitions; the oldest ones go.",
        2**20,
        2**40,
        env="FEED_BYTES",
    )
    seconds: int = whole(86400, "How long an event is kept, in seconds.", 1, 10**9, env="FEED_SECONDS")
