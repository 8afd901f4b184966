"""A model of what users said of a pet's clusters, beside the album that keeps it.

It knows a token for each corrected cluster. Images of one token have to be in one cluster of their space, and those of
different tokens never are; a token's label and the newest pin show.
"""

from dataclasses import dataclass, field

from sploot_clusterd.engine.rows import decode_row
from sploot_clusterd.engine.words import constraints


@dataclass
class Said:
    """What users said that still holds."""

    token: dict[str, int] = field(default_factory=dict)
    label: dict[int, tuple[int, str]] = field(default_factory=dict)
    pins: dict[str, int] = field(default_factory=dict)
    veiled: dict[int, tuple[int, bool]] = field(default_factory=dict)
    """Whether a token's cluster was hidden last, or shown."""
    barred: dict[str, set[int]] = field(default_factory=dict)
    """Tokens whose clusters an image does not belong to."""
    hidden: set[str] = field(default_factory=set)
    by_anchor: dict[int, int] = field(default_factory=dict)
    """The token of each anchor: it stays with a cluster whose images that were spoken of are gone."""
    tokens: int = 0

    def token_of(self, names) -> int:
        """The token that images of one cluster have, a new one if none has any; then all of them have it."""
        token = self.known(names) or self.new_token()
        self.token.update(dict.fromkeys(names, token))
        return token

    def keep_apart(self, names, others) -> None:
        """Of images that were not named nothing is said, but that what was one in two spaces is two."""
        if self.known(names) is not None and self.known(names) == self.known(others):
            self.move(others, self.new_token(like=self.known(names)))

    def stand_for(self, hero, names) -> int:
        """The token of a cluster of which its hero alone was spoken."""
        token = self.known(names) or self.new_token()
        if hero is not None:
            self.token[hero] = token
        return token

    def known(self, names) -> int | None:
        held = {self.token[name] for name in names if name in self.token}
        assert len(held) <= 1
        return held.pop() if held else None

    def new_token(self, like=None) -> int:
        """Hidden, if a whole cluster that gets it was."""
        self.tokens += 1
        if like in self.veiled:
            self.veiled[self.tokens] = self.veiled[like]
        return self.tokens

    def unite(self, tokens) -> None:
        into = min(tokens)
        named = [self.label.pop(token) for token in tokens if token in self.label]
        self.token = {name: into if token in tokens else token for name, token in self.token.items()}
        self.by_anchor = {anchor: into if token in tokens else token for anchor, token in self.by_anchor.items()}
        self.barred = {name: {into if t in tokens else t for t in each} for name, each in self.barred.items()}
        seen = [self.veiled.pop(token) for token in tokens if token in self.veiled]
        if seen:
            self.veiled[into] = max(seen)
        if named:
            self.label[into] = max(named)

    def move(self, names, token) -> None:
        self.token.update(dict.fromkeys(names, token))
        for name in names:
            self.barred.pop(name, None)

    def veil(self, names, number, *, hidden) -> None:
        self.veiled[self.token_of(names)] = number, hidden

    def hide(self, names) -> None:
        for name in names:
            self.token.pop(name, None)
        self.hidden |= set(names)

    def bar(self, names, hero, others) -> None:
        """They do not belong to the cluster of the others, for which its hero stands unless it is one of them."""
        token = self.stand_for(None if hero in names else hero, others)
        for name in names:
            self.token.pop(name, None)
            self.barred[name] = {token}

    def keep(self, pet) -> None:
        """Forgets images that are gone. One that became a near copy of what a user placed belongs with it."""
        there = cells(pet)
        self.token = {name: token for name, token in self.token.items() if name in there}
        self.pins = {name: at for name, at in self.pins.items() if name in there or name in self.hidden}
        self.barred = {name: each for name, each in self.barred.items() if name in there and name not in self.token}
        roots = constraints(pet.album.anchors, pet.album.words).roots
        marks = {name: pet.album.cells[cell].anchor for name, cell in there.items()}
        for anchor in set(roots.values()):
            if names := [name for name, mark in marks.items() if mark is not None and roots.get(mark) == anchor]:
                token = self.known(names) or self.by_anchor.get(anchor) or self.new_token()
                self.token.update(dict.fromkeys(names, token))
                self.by_anchor[anchor] = token


def cells(pet):
    """The cell of each image that is in one."""
    rows = {name: decode_row(raw).placed for name, raw in sorted(pet.rows().items())}
    return {name: pet.album.heirs.get(held.cell, held.cell) for name, held in rows.items() if held is not None}


def clusters(pet):
    """The images of each cluster, shown or not, by its key."""
    home = {cell: key for key, cluster in pet.album.clusters.items() for cell in cluster.cells}
    found = {}
    for name, cell in cells(pet).items():
        found.setdefault(home[cell], []).append(name)
    return found
