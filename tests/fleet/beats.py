"""Heartbeats of processes, for tests of what they come to."""

from sploot_clusterd.fleet.beat import Beat


def beat(at: float, done: int = 0, process: str = "a-0", since: float = 0.0, **more: object) -> Beat:
    latencies = [done, 0, 0, 0]
    given = {"failed": 0, "dead": 0, "backlog": 0, "oldest_s": 0.0, "latencies": latencies, "lags": [0, 0, 0, 0]}
    return Beat(
        at=at, process=process, version="1", since=since, consumers=1, reasons=[], warnings=[], done=done, restarts=0,
        **{**given, **more},  # type: ignore[arg-type]
    )  # fmt: skip
