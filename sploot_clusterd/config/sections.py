"""Every setting: one frozen dataclass per TOML section, each field with its default, its range and why to set it.

A field's name is its TOML key. Its environment variable is the one named here, else CLUSTERD_SECTION_KEY (for the
engine, CLUSTER_ENGINE_KEY).
"""

# ruff: noqa: RUF009 - the calls return dataclass fields

from dataclasses import dataclass, field
from typing import Final, Literal

from sploot_clusterd.config import redis_url
from sploot_clusterd.config.engine import EngineSettings
from sploot_clusterd.config.feed import FeedSettings
from sploot_clusterd.config.history import HistorySettings
from sploot_clusterd.config.http import HttpSettings
from sploot_clusterd.config.insights import InsightsSettings
from sploot_clusterd.config.jobs import JobsSettings
from sploot_clusterd.config.kinds import (
    Secret,
    SecretUrl,
    choice,
    number,
    secret,
    secret_url,
    secrets,
    switch,
    text,
    texts,
    whole,
)
from sploot_clusterd.config.tracing import TracingSettings
from sploot_clusterd.config.ui import UiSettings
from sploot_clusterd.partitioning import MOST_PARTITIONS

_PORT: Final = 65535
_NAME: Final = (
    r"[^\s{}\x00-\x1f\x7f]+",
    "a text without blanks and braces (a brace would move the key to another slot)",
)

Environment = Literal["local", "development", "staging", "production"]
LogFormat = Literal["json", "text"]


@dataclass(frozen=True, slots=True)
class ServiceSettings:
    """What this process is."""

    environment: Environment = choice(
        "local",
        "Where it runs. In staging and production weak tokens are refused; in local a .env file is read.",
        ("local", "development", "staging", "production"),
        env="ENVIRONMENT",
    )
    name: str = text("sploot-media-clustering", "The name it goes by in logs.", env="APP_NAME")
    instance: int = whole(
        0, "Tells processes of one host apart; it is part of the consumers' names.", 0, 9999, env="CLUSTERD_INSTANCE"
    )
    log_level: str = choice(
        "INFO",
        "The least level that is logged; read again on SIGHUP.",
        ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"),
        env="LOG_LEVEL",
    )
    log_format: LogFormat | None = choice(
        None,
        "One JSON object a line, or text. Unset: text on a terminal, else JSON.",
        ("json", "text"),
        env="LOG_FORMAT",
    )


@dataclass(frozen=True, slots=True)
class LimitsSettings:
    """How large a job may be. What is larger is refused (422), or a dead letter where it came by the stream."""

    images_per_job: int = whole(256, "Insights in one job; labels, coverage keys and corrections too.", 1, 100_000)
    image_ids_per_job: int = whole(10_000, "Ids in image_ids and in removed_image_ids.", 1, 1_000_000)
    vector_length: int = whole(4096, "Numbers in one vector.", 1, 65536)
    id_length: int = whole(128, "Characters in an id of a pet, a job or an image.", 1, 128)


