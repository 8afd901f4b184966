"""What an album's tables hold as fields of its hash, in MessagePack. Rows have their own codec in `rows`.

`head`: counters, spaces, clusters, the newest job. `c<id>`: one cell. `f<n>`: a large cluster as it was rendered, in
JSON. `j<n>`: a segment of recent job ids, `d<n>`: their digests. `p<n>`: a chunk of the provisional images. `heirs`:
which cells took in which. `anchors`: what users' corrections hold together, `apart`: of which anchors they said that
they are not one, `corrected`: when what was last corrected, `successors`: which clusters took in which. `w<n>`: what a
job's corrections said, which can be taken back; `hidden`: images that users hid.
"""

from typing import Final

from msgspec import Struct

from sploot_clusterd.engine.album import Cell, Cluster, Counters, NewestJob, ProvisionalCluster
from sploot_clusterd.engine.params import Serving
from sploot_clusterd.engine.rows import Stamp
from sploot_clusterd.engine.sums import Form

FORMAT: Final = 1
HEAD: Final = b"head"
CELL: Final = b"c%d"
FRAGMENT: Final = b"f%d"
HEIRS: Final = b"heirs"
ANCHORS: Final = b"anchors"
SUCCESSORS: Final = b"successors"
CORRECTED: Final = b"corrected"
APART: Final = b"apart"
HIDDEN: Final = b"hidden"
WORD: Final = b"w%d"


class SpaceRecord(Struct, array_like=True):
    number: int
    model_version: str
    layout: tuple[tuple[str, int], ...]
    moved: int
    partitioned: int
    profile: int = 0
    dimension: int | None = None
    """None: that of the layout."""
    silhouette: float | None = None
    scale: float = 1.0


class Head(Struct, array_like=True):
    format: int
    version: int
    updated_ms: int
    newest_ms: int
    newest: Stamp
    counters: Counters
    job: NewestJob
    spaces: list[SpaceRecord]
    clusters: list[Cluster]
    provisional: tuple[ProvisionalCluster, ...]
    serving: Serving | None = None
    rendering: int = 0
    """What made the fragments that are stored."""


class CellRecord(Struct, array_like=True, gc=False):
    cell: Cell
    weight: float
    sums: memoryview
    """Of the field's bytes: not copied when it is decoded."""
    form: Form = "f4"


def is_large(cluster: Cluster, serving: Serving | None) -> bool:
    """Whether it has more images than are served.

    To choose among so many takes longer than to read what was chosen: of such clusters it is stored what was rendered.
    """
    return serving is not None and cluster.size > serving.max_cluster_size and cluster.shown
