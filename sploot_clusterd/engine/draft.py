"""The working copy of an album while jobs are applied. The album itself is never written to."""

from collections.abc import Callable, Mapping
from copy import copy
from dataclasses import dataclass, field, replace
from typing import Any

from msgspec import structs

from sploot_clusterd.engine.album import Album, Cell, Cluster, Member, Segment
from sploot_clusterd.engine.algorithm import Algorithm
from sploot_clusterd.engine.block import Block
from sploot_clusterd.engine.params import Params
from sploot_clusterd.engine.profile import Profile, Profiles
from sploot_clusterd.engine.rows import Row, decode_row
from sploot_clusterd.engine.sample import Fresh
from sploot_clusterd.engine.vector_format import VectorFormat
from sploot_clusterd.engine.words import AS_IT_WAS, Anchor, Constraints, Place, Word, constraints
from sploot_clusterd.errors import BadStateError, ClusterdError


class NeedsAllRowsError(ClusterdError):
    """The jobs can only be applied with every row of the album at hand: load them and call again with `complete`."""


@dataclass(slots=True)
class Changes:
    """What applying jobs did, counted."""

    founded: int = 0
    merged: int = 0
    split: int = 0
    hero_changes: int = 0
    rebuilt: int = 0
    images_added: int = 0
    images_updated: int = 0
    images_removed: int = 0
    tombstones_dropped: int = 0
    """Before their time, as there were too many."""
    corrections: dict[str, int] = field(default_factory=dict)
    """By their op."""

    def count(self, op: str) -> None:
        """One more correction."""
        self.corrections[op] = self.corrections.get(op, 0) + 1


