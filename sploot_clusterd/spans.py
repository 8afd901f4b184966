"""The face of tracing: what rooms tell of their work, whether anybody listens or not.

Spans and their contexts are OpenTelemetry's, and travel as W3C Trace Context. Here nothing is recorded and nothing
imported for it: `Tracer` is the face while tracing is off, and the room `tracing` has the one that records.
"""

import random
import re
from collections.abc import Iterable, Mapping, Sequence
from enum import Enum
from time import perf_counter
from typing import Any, Final, NamedTuple, Self

from msgspec import Struct

# Version 00 ends with the flags; later ones may go on.
_TRACEPARENT: Final = re.compile(r"(?!ff)([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-[!-~]*)?")
_TRACESTATE: Final = re.compile(r"[ -~\t]{1,512}")
_NO_TRACE: Final = bytes(16)
_NO_SPAN: Final = bytes(8)
_SAMPLED: Final = 1

PET: Final = "clusterd.pet"
"""The attribute that names a pet."""
MESSAGE_ID: Final = "messaging.message.id"

Value = str | int | float | bool
"""Of an attribute."""


class Kind(Enum):
    """What a span is to the others."""

    INTERNAL = "internal"
    SERVER = "server"
    CLIENT = "client"
    PRODUCER = "producer"
    CONSUMER = "consumer"


class Context(NamedTuple):
    """What is carried from one span to the next. `trace_id` has 16 bytes, `span_id` 8; `state` is the tracestate as it
    came, "" without one.
    """

    trace_id: bytes
    span_id: bytes
    sampled: bool
    state: str = ""

    @property
    def traceparent(self) -> str:
        return f"00-{self.trace_id.hex()}-{self.span_id.hex()}-0{int(self.sampled)}"

    @property
    def text(self) -> str:
        """As one text, for `context_in`."""
        return f"{self.traceparent} {self.state}" if self.state else self.traceparent

    def log_fields(self) -> dict[str, object]:
        return {"trace_id": self.trace_id.hex(), "span_id": self.span_id.hex()}


def context_of(traceparent: object, tracestate: object = None) -> Context | None:
    """The context that somebody else gives; None of what is none by W3C Trace Context, as it says."""
    found = _TRACEPARENT.fullmatch(traceparent) if isinstance(traceparent, str) else None
    if found is None:
        return None
    version, trace, span, flags, more = found.groups()
    if version == "00" and more:
        return None
    trace_id, span_id = bytes.fromhex(trace), bytes.fromhex(span)
    if trace_id == _NO_TRACE or span_id == _NO_SPAN:
        return None
    state = tracestate if isinstance(tracestate, str) and _TRACESTATE.fullmatch(tracestate) else ""
    return Context(trace_id, span_id, bool(int(flags, 16) & _SAMPLED), state)


def context_in(text: str) -> Context | None:
    """What `Context.text` gave."""
    traceparent, _, state = text.partition(" ")
    return context_of(traceparent, state)


def new_trace_id() -> bytes:
    return random.randbytes(16)  # noqa: S311 - as a span's


def new_span_id() -> bytes:
    return random.randbytes(8)  # noqa: S311 - tells spans apart, guards no secret


class Sort:
    """What spans of one sort have in common. To be made once for many spans: they are encoded the faster."""

    __slots__ = ("attributes", "error", "kind", "name")

    def __init__(self, name: str, kind: Kind, attributes: Mapping[str, Value] | None = None, error: str = "") -> None:
        """`error` is a word for what went wrong, "" if nothing did: the attribute `error.type`."""
        self.name = name
        self.kind = kind
        self.attributes = attributes or {}
        self.error = error


class Span:
    """Some work, from `began` to `ended`, by `time.perf_counter`. Told of when it ends, if its trace is sampled."""

    size: Final = 1
    """How many spans it is."""

    __slots__ = ("attributes", "began", "context", "ended", "error", "links", "parent_id", "sort", "tracer")

    def __init__(
        self,
        tracer: "Tracer",
        sort: Sort,
        *,
        context: Context,
        parent_id: bytes,
        began: float | None = None,
    ) -> None:
        """`parent_id` is b"" for the root of a trace."""
        self.tracer = tracer
        self.sort = sort
        self.context = context
        self.parent_id = parent_id
        self.began = perf_counter() if began is None else began
        self.ended = 0.0
        """0 until it has."""
        self.attributes: dict[str, Value] = {}
        self.links: list[Context] = []
        self.error = ""
        """As a sort's, where that has none."""

    def child(self, sort: Sort) -> Self:
        """Some of its work, which begins now."""
        context = self.context._replace(span_id=new_span_id())
        return type(self)(self.tracer, sort, context=context, parent_id=self.context.span_id)

    def adopt(self, parent: Context) -> None:
        """A root that turns out to have a parent."""
        self.context = parent._replace(span_id=self.context.span_id)
        self.parent_id = parent.span_id

    def end(self) -> None:
        self.ended = perf_counter()
        if self.context.sampled:
            self.tracer.record(self)


