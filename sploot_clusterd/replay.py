"""`clusterd replay FILE`: posts the jobs of a file to a running daemon at a steady rate and counts the answers."""

# ruff: noqa: T201 - a command prints

import asyncio
import json
import sys
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, NamedTuple

import aiohttp

from sploot_clusterd import running
from sploot_clusterd.config import Settings
from sploot_clusterd.config.files import without_mark
from sploot_clusterd.config.show import given_url, url_of
from sploot_clusterd.errors import ConfigError
from sploot_clusterd.progress import Progress

_AT_ONCE: Final = 16
_TRIES: Final = 8
_LONGEST_PAUSE: Final = 30.0
_PATIENCE: Final = aiohttp.ClientTimeout(total=30.0)
_REASONS_SHOWN: Final = 3
_LONGEST_REASON: Final = 200
_NO_ANSWER: Final = 0
_ACCEPTED: Final = 202
_UNAVAILABLE: Final = 503


class Target(NamedTuple):
    """Where jobs go. `url` is the daemon's, without a path."""

    url: str
    token: str


@dataclass(slots=True)
class Tally:
    """What became of the jobs: a count per status (0: no answer), and the first reasons of those not accepted."""

    total: int
    begun: int = 0
    """Those posted; the daemon may have those without an answer, too."""
    statuses: Counter[int] = field(default_factory=Counter)
    reasons: dict[int, list[str]] = field(default_factory=dict)

    def count(self, status: int, reason: str) -> None:
        self.statuses[status] += 1
        known = self.reasons.setdefault(status, [])
        if status != _ACCEPTED and reason not in known and len(known) < _REASONS_SHOWN:
            known.append(reason)

    @property
    def accepted(self) -> int:
        return self.statuses[_ACCEPTED]

    @property
    def done(self) -> int:
        return self.statuses.total()


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


def replay(file: Path | None, target: Target, rate: float) -> int:
    """Post every job of `file`, `rate` a second (0: as fast as the daemon answers). 0 if all were accepted, else 1.

    `file` None is standard input. Raises ConfigError if it cannot be read or holds nothing.
    """
    jobs = bodies(file)
    began = time.monotonic()
    run = _Replay(target, len(jobs))
    try:
        running.run(run.run(jobs, rate))
    finally:  # also where it is interrupted
        run.progress.keep(run.so_far())
        _print_summary(run.tally, time.monotonic() - began)
    return 0 if run.tally.accepted == run.tally.total else 1


def bodies(file: Path | None) -> list[bytes]:
    """The request bodies in a file: a JSON object, a JSON array of jobs, or JSON Lines. Raises ConfigError.

    What is no JSON is posted all the same, line by line or whole, so that the daemon says what is wrong with it.
    """
    name = str(file or "standard input")
    try:
        content = file.read_bytes() if file else sys.stdin.buffer.read()
    except OSError as error:
        raise ConfigError(f"{name}: cannot be read: {error.strerror}") from None
    is_lines = file is not None and file.suffix in (".jsonl", ".ndjson")
    jobs = _split(without_mark(content, name), is_lines=is_lines)
    if not jobs:
        raise ConfigError(f"{name}: expected at least one job, found none")
    return jobs


def _split(content: bytes, *, is_lines: bool) -> list[bytes]:
    lines = [line for line in content.splitlines() if line.strip()]
    whole = None if is_lines else _parsed(content)
    if isinstance(whole, list):
        return [json.dumps(job).encode() for job in whole]
    if is_lines or not lines or (whole is None and _parsed(lines[0]) is not None):
        return lines
    return [content]


def _parsed(content: bytes) -> Any:
    """The JSON value, or None for what is none."""
    try:
        return json.loads(content)
    except (ValueError, RecursionError):
        return None


class _Replay:
    def __init__(self, target: Target, total: int) -> None:
        self._url = f"{target.url}/internal/cluster-jobs"
        self._headers = {"X-Internal-Token": target.token, "Content-Type": "application/json"}
        self.tally = Tally(total)
        self._slots = asyncio.Semaphore(_AT_ONCE)
        self.progress = Progress()

    async def run(self, jobs: Sequence[bytes], rate: float) -> None:
        began = time.monotonic()
        async with (
            aiohttp.ClientSession(headers=self._headers, timeout=_PATIENCE) as client,
            asyncio.TaskGroup() as group,
        ):
            for number, job in enumerate(jobs):
                if rate and (early := began + number / rate - time.monotonic()) > 0:
                    await asyncio.sleep(early)
                await self._slots.acquire()
                self.tally.begun += 1
                group.create_task(self._post(client, job))

    async def _post(self, client: aiohttp.ClientSession, job: bytes) -> None:
        try:
            status, reason = await self._answer(client, job)
        finally:
            self._slots.release()
        self.tally.count(status, reason)
        self.progress.show(self.so_far())

    async def _answer(self, client: aiohttp.ClientSession, job: bytes) -> tuple[int, str]:
        """The last status and its reason. A 503 is tried again when its Retry-After says: this slows the rest, too."""
        status, reason = _NO_ANSWER, ""
        for _ in range(_TRIES):
            try:
                async with client.post(self._url, data=job) as response:
                    status, reason = response.status, _reason(await response.text(errors="replace"))
                    pause = response.headers.get("Retry-After", "")
            except (aiohttp.ClientError, TimeoutError) as error:
                return _NO_ANSWER, str(error) or type(error).__name__
            if status != _UNAVAILABLE or not pause.isdecimal():
                break
            await asyncio.sleep(min(float(pause), _LONGEST_PAUSE))
        return status, reason

    def so_far(self) -> str:
        return f"{self.tally.done}/{self.tally.total} posted, {self.tally.accepted} accepted"


def _reason(body: str) -> str:
    answer = _parsed(body.encode())
    detail = answer.get("detail") if isinstance(answer, dict) else None
    return str(detail or body or "no reason given")[:_LONGEST_REASON]


def _print_summary(tally: Tally, seconds: float) -> None:
    rate = tally.done / seconds if seconds else 0.0
    refused = tally.done - tally.accepted
    whole = f"{tally.total} jobs" if tally.done == tally.total else f"interrupted: {tally.done} of {tally.total} jobs"
    print(f"{whole} in {seconds:.1f} s ({rate:.0f} a second): {tally.accepted} accepted, {refused} not")
    if tally.done < tally.total:
        print(f"  {tally.begun - tally.done} without an answer, {tally.total - tally.begun} not posted")
    for status, count in sorted(tally.statuses.items()):
        if status != _ACCEPTED:
            print(f"  {count} x {status or 'no answer'}: " + "; ".join(tally.reasons[status]))
