"""Corrected clusters of several looks: who joined one by likeness to a look of it stays, whatever comes later."""

from dataclasses import dataclass, field, replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sploot_clusterd.engine import Params
from sploot_clusterd.model import Merge, Move, Rename, SetHero, Split
from tests.engine.corrected import EVERY, FIRST, SECOND, THIRD, corrected, group
from tests.engine.fleets import at_hand, profile
from tests.engine.pet import Pet, direction, insight, job, photos

SETTINGS = [Params(), Params(max_cells=12), Params(min_cluster_size=1, rebuild_least=2)]
GENERATIONS = [profile(n, embedding=32, seed=n) for n in (1, 2)]
GENERATIONS.append(profile(3, settled=True, embedding=32, seed=3))


def looks(pet, number, look, count, **more):
    """Later photos of a look, each in a job of its own; their names."""
    names = [f"g{look}-later{number + n}" for n in range(count)]
    for n, name in enumerate(names):
        pet.apply(job(number + n, insight(name, direction(look, 0.3, 1000 + number + n), **more)))
    return names


@pytest.mark.parametrize("params", EVERY)
@pytest.mark.parametrize("sizes", [(3, 3), (1, 3), (1, 1, 1), (2, 5, 3)])
def test_later_photos_of_each_look_of_a_merged_cluster_stay(params, sizes):
    pet = Pet(params)
    pet.apply(job(1, *photos({**dict(enumerate(sizes)), 8: 3})))
    ids = [pet.cluster_of(f"g{look}-0") for look, size in enumerate(sizes) if size > 1]
    lone = [f"g{look}-0" for look, size in enumerate(sizes) if size == 1]
    other = pet.cluster_of("g8-0")
    if not ids:
        ids = [other]
    said = [Move(lone, ids[0])] if lone else []
    corrected(pet, 2, *said, Merge([*ids, ids[0]]), Rename(ids[0], "Rex"))
    home = pet.cluster_of("g0-0")

    joined = set()
    for look in range(len(sizes)):
        names = looks(pet, 10 * (1 + look), look, 3)
        joined |= {name for name in names if pet.cluster_of(name) == home}
    assert joined
    for step in range(9):
        pet.apply(job(100 + step, insight(f"else-{step}", direction(9 + step // 3, 0.3, step)), force=step == 8))
        assert joined <= set(pet.members()[home])

    assert {name for look in range(len(sizes)) for name in pet.rows() if name.startswith(f"g{look}-")} <= set(
        pet.members()[home]
    )
    assert next(c["label"] for c in pet.clusters if c["id"] == home) == "Rex"


@pytest.mark.parametrize("params", EVERY)
def test_what_was_split_off_is_not_dragged_back_by_a_look_that_it_shares(params):
    pet = Pet(params)
    pet.apply(job(1, *photos([6, 4])))
    corrected(pet, 2, Split(FIRST, ["g0-0", "g0-1"]))
    off = pet.cluster_of("g0-0")
    corrected(pet, 3, Merge([FIRST, SECOND]))

    looks(pet, 10, 0, 6)
    looks(pet, 20, 1, 6)
    pet.apply(job(30, force=True))

    members = {cluster: set(names) for cluster, names in pet.members().items()}
    assert members[off] & (group(0, 6) | group(1, 4)) == {"g0-0", "g0-1"}
    assert group(0, 6) - {"g0-0", "g0-1"} | group(1, 4) <= members[FIRST]
    assert {f"g1-later{n}" for n in range(20, 26)} <= members[FIRST]


def test_a_merge_of_merges_holds_the_looks_of_all():
    pet = Pet()
    pet.apply(job(1, *photos([3, 3, 3, 3])))
    last = pet.cluster_of("g3-0")
    corrected(pet, 2, Merge([FIRST, SECOND]))
    corrected(pet, 3, Merge([THIRD, last]))
    corrected(pet, 4, Merge([last, SECOND]))

    for look in range(4):
        looks(pet, 10 * (1 + look), look, 3)
    pet.apply(job(60, force=True))

    assert [(cluster["id"], cluster["size"]) for cluster in pet.clusters] == [(FIRST, 24)]


steps = st.lists(
    st.tuples(
        st.sampled_from(["photo"] * 6 + ["other", "force", "move", "split", "rename", "hero", "again"]),
        st.integers(0, 3),
        st.sampled_from([None, None, 0.4, 0.7]),
    ),
    min_size=6,
    max_size=24,
)
sizes = st.lists(st.integers(1, 4), min_size=2, max_size=4)


@dataclass
class Owner:
    """Someone who merged some looks; `inside` are photos of them that were seen in that cluster."""

    pet: Pet
    looks: int
    home: str
    generation: int = 0
    inside: set[str] = field(default_factory=set)
    shared: set[str] = field(default_factory=set)
    """Looks of which some photos were split off: later ones may go to either cluster."""

    def live(self, number, step):
        what, which, quality = step
        pet, look = self.pet, which % self.looks
        some = sorted(self.inside)[which : which + 2]
        has_room = len(pet.album.anchors) < pet.params.max_cells // 2  # for one more corrected cluster
        pet.profiles = at_hand(*GENERATIONS, adopt=self.generation)
        if what == "photo":
            pet.apply(job(number, insight(f"g{look}-n{number}", direction(look, 0.3, number), quality)))
        elif what == "other":
            pet.apply(
                job(number, *(insight(f"other-{number}-{n}", direction(6 + which, 0.3, number + n)) for n in (0, 1)))
            )
        elif what == "force":
            pet.apply(job(number, force=True))
        elif what == "move":
            self.generation = min(self.generation + 1, len(GENERATIONS))
            pet.profiles = at_hand(*GENERATIONS, adopt=self.generation)
            pet.apply(job(number, labels=[f"Label {number}"]))
        elif what == "again" and some:
            pet.apply(job(number, insight(some[0], direction(int(some[0][1]), 0.3, number), quality)))
        elif what == "split" and has_room and len(self.inside) > len(some) > 0:
            corrected(pet, number, Split(self.home, some))
            self.inside -= set(some)
            self.shared |= {name[:2] for name in some}
        elif what == "rename":
            corrected(pet, number, Rename(self.home, f"name {number}"))
        elif what == "hero" and some:
            corrected(pet, number, SetHero(self.home, some[0]))
        members = set(pet.members()[self.home])
        assert self.inside <= members, what
        self.inside |= {name for name in members if name.startswith("g") and name[:2] not in self.shared}


@given(sizes, steps, st.sampled_from(SETTINGS))
@settings(max_examples=60, deadline=None)
def test_who_joined_a_corrected_cluster_by_a_look_stays(sizes, steps, params):
    pet = Pet(replace(params, max_cluster_size=200))
    pet.apply(job(1, *photos(dict(enumerate(sizes)))))
    pet.apply(job(2, *photos({5: 2})))
    home = pet.cluster_of("g5-0")
    every = [f"g{look}-{n}" for look, size in enumerate(sizes) for n in range(size)]
    corrected(pet, 3, Move(every, home), SetHero(home, every[0]))
    owner = Owner(pet, len(sizes), home)
    for number, step in enumerate(steps):
        owner.live(10 + number, step)
