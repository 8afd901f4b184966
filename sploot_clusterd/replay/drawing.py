"""Pictures of a run over its time, as SVG: an axis each way, and lines or bars. Nothing is fetched to show them."""

import math
from collections.abc import Iterator, Sequence
from html import escape
from typing import Final, NamedTuple

_WIDTH: Final = 860
_HEIGHT: Final = 220
_LEFT: Final = 60
_RIGHT: Final = 24
_TOP: Final = 24
_BOTTOM: Final = 30
_MARKS: Final = 5


class Line(NamedTuple):
    """A series. Where it has no value it is broken. `colour` is CSS's."""

    name: str
    colour: str
    values: Sequence[float | None]


def drawing(title: str, unit: str, at: Sequence[float], lines: Sequence[Line], limit: float | None = None) -> str:
    """`at` are the values' seconds after the beginning; `limit` is drawn across, where values come near it."""
    highest = max((value for line in lines for value in line.values if value is not None), default=0.0)
    if limit is not None and highest > limit / 4:
        highest = max(highest, limit)
    top, last = _round_up(highest), (at[-1] if at else 0.0) or 1.0
    parts = [
        f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="{escape(title)}">',
        f'<text x="{_LEFT}" y="14" class="title">{escape(title)}</text>',
        *_axes(top, last, unit),
        *(_path(line, at, top, last) for line in lines),
        *_legend(lines),
    ]
    if limit is not None and highest >= limit:
        y = _y(limit, top)
        parts.append(f'<line x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{y:.1f}" y2="{y:.1f}" class="limit"/>')
    return "\n".join([*parts, "</svg>"])


def _axes(top: float, last: float, unit: str) -> Iterator[str]:
    for step in range(_MARKS):
        value, y = top * step / (_MARKS - 1), _y(top * step / (_MARKS - 1), top)
        yield f'<line x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{y:.1f}" y2="{y:.1f}" class="grid"/>'
        yield f'<text x="{_LEFT - 6}" y="{y + 4:.1f}" class="mark left">{value:g} {escape(unit)}</text>'
    for step in range(_MARKS):
        seconds = last * step / (_MARKS - 1)
        yield f'<text x="{_x(seconds, last):.1f}" y="{_HEIGHT - 10}" class="mark">{seconds:.0f} s</text>'


def _path(line: Line, at: Sequence[float], top: float, last: float) -> str:
    """A point that stands alone is drawn as a dot: its line has no length, and round ends."""
    drawn, joins = [], False
    for seconds, value in zip(at, line.values, strict=True):
        if value is not None:
            here = f"{_x(seconds, last):.1f} {_y(value, top):.1f}"
            drawn.append(f"L{here}" if joins else f"M{here} L{here}")
        joins = value is not None
    return f'<path d="{" ".join(drawn)}" stroke="{line.colour}" class="line"/>'


def _legend(lines: Sequence[Line]) -> Iterator[str]:
    x = _WIDTH - _RIGHT
    for line in reversed(lines):
        yield f'<text x="{x}" y="14" class="left" fill="{line.colour}">{escape(line.name)}</text>'
        x -= 8 * len(line.name) + 16


def _x(seconds: float, last: float) -> float:
    return _LEFT + seconds / last * (_WIDTH - _LEFT - _RIGHT)


def _y(value: float, top: float) -> float:
    return _HEIGHT - _BOTTOM - value / top * (_HEIGHT - _TOP - _BOTTOM)


def _round_up(value: float) -> float:
    """To 1, 2, 4 or 10 of its power of ten."""
    if value <= 0:
        return 1.0
    power = 10.0 ** math.floor(math.log10(value))
    return next(step * power for step in (1.0, 2.0, 4.0, 10.0) if value <= step * power * (1 + 1e-9))
