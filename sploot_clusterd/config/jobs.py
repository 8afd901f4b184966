"""Settings of what is told of jobs."""

from dataclasses import dataclass

from sploot_clusterd.config.kinds import whole


@dataclass(frozen=True, slots=True)
class JobsSettings:
    """What became of a pet's latest jobs, for people who ask."""

    ttl_seconds: int = whole(
        604_800,
        "How long it is kept after a pet's last job, in seconds; 0: it is not kept.",
        0,
        10**9,
        env="JOBS_TTL_SECONDS",
    )
