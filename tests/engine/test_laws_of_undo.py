"""What was taken back is as if it had never been said, but for what came since."""

from hypothesis import given, settings
from hypothesis import strategies as st

from sploot_clusterd.engine import JobStatus, Params
from sploot_clusterd.model import Undo
from tests.engine.corrected_pets import SETTINGS, contents, correction, orders, play, told
from tests.engine.pet import Pet, job
from tests.engine.said import Said, cells, clusters

QUIET = [Params(rebuild_least=10**6), Params(rebuild_least=10**6, join_cosine=0.8, join_threshold=0.3)]
"""Nothing is grouped anew by itself."""
later = st.lists(contents, max_size=4)
plain = st.lists(st.tuples(contents, st.none()), min_size=1, max_size=4)
corrected = st.lists(st.tuples(contents, orders | st.none()), min_size=1, max_size=5)


def twin_of(pet):
    return Pet(pet.params, pet.album, dict(pet.fields))


def correct(pet, number, order):
    """One correction of what the pet has; whether it was accepted."""
    if all(cluster.number is None for cluster in pet.album.clusters.values()):
        return False
    made, _ = correction(pet, Said(), number, order)
    (outcome,) = pet.apply(job(number, corrections=[made])).outcomes
    return outcome.status is JobStatus.APPLIED


def say(pet, number, order):
    """The job of one that can be taken back, or None."""
    correct(pet, number, order)
    return f"job-{number}" if can_be_taken_back(pet, f"job-{number}") else None


def can_be_taken_back(pet, job_id):
    """It was not refused, nor is it final, for lack of room."""
    return any(word.job_id == job_id for word in pet.album.words)


def undo(pet, number, job_id):
    (outcome,) = pet.apply(job(number, corrections=[Undo(job_id)])).outcomes
    assert outcome.status is JobStatus.APPLIED, outcome.error
    pet.reload()


def shown(pet):
    """What a reader sees, but for scores and when it changed."""
    names = {each["id"]: (each["label"], each["hero_image_id"], each["size"]) for each in pet.clusters}
    return names, pet.members(), sorted(pet.view["unclustered"]), groups(pet)


def leads(pet):
    """The cluster's number that each number which leads anywhere leads to."""
    living = {cluster.number for cluster in pet.album.clusters.values()} - {None}
    numbers = {number: pet.album.successors.get(number, number) for number in range(pet.album.counters.number)}
    return {number: to for number, to in numbers.items() if to in living}


def groups(pet):
    return sorted(sorted(names) for names in clusters(pet).values())


@given(corrected, orders, st.sampled_from(QUIET))
@settings(max_examples=25, deadline=None)
def test_what_is_taken_back_at_once_leaves_no_trace(history, order, params):
    pet, _ = play(history, params)
    pet.reload()
    before, corrected_before, hidden = shown(pet), dict(pet.album.corrected.places), pet.album.hidden
    led = leads(pet)
    said = say(pet, 900, order)
    if said is None:
        return

    undo(pet, 901, said)

    assert shown(pet) == before
    assert {number: to for number, to in leads(pet).items() if number in led} == led
    assert pet.album.corrected.places == corrected_before
    assert pet.album.hidden.keys() == hidden.keys()


@given(plain, orders, later, st.sampled_from(SETTINGS))
@settings(max_examples=25, deadline=None)
def test_all_grouped_anew_is_as_if_it_had_never_been_said(history, order, since, params):
    pet, _ = play(history, params)
    never = twin_of(pet)
    said = say(pet, 900, order)
    if said is None:
        return
    for number, content in enumerate(since, start=901):
        pet.apply(told(number, content))
        never.apply(told(number, content))

    undo(pet, 998, said)

    assert not any(cell.anchor is not None for cell in pet.album.cells.values())
    pet.apply(job(999, force=True))
    never.apply(job(999, force=True))
    assert groups(pet) == groups(never)
    assert pet.album.hidden == {}


@given(plain, orders, later, st.sampled_from(SETTINGS))
@settings(max_examples=25, deadline=None)
def test_where_all_was_founded_anew_since_it_is_so_again(history, order, since, params):
    pet, _ = play(history, params)
    never = twin_of(pet)
    said = say(pet, 900, order)
    if said is None:
        return
    for number, content in enumerate([*since, {"images": [], "force": True}], start=901):
        pet.apply(told(number, content))
        never.apply(told(number, content))
    moves = bool(pet.album.words[-1].holds or pet.album.words[-1].places)

    undo(pet, 998, said)

    never.apply(job(998, force=moves))
    assert groups(pet) == groups(never)


@given(plain, st.lists(orders, min_size=2, max_size=5), later, st.randoms(), st.sampled_from(SETTINGS))
@settings(max_examples=25, deadline=None)
def test_all_that_was_said_can_be_taken_back_in_any_order(history, said, since, draw, params):
    pet, _ = play(history, params)
    never = twin_of(pet)
    accepted = 0
    for number, order in enumerate(said):
        accepted += correct(pet, 900 + 10 * number, order)
        for each in since[number : number + 1]:
            pet.apply(told(901 + 10 * number, each))
            never.apply(told(901 + 10 * number, each))
    known = [word.job_id for word in pet.album.words]
    draw.shuffle(known)

    for number, job_id in enumerate(known):
        undo(pet, 980 + number, job_id)

    if len(known) == accepted:  # none had to become final
        assert not any(cell.anchor is not None for cell in pet.album.cells.values())
        assert pet.album.anchors == {}
        assert pet.album.hidden == {}
        pet.apply(job(999, force=True))
        never.apply(job(999, force=True))
        assert groups(pet) == groups(never)


@given(plain, orders, later, st.sampled_from(QUIET))
@settings(max_examples=25, deadline=None)
def test_photos_of_that_time_are_where_they_were(history, order, since, params):
    pet, _ = play(history, params)
    never = twin_of(pet)
    said = say(pet, 900, order)
    if said is None:
        return
    old = set(cells(never))
    for number, content in enumerate(since, start=901):
        quiet = content | {"force": False, "images": [each for each in content["images"] if each.image_id not in old]}
        pet.apply(told(number, quiet))
        never.apply(told(number, quiet))

    undo(pet, 998, said)

    def of_then(each):
        return sorted(names for group in groups(each) if (names := [name for name in group if name in old]))

    assert of_then(pet) == of_then(never)