@dataclass(frozen=True, slots=True)
class RedisSettings:
    """The Redis that holds everything. 7.0 or newer, with the eviction policy noeviction."""

    url: SecretUrl = secret_url(
        SecretUrl("redis://127.0.0.1:6379/0"),
        "Where Redis is: redis://, rediss:// (TLS), unix:// (a path), or redis+sentinel:// (Sentinels that know it).",
        redis_url.is_allowed,
        redis_url.ALLOWED,
        env="REDIS_URL",
    )
    cluster: bool = switch(
        False, "Whether the URL names nodes of a Redis Cluster: any of them, some are enough.", env="REDIS_CLUSTER"
    )
    cluster_addresses: tuple[str, ...] | None = texts(
        None,
        "Where nodes of a cluster are reached that announce other addresses: announced=reached, both host:port.",
        env="REDIS_CLUSTER_ADDRESSES",
    )
    username: str | None = text(None, "The ACL user, where the URL names none.", env="REDIS_USERNAME")
    password: Secret | None = secret(None, "The password, where the URL has none.", env="REDIS_PASSWORD")
    sentinel_username: str | None = text(
        None, "The ACL user at the Sentinels of a redis+sentinel:// URL.", env="REDIS_SENTINEL_USERNAME"
    )
    sentinel_password: Secret | None = secret(
        None, "The password of the Sentinels, which is not Redis' own.", env="REDIS_SENTINEL_PASSWORD"
    )
    ssl: bool = switch(False, "TLS with a redis:// or redis+sentinel:// URL.", env="REDIS_SSL")
    ssl_ca_certs: str | None = text(
        None, "A file of CA certificates to trust; unset: the system's.", env="REDIS_SSL_CA_CERTS"
    )
    pool_max_connections: int = whole(
        20, "Connections for commands; blocking reads have their own.", 2, 10_000, env="REDIS_POOL_MAX_CONNECTIONS"
    )
    socket_timeout: float | None = number(
        None,
        "Seconds until a command counts as lost. Unset: 5; blocking reads add their read timeout.",
        0.1,
        600.0,
        env="REDIS_SOCKET_TIMEOUT",
    )
    socket_connect_timeout: float = number(
        5.0, "Seconds until a connection attempt counts as failed.", 0.1, 600.0, env="REDIS_SOCKET_CONNECT_TIMEOUT"
    )
    healthcheck_interval: float = number(
        30.0,
        "Seconds of idleness after which a connection is tried before use.",
        0.0,
        3600.0,
        env="REDIS_HEALTHCHECK_INTERVAL",
    )
    retry_on_timeout: bool = switch(
        True, "Repeat a timed out call once where repeating is safe.", env="REDIS_RETRY_ON_TIMEOUT"
    )


@dataclass(frozen=True, slots=True)
class ClustersSettings:
    """What readers get."""

    namespace: str = text(
        "sploot.media.clusters", "What the keys of albums and views begin with.", *_NAME, env="NAMESPACE"
    )
    ttl_seconds: int = whole(
        86400, "How long a view lives after its last change, in seconds.", 1, 10**9, env="CLUSTER_TTL_SECONDS"
    )
    max_cluster_size: int = whole(24, "Members of a cluster that a view lists.", 1, 10_000, env="MAX_CLUSTER_SIZE")


@dataclass(frozen=True, slots=True)
class AlbumsSettings:
    """What is kept of each pet."""

    ttl_seconds: int | None = whole(
        None, "How long an album lives after its last change, in seconds. Unset: for ever.", 1, 10**9
    )
    cache_bytes: int = whole(
        256 * 2**20, "Memory for albums at hand and all they hold, in bytes; 0 turns the cache off.", 0, 2**40
    )
    tombstone_days: int = whole(
        30, "How long a removed image is remembered, so that no late insight revives it.", 1, 3650
    )
    tombstones: int = whole(
        10_000, "Removed images that an album remembers; with more, the older half is forgotten.", 2, 1_000_000
    )
    announced_images: int = whole(
        20_000, "Images without vectors that an album holds; a job that names more is set aside.", 1, 1_000_000
    )
    dedupe_jobs: int = whole(256, "Recent job ids that an album remembers.", 1, 100_000)


