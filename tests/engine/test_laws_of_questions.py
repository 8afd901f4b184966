"""What holds of questions in any album: they can be answered, and what was answered is not asked again."""

from hypothesis import given, settings
from hypothesis import strategies as st

from sploot_clusterd.engine import JobStatus
from sploot_clusterd.engine import questions as asking
from sploot_clusterd.engine.questions import suggest
from sploot_clusterd.engine.rows import decode_row
from sploot_clusterd.engine.vectors import image_weight
from sploot_clusterd.model import Apart, Merge, Split, Stay, cluster_id
from sploot_clusterd.view import MOST_DOUBTFUL, Same
from tests.engine.corrected_pets import SETTINGS, contents, histories, play, told
from tests.engine.pet import job
from tests.engine.said import clusters

MANY = 20


def about(question):
    """What a question is about, however likely and whatever it promises."""
    return {frozenset(question.clusters)} if isinstance(question, Same) else set(question.image_ids)


def answer(question, yes):
    if isinstance(question, Same):
        return Merge(question.clusters) if yes else Apart(question.clusters)
    cluster, images = question.cluster, question.image_ids
    return Stay(cluster, images) if yes else Split(cluster, images, asked=True)


def shown(pet):
    """The images of each shown cluster by its id that show enough, its hero aside."""
    rows = {name: decode_row(raw) for name, raw in pet.rows().items()}
    heroes = {each["id"]: each["hero_image_id"] for each in pet.clusters if not each["provisional"]}
    numbers = {key: pet.album.clusters[key].number for key in clusters(pet)}
    named = {
        cluster_id("pet_123", numbers[key]): {
            name for name in names if image_weight(rows[name].quality) >= image_weight(0.48)
        }
        for key, names in clusters(pet).items()
        if numbers[key] is not None
    }
    return {each: named[each] - {hero} for each, hero in heroes.items()}


def fits(question, members):
    """Whether it speaks of what the view shows."""
    if isinstance(question, Same):
        return set(question.clusters) <= members.keys()
    listed = question.image_ids
    assert listed[0] == question.image_id
    assert len(set(listed)) == len(listed) <= MOST_DOUBTFUL
    return set(listed) <= members[question.cluster]


@given(histories, st.sampled_from(SETTINGS), st.lists(st.booleans(), min_size=4, max_size=4), contents)
@settings(max_examples=60, deadline=None)
def test_questions_are_of_the_view_and_their_answers_hold(history, params, says, content):
    least, asking._LEAST_GAIN = asking._LEAST_GAIN, 0.0
    try:
        pet, _ = play(history, params)
        answered = set()
        for number, yes in enumerate(says):
            asked = suggest(pet.album, params, MANY).suggestions
            assert not answered & {each for question in asked for each in about(question)}
            assert all(fits(each, shown(pet)) for each in asked)
            if not asked:
                break
            first = asked[0]
            (outcome,) = pet.apply(job(1000 + 10 * number, corrections=[answer(first, yes)])).outcomes
            if outcome.status is JobStatus.REJECTED:
                assert outcome.error.reason == "invalid"  # more corrected clusters than are kept
                break
            answered |= about(first)
            pet.apply(told(1001 + 10 * number, {**content, "removed": []}))
            pet.reload()
    finally:
        asking._LEAST_GAIN = least
