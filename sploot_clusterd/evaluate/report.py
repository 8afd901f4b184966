"""`clusterd eval --report`: one page that holds all it shows, and asks for nothing from anywhere."""

import base64
from collections.abc import Sequence
from html import escape
from typing import Final

from sploot_clusterd import __version__
from sploot_clusterd.evaluate import drawings
from sploot_clusterd.evaluate.albums import LabelledAlbum
from sploot_clusterd.evaluate.figures import MEANINGS, Measured, figures, notes, shown
from sploot_clusterd.evaluate.projections import projection

_WORST: Final = 6
_STYLE: Final = """
body { font: 15px/1.5 system-ui, sans-serif; color: #222; background: #fff }
body { max-width: 1100px; margin: 2em auto; padding: 0 1em }
h1 { font-size: 1.6em } h2 { margin-top: 2em; border-bottom: 1px solid #ddd }
table { border-collapse: collapse } th, td { padding: .25em .8em; border-bottom: 1px solid #ddd; text-align: left }
td.number, th.number { text-align: right; white-space: nowrap; font-variant-numeric: tabular-nums }
td.meaning { color: #666 }
figure { margin: 1.2em 0 } figure img { max-width: 100%; height: auto } figcaption, p { color: #444; max-width: 55em }
.swatch { display: inline-block; width: .8em; height: .8em; margin-right: .4em }
"""
_DISTRIBUTIONS: Final = (
    "How the albums' figures are spread. A dashed line is the mean that the table shows. Further right is better for "
    "the first three; clusters for each label are best at 1, churn at 0."
)
_SIZES: Final = (
    "Each dot is an album, the line the mean of albums of like size: where it falls, the clustering is weak."
)
_COST: Final = (
    "The line is the mean, so a rebuild counts with all the images that it is spread over. The shade holds the middle "
    "80 % of the jobs, most of which bring no rebuild. A level line means that an image costs the same however many "
    "came before it."
)
_PROJECTIONS: Final = (
    "Where to look first: the albums of the lowest F1 with {algorithm}. A dot is an image, drawn where two principal "
    "components put its vector, so near dots may still be far apart in the other dimensions. Its colour is its label "
    "(grey: a label that occurs once, or none of the ten commonest). Shape and grey spokes show the cluster that it is "
    "in: spokes meet in the cluster's middle. A cross is in no cluster. A ring marks a hero. One star of several "
    "colours is a wrong merge, which lowers precision; several stars of one colour are a split, which lowers recall."
)


def report(title: str, albums: Sequence[LabelledAlbum], columns: Sequence[Measured]) -> str:
    """The page as HTML. `title` says what was measured; each column holds a result for each album."""
    parts = [
        f"<h1>How well the albums were clustered</h1>\n<p>{escape(title)}; sploot-clusterd {__version__}</p>",
        _summary(columns),
        *(f"<p>{escape(note)}</p>" for column in columns for note in notes(column)),
        "<h2>Over the albums</h2>",
        _picture(drawings.distributions(columns), _DISTRIBUTIONS),
        "<h2>Small and large albums</h2>",
        _picture(drawings.f1_by_size(columns), _SIZES),
        "<h2>Cost</h2>",
        _picture(drawings.cost(columns), _COST),
        "<h2>The worst albums</h2>",
        f"<p>{escape(_PROJECTIONS.format(algorithm=columns[0].algorithm))}</p>",
        *_worst(albums, columns),
    ]
    return _page(title, "\n".join(parts))


def _page(title: str, body: str) -> str:
    """The policy makes the browser see to it that nothing is fetched."""
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; img-src data:; style-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>clusterd eval: {escape(title)}</title>
<style>{_STYLE}</style>
</head>
<body>
{body}
</body>
</html>
"""


def _summary(columns: Sequence[Measured]) -> str:
    found = [figures(column.results) for column in columns]
    heads = "".join(
        f'<th class="number"><span class="swatch" style="background: {drawings.colour(number)}"></span>'
        f"{escape(column.algorithm)}</th>"
        for number, column in enumerate(columns)
    )
    rows = [
        f"<tr><th>{figure.replace('_', ' ')}</th>"
        + "".join(f'<td class="number">{shown(figure, values[figure])}</td>' for values in found)
        + f'<td class="meaning">{escape(meaning)}</td></tr>'
        for figure, meaning in MEANINGS.items()
    ]
    return f"<table>\n<tr><th>figure</th>{heads}<th>what it is</th></tr>\n" + "\n".join(rows) + "\n</table>"


def _worst(albums: Sequence[LabelledAlbum], columns: Sequence[Measured]) -> list[str]:
    f1 = [result.scores.bcubed_f1 for result in columns[0].results]
    pictures = []
    for at in sorted(range(len(albums)), key=f1.__getitem__)[:_WORST]:
        album = albums[at]
        picture = projection(album, [(column.algorithm, column.results[at]) for column in columns])
        figure = figures([columns[0].results[at]])
        pictures.append(
            _picture(
                picture,
                f"{album.name} by {columns[0].algorithm}: purity {shown('purity', figure['purity'])}, "
                f"precision {shown('bcubed_precision', figure['bcubed_precision'])}, "
                f"recall {shown('bcubed_recall', figure['bcubed_recall'])}, "
                f"{shown('k_ratio', figure['k_ratio'])} clusters for each label.",
            )
        )
    return pictures


def _picture(svg: str, caption: str) -> str:
    data = base64.b64encode(svg.encode()).decode()
    text = escape(caption)
    return f'<figure><img alt="{text}" src="data:image/svg+xml;base64,{data}"><figcaption>{text}</figcaption></figure>'