@dataclass(frozen=True, slots=True)
class StreamSettings:
    """The stream of jobs and the consumers that read it."""

    key: str = text("streams:media.cluster", "The stream of jobs.", *_NAME, env="CLUSTER_STREAM_KEY")
    dead_letter: str = text(
        "streams:media.cluster.deadletter",
        "The stream of jobs that were set aside.",
        *_NAME,
        env="CLUSTER_DEAD_LETTER_STREAM",
    )
    maxlen: int = whole(
        10_000,
        "Unsettled jobs at which submitting is refused (503), and the most dead letters kept. Jobs are never trimmed.",
        1,
        10**9,
        env="CLUSTER_STREAM_MAXLEN",
    )
    dead_letter_bytes: int = whole(
        128 * 2**20, "The most bytes that dead letters take; the oldest ones go.", 2**20, 2**40
    )
    approximate_trim: bool = switch(
        True, "Keep up to 100 dead letters more than stream.maxlen.", env="CLUSTER_STREAM_APPROXIMATE_TRIM"
    )
    group: str = text("media-clustering-workers", "The consumer group.", *_NAME, env="CLUSTER_CONSUMER_GROUP")
    consumer_name: str = text(
        "media-clustering-worker",
        "What consumers' names begin with; host, instance and slot follow.",
        *_NAME,
        env="CLUSTER_WORKER_CONSUMER_NAME",
    )
    read_timeout_ms: int = whole(
        5000, "How long a read waits for new jobs, in milliseconds.", 10, 600_000, env="CLUSTER_READ_TIMEOUT_MS"
    )
    read_count: int = whole(
        64,
        "Jobs in one read, and so in one batch; of one of several partitions that is behind twice as many.",
        1,
        10_000,
        env="CLUSTER_READ_COUNT",
    )
    retry_idle_ms: int = whole(
        60_000,
        "How long a read job may stay unsettled before another consumer takes it, in milliseconds.",
        100,
        86_400_000,
        env="CLUSTER_RETRY_IDLE_MS",
    )
    max_attempts: int = whole(
        5, "Failed runs after which a job becomes a dead letter.", 1, 1000, env="CLUSTER_MAX_ATTEMPTS"
    )
    consumers: int = whole(2, "Consumers of this process; 0 makes it serve HTTP only.", 0, 256, env="CLUSTER_CONSUMERS")
    partitions: int = whole(
        1,
        "Parts of the stream, by pets; `clusterd partitions move` changes their number. Powers of two lie evenly.",
        1,
        MOST_PARTITIONS,
        env="CLUSTER_PARTITIONS",
    )


@dataclass(frozen=True, slots=True)
class ProfilesSettings:
    """What is learned of each encoder from the fleet, so that images compare better."""

    enabled: bool = switch(
        True, "Whether to sample, learn and adopt profiles; albums that have one keep it, whatever this says."
    )
    moves_per_second: float = number(
        5.0, "Albums that move to a newer profile with their next job, a second; 0: none but by force.", 0.0, 1000.0
    )


@dataclass(frozen=True, slots=True)
class MetricsSettings:
    """The port that Prometheus scrapes and that probes ask: one per process."""

    enabled: bool = switch(True, "Whether to serve metrics.", env="WORKER_METRICS_ENABLED")
    host: str = text(
        "0.0.0.0",  # noqa: S104 - scraped from elsewhere, as the reference was
        "The address to listen on; :: for all of IPv6 and IPv4.",
        r"\S+",
        "an address",
        env="WORKER_METRICS_HOST",
    )
    port: int = whole(9105, "The port to listen on; 0 takes any free one.", 0, _PORT, env="WORKER_METRICS_PORT")
    tokens: tuple[Secret, ...] | None = secrets(
        None,
        "What a scraper has to present, as X-Internal-Token or as a bearer. Unset: nothing. Read again on SIGHUP.",
        env="WORKER_METRICS_TOKEN",
    )
    token_files: tuple[str, ...] | None = texts(
        None, "Files with a token a line, in place of tokens. Read again on SIGHUP.", env="WORKER_METRICS_TOKEN_FILE"
    )


@dataclass(frozen=True, slots=True)
class Sections:
    """All sections under their TOML names."""

    service: ServiceSettings = field(default_factory=ServiceSettings)
    http: HttpSettings = field(default_factory=HttpSettings)
    ui: UiSettings = field(default_factory=UiSettings)
    limits: LimitsSettings = field(default_factory=LimitsSettings)
    redis: RedisSettings = field(default_factory=RedisSettings)
    clusters: ClustersSettings = field(default_factory=ClustersSettings)
    albums: AlbumsSettings = field(default_factory=AlbumsSettings)
    stream: StreamSettings = field(default_factory=StreamSettings)
    jobs: JobsSettings = field(default_factory=JobsSettings)
    profiles: ProfilesSettings = field(default_factory=ProfilesSettings)
    insights: InsightsSettings = field(default_factory=InsightsSettings)
    feed: FeedSettings = field(default_factory=FeedSettings)
    history: HistorySettings = field(default_factory=HistorySettings)
    metrics: MetricsSettings = field(default_factory=MetricsSettings)
    tracing: TracingSettings = field(default_factory=TracingSettings)
    engine: EngineSettings = field(default_factory=EngineSettings)

    @property
    def serves_page(self) -> bool:
        """Whether /ui is there."""
        if self.http.ui is None:
            return self.http.enabled and self.service.environment in ("local", "development")
        return self.http.enabled and self.http.ui
