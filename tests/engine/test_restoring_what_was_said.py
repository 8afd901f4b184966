"""Back to an album in which users had said something, whatever they said or took back since."""

from hypothesis import given, settings
from hypothesis import strategies as st

from sploot_clusterd.engine import JobStatus
from sploot_clusterd.engine.rows import decode_row
from sploot_clusterd.model import Undo
from sploot_clusterd.snapshot import Restore
from tests.engine.corrected_pets import SETTINGS, contents, correction, histories, holds, orders, play
from tests.engine.pet import Pet, direction, insight, job
from tests.engine.said import Said, clusters

LATER = 900


def back(number, name):
    return job(number, restore=Restore(1, name), model_version=None)


def applied(pet, *jobs):
    for outcome in pet.apply(*jobs).outcomes:
        assert outcome.status is JobStatus.APPLIED, outcome.error


def facts(album):
    """What users said, and what of it is shown."""
    words = [(word.number, word.job_id, word.said, word.places.keys()) for word in album.words]
    return words, album.anchors, album.apart, album.hidden, album.veiled


def groups(pet):
    return sorted(sorted(names) for names in clusters(pet).values())


def say(pet, number, order):
    if any(cluster.number is not None for cluster in pet.album.clusters.values()):
        made, _ = correction(pet, Said(), number, order)
        pet.apply(job(number, corrections=[made]))


@given(histories, st.lists(orders, max_size=3), st.booleans(), st.sampled_from(SETTINGS))
@settings(max_examples=8, deadline=None)
def test_all_that_was_said_then_is_said_again_and_nothing_else(history, since, take_back, params):
    said = Said()
    pet, _ = play(history, params, said=said)
    name, then, shown = pet.snapshot(), facts(pet.album), groups(pet)
    if take_back and pet.album.words:
        applied(pet, job(LATER, corrections=[Undo(pet.album.words[0].job_id)]))
    for number, order in enumerate(since, start=LATER + 1):
        say(pet, number, order)

    applied(pet, back(LATER + 10, name))

    assert facts(pet.reload()) == then
    assert groups(pet) == shown
    new = insight("new", direction(1, 0.3, 1, 12))
    for number, each in enumerate(({}, {"force": True}), start=LATER + 11):
        applied(pet, job(number, new, **each))
        said.keep(pet)
        holds(pet, said)
        assert pet.reload().hidden.keys() == then[3].keys()


@given(histories, contents, st.randoms(), st.sampled_from(SETTINGS))
@settings(max_examples=8, deadline=None)
def test_what_was_said_then_can_be_taken_back_as_it_could_be_then(history, since, draw, params):
    pet, _ = play(history, params)
    name, twin = pet.snapshot(), Pet(params, pet.album, dict(pet.fields))
    pet.apply(job(LATER, *since["images"], removed=since["removed"], model_version=since["model_version"]))
    for word in pet.album.words[::2]:
        pet.apply(job(LATER + 1 + word.number, corrections=[Undo(word.job_id)]))
    had = {image_id for image_id, raw in twin.rows().items() if decode_row(raw).vectors is not None}
    came = {image.image_id for image in since["images"]} - had

    applied(pet, back(LATER + 90, name))
    known = [word.job_id for word in pet.album.words]
    draw.shuffle(known)
    for number, job_id in enumerate(known[:2], start=LATER + 91):
        for each in (pet, twin):
            applied(each, job(number, corrections=[Undo(job_id)]))
        assert pet.album.hidden.keys() == twin.album.hidden.keys()
        assert pet.album.anchors.keys() == twin.album.anchors.keys()
    if not came:
        assert groups(pet) == groups(twin)
        assert pet.album.corrected.places.keys() == twin.album.corrected.places.keys()
