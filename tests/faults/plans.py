"""Every experiment: what it is called, and how large it is in CI and in full."""

from typing import NamedTuple

from tests.faults import (
    clock,
    crashes,
    failover,
    keyspace,
    kills,
    network,
    outages,
    overload,
    poison,
    slow_clients,
    soak,
)
from tests.faults.harm import Experiment, Size


class Plan(NamedTuple):
    name: str
    run: Experiment
    small: Size
    full: Size
    alone: bool = False
    """Only runs in full where it is asked for by name: it takes an hour."""


PLANS = (
    Plan("kill -9 of a daemon", kills.kill_storm, Size(1500, 400, 4), Size(10_000, 200, 40)),
    Plan("kill -9 of a daemon that does not come back", kills.taken_over, Size(500, 100, 1), Size(3000, 100, 10)),
    Plan("kill -9 of a daemon, all jobs of one pet", kills.hot_pet, Size(600, 200, 2), Size(3000, 150, 10)),
    Plan(
        "crash before or after a command of the work", crashes.while_working, Size(1200, 200, 11), Size(8000, 200, 44)
    ),
    Plan("crash at the count of a lone run", crashes.while_suspecting, Size(500, 200, 2), Size(2000, 150, 8)),
    Plan("crash in DELETE of a pet", crashes.while_erasing, Size(800, 200, 8), Size(3000, 200, 24)),
    Plan("SIGTERM of a daemon", kills.restarts, Size(800, 300, 2), Size(5000, 250, 20)),
    Plan(
        "SIGSTOP of a daemon for twice the reclaim time", kills.stopped_daemon, Size(800, 300, 2), Size(6000, 250, 12)
    ),
    Plan("SIGSTOP of Redis for 1 s", outages.stopped_redis_1, Size(600, 300, 1), Size(5000, 300, 10)),
    Plan("SIGSTOP of Redis for 6 s", outages.stopped_redis_6, Size(600, 300, 1), Size(3000, 300, 3)),
    Plan("SIGSTOP of Redis for 15 s", outages.stopped_redis_15, Size(600, 300, 0), Size(2000, 300, 2)),
    Plan("kill -9 of Redis", outages.redis_killed, Size(900, 300, 2), Size(10_000, 250, 20)),
    Plan("Redis away for long under 16 clients", outages.long_outage, Size(1000, 300, 1), Size(5000, 300, 8)),
    Plan("Redis out of memory for 1 s", outages.full_memory, Size(800, 300, 1), Size(5000, 250, 10)),
    Plan("replica promoted after a cut", failover.promoted, Size(800, 300, 1), Size(5000, 300, 6)),
    Plan("replica promoted by FAILOVER", failover.switched_over, Size(800, 300, 1), Size(5000, 300, 6)),
    Plan("the price of WAIT 1", failover.wait_cost, Size(300, 0, 0), Size(3000, 0, 0)),
    Plan("disk of the append-only file full for 2 s", outages.full_disk, Size(800, 300, 1), Size(5000, 250, 5)),
    Plan("one reply in 50 lost: to any command", network.lost_replies, Size(800, 300, 50), Size(10_000, 300, 50)),
    Plan("one reply in 50 lost: to commits", network.lost_commits, Size(800, 300, 20), Size(5000, 300, 50)),
    Plan("one reply in 50 lost: to retries", network.lost_retries, Size(800, 300, 20), Size(5000, 300, 50)),
    Plan("one reply in 50 lost: to submits", network.lost_submits, Size(800, 300, 20), Size(5000, 300, 50)),
    Plan("one reply in 50 lost: to claims", network.lost_claims, Size(800, 300, 20), Size(5000, 300, 50)),
    Plan("one reply in 50 lost: to reads", network.lost_reads, Size(800, 300, 20), Size(5000, 300, 50)),
    Plan("slow network", network.slow_network, Size(300, 100, 1), Size(2000, 100, 1)),
    Plan("network silent for 1 and 7 s, and back", network.silent_and_back, Size(500, 200, 1), Size(2000, 200, 4)),
    Plan("network silent; old connections never back", network.silent_for_ever, Size(500, 200, 1), Size(2000, 200, 4)),
    Plan("entries that are no jobs", poison.undecodable, Size(800, 300, 50), Size(5000, 300, 500)),
    Plan("jobs that always fail", poison.always_failing, Size(300, 300, 3), Size(3000, 300, 50)),
    Plan("jobs that kill the process", poison.killing, Size(800, 200, 1), Size(3000, 100, 4)),
    Plan("more poison than jobs", poison.flood, Size(300, 100, 1), Size(2000, 100, 2)),
    Plan("full backlog", overload.full_backlog, Size(600, 1000, 1), Size(5000, 1000, 5)),
    Plan("10,000 albums and 1,000 idle connections", overload.many_albums, Size(1500, 0, 1000), Size(10_000, 0, 1000)),
    Plan("slow clients", slow_clients.slow_clients, Size(400, 100, 60), Size(3000, 100, 300)),
    Plan("clock of Redis jumps by an hour", clock.clock_of_redis, Size(600, 200, 2), Size(3000, 200, 8)),
    Plan("clock of the daemons jumps by an hour", clock.clock_of_daemons, Size(600, 200, 2), Size(3000, 200, 8)),
    Plan("soak", soak.soak, Size(0, 200, 3, 2.0), Size(0, 60, 60, 60.0), alone=True),
    Plan("SCRIPT FLUSH", keyspace.scripts_flushed, Size(800, 300, 10), Size(5000, 300, 100)),
    Plan("XGROUP DESTROY", keyspace.group_destroyed, Size(800, 300, 2), Size(5000, 300, 20)),
    Plan("stream deleted", keyspace.stream_deleted, Size(800, 300, 2), Size(5000, 300, 10)),
    Plan("FLUSHALL", keyspace.flushed, Size(800, 300, 2), Size(5000, 300, 10)),
)
