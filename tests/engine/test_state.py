"""What an album remembers, refuses, lets go, and how it is kept."""

import msgspec
import pytest

from sploot_clusterd.config import ClustersSettings, EngineSettings, HeroSettings, Settings
from sploot_clusterd.engine import (
    HeroWeights,
    NeedsAllRowsError,
    Params,
    Verdict,
    apply,
    decode_album,
    images_named,
    render,
    work_estimate,
)
from sploot_clusterd.engine.rows import decode_row, row_field
from sploot_clusterd.errors import BadStateError
from sploot_clusterd.model import EntryId

from .pet import START_MS, Pet, direction, insight, job, photos

DAY_MS = 86_400_000


def test_images_named_are_all_that_a_job_says_anything_of():
    named = images_named([job(1, insight("a")), job(2, image_ids=["b"], removed=["c"])])

    assert named == {"a", "b", "c"}


def test_a_contradicting_length_rejects_that_job_alone():
    pet = Pet()
    pet.apply(job(1, *photos([2])))
    good, bad = job(2, insight("x", direction(0))), job(3, insight("y", [1.0, 2.0]), image_ids=["z"])

    applied = pet.apply(good, bad, job(4, insight("w", direction(0))))

    assert [outcome.verdict for outcome in applied.outcomes] == [Verdict.APPLIED, Verdict.REJECTED, Verdict.APPLIED]
    error = applied.outcomes[1].error
    assert error.reason == "dimension"
    assert error.detail == "embedding: 2 values where model version 'm@1' has 32 (expected)"
    assert sorted(pet.rows()) == ["g0-0", "g0-1", "w", "x"]


def test_a_job_that_contradicts_itself_is_rejected():
    pet = Pet()

    applied = pet.apply(job(1, insight("a", [1.0, 2.0]), insight("b", [1.0])))

    assert applied.outcomes[0].verdict is Verdict.REJECTED
    assert not applied.changed
    assert pet.fields == {}


def test_another_model_version_may_have_another_length():
    pet = Pet()
    pet.apply(job(1, insight("a", [1.0, 2.0])))

    applied = pet.apply(job(2, insight("b", [1.0, 2.0, 3.0]), model_version="m@2"))

    assert applied.outcomes[0].verdict is Verdict.APPLIED


def test_a_kind_may_come_later():
    pet = Pet()
    pet.apply(job(1, *photos([3])))
    pet.apply(job(2, insight("p", direction(0), pose=[1.0, 0.0]), insight("q", direction(0), pose=[1.0, 0.1])))
    pet.reload()

    pet.apply(job(3, removed=["g0-1"]))

    (space,) = pet.album.spaces.values()
    assert space.layout == (("embedding", 32), ("pose", 2))
    assert pet.view["metrics"]["num_images"] == 4


def test_an_insight_without_vectors_keeps_those_there():
    pet = Pet()
    pet.apply(job(1, *photos([3], quality=0.5)))

    pet.apply(job(2, insight("g0-1", quality=0.9, label="Sleep")))

    (cluster,) = pet.clusters
    assert (cluster["size"], cluster["label"], cluster["hero_image_id"]) == (3, "Sleep", "g0-1")


def test_recent_job_ids_are_remembered_and_old_ones_forgotten():
    pet = Pet(Params(dedupe_jobs=40))
    for number in range(100):
        pet.apply(job(number, image_ids=[f"img-{number}"]))
    segments = [name for name in pet.fields if name.startswith(b"j")]

    def repeated(number):
        again = job(number, job_id=f"job-{number}", sequence=EntryId(START_MS + 10**7, number))
        return apply(pet.album, [again], {}, pet.params, 0).outcomes[0].verdict is Verdict.REPEATED

    assert all(repeated(number) for number in range(60, 100))
    assert not repeated(20)
    assert len(segments) <= 4


