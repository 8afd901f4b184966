"""What has ended, as it goes to the process that sends it: spans alike by column, others each by itself."""

from array import array
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from struct import Struct as Layout
from typing import Final

from msgspec import Struct

from sploot_clusterd.spans import MESSAGE_ID, PET, Context, Ended, Run, Sort, Span, Stage, Value, Visits, new_span_id

_TIMES: Final = Layout("2d")


class EndedSpan(Struct, frozen=True, array_like=True, tag=True):
    """A span, by the fields that it has in `spans`."""

    sort: Sort
    context: Context
    parent_id: bytes
    began: float
    ended: float
    attributes: Mapping[str, Value]
    links: Sequence[Context]
    error: str

    @property
    def size(self) -> int:
        """How many spans it is."""
        return 1


class EndedRows(Struct, frozen=True, array_like=True, tag=True, kw_only=True):
    """Spans of one sort, by column. Of a column that is empty there is none; ids that are not given are drawn."""

    sort: Sort
    size: int
    """How many spans it is."""
    times: bytes
    """When each began and ended, or two for all: 64-bit floats, as this machine has them."""
    trace_ids: bytes = b""
    span_ids: bytes = b""
    parent_ids: bytes = b""
    states: Sequence[str] = ()
    message_ids: Sequence[bytes] = ()
    pets: Sequence[str] = ()
    """What spans call them."""
    pet_ids: Sequence[str] = ()
    """To be hashed first, unless they may be told. "" where there is none."""
    attributes: Mapping[str, Value] = {}
    """That all have."""


Told = EndedSpan | EndedRows
"""What has ended."""


def of_span(span: Span) -> EndedSpan:
    return EndedSpan(
        span.sort,
        span.context,
        span.parent_id,
        span.began,
        span.ended,
        span.attributes,
        span.links,
        span.error,
    )


def of_visits(visits: Visits) -> EndedRows:
    times = array("d", visits.times).tobytes()
    return EndedRows(sort=visits.of, size=len(visits.pets), times=times, pet_ids=visits.pets)


def of_stage(stage: Stage) -> Told:
    """Below each of the parents."""
    runs = stage.parents
    if len(runs) == 1:
        (run,) = runs
        context = run.context._replace(span_id=new_span_id())
        return EndedSpan(stage.sort, context, run.span_id, stage.began, stage.ended, stage.attributes, (), "")
    return EndedRows(
        sort=stage.sort,
        size=len(runs),
        times=_TIMES.pack(stage.began, stage.ended),
        trace_ids=b"".join([run.trace_id for run in runs]),
        parent_ids=b"".join([run.span_id for run in runs]),
        states=_states(runs),
        attributes=stage.attributes,
    )


def of_runs(ended: Ended) -> Iterator[Told]:
    """Those that link to a run before them each by itself; of the others those that have a parent, and the rest."""
    alike = defaultdict[bool, list[Run]](list)
    for run in ended.runs:
        if run.before:
            yield _of_run(ended, run)
        else:
            alike[bool(run.parent_id)].append(run)
    for runs in alike.values():
        if len(runs) == 1:
            yield _of_run(ended, *runs)
            continue
        yield EndedRows(
            sort=ended.sort,
            size=len(runs),
            times=_TIMES.pack(ended.began, ended.ended),
            trace_ids=b"".join([run.trace_id for run in runs]),
            span_ids=b"".join([run.span_id for run in runs]),
            parent_ids=b"".join([run.parent_id for run in runs]),
            states=_states(runs),
            message_ids=[run.message_id for run in runs],
            pets=[run.pet for run in runs],
        )


def _of_run(ended: Ended, run: Run) -> EndedSpan:
    context = run.context
    links = [context._replace(span_id=run.before)] if run.before else ()
    told = {MESSAGE_ID: run.message_id.decode(), PET: run.pet}
    return EndedSpan(ended.sort, context, run.parent_id, ended.began, ended.ended, told, links, "")


def _states(runs: Sequence[Run]) -> Sequence[str]:
    states = [run.state for run in runs]
    return states if any(states) else ()