class Run(Struct, frozen=True, gc=False):
    """The processing of a message: a span of which there are many, that begin together and end together. It has what a
    context and a span have.
    """

    trace_id: bytes
    span_id: bytes
    sampled: bool
    state: str
    parent_id: bytes
    before: bytes
    """The span of the message's run before this one, to which it is linked; b"" of the first."""
    message_id: bytes
    pet: str
    """What spans call it."""
    began: float

    @property
    def context(self) -> Context:
        return Context(self.trace_id, self.span_id, self.sampled, self.state)

    def log_fields(self) -> dict[str, object]:
        """As its context's."""
        return {"trace_id": self.trace_id.hex(), "span_id": self.span_id.hex()}


class Stage(NamedTuple):
    """The same work for several runs at once: as a child of each of the `parents`."""

    sort: Sort
    began: float
    ended: float
    parents: Sequence[Run]
    attributes: Mapping[str, Value]

    @property
    def size(self) -> int:
        """How many spans it is."""
        return len(self.parents)


class Ended(NamedTuple):
    """Runs that began together and ended alike."""

    sort: Sort
    began: float
    ended: float
    runs: Sequence[Run]

    @property
    def size(self) -> int:
        """How many spans it is."""
        return len(self.runs)


MANY_VISITS: Final = 512
"""Whoever asks while they are told waits for some 30 us."""


class Visits:
    """Spans of one sort that are traces by themselves, and of which nobody has to know the ids. Who adds one tells of
    all as soon as there are `MANY_VISITS`.
    """

    __slots__ = ("of", "pets", "times")

    def __init__(self, sort: Sort) -> None:
        self.of = sort
        self.times: list[float] = []
        """When each began and ended, one behind the other."""
        self.pets: list[str] = []
        """Ids, "" where there is none."""

    def clear(self) -> None:
        self.times.clear()
        self.pets.clear()


Told = Span | Stage | Ended
"""What a tracer takes."""


class Tracer:
    """Tracing that is off: who asks `is_on` first tells it nothing."""

    is_on = False
    samples_all = False
    """Whether each trace that begins here is recorded."""
    destination = ""
    """What the stream is called in messages' spans."""
    group = ""

    def samples(self, trace_id: bytes) -> bool:  # noqa: ARG002 - as whoever records
        """Whether a trace that begins here is recorded."""
        return False

    def pet(self, pet_id: str) -> str:
        """What spans call a pet."""
        return pet_id

    def record(self, ended: Told) -> None:
        """Takes what has ended. Never waits."""

    def visits_of(self, sort: Sort) -> Visits:
        """To be filled, and filled again. What is in it for some seconds is taken."""
        return Visits(sort)

    def tell(self, visits: Visits) -> None:
        """Takes what is in it, which is empty then."""

    def start(self, sort: Sort, parent: Context | None = None, began: float | None = None) -> Span:
        """A span of the parent's trace, which decides whether it is sampled, or the root of a new one."""
        if parent is not None:
            trace_id, parent_id, sampled, state = parent
            context = Context(trace_id, new_span_id(), sampled, state)
        else:
            trace_id, parent_id = new_trace_id(), b""
            context = Context(trace_id, new_span_id(), self.samples(trace_id))
        return Span(self, sort, context=context, parent_id=parent_id, began=began)


OFF: Final = Tracer()


def distinct(contexts: Iterable[Context | None]) -> list[Context]:
    """Each once, in their order."""
    return list(dict.fromkeys(each for each in contexts if each is not None))


def told_by(metadata: Mapping[str, Any] | None) -> Context | None:
    """The context in a job's metadata."""
    return context_of(metadata.get("traceparent"), metadata.get("tracestate")) if metadata else None