class Draft:
    """Copies of the album's tables (not of what is in them: those values are replaced, not written to)."""

    word: Word | None = None
    """That of the job whose corrections are being made."""
    final = False
    """Whether it cannot be taken back, as there is no room for more marks."""
    held = False
    """Whether nothing is to be grouped anew, as corrections are to come of the album as it was shown."""
    taken_back = AS_IT_WAS
    """How much is to be grouped anew, as a word was taken back from before it was."""
    restored = False
    """Whether ids and heroes are again what they were before a word that was taken back."""
    revision = 0
    """How often anything was changed."""
    provisional_changed = False
    fresh: list[Fresh]
    _constraints: Constraints | None = None

    def __init__(
        self,
        album: Album,
        raw_rows: Mapping[str, bytes],
        params: Params,
        algorithm: Algorithm,
        profiles: Profiles,
        *,
        complete: bool,
        checkpoint: Callable[[], None] = lambda: None,
    ) -> None:
        self.checkpoint = checkpoint
        """Called between the steps of what may take long, for others to be let by."""
        self.params = params
        self.algorithm = algorithm
        self.profiles = profiles
        self._raw_rows = raw_rows
        self._complete = complete
        self._copy(album)
        self.rows: dict[str, Row] = {}
        self.touched: set[int] = set()
        self.served: dict[int, list[tuple[float, Member]]] = {}
        self.changes = Changes()
        self.fresh = []
        self.first_cell = album.counters.cell
        """Cells from this on hold no image that was shown."""
        self.closed: set[int] = set()
        """Anchors of clusters that take in nothing that was shown elsewhere, by this job: users split them off."""

    def _copy(self, album: Album) -> None:
        self.version = album.version
        self.counters = album.counters
        self.newest = album.newest
        self.newest_ms = album.newest_ms
        self.job = album.job
        self.blocks = {
            number: Block(space, self.profiles.get(space.model_version, space.profile))
            for number, space in album.spaces.items()
        }
        self.cells: dict[int, Cell] = dict(album.cells)
        self.clusters: dict[int, Cluster] = dict(album.clusters)
        self.home = {cell_id: key for key, cluster in album.clusters.items() for cell_id in cluster.cells}
        self.heirs = album.heirs
        self.anchors: dict[int, Anchor] = dict(album.anchors)
        self.successors: Mapping[int, int] = album.successors
        self.corrected = album.corrected
        self.apart = album.apart
        self.words = album.words
        self.hidden: dict[str, Place] = dict(album.hidden)
        self.segments: list[Segment] = list(album.segments)
        self.chunks = list(album.chunks)
        self.provisional = album.provisional
        self.serving = album.serving

    def begin_job(self) -> None:
        """What one job makes new or closes is so for that job alone, however many are applied in one call."""
        self.first_cell = self.counters.cell
        self.closed = set()
        self.taken_back, self.restored, self.final = AS_IT_WAS, False, False

    @property
    def constraints(self) -> Constraints:
        """What all that users said comes to. `say` and `anchors_changed` bring it up to date."""
        if self._constraints is None:
            self._constraints = constraints(self.anchors, self.words if self.word is None else (*self.words, self.word))
        return self._constraints

    def anchors_changed(self) -> None:
        """Marks came or went, or what is said of them."""
        self._constraints = None

    def root(self, mark: int | None) -> int | None:
        """The anchor of the cells that carry the mark; None where they are free."""
        return None if mark is None else self.constraints.roots.get(mark)

    def regrouped(self, how_much: int) -> None:
        """Of what was said before this it is known."""
        if any(word.regrouped < how_much for word in self.words):
            self.words = tuple(structs.replace(word, regrouped=max(word.regrouped, how_much)) for word in self.words)

    def barred(self, mark: int | None) -> set[int]:
        """Anchors whose clusters take in no cells that carry the mark."""
        anchor = self.anchors.get(mark) if mark is not None else None
        roots = map(self.root, anchor.barred) if anchor is not None and anchor.barred else ()
        return {root for root in roots if root is not None}

    def say(self, **facts: Any) -> None:
        """Adds to what follows from the job's corrections: tuples are added to those of the word, and dicts, too."""
        word = self.word
        if word is None:
            raise ValueError("only corrections say anything")
        for name, more in facts.items():
            held = getattr(word, name)
            word = structs.replace(word, **{name: held | more if isinstance(held, dict) else (*held, *more)})
        self.word = word
        self._constraints = None

    def fork(self) -> "Draft":
        """A second draft in the state of this one: what is changed in it does not show here."""
        twin = copy(self)
        twin.blocks = {number: block.fork() for number, block in self.blocks.items()}
        twin.cells, twin.clusters, twin.home = dict(self.cells), dict(self.clusters), dict(self.home)
        twin.anchors, twin.rows, twin.served = dict(self.anchors), dict(self.rows), dict(self.served)
        twin.hidden = dict(self.hidden)
        twin.segments, twin.chunks, twin.touched = list(self.segments), list(self.chunks), set(self.touched)
        twin.fresh, twin.closed = list(self.fresh), set(self.closed)
        twin.changes = replace(self.changes, corrections=dict(self.changes.corrections))
        return twin

    def row(self, image_id: str) -> Row:
        """The image's row as it stands. Raises BadStateError."""
        row = self.rows.get(image_id)
        return row if row is not None else self.row_before(image_id)

    def row_before(self, image_id: str) -> Row:
        """The image's row as it was stored. Raises BadStateError."""
        return decode_row(self._raw_rows.get(image_id))

    def need_all_rows(self) -> None:
        """Raises NeedsAllRowsError if they were not given."""
        if not self._complete:
            raise NeedsAllRowsError

    def all_rows(self) -> dict[str, Row]:
        """Every row, in the order of the ids. Raises NeedsAllRowsError."""
        self.need_all_rows()
        return {image_id: self.row(image_id) for image_id in sorted({*self._raw_rows, *self.rows})}

    def set_row(self, image_id: str, row: Row) -> None:
        self.rows[image_id] = row
        self.revision += 1

    def count_tombstones(self, more: int) -> None:
        """So many more, or less, are remembered."""
        if more:
            count = max(self.counters.tombstones + more, 0)
            self.counters = structs.replace(self.counters, tombstones=count)

    def count_up(self, counter: str) -> int:
        """The counter's next value, which is then used up."""
        value: int = getattr(self.counters, counter)
        self.counters = structs.replace(self.counters, **{counter: value + 1})
        return value

    def living(self, cell_id: int) -> int:
        """The cell, or the one that it was merged into. Raises BadStateError if there is neither."""
        living = cell_id if cell_id in self.cells else self.heirs.get(cell_id, -1)
        if living not in self.cells:
            raise BadStateError(f"an image is in cell {cell_id}, which is not there")
        return living

    def anchored(self, space: int, anchor: int) -> int | None:
        """The cluster that the anchor's cells of this space are in."""
        return next((k for k, other in self.clusters.items() if (other.space, other.anchor) == (space, anchor)), None)

    def adopted(self, model_version: str) -> Profile | None:
        """The profile that spaces of this model version move to now. Raises NeedsProfileError."""
        return self.profiles.get(model_version, self.profiles.adopt.get(model_version, 0))

    def profile_of(self, block: Block) -> Profile | None:
        """The profile that the space has once it is clustered again."""
        if block.model_version in self.profiles.adopt:
            profile = self.adopted(block.model_version)
            if profile is None or profile.fits(dict(block.vector_format.layout)):
                return profile
        return block.vector_format.profile

    @property
    def outdated(self) -> bool:
        """Whether a space is to move to another profile."""
        return any(self.profile_of(block) is not block.vector_format.profile for block in self.blocks.values())

    def block_for(self, model_version: str) -> Block | None:
        for block in self.blocks.values():
            if block.model_version == model_version:
                return block
        return None

    def open_block(self, model_version: str, vector_format: VectorFormat) -> Block:
        """The space of the model version, with room for every kind of the format; a new one has this format."""
        block = self.block_for(model_version)
        if block is None:
            block = Block.empty(self.count_up("space"), model_version, vector_format)
            self.blocks[block.number] = block
        elif len(vector_format.layout) > len(block.vector_format.layout):
            block.extend(vector_format)
        return block
