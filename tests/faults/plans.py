"""Every experiment: what it is called, and how large it is in CI and in full."""

import os
from typing import Literal, NamedTuple

from tests.faults import (
    clock,
    corrected,
    crashes,
    failover,
    fairness,
    history,
    insights,
    keyspace,
    kills,
    moves,
    network,
    order,
    outages,
    overload,
    partitions,
    poison,
    reshards,
    sentinels,
    shards,
    slow_clients,
    soak,
)
from tests.faults.harm import Experiment, Size


class Plan(NamedTuple):
    name: str
    run: Experiment
    small: Size | None
    """None: it runs in full only."""
    full: Size
    needs: Literal["", "root", "faketime", "cluster"] = ""
    takes_an_hour: bool = False
    """In full it runs only where it is asked for by name."""
    by_default: bool = False
    """In small it is among the tests of the README's command; the others wait for `pytest -m faults`."""

    def missing(self) -> str:
        """What it cannot run without here; empty if it can."""
        if self.needs == "root" and os.geteuid() != 0:
            return "only root may mount the small disk that is to fill"
        if self.needs == "faketime" and clock.LIBRARY is None:
            return "the Debian package faketime is not installed"
        return ""


_KILLS = (
    Plan("kill -9 of a daemon", kills.kill_storm, Size(1000, 400, 4), Size(10_000, 200, 40)),
    Plan("kill -9 of a daemon that does not come back", kills.taken_over, Size(300, 100, 1), Size(3000, 100, 10)),
    Plan("kill -9 of a daemon, all jobs of one pet", kills.hot_pet, Size(300, 200, 2), Size(3000, 150, 10)),
    Plan(
        "kill -9 of a daemon, jobs that show their order",
        order.inversions,
        Size(800, 400, 3),
        Size(20_000, 400, 20),
        by_default=True,
    ),
    Plan("kill -9 of a daemon, images removed again", kills.removed_again, Size(300, 300, 2), Size(3000, 250, 10)),
    Plan(
        "crash before or after a command",
        crashes.while_working,
        Size(500, 100, 11),
        Size(5000, 200, 44),
        by_default=True,
    ),
    Plan("crash at the count of a lone run", crashes.while_suspecting, Size(300, 100, 2), Size(2000, 150, 8)),
    Plan("crash in DELETE of a pet", crashes.while_erasing, Size(300, 100, 4), Size(3000, 200, 24)),
    Plan("SIGTERM of a daemon", kills.restarts, Size(400, 300, 2), Size(5000, 250, 20)),
    Plan("SIGSTOP of a daemon for 1.2 s", kills.stopped_daemon, Size(400, 200, 2), Size(4000, 250, 10)),
)
_CORRECTIONS = (
    Plan("corrections: kills, lost replies", corrected.told_as_done, Size(600, 250, 2), Size(20_000, 250, 40)),
)
_PARTITIONS = (
    Plan("eight partitions: kill -9 of a daemon", partitions.kill_storm, None, Size(10_000, 200, 40)),
    Plan("eight partitions: jobs that show their order", partitions.inversions, None, Size(8000, 300, 12)),
    Plan("eight partitions: kill -9, not coming back", partitions.taken_over, None, Size(3000, 100, 8)),
    Plan("eight partitions: a third daemon joins", partitions.joined, None, Size(2000, 100, 3)),
    Plan("eight partitions: owners exchanged", partitions.exchanged, None, Size(20_000, 4000, 24)),
    Plan("eight partitions: processes come and go", partitions.come_and_go, None, Size(5000, 200, 15)),
    Plan("number of partitions changed, killed in the middle", moves.killed, None, Size(10_000, 200, 10)),
    Plan("number of partitions changed, jobs that show their order", moves.inversions, None, Size(8000, 200, 8)),
)
_REDIS = (
    Plan("kill -9 of Redis", outages.redis_killed, Size(600, 300, 2), Size(5000, 250, 20)),
    Plan("kill -9 of Redis, `everysec`", outages.redis_killed_everysec, Size(600, 300, 1), Size(5000, 250, 20)),
    Plan("kill -9 of Redis, slow to load", outages.slow_redis_killed, Size(600, 300, 1), Size(1000, 250, 3)),
    Plan("Redis away for 32 s", outages.long_outage, Size(400, 300, 1), Size(5000, 300, 8)),
    Plan("SIGSTOP of Redis for 1 s", outages.stopped_redis_1, Size(300, 300, 1), Size(5000, 300, 10)),
    Plan("SIGSTOP of Redis for 6 s", outages.stopped_redis_6, Size(300, 300, 1), Size(3000, 300, 3)),
    Plan("SIGSTOP of Redis for 15 s", outages.stopped_redis_15, Size(300, 300, 1), Size(2000, 300, 2)),
    Plan("Redis out of memory for 1 s", outages.full_memory, Size(300, 300, 1), Size(5000, 250, 10)),
    Plan("disk of the append-only file full", outages.full_disk, Size(300, 300, 1), Size(5000, 250, 5), "root"),
    Plan("replica promoted after a cut", failover.promoted, Size(600, 300, 1), Size(5000, 300, 6)),
    Plan("replica promoted by FAILOVER", failover.switched_over, Size(400, 300, 1), Size(5000, 300, 6)),
    Plan("Sentinels: kill -9 of the primary", sentinels.primary_killed, Size(300, 200, 1), Size(5000, 250, 10)),
    Plan("Sentinels: FAILOVER at the primary", sentinels.handed_over, None, Size(2000, 250, 1)),
    Plan("Sentinels: SENTINEL FAILOVER", sentinels.ordered, None, Size(5000, 250, 10)),
    Plan("Sentinels: the first one silent", sentinels.one_silent, None, Size(5000, 250, 10)),
    Plan("the price of WAIT 1", failover.wait_cost, Size(200, 0, 0), Size(3000, 0, 0)),
    Plan("SCRIPT FLUSH", keyspace.scripts_flushed, Size(400, 300, 10), Size(5000, 300, 100)),
    Plan("XGROUP DESTROY", keyspace.group_destroyed, Size(400, 300, 2), Size(5000, 300, 20)),
    Plan("stream deleted", keyspace.stream_deleted, Size(400, 300, 1), Size(5000, 300, 10)),
    Plan("FLUSHALL", keyspace.flushed, Size(400, 300, 1), Size(5000, 300, 10)),
    Plan("clock of Redis jumps", clock.clock_of_redis, Size(500, 200, 2), Size(3000, 200, 8), "faketime"),
    Plan("clock of the daemons jumps", clock.clock_of_daemons, Size(500, 200, 2), Size(3000, 200, 8), "faketime"),
)
_CLUSTER = (
    Plan("cluster: kill -9 of a daemon", shards.kill_storm, None, Size(4000, 100, 20), "cluster"),
    Plan("cluster: jobs that show their order", reshards.in_order, None, Size(4000, 100, 18), "cluster"),
    Plan("cluster: kill -9 of a primary", shards.primary_killed, Size(200, 60, 1), Size(2000, 60, 9), "cluster"),
    Plan("cluster: CLUSTER FAILOVER", shards.handed_over, None, Size(3000, 100, 18), "cluster"),
    Plan("cluster: SIGSTOP of a primary", shards.paused, None, Size(2000, 60, 9), "cluster"),
    Plan("cluster: a primary cut off", shards.cut_off, None, Size(2000, 60, 9), "cluster"),
    Plan("cluster: a shard dead", shards.shard_lost, None, Size(2000, 60, 9), "cluster"),
    Plan("cluster: a slot away and back", reshards.away_and_back, Size(200, 60, 1), Size(2000, 60, 9), "cluster"),
    Plan("cluster: slots always on their way", reshards.redirected, None, Size(2000, 60, 10), "cluster"),
    Plan("cluster: kill -9 of the router", reshards.router_killed, None, Size(4000, 200, 10), "cluster"),
)
_NETWORK = (
    Plan("reply lost, to any command", network.lost_replies, Size(500, 300, 50), Size(6000, 300, 50), by_default=True),
    Plan("reply lost, to a commit", network.lost_commits, Size(300, 300, 10), Size(5000, 300, 50)),
    Plan("reply lost, to a retry", network.lost_retries, Size(300, 300, 10), Size(5000, 300, 50)),
    Plan("reply lost, to a submit", network.lost_submits, Size(300, 300, 10), Size(5000, 300, 50)),
    Plan("reply lost, to a claim", network.lost_claims, Size(300, 300, 5), Size(5000, 300, 5)),
    Plan("reply lost, to a read", network.lost_reads, Size(300, 300, 10), Size(5000, 300, 50)),
    Plan("slow network", network.slow_network, Size(100, 100, 1), Size(1000, 100, 1)),
    Plan("silent network, and back", network.silent_and_back, Size(200, 200, 1), Size(2000, 200, 4)),
    Plan("silent network, for ever", network.silent_for_ever, Size(200, 200, 1), Size(2000, 200, 4)),
)
_CALLERS = (
    Plan("entries that are no jobs", poison.undecodable, Size(300, 300, 30), Size(5000, 300, 500)),
    Plan("jobs that always fail", poison.always_failing, Size(200, 200, 3), Size(3000, 300, 50)),
    Plan("jobs that kill the process", poison.killing, Size(600, 400, 1), Size(3000, 400, 5)),
    Plan("more poison than jobs", poison.flood, Size(300, 100, 1), Size(2000, 100, 2)),
    Plan("floods of two hostile pets", poison.hostile_pets, Size(300, 200, 1), Size(3000, 200, 10)),
    Plan("full backlog", overload.full_backlog, Size(400, 1000, 1), Size(5000, 1000, 5)),
    Plan("10,000 albums, 1,000 connections", overload.many_albums, Size(4000, 0, 1000), Size(10_000, 0, 1000)),
    Plan("slow clients", slow_clients.slow_clients, Size(200, 100, 60), Size(3000, 100, 300)),
    Plan("soak", soak.soak, Size(0, 200, 2, 1.0), Size(0, 60, 60, 60.0), takes_an_hour=True),
)
_FAIRNESS = (
    Plan("fairness: a backfill of large jobs", fairness.backfill, Size(30, 8, 2), Size(200, 8, 24)),
    Plan("fairness: jobs at the limits", fairness.at_the_limits, Size(30, 8, 1), Size(200, 8, 12)),
    Plan("fairness: force on a large album", fairness.forced, Size(30, 8, 1), Size(200, 8, 1)),
    Plan("fairness: a flood of small jobs", fairness.flood, Size(30, 8, 400), Size(200, 8, 2000)),
    Plan("fairness: a flood of stale corrections", fairness.late, Size(30, 8, 300), Size(200, 8, 1000)),
)
_INSIGHTS = (
    Plan("kill -9 of a daemon, answers on the wire", insights.daemon_killed, Size(150, 100, 2), Size(1500, 100, 10)),
    Plan("storage service killed and back", insights.service_killed, Size(150, 100, 1), Size(1500, 100, 6)),
    Plan("storage service slow, 2 s", insights.slow, Size(100, 50, 0), Size(500, 50, 0)),
    Plan("storage service failing, one in ten", insights.failing, Size(150, 100, 0), Size(1500, 100, 0)),
    Plan("storage service knows images late", insights.missing, Size(150, 100, 0), Size(1000, 100, 0)),
    Plan("answers of the storage service lost", insights.lost, Size(150, 100, 0), Size(1500, 100, 0)),
    Plan("DELETE of a pet while insights are out", insights.erased, Size(150, 100, 2), Size(1500, 100, 10)),
    Plan("kill -9 of Redis, answers on the wire", insights.redis_killed, Size(150, 100, 1), Size(1500, 100, 6)),
)
_HISTORY = (
    Plan(
        "history in SQLite: kills, and a locked file",
        history.in_sqlite,
        Size(400, 80, 5, 3.0),
        Size(20_000, 200, 5, 60.0),
    ),
    Plan(
        "history in PostgreSQL: kills, lost replies, restarts",
        history.in_postgres,
        Size(400, 60, 6, 3.0),
        Size(20_000, 200, 6, 60.0),
    ),
    Plan("history: replica promoted after a cut", history.promoted, Size(600, 300, 1), Size(5000, 300, 6)),
)
PLANS = (
    *_KILLS,
    *_CORRECTIONS,
    *_PARTITIONS,
    *_REDIS,
    *_CLUSTER,
    *_NETWORK,
    *_CALLERS,
    *_FAIRNESS,
    *_INSIGHTS,
    *_HISTORY,
)
