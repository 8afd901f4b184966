"""Laws of what events come to: however they are cut into batches, the rows tell each version as it was shown."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from hypothesis import given, settings
from hypothesis import strategies as st

from sploot_clusterd.history.folding import Face as KeptFace
from sploot_clusterd.history.folding import Fold, Rows, half_told
from sploot_clusterd.history.told import Told
from tests.support.told import Pet, Teller, face

if TYPE_CHECKING:
    from sploot_clusterd.engine.fragment import Face

IMAGES = [f"img-{n}" for n in range(6)]
SHOWN = st.lists(st.sampled_from([None, -1, 0, 1, 2]), min_size=len(IMAGES), max_size=len(IMAGES))
"""Of each image its cluster's number, -1 for none, None where there is no such image."""
STEPS = st.lists(st.tuples(st.sampled_from("ab"), SHOWN, st.sampled_from("XY"), st.randoms()), max_size=12)


class Table:
    """Intervals, as a database keeps what it is told."""

    def __init__(self) -> None:
        self.members: list[dict] = []
        self.faces: list[dict] = []

    def write(self, rows: Rows) -> None:
        for table, closed, opened in (
            (self.members, rows.closed_members, rows.members),
            (self.faces, rows.closed_faces, rows.faces),
        ):
            for row in closed.values():
                key = {name: row[name] for name in row if not name.startswith("until")}
                for each in table:
                    if each["until_version"] is None and key.items() <= each.items():
                        each.update({name: row[name] for name in ("until_version", "until_ms")})
            table += [dict(row) for row in opened]

    def at(self, table: list[dict], pet: str, version: int) -> list[dict]:
        return [
            row
            for row in table
            if row["pet_id"] == pet
            and row["from_version"] <= version
            and (row["until_version"] is None or version < row["until_version"])
        ]

    def open_faces(self) -> dict[tuple[str, str], KeptFace]:
        return {
            (row["pet_id"], row["cluster_id"]): KeptFace(row["hero_image_id"], row["label"])
            for row in self.faces
            if row["until_version"] is None
        }


def told_of(steps: Sequence[tuple]) -> tuple[list[Told], list[Pet]]:
    teller, pets = Teller(), {name: Pet(name) for name in "ab"}
    for name, shown, label, drawn in steps:
        groups: dict[int, list[str]] = {}
        for image, number in zip(IMAGES, shown, strict=True):
            if number is not None:
                groups.setdefault(number, []).append(image)
        loose = groups.pop(-1, [])
        clusters: dict[int, Face] = {}
        for number, group in groups.items():
            drawn.shuffle(group)
            clusters[number] = face(*group, label=label)
        teller.change(pets[name], clusters, loose)
    return teller.events, [*pets.values()]


@settings(max_examples=50)
@given(STEPS, st.lists(st.integers(1, 5), min_size=1, max_size=12))
def test_each_version_is_told_whatever_the_batches(steps, sizes):
    events, pets = told_of(steps)
    table, newest = Table(), {}
    left = list(events)
    for size in [*sizes, len(events)]:
        batch, left = left[:size], left[size:]
        asked = half_told(batch)
        faces = {key: each for key, each in table.open_faces().items() if key[0] in asked}
        fold = Fold(newest, faces)
        for event in batch:
            assert event.change is not None
            fold.apply(event, event.change)
        newest = fold.newest
        table.write(fold.take())
    for pet in pets:
        for version in pet.then:
            members = table.at(table.members, pet.pet_id, version)
            assert sorted((row["cluster_id"], row["image_id"]) for row in members) == sorted(pet.members(version))
            found = table.at(table.faces, pet.pet_id, version)
            assert sorted((row["cluster_id"], row["hero_image_id"], row["label"]) for row in found) == sorted(
                pet.faces(version)
            )
        assert pet.pet_id not in newest or newest[pet.pet_id].complete


@settings(max_examples=20)
@given(STEPS)
def test_what_is_opened_and_closed_in_a_batch_is_one_row(steps):
    events, _ = told_of(steps)
    fold = Fold({}, {})
    for event in events:
        assert event.change is not None
        fold.apply(event, event.change)
    rows = fold.take()
    assert not rows.closed_faces
    keys = [(row["pet_id"], row["cluster_id"], row["image_id"], row["from_version"]) for row in rows.members]
    assert len(keys) == len(set(keys))
    nothing = fold.take()
    assert (nothing.versions, nothing.members, nothing.jobs) == ([], [], {})
