"""A storage service with its limits: how much it is asked at once, and when it is left alone.

What comes out of it is checked: whichever adapter is used, and whatever the service answers.
"""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Final, Literal, Self, TypeVar, get_args

from sploot_clusterd.config import InsightsSettings, LimitsSettings, Secret, Settings
from sploot_clusterd.health import Health
from sploot_clusterd.insights.adapters import open_source
from sploot_clusterd.insights.breaker import Breaker, State
from sploot_clusterd.insights.checks import checked, checked_ids
from sploot_clusterd.insights.http import Http
from sploot_clusterd.insights.rate import Rate
from sploot_clusterd.insights.source import (
    BadAnswer,
    BadAnswerError,
    Fetched,
    Shown,
    Source,
    SourceError,
    SourceRefusesError,
    SourceUnavailableError,
)
from sploot_clusterd.metrics import Metrics

log = logging.getLogger(__name__)

T = TypeVar("T")
Kind = Literal["insight", "list", "tell"]

_WHOLE_SERVICE: Final[frozenset[BadAnswer]] = frozenset({"not_http", "status", "redirect", "encoding", "not_json"})
"""Bad answers that are nobody's fault but the service's: a page of a proxy, a wrong URL. The others are an image's."""
_LOG_EVERY: Final = 600.0
"""Seconds between two lines on bad answers of one reason."""
_WARNING: Final = "insights"


