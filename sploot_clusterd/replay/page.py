"""A rehearsal's report as one HTML page, which fetches nothing."""

from html import escape
from typing import Final

from sploot_clusterd.replay.drawing import Line, drawing
from sploot_clusterd.replay.summary import Summary, Times
from sploot_clusterd.replay.tally import VISIBLE

_BLUE: Final = "#0072b2"
_ORANGE: Final = "#d55e00"
_STYLE: Final = """
body { font: 15px/1.5 system-ui, sans-serif; max-width: 60em; margin: 2em auto; padding: 0 1em; color: #222 }
table { border-collapse: collapse; margin: 1em 0 } td, th { padding: .2em .8em; border-bottom: 1px solid #ddd;
text-align: right } td:first-child, th:first-child { text-align: left } .missed { color: #b00020; font-weight: bold }
svg { width: 100%; margin: 1em 0 } svg text { font-size: 11px } .title { font-weight: bold } .mark { fill: #666;
text-anchor: middle } .left { text-anchor: end } .grid { stroke: #e6e6e6 } .limit { stroke: #b00020;
stroke-dasharray: 4 4 } .line { fill: none; stroke-width: 2; stroke-linecap: round }
"""


def page(told: Summary) -> str:
    """The policy makes the browser see to it that nothing is fetched."""
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>clusterd replay: a rehearsal</title>
<style>{_STYLE}</style>
</head>
<body>
<h1>A rehearsal of {told.seconds:.0f} s</h1>
<p>{told.posted} jobs posted, {told.per_second:.1f} a second: {told.accepted} accepted, {told.refused} not.
Jobs were posted at most {told.behind:.2f} s later than they were due.</p>
{_objectives(told)}
{_figures(told)}
{_pictures(told)}
</body>
</html>
"""


def _objectives(told: Summary) -> str:
    rows = []
    for verdict in told.objectives:
        word = '<span class="missed">missed</span>' if verdict.missed else "held"
        share = "nothing measured" if verdict.share is None else f"{verdict.share:.2%} of {verdict.total}"
        rows.append(f"<tr><td>{escape(verdict.name)}<td>{verdict.wanted:.2%}<td>{share}<td>{word}")
    return f"<table><tr><th>objective<th>wanted<th>measured<th>{''.join(rows)}</table>"


def _figures(told: Summary) -> str:
    rows = [
        f"<tr><td>{name}<td>{times.count}{_cells(times)}"
        for name, times in (("answers", told.answers), ("until readers see a job", told.visible), ("reads", told.reads))
    ]
    statuses = "".join(f"<tr><td>{status}<td>{count}" for status, count in told.statuses.items())
    heads = "<th>count<th>p50, ms<th>p95, ms<th>p99, ms<th>longest, ms"
    return f"<table><tr><th>{heads}{''.join(rows)}</table><table><tr><th>status<th>jobs{statuses}</table>"


def _cells(times: Times) -> str:
    return "".join(
        f"<td>{'-' if value is None else f'{value:.1f}'}" for value in (times.p50, times.p95, times.p99, times.longest)
    )


def _pictures(told: Summary) -> str:
    parts = told.parts
    at = [part.at for part in parts]
    jobs = [
        Line("accepted", _BLUE, [part.accepted / told.part_seconds for part in parts]),
        Line("refused", _ORANGE, [part.refused / told.part_seconds for part in parts]),
    ]
    answers = [
        Line("p50", _BLUE, [part.answer_p50 for part in parts]),
        Line("p99", _ORANGE, [part.answer_p99 for part in parts]),
    ]
    seen = [
        Line("p50", _BLUE, [part.visible_p50 for part in parts]),
        Line("longest", _ORANGE, [part.visible_longest for part in parts]),
    ]
    return "\n".join(
        (
            drawing("Jobs answered a second", "", at, jobs),
            drawing("Time of an answer", "ms", at, answers),
            drawing("Time until readers see a job", "ms", at, seen, VISIBLE.seconds * 1000),
        )
    )
