"""What users said of clusters, and what has to hold of it, by docs/corrections.md."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field

from sploot_clusterd.entry_ids import EntryId
from sploot_clusterd.model import Apart, Correction, Hide, Merge, Move, NotHere, Rename, SetHero, Split, Stay, Unhide


@dataclass
class Users:
    """Images of one token belong together, those of different ones never do, within a model version."""

    token: dict[str, int] = field(default_factory=dict)
    label: dict[int, tuple[int, str]] = field(default_factory=dict)
    pins: dict[str, EntryId] = field(default_factory=dict)
    """Chosen heroes, with the places of the jobs that said so."""
    names: set[str] = field(default_factory=set)
    given: int = 0
    hidden: set[str] = field(default_factory=set)
    barred: dict[str, int] = field(default_factory=dict)
    """Of images that do not belong to a cluster its token."""
    heroes: dict[str, str] = field(default_factory=dict)
    """Those of clusters, as of the last look."""
    shown: dict[str, str] = field(default_factory=dict)
    """The labels of clusters, as of the last look."""

    def say(self, said: Correction, members: Mapping[str, Collection[str]], at: EntryId) -> None:
        """`members` of each cluster, as they were shown."""
        self.given += 1
        match said:
            case Merge(clusters=clusters):
                self._unite({self._token_of(cluster, members[cluster]) for cluster in clusters})
            case Split(cluster=cluster, image_ids=names, asked=asked):
                self._split(cluster, members[cluster], names, asked=asked)
            case Move(image_ids=names, to=cluster, asked=asked):
                self._move(names, cluster, members, asked=asked)
            case Rename(cluster=cluster, label=label):
                self.label[self._token_of(cluster, members[cluster])] = (self.given, label)
                self.names.add(label)
            case SetHero(image_id=name):
                self.pins[name] = at
            case Stay(cluster=cluster, image_ids=names):
                self._put(names, self._known(cluster, members[cluster]) or self._new())
            case Apart():
                pass  # of clusters as wholes, whose heroes stand for them
            case _:
                self._say_where_not(said, members)

    def _say_where_not(self, said: Correction, members: Mapping[str, Collection[str]]) -> None:
        match said:
            case NotHere(cluster=cluster, image_ids=names):
                self._bar(names, cluster, members[cluster])
            case Hide(image_ids=list() as names):
                self.hidden |= set(names)
                for name in names:
                    self.token.pop(name, None)
                    self.barred.pop(name, None)
            case Unhide(image_ids=list() as names):
                self.hidden -= set(names)

    def forget(self, names: Iterable[str], at: EntryId) -> None:
        """These were removed at that place: a choice that came after it stays."""
        for name in names:
            self.token.pop(name, None)
            self.barred.pop(name, None)
            self.hidden.discard(name)
            if name in self.pins and self.pins[name] < at:
                del self.pins[name]

    def _token_of(self, cluster: str, names: Collection[str]) -> int:
        token = self._known(cluster, names) or self._new()
        self._put(names, token)
        return token

    def _known(self, cluster: str, names: Collection[str]) -> int | None:
        """The photos that a user's name was given for may have gone: it stays with the cluster all the same."""
        held = {self.token[name] for name in names if name in self.token}
        assert len(held) <= 1, "images that a user parted were shown together"
        if not held:
            held = {token for token, (_, label) in self.label.items() if label == self.shown.get(cluster)}
            held -= set(self.token.values())
        return held.pop() if held else None

    def _move(self, names: Collection[str], to: str, members: Mapping[str, Collection[str]], *, asked: bool) -> None:
        """Who was asked says nothing of other images than these: heroes stand for the clusters."""
        if asked:
            self._put(names, self._known(to, members[to]) or self._new())
            return
        for cluster, others in members.items():
            if set(others) & set(names):
                self._token_of(cluster, others)
        self._put(names, self._token_of(to, members[to]))

    def _split(self, cluster: str, members: Collection[str], names: Collection[str], *, asked: bool) -> None:
        if asked and set(names) != set(members):
            self._put(names, self._new())
            return
        old = self._token_of(cluster, members)
        if set(names) != set(members):
            self._put(names, self._new())
        elif any(token == old and name not in members for name, token in self.token.items()):
            self._put(names, self._new(self.label.get(old)))

    def _bar(self, names: Collection[str], cluster: str, members: Collection[str]) -> None:
        """The hero stands for the cluster; of whoever does if it is one of the images nothing is known."""
        token = self._known(cluster, members) or self._new()
        for name in names:
            self.token.pop(name, None)
            self.barred[name] = token
        if self.heroes[cluster] not in names:
            self.token[self.heroes[cluster]] = token

    def _new(self, label: tuple[int, str] | None = None) -> int:
        token = max((*self.token.values(), *self.label, *self.barred.values()), default=0) + 1
        if label is not None:
            self.label[token] = label
        return token

    def _put(self, names: Collection[str], token: int) -> None:
        self.token.update(dict.fromkeys(names, token))
        for name in names:
            self.barred.pop(name, None)

    def _unite(self, tokens: set[int]) -> None:
        into = min(tokens)
        named = [self.label.pop(token) for token in tokens if token in self.label]
        self.token = {name: into if token in tokens else token for name, token in self.token.items()}
        self.barred = {name: into if token in tokens else token for name, token in self.barred.items()}
        if named:
            self.label[into] = max(named)

    def check(
        self, members: Mapping[str, Collection[str]], view: Mapping[str, dict], versions: Mapping[str, str]
    ) -> None:
        """What they said holds of the clusters shown."""
        self.shown = {cluster: each["label"] for cluster, each in view.items()}
        self.heroes = {cluster: each["hero_image_id"] for cluster, each in view.items()}
        home = {name: cluster for cluster, names in members.items() for name in names}
        homes: dict[tuple[int, str], set[str]] = {}
        owners: dict[str, set[int]] = {}
        for name, token in self.token.items():
            assert name in home, f"{name} was corrected, and is in no cluster"
            homes.setdefault((token, versions[name]), set()).add(home[name])
            owners.setdefault(home[name], set()).add(token)
        assert all(len(clusters) == 1 for clusters in homes.values()), "what belongs together is apart"
        assert all(len(tokens) == 1 for tokens in owners.values()), "what was parted is together"
        for cluster, (token,) in owners.items():
            if token in self.label:
                assert view[cluster]["label"] == self.label[token][1], "a user's name is not shown"
        assert not self.hidden & home.keys(), "what is hidden is shown"
        for name, token in self.barred.items():
            rivals = [each for each in self.token if self.token[each] == token and versions[each] == versions[name]]
            assert all(home[each] != home.get(name) for each in rivals), f"{name} is where it does not belong"
        for cluster, names in members.items():
            chosen = [name for name in names if name in self.pins]
            if chosen:
                assert view[cluster]["hero_image_id"] == max(chosen, key=self.pins.__getitem__), "a chosen hero is not"