class Upstream:
    """The service's one door. Its calls raise SourceUnavailableError at once while it is to be left alone."""

    def __init__(
        self,
        source: Source,
        settings: InsightsSettings,
        limits: LimitsSettings,
        *,
        metrics: Metrics,
        health: Health,
        http: Http | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._source = source
        self._http = http
        self._limits = limits
        self._timeout = settings.timeout_seconds
        self._metrics = metrics
        self._health = health
        self._clock = clock
        self._slots = asyncio.Semaphore(settings.concurrency)
        self._rate = Rate(settings.rate, clock)
        self._breaker = Breaker(clock)
        self._changed = asyncio.Event()
        self._told = State.CLOSED
        self._trouble = ""
        self._tokens = 0
        self._logged: dict[BadAnswer, float] = {}
        for reason in get_args(BadAnswer):  # from 0, or the first one is no increase to Prometheus
            metrics.insights_bad_answers.labels(reason)

    @classmethod
    def of(cls, settings: Settings, metrics: Metrics, health: Health) -> Self:
        """As configured; `insights.url` has to be set. Raises ConfigError."""
        source, http = open_source(settings.insights)
        return cls(source, settings.insights, settings.limits, metrics=metrics, health=health, http=http)

    async def insight(self, image_id: str) -> Fetched | None:
        """What is known of the image, its vectors packed; None if nothing is, or not its embedding yet.

        Raises SourceError.
        """

        async def ask() -> Fetched | None:
            found = await self._source.insight(image_id)
            return found and checked(found, image_id, self._limits)

        return await self._ask("insight", ask)

    async def images_of(self, pet_id: str) -> AsyncIterator[Sequence[str]]:
        """The ids of all the pet's images, some at a time. Raises SourceError, also after some were given."""
        pages: AsyncIterator[Sequence[str]] | None = None

        async def ask() -> Sequence[str] | None:
            nonlocal pages
            pages = pages or aiter(self._source.images_of(pet_id))
            page = await anext(pages, None)
            return page and checked_ids(page, self._limits)

        while (page := await self._ask("list", ask)) is not None:
            yield page

    async def tell(self, shown: Shown) -> None:
        """Write-back. Raises SourceError."""
        await self._ask("tell", lambda: self._source.tell(shown))

    async def ready(self) -> None:
        """Returns when the service may be asked, as far as is known."""
        while (seconds := self._breaker.seconds_left()) > 0:
            try:
                async with asyncio.timeout(min(seconds, self._timeout)):
                    await self._changed.wait()
            except TimeoutError:
                pass

    @property
    def is_open(self) -> bool:
        """Whether the service is left alone at the moment."""
        return self._breaker.seconds_left() > 0

    @property
    def in_doubt(self) -> bool:
        """Whether it is not known that the service answers: one question finds out."""
        return self._breaker.state is not State.CLOSED

    def replace_token(self, token: Secret | None) -> None:
        """What is sent from now on. Where the one before was refused, this is tried at once."""
        if self._http:
            self._http.replace_token(token)
        self._tokens += 1
        self._breaker.look_again()
        self._wake()

    async def close(self) -> None:
        """Ends the connections."""
        await self._source.close()

    async def _ask(self, kind: Kind, question: Callable[[], Awaitable[T]]) -> T:
        self._refuse_while_open()
        async with self._slots:
            await self._rate.turn()
            self._refuse_while_open()
            return await self._asked(kind, question)

    def _refuse_while_open(self) -> None:
        if self.is_open:
            raise SourceUnavailableError(f"not asked: {self._trouble}")

    async def _asked(self, kind: Kind, question: Callable[[], Awaitable[T]]) -> T:
        probe, tokens = self._breaker.admit(), self._tokens
        self._tell_of_change()
        began = self._clock()
        self._metrics.insights_in_flight.inc()
        outcome = "cancelled"
        try:
            answer = await self._within_limits(question)
        except SourceError as error:
            outcome = self._note(error, probe=probe)
            if tokens != self._tokens:  # it was asked with a token that is replaced by now
                self._breaker.look_again()
            if isinstance(error, BadAnswerError) and self._breaker.state is State.OPEN:
                raise SourceUnavailableError(str(error)) from error  # not this image's fault
            raise
        else:
            outcome = "missing" if kind == "insight" and answer is None else "ok"
            self._breaker.succeeded(probe=probe)
            return answer
        finally:
            self._breaker.abandoned(probe=probe)
            self._metrics.insights_in_flight.dec()
            self._metrics.insights_seconds.observe(self._clock() - began)
            self._metrics.insights_requests.labels(kind, outcome).inc()
            self._tell_of_change()

    async def _within_limits(self, question: Callable[[], Awaitable[T]]) -> T:
        """Whatever an adapter raises becomes a SourceError."""
        try:
            async with asyncio.timeout(self._timeout):
                return await question()
        except TimeoutError:
            raise SourceUnavailableError(f"no answer within {self._timeout:g} s") from None
        except SourceError:
            raise
        except Exception as error:  # an adapter's bug ends nothing but its answer
            raise BadAnswerError("adapter", f"{type(error).__name__} in the adapter") from error

    def _note(self, error: SourceError, *, probe: bool) -> str:
        """Draws the consequences of a failure, and gives it a name."""
        match error:
            case SourceRefusesError():
                self._breaker.refused()
                self._trouble = f"the storage service refuses insights.token ({error})"
                return "refused"
            case BadAnswerError():
                self._log_once(error)
                self._metrics.insights_bad_answers.labels(error.reason).inc()
                if error.reason not in _WHOLE_SERVICE:
                    self._breaker.succeeded(probe=probe)
                    return "bad_answer"
        retry_after = error.retry_after if isinstance(error, SourceUnavailableError) else None
        self._breaker.failed(probe=probe, retry_after=retry_after)
        self._trouble = f"the storage service is in trouble ({error})"
        return "bad_answer" if isinstance(error, BadAnswerError) else "unavailable"

    def _log_once(self, error: BadAnswerError) -> None:
        now = self._clock()
        if now - self._logged.get(error.reason, -_LOG_EVERY) >= _LOG_EVERY:
            self._logged[error.reason] = now
            cause = error.__cause__
            data = {"reason": error.reason, "error": str(error)}
            log.warning("a bad answer of the storage service", exc_info=cause, extra={"data": data})

    def _tell_of_change(self) -> None:
        """To the gauge, the probes, the log, and to those who wait."""
        state, before = self._breaker.state, self._told
        if state is before:
            return
        self._told = state
        self._metrics.insights_breaker.set(state)
        if state is State.OPEN:
            self._health.set_warning(_WARNING, f"images wait for their insights: {self._trouble}")
        if before is State.CLOSED:
            log.warning("the storage service is left alone", extra={"data": {"error": self._trouble}})
        elif state is State.CLOSED:
            self._health.clear_warning(_WARNING)
            log.info("the storage service is back")
        self._wake()

    def _wake(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()
