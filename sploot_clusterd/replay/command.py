"""The command itself: reads the jobs, runs them against a daemon, and says how it went."""

# ruff: noqa: T201 - a command prints

import asyncio
import secrets
import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Final, NamedTuple

import aiohttp

from sploot_clusterd import running
from sploot_clusterd.config import Settings
from sploot_clusterd.config.show import given_url, url_of
from sploot_clusterd.errors import ConfigError
from sploot_clusterd.progress import Progress
from sploot_clusterd.replay.jobs import Posted, bodies, once, rounds
from sploot_clusterd.replay.pace import Pace
from sploot_clusterd.replay.posting import Posting
from sploot_clusterd.replay.report import write
from sploot_clusterd.replay.summary import lines, summary
from sploot_clusterd.replay.tally import Tally
from sploot_clusterd.replay.watching import Watching

_PATIENCE: Final = aiohttp.ClientTimeout(total=30.0)
_SLOTS: Final = 120
"""Parts of a run that a report's pictures tell apart."""


class Target(NamedTuple):
    """Where jobs go. `url` is the daemon's, without a path."""

    url: str
    token: str


@dataclass(frozen=True, slots=True)
class Plan:
    """How jobs are posted. `batch` is how many go in one request, 0: each in one of its own. A `duration` in seconds
    repeats the file until then; with one, or with reports to be written, the run is a rehearsal.
    """

    pace: Pace
    concurrency: int
    batch: int = 0
    duration: float | None = None
    reports: Sequence[Path] = ()

    @property
    def is_rehearsal(self) -> bool:
        return self.duration is not None or bool(self.reports)


def target(settings: Settings, url: str | None) -> Target:
    """The daemon at `url`, else the configuration's. Raises ConfigError if there is none that could take jobs."""
    token = settings.http.tokens[0].reveal()
    if url:
        parts = given_url(url)
        if parts.query or parts.fragment:
            raise ConfigError(f"--url {url}: expected a URL that ends with its host, port or path")
        return Target(url.rstrip("/"), token)
    if not settings.http.enabled:
        raise ConfigError("http is not enabled: there is nothing to post to; use --url")
    return Target(url_of("http", settings.http), token)


def replay(file: Path | None, target: Target, plan: Plan) -> int:
    """Post the jobs of `file`. 0 if all were accepted and, of a rehearsal, no objective was missed; else 1.

    `file` None is standard input. Raises ConfigError if it cannot be read or holds nothing.
    """
    jobs = bodies(file)
    run = _Replay(target, plan, jobs)
    try:
        running.run(run.run())
    finally:  # also where it is interrupted
        run.progress.keep(run.so_far())
        print("\n".join(lines(run.tally, run.lasted)))
        if plan.is_rehearsal:
            told = summary(run.tally, run.lasted)
            print("\n".join(told.lines()))
            for report in plan.reports:
                write(report, told)
    return 0 if run.tally.succeeded else 1


class _Replay:
    def __init__(self, target: Target, plan: Plan, jobs: Sequence[bytes]) -> None:
        self._target = target
        self._plan = plan
        self._jobs = rounds(jobs, secrets.token_hex(3)) if plan.is_rehearsal else once(jobs)
        if plan.duration is None:
            self._jobs = islice(self._jobs, len(jobs))
        slot = max(1.0, (plan.duration or 0.0) / _SLOTS)
        self.tally = Tally(None if plan.duration is not None else len(jobs), slot)
        self._slots = asyncio.Semaphore(plan.concurrency)
        self._began = time.monotonic()
        self.lasted = 0.0
        """Seconds until the last answer: views may be watched for longer."""
        self.progress = Progress()

    def now(self) -> float:
        """Seconds since the beginning."""
        return time.monotonic() - self._began

    async def run(self) -> None:
        self._began = time.monotonic()
        headers = {"X-Internal-Token": self._target.token}
        async with aiohttp.ClientSession(headers=headers, timeout=_PATIENCE) as client, asyncio.TaskGroup() as group:
            watching = None
            if self._plan.is_rehearsal:
                watching = Watching(client, self._target.url, self.tally, self.now)
            posting = Posting(client, self._target.url, self.tally, now=self.now, watching=watching)
            due = self._plan.pace.due()
            while jobs := list(islice(self._jobs, self._plan.batch or 1)):
                at = next(due)
                for _ in jobs[1:]:
                    next(due)
                if not await self._is_time(at):
                    break
                self.tally.begun += len(jobs)
                group.create_task(self._post(posting, jobs))

    async def _is_time(self, at: float) -> bool:
        """Waits until a request is due, and for its turn. False where the run is over then."""
        until = self._plan.duration
        if until is not None and max(at, self.now()) >= until:
            return False
        if (early := at - self.now()) > 0:
            await asyncio.sleep(early)
        await self._slots.acquire()
        if self._plan.pace.rate:
            self.tally.behind = max(self.tally.behind, self.now() - at)
        if until is not None and self.now() >= until:
            self._slots.release()
            return False
        return True

    async def _post(self, posting: Posting, jobs: Sequence[Posted]) -> None:
        try:
            watched = await posting.post(jobs, in_batch=bool(self._plan.batch))
        finally:
            self._slots.release()
        self.lasted = self.now()
        self.progress.show(self.so_far())
        await posting.watch(watched)

    def so_far(self) -> str:
        total = "" if self.tally.total is None else f"/{self.tally.total}"
        return f"{self.tally.done}{total} posted, {self.tally.accepted} accepted"
