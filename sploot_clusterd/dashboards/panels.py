"""What the dashboard shows. A metric comes to it by a line here; then `python -m tests.docs.tables`."""

from typing import Final, NamedTuple

from sploot_clusterd.dashboards.queries import (
    CHOSEN,
    Queries,
    Query,
    average,
    each,
    largest,
    quantiles,
    rate,
    slowest,
    smallest,
    total,
)


class Panel(NamedTuple):
    """A picture of some queries. `unit` is one of Grafana's names: `s`, `bytes`, `ops` (a second), `short`, ..."""

    title: str
    unit: str
    queries: Queries


class Row(NamedTuple):
    """Panels under one heading."""

    title: str
    panels: tuple[Panel, ...]


ROWS: Final = (
    Row(
        "Outcomes",
        (
            Panel("Runs by result", "ops", rate("jobs_processed_total", "result")),
            Panel("Reused job ids", "ops", rate("reused_job_ids_total")),
            Panel("Corrections", "ops", rate("corrections_total", "op")),
            Panel("Requests by status", "ops", rate("http_requests_total", "status")),
            Panel("Submits refused, as the backlog was full", "ops", rate("backlog_refused_total")),
            Panel("Connections that spoke no HTTP", "ops", rate("http_bad_requests_total")),
        ),
    ),
    Row(
        "Throughput and latency",
        (
            Panel("Deliveries", "ops", rate("deliveries_total")),
            Panel("Time until readers see a job", "s", quantiles("job_visible_seconds")),
            Panel("Time of a job", "s", quantiles("job_processing_seconds")),
            Panel("Requests by route", "ops", rate("http_requests_total", "route")),
            Panel("Views that had expired", "ops", rate("views_revived_total", "outcome")),
            Panel("Time of a request, p99 by route", "s", slowest("http_request_seconds", "route")),
            Panel("Where consumers spend their time", "short", rate("stage_seconds_total", "stage")),
            Panel("Jobs in a batch", "short", quantiles("batch_size_jobs")),
        ),
    ),
    Row(
        "Backlog",
        (
            Panel("Unsettled jobs", "short", largest("backlog_jobs") + largest("pending_jobs")),
            Panel(
                "Oldest job, and idle longest", "s", largest("oldest_unsettled_seconds") + largest("stream_lag_seconds")
            ),
            Panel("Put off behind older jobs", "ops", rate("put_off_total")),
            Panel("Unsettled jobs by partition", "short", largest("partition_backlog_jobs", "partition")),
            Panel("Oldest job by partition", "s", largest("partition_oldest_unsettled_seconds", "partition")),
            Panel("Entries still to be routed", "short", largest("unrouted_jobs")),
            Panel("Oldest entry still to be routed", "s", largest("unrouted_oldest_seconds")),
            Panel("Entries routed", "ops", rate("routed_total")),
        ),
    ),
    Row(
        "Retries and dead letters",
        (
            Panel("Dead letters by reason", "ops", rate("dead_letters_total", "reason")),
            Panel("Dead letters that the cap dropped", "ops", rate("dead_letters_dropped_total")),
            Panel("Claims by cause", "ops", rate("reclaims_total", "cause")),
            Panel("Commits refused", "ops", rate("conflicts_total") + rate("lost_entries_total")),
        ),
    ),
    Row(
        "Quality",
        (
            Panel("Silhouette", "short", quantiles("silhouette")),
            Panel("Share of images in no cluster", "percentunit", quantiles("unclustered_share")),
            Panel("Clusters of an album", "short", quantiles("clusters_per_album")),
            Panel("Images in no cluster, mean", "short", average("unclustered_per_album")),
            Panel(
                "Merges, splits, new heroes",
                "ops",
                rate("cluster_merges_total") + rate("cluster_splits_total") + rate("hero_changes_total"),
            ),
            Panel("Albums formed anew", "ops", rate("rebuilds_total") + rate("profile_moves_total")),
            Panel("Removals forgotten early", "ops", rate("tombstones_dropped_total")),
            Panel("Profiles: generation", "short", largest("profile_generation") + rate("profiles_learned_total")),
            Panel("Profiles: images learned from", "short", largest("profile_images") + largest("sampled_images")),
            Panel(
                "Profiles: drift, scale, contrast",
                "short",
                largest("profile_drift") + smallest("profile_scale") + smallest("profile_contrast"),
            ),
        ),
    ),
    Row(
        "Insights",
        (
            Panel("Wanted", "ops", rate("insights_wanted_total")),
            Panel("Settled, by outcome", "ops", rate("insights_settled_total", "outcome")),
            Panel("Requests to the storage service", "ops", rate("insights_requests_total", "ask, outcome")),
            Panel("Answers that could not be used", "ops", rate("insights_bad_answers_total", "reason")),
            Panel("Time of a request to it", "s", quantiles("insights_request_seconds")),
            Panel("Requests under way", "short", total("insights_in_flight")),
            Panel("Pets that wait", "short", largest("insights_pets_waiting") + largest("insights_untold_pets")),
            Panel("Longest wait", "s", largest("insights_oldest_wait_seconds")),
            Panel("Breaker (0: it is asked)", "short", each("insights_breaker")),
        ),
    ),
    Row(
        "Change feed",
        (
            Panel("Events", "short", largest("feed_events")),
            Panel("Size", "bytes", largest("feed_bytes")),
            Panel("How far back it goes", "s", largest("feed_oldest_seconds")),
            Panel("Events dropped", "ops", rate("feed_trimmed_total", "why")),
        ),
    ),
    Row(
        "History",
        (
            Panel("Database does not take what is to be written", "short", each("history_away")),
            Panel("Oldest event to be written", "s", largest("history_lag_seconds")),
            Panel("Events written, or refused", "ops", rate("history_events_total", "outcome")),
            Panel("Time of a transaction with events", "s", quantiles("history_write_seconds")),
            Panel("Gaps, and events missed", "ops", rate("history_gaps_total") + rate("history_missed_events_total")),
            Panel("Versions that Redis lost", "ops", rate("history_superseded_total")),
            Panel("Albums kept", "ops", rate("history_snapshots_total")),
            Panel("Albums to be kept", "short", total("history_pets_waiting")),
            Panel("Partitions being compared", "short", total("history_surveys")),
            Panel("Erased pets to be forgotten", "short", largest("history_erasures_pending")),
            Panel("Look-ups by outcome", "ops", rate("history_lookups_total", "outcome")),
            Panel("Time of a look-up", "s", quantiles("history_lookup_seconds")),
        ),
    ),
    Row(
        "Saturation",
        (
            Panel("How late the event loop wakes", "s", quantiles("loop_lag_seconds")),
            Panel("Open connections", "short", each("http_connections")),
            Panel("Redis answers", "short", each("redis_up")),
            Panel("Commands to Redis", "ops", rate("redis_round_trips_total", "kind")),
            Panel("Albums in memory", "bytes", each("album_cache_bytes")),
            Panel("Albums wanted from memory", "ops", rate("album_cache_requests_total", "result")),
            Panel("Lines of the log dropped", "ops", rate("log_lines_dropped_total")),
            Panel("Spans of traces by outcome", "ops", rate("tracing_spans_total", "outcome")),
        ),
    ),
    Row(
        "Fleet",
        (
            Panel("Scraped", "short", (Query(f"max by (instance) (up{CHOSEN})", "{{instance}}"),)),
            Panel("Ready", "short", each("ready")),
            Panel("Processes by version", "short", total("build_info", "version")),
            Panel("Loops started again", "ops", rate("component_restarts_total", "component")),
            Panel("Partitions read by each", "short", each("partitions_owned")),
            Panel("Partitions handed over", "ops", rate("partition_moves_total")),
            Panel("Paused, by a person", "short", largest("paused")),
            Panel("Partitions that pause", "short", largest("partition_paused", "partition")),
            Panel("Groups made", "ops", rate("groups_created_total")),
            Panel("Primaries named by Sentinels", "ops", rate("redis_primary_changes_total")),
            Panel("Token uses by slot", "ops", rate("http_token_uses_total", "slot")),
        ),
    ),
)
