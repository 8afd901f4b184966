"""Every metric of the daemon, declared once, with its kind and meaning.

The first four are the reference service's, by name, label values and buckets. Labels come from closed sets: never a
pet, a path or the text of an error, for each value is a series that every scrape carries for ever.
"""

from typing import get_args

from prometheus_client import CollectorRegistry, Counter, Gauge

from sploot_clusterd import __version__
from sploot_clusterd.correcting import OPS
from sploot_clusterd.errors import Reason
from sploot_clusterd.histogram import Histogram, Series

PREFIX = "media_cluster_"
# The reference's .1 to 10 s, and finer ones below: a one-image job takes well under a millisecond.
_JOB_SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
# Among them those of the objectives: docs/objectives.yml asks by 5 and by .05 s.
_VISIBLE_SECONDS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0)
_REQUEST_SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 2.5, 10.0)
_UPSTREAM_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
_LAG_SECONDS = (0.0005, 0.001, 0.002, 0.003, 0.005, 0.01, 0.02, 0.05, 0.1, 0.5)
_COUNTS = (1, 2, 4, 8, 16, 32, 64, 128, 256)
_SHARES = (0.0, 0.02, 0.05, 0.1, 0.15, 0.2, 0.3, 0.5, 0.9)
# Narrow where real albums lie.
_SILHOUETTES = (0.0, 0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5, 0.55, 0.6, 0.8)