def test_a_repeated_job_keeps_its_first_place_in_the_order():
    pet = Pet()
    first = job(1, insight("a", direction(0)), insight("b", direction(0)))
    pet.apply(first)
    pet.apply(job(2, removed=["a"]))

    applied = pet.apply(first._replace(sequence=EntryId(START_MS + 10**6, 0)))

    assert applied.outcomes[0].verdict is Verdict.REPEATED
    assert not applied.changed


def test_a_list_of_best_members_that_runs_low_is_filled_up_from_the_rows():
    pet = Pet(Params(max_cluster_size=2, join_cosine=0.1, join_threshold=0.1))
    names = [f"img-{n}" for n in range(10)]
    pet.apply(job(1, *(insight(name, direction(0, 0.1, n), n / 10) for n, name in enumerate(names))))
    assert len(pet.album.cells) == 1

    pet.apply(job(2, removed=["img-9", "img-8"]))
    assert pet.loaded_all == 0
    pet.apply(job(3, removed=["img-7"]))

    assert pet.loaded_all == 1
    assert [len(cell.members) for cell in pet.album.cells.values()] == [4]
    (cluster,) = pet.clusters
    assert (cluster["size"], len(cluster["members"])) == (7, 2)
    assert {member["image_id"] for member in cluster["members"]} <= set(names[:7])


def test_force_needs_every_row_and_keeps_every_image():
    pet = Pet()
    pet.apply(job(1, *photos([5, 5, 5]), image_ids=["bare"]))
    before = sorted(map(sorted, pet.members().values()))
    with pytest.raises(NeedsAllRowsError):
        apply(pet.album, [job(2, force=True)], {}, pet.params, 0)

    applied = pet.apply(job(2, force=True))

    assert applied.changes.rebuilt >= 1
    assert sorted(map(sorted, pet.members().values())) == before
    pet.reload()
    pet.apply(job(3, removed=["g0-0", "g1-0"]))
    assert pet.view["metrics"]["num_images"] == 14


def test_cells_are_capped_and_their_images_are_found_again():
    pet = Pet(Params(max_cells=12))
    everyone = photos([12, 12, 12], spread=0.8)
    for number, image in enumerate(everyone):
        pet.apply(job(number, image))
        assert len(pet.album.cells) <= 12
    assert pet.album.heirs
    assert sum(cell.count for cell in pet.album.cells.values()) == 36

    pet.reload()
    for number, image in enumerate(everyone, start=100):
        pet.apply(job(number, removed=[image.image_id]))

    assert pet.album.cells == {}
    assert pet.clusters == []


def test_old_tombstones_go_when_all_rows_are_at_hand():
    pet = Pet(Params(tombstone_days=1))
    pet.apply(job(1, *photos([4])))
    pet.apply(job(2, removed=["g0-0", "gone"]))
    later = EntryId(START_MS + 3 * DAY_MS, 0)

    pet.apply(job(3, removed=["g0-1"], sequence=later))
    assert row_field("gone") in pet.fields
    pet.apply(job(4, force=True, sequence=EntryId(later.ms + 1, 0)))

    assert sorted(pet.rows()) == ["g0-1", "g0-2", "g0-3"]
    assert not decode_row(pet.rows()["g0-1"]).exists


HEAD = b"head"
CELL = b"c0"


@pytest.mark.parametrize(
    "change",
    [
        {HEAD: None},
        {HEAD: b""},
        {HEAD: b"\xc1"},
        {HEAD: msgspec.msgpack.encode([99, 1, 2, 3])},
        {CELL: None},
        {CELL: b"garbage"},
        {b"c7": b"garbage"},
        {b"j0": b"garbage"},
        {b"p0": b"garbage"},
        {b"heirs": b"garbage"},
    ],
)
def test_an_unreadable_album_is_bad_state(change):
    pet = Pet()
    pet.apply(job(1, *photos([3]), image_ids=["bare"]))
    tables = {**pet.tables(), **change}

    with pytest.raises(BadStateError):
        decode_album("pet_123", {name: raw for name, raw in tables.items() if raw is not None})


def head_with(place, value):
    """The head of a small album with one of its values replaced."""

    def change(tables):
        head = msgspec.msgpack.decode(tables[HEAD])
        head[place] = value
        return {**tables, HEAD: msgspec.msgpack.encode(head)}

    return change


def cell_with(place, value):
    def change(tables):
        cell = msgspec.msgpack.decode(tables[CELL])
        cell[place] = value
        return {**tables, CELL: msgspec.msgpack.encode(cell)}

    return change


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (head_with(0, 2), "format 2, not 1"),
        (head_with(7, []), "space that the head does not know"),
        (head_with(8, []), "do not hold the cells"),
        (cell_with(1, float("nan")), "not finite"),
        (cell_with(1, 0.0), "above 0"),
        (cell_with(2, b"\0\0\xc0\x7f" * 32), "not finite"),
        (cell_with(2, b"\0" * 7), "7 bytes in a space of 32 dimensions"),
        (cell_with(2, b"\0" * 400), "400 bytes"),
    ],
)
def test_an_album_that_contradicts_itself_is_bad_state(change, text):
    pet = Pet()
    pet.apply(job(1, *photos([3])))
    decode_album("pet_123", pet.tables())

    with pytest.raises(BadStateError, match=text):
        decode_album("pet_123", change(pet.tables()))


def test_a_row_in_a_cell_that_is_not_there_is_bad_state():
    pet, other = Pet(), Pet()
    pet.apply(job(1, *photos([3, 3, 3])))
    other.apply(job(1, *photos([1])))
    stranger = pet.rows()["g2-2"]

    with pytest.raises(BadStateError, match="cell"):
        apply(other.album, [job(2, removed=["g2-2"])], {"g2-2": stranger}, other.params, 0)


def test_fields_of_other_names_are_left_alone():
    pet = Pet()
    pet.apply(job(1, *photos([3])))

    album = decode_album("pet_123", {**pet.tables(), b"token": b"1.1"})

    assert render(album, pet.params) == render(pet.album, pet.params)


def test_the_size_in_memory_grows_with_the_album():
    pet = Pet()
    sizes = [pet.album.nbytes]
    for number in range(1, 4):
        pet.apply(job(number, *photos({number: 8})))
        sizes.append(pet.album.nbytes)

    assert sizes == sorted(set(sizes))


def test_the_settings_of_the_daemon_are_taken_over():
    engine = EngineSettings(min_cluster_size=3, hero=HeroSettings(recency=0.5, margin=0.1))
    settings = Settings(engine=engine, clusters=ClustersSettings(max_cluster_size=9))

    params = Params.of(settings)

    assert (params.min_cluster_size, params.max_cluster_size, params.algorithm) == (3, 9, "mixture")
    assert params.weights == Params().weights
    assert params.hero == HeroWeights(recency=0.5, margin=0.1)
    assert Params.of(Settings()) == Params()


def test_the_metrics_figures_are_those_of_the_view():
    pet = Pet()
    pet.apply(job(1, *photos([3, 3, 1]), image_ids=["bare"]))

    metrics = pet.view["metrics"]

    assert (pet.album.shown_clusters, pet.album.unclustered_images) == (3, 1)
    assert (metrics["num_clusters"], metrics["num_unclustered"], metrics["num_images"]) == (3, 1, 8)


def test_the_estimate_of_work_grows_with_the_work():
    pet = Pet()
    pet.apply(job(1, *photos([8, 8])))
    one = job(2, insight("a", direction(0)))
    many = job(2, *photos({3: 64}))

    assert 0 < work_estimate(pet.album, [one]) < 0.002
    assert work_estimate(pet.album, [one]) < work_estimate(pet.album, [many])
    assert work_estimate(pet.album, [one]) < work_estimate(pet.album, [one._replace(force=True)])
    assert work_estimate(pet.album, [one]) < work_estimate(pet.album, [one, one])
    assert work_estimate(pet.album, [one]) < work_estimate(pet.album, [one._replace(image_ids=["x"] * 100)])
    assert work_estimate(pet.album, [job(2, force=True)]) > work_estimate(pet.album, [job(2)]) > 0