class Metrics:
    """One process's metrics in a registry of their own, so that two daemons in one test do not share figures."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._ingest()
        self._partitions()
        self._feed()
        self._history()
        self._lookups()
        self._albums()
        self._profiles()
        self._insights()
        self._tracing()
        self._process()

    def _counter(self, name: str, meaning: str, *labels: str) -> Counter:
        return Counter(PREFIX + name, meaning, labels, registry=self.registry)

    def _gauge(self, name: str, meaning: str, *labels: str) -> Gauge:
        return Gauge(PREFIX + name, meaning, labels, registry=self.registry)

    def _histogram(self, name: str, meaning: str, bounds: tuple[float, ...]) -> Series:
        return Histogram(PREFIX + name, meaning, bounds, registry=self.registry).labels("")

    def _ingest(self) -> None:
        self.jobs_processed = self._counter(
            "jobs_processed_total",
            "Runs by result: success, retry, dead_letter, invalid, skipped, failure (every failed run)",
            "result",
        )
        self.reused_job_ids = self._counter(
            "reused_job_ids_total", "Jobs skipped because their album remembers another job under their id"
        )
        self.job_seconds = self._histogram(
            "job_processing_seconds", "Time from a batch's read to its jobs' commit, a job", _JOB_SECONDS
        )
        self.visible_seconds = self._histogram(
            "job_visible_seconds",
            "Time from a job's coming into the stream to its commit, when readers see it",
            _VISIBLE_SECONDS,
        )
        self.pending_jobs = self._gauge("pending_jobs", "Entries read and not yet settled: the group's pending entries")
        self.stream_lag = self._gauge("stream_lag_seconds", "Idle time of the oldest pending entry")
        self.oldest_unsettled = self._gauge("oldest_unsettled_seconds", "Age of the oldest entry in the stream")
        self.backlog = self._gauge("backlog_jobs", "Unsettled entries, read or not: the stream's length")
        self.backlog_refused = self._counter("backlog_refused_total", "Submits refused because the stream was full")
        self.deliveries = self._counter("deliveries_total", "Entries handed to this process, new ones and again")
        self.reclaims = self._counter("reclaims_total", "Entries claimed by cause: due, idle, own", "cause")
        for cause in ("due", "idle", "own"):
            self.reclaims.labels(cause)
        self.conflicts = self._counter("conflicts_total", "Commits refused because the album had moved on")
        self.put_off = self._counter(
            "put_off_total", "Entries left to be taken up later, as older ones of their pets were not done"
        )
        self.lost_entries = self._counter(
            "lost_entries_total", "Entries another process had taken when we came to commit"
        )
        self.dead_letters = self._counter("dead_letters_total", "Jobs set aside, by reason", "reason")
        for reason in get_args(Reason):  # from 0, or the first dead letter is no increase to Prometheus
            self.dead_letters.labels(reason)
        self.dead_letters_dropped = self._counter("dead_letters_dropped_total", "Dead letters that the cap dropped")
        self.groups_created = self._counter("groups_created_total", "Consumer groups made, again after a loss too")
        self.batch_size = self._histogram("batch_size_jobs", "Jobs in a batch", _COUNTS)
        self.stage_seconds = self._counter(
            "stage_seconds_total", "Time of consumers by stage: wait, order, load, compute, commit", "stage"
        )

    def _partitions(self) -> None:
        self.partitions_owned = self._gauge(
            "partitions_owned", "Partitions that this process reads, where there are several"
        )
        self.partition_moves = self._counter(
            "partition_moves_total", "Partitions that this process handed over to others"
        )
        self.routed = self._counter(
            "routed_total", "Entries of the plain stream moved to their partitions by this process"
        )
        self.unrouted = self._gauge("unrouted_jobs", "Entries of the plain stream that are to be moved to partitions")
        self.unrouted_oldest = self._gauge("unrouted_oldest_seconds", "Age of the oldest entry of the plain stream")
        self.partition_backlog = self._gauge(
            "partition_backlog_jobs", "Unsettled entries of each partition, where there are several", "partition"
        )
        self.partition_oldest = self._gauge(
            "partition_oldest_unsettled_seconds",
            "Age of the oldest entry of each partition, where there are several",
            "partition",
        )
        self.partition_paused = self._gauge(
            "partition_paused", "1 for a partition that pauses as its server is away or it is being moved", "partition"
        )

        self.paused = self._gauge("paused", "1 while the whole fleet is paused (POST /internal/pause)")

    def _feed(self) -> None:
        self.feed_events = self._gauge("feed_events", "Events in the change feed")
        self.feed_bytes = self._gauge("feed_bytes", "Bytes that they take, as feed.bytes counts them")
        self.feed_oldest = self._gauge("feed_oldest_seconds", "Age of the oldest event, of any partition")
        self.feed_trimmed = self._counter(
            "feed_trimmed_total",
            "Events that this process dropped from the feed, as it was too large, or they too old",
            "why",
        )

    def _history(self) -> None:
        self.history_away = self._gauge(
            "history_away", "1 while history's database does not take what is to be written"
        )
        self.history_lag = self._gauge(
            "history_lag_seconds", "Age of the oldest event that this process is to write, and has not written"
        )
        self.history_events = self._counter(
            "history_events_total",
            "Events by what became of them: written, or refused (set aside, as the database cannot hold them)",
            "outcome",
        )
        for outcome in ("written", "refused"):
            self.history_events.labels(outcome)
        self.history_write_seconds = self._histogram(
            "history_write_seconds", "Time of a transaction with events", _UPSTREAM_SECONDS
        )
        self.history_gaps = self._counter(
            "history_gaps_total", "Times that events were missing, or others than those that were written before"
        )
        self.history_missed_events = self._counter(
            "history_missed_events_total", "Events that were trimmed before they were written"
        )
        self.history_superseded = self._counter(
            "history_superseded_total", "Written versions that Redis lost, and others came in place of"
        )
        self.history_snapshots = self._counter("history_snapshots_total", "Albums that were kept")
        self.history_pets_waiting = self._gauge("history_pets_waiting", "Pets whose newest album is to be kept")
        self.history_surveys = self._gauge(
            "history_surveys", "Partitions whose pets are being compared with what is written"
        )
        self.history_erasures_pending = self._gauge(
            "history_erasures_pending", "Erased pets that history is still to forget"
        )

    def _lookups(self) -> None:
        self.history_lookups = self._counter(
            "history_lookups_total",
            "What readers asked of history: found, missed, remembered (as missed, a moment ago), refused (too many a "
            "second), failed",
            "outcome",
        )
        for outcome in ("found", "missed", "remembered", "refused", "failed"):
            self.history_lookups.labels(outcome)
        self.history_lookup_seconds = self._histogram(
            "history_lookup_seconds", "Time of a look-up in history's database", _UPSTREAM_SECONDS
        )

    def _albums(self) -> None:
        self.views_revived = self._counter(
            "views_revived_total",
            "Pets asked for whose views had expired, by what they got: rendered (from the album), kept (by history), "
            "nothing, refused (too many at a time)",
            "outcome",
        )
        for outcome in ("rendered", "kept", "nothing", "refused"):
            self.views_revived.labels(outcome)
        self.cache_requests = self._counter("album_cache_requests_total", "Albums wanted: hit or miss", "result")
        self.cache_bytes = self._gauge("album_cache_bytes", "Estimated size of the albums in memory")
        self.clusters = self._histogram("clusters_per_album", "Shown clusters of an album at its commit", _COUNTS)
        self.unclustered = self._histogram(
            "unclustered_per_album", "Images in no shown cluster at an album's commit", (0, *_COUNTS)
        )
        self.unclustered_share = self._histogram(
            "unclustered_share", "Share of an album's images with vectors in no shown cluster, at its commit", _SHARES
        )
        self.silhouette = self._histogram(
            "silhouette", "How well an album's clusters are set apart, 0 (or less) to 1, at its commit", _SILHOUETTES
        )
        self.hero_changes = self._counter("hero_changes_total", "Clusters that got another hero")
        self.merges = self._counter("cluster_merges_total", "Clusters that became part of another")
        self.splits = self._counter("cluster_splits_total", "Clusters that parted from another")
        self.tombstones_dropped = self._counter(
            "tombstones_dropped_total", "Removed images that albums forgot before their time, having too many"
        )
        self.rebuilds = self._counter("rebuilds_total", "Albums whose clusters were formed anew")

        self.corrections = self._counter("corrections_total", "Users' corrections applied", "op")
        for op in OPS:
            self.corrections.labels(op)

    def _profiles(self) -> None:
        self.sampled_images = self._gauge("sampled_images", "Images in the fleet's samples, of all model versions")
        self.profile_generation = self._gauge("profile_generation", "Highest generation of a profile in use")
        self.profile_images = self._gauge("profile_images", "Images that a profile in use was learned from, at most")
        self.profile_drift = self._gauge(
            "profile_drift", "Drift of a profile in use from the generation before (0: none), at most"
        )
        self.profile_scale = self._gauge(
            "profile_scale", "Scale of a profile in use, 0 to 1, at least: how large its encoder's cosines are"
        )
        self.profile_contrast = self._gauge(
            "profile_contrast",
            "Likeness of one pet's photos over that of different pets', at least of a profile in use: at 1 its encoder "
            "cannot tell animals apart (0: not measured)",
        )
        self.profiles_learned = self._counter("profiles_learned_total", "Profiles learned and published")
        self.profile_moves = self._counter("profile_moves_total", "Albums moved to a newer generation of their profile")

    def _insights(self) -> None:
        self.insights_wanted = self._counter(
            "insights_wanted_total", "Images, and lists of images, whose insights commits of this process wanted"
        )
        self.insights_pets_waiting = self._gauge("insights_pets_waiting", "Pets that want insights")
        self.insights_oldest_wait = self._gauge(
            "insights_oldest_wait_seconds", "For how long the pet that is next has waited for its turn to be asked for"
        )
        self.insights_untold_pets = self._gauge(
            "insights_untold_pets", "Pets of which the storage service is still to be told (insights.write_back)"
        )
        self.insights_settled = self._counter(
            "insights_settled_total",
            "Wanted insights and lists by what became of them: fetched, missing, put_off, given_up, crash_loop, "
            "set_aside, lost",
            "outcome",
        )
        self.insights_requests = self._counter(
            "insights_requests_total",
            "Requests to the storage service, by what was asked and how it ended",
            "ask",
            "outcome",
        )
        self.insights_bad_answers = self._counter(
            "insights_bad_answers_total", "Answers of the storage service that could not be used, by reason", "reason"
        )
        self.insights_seconds = self._histogram(
            "insights_request_seconds", "Time of a request to the storage service", _UPSTREAM_SECONDS
        )
        self.insights_in_flight = self._gauge("insights_in_flight", "Requests to the storage service under way")
        self.insights_breaker = self._gauge(
            "insights_breaker", "Whether the storage service is asked: 0 yes, 1 one request finds out, 2 no"
        )

    def _tracing(self) -> None:
        self.tracing_spans = self._counter(
            "tracing_spans_total",
            "Spans by what became of them: sent, lost (the collector was away or refused them), dropped (too many)",
            "outcome",
        )
        for outcome in ("sent", "lost", "dropped"):
            self.tracing_spans.labels(outcome)

    def _process(self) -> None:
        self.http_requests = self._counter("http_requests_total", "Requests answered", "route", "status")
        self.http_seconds = Histogram(
            f"{PREFIX}http_request_seconds", "Time of a request", _REQUEST_SECONDS, "route", registry=self.registry
        )
        self.http_token_uses = self._counter(
            "http_token_uses_total", "Requests by the place of their token in the settings", "slot"
        )
        self.http_bad_requests = self._counter("http_bad_requests_total", "Connections whose bytes were no HTTP")
        self.http_connections = self._gauge("http_connections", "Open connections")
        self.redis_up = self._gauge("redis_up", "1 while Redis answers, as the pulse sees it, else 0")
        self.redis_round_trips = self._counter("redis_round_trips_total", "Commands and pipelines sent", "kind")
        self.redis_primary_changes = self._counter(
            "redis_primary_changes_total", "Times that Sentinels named another primary than before"
        )
        self.loop_lag = self._histogram("loop_lag_seconds", "How late the event loop wakes a sleeper", _LAG_SECONDS)
        self.restarts = self._counter("component_restarts_total", "Root tasks started again", "component")
        self.log_lines_dropped = self._counter(
            "log_lines_dropped_total", "Lines of output that nobody read in time, or that could not be written"
        )
        self.ready = self._gauge("ready", "1 while /readyz says ready, else 0")
        build = self._gauge("build_info", "Always 1; the version as a label", "version")
        build.labels(__version__).set(1)
