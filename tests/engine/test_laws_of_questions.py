"""What holds of questions in any album: they can be answered, and what was answered is not asked again."""

from hypothesis import given, settings
from hypothesis import strategies as st

from sploot_clusterd.engine import JobStatus
from sploot_clusterd.engine import questions as asking
from sploot_clusterd.engine.questions import suggest
from sploot_clusterd.model import Apart, Merge, Split, Stay
from sploot_clusterd.view import Same
from tests.engine.corrected_pets import SETTINGS, contents, histories, play, told
from tests.engine.pet import job

MANY = 20


def about(question):
    """What a question is about, however likely and whatever it promises."""
    return frozenset(question.clusters) if isinstance(question, Same) else question.image_id


def answer(question, yes):
    if isinstance(question, Same):
        return Merge(question.clusters) if yes else Apart(question.clusters)
    return (Stay if yes else Split)(question.cluster, [question.image_id])


@given(histories, st.sampled_from(SETTINGS), st.lists(st.booleans(), min_size=4, max_size=4), contents)
@settings(max_examples=60, deadline=None)
def test_questions_are_of_the_view_and_their_answers_hold(history, params, says, content):
    least, asking._LEAST_GAIN = asking._LEAST_GAIN, 0.0
    try:
        pet, _ = play(history, params)
        answered = set()
        for number, yes in enumerate(says):
            asked = suggest(pet.album, params, MANY).suggestions
            assert not answered & {about(each) for each in asked}
            members = {cluster["id"]: cluster["size"] for cluster in pet.clusters if not cluster["provisional"]}
            for each in asked:
                assert set(each.clusters if isinstance(each, Same) else [each.cluster]) <= members.keys()
            if not asked:
                break
            first = asked[0]
            (outcome,) = pet.apply(job(1000 + 10 * number, corrections=[answer(first, yes)])).outcomes
            if outcome.status is JobStatus.REJECTED:
                assert outcome.error.reason == "invalid"  # more corrected clusters than are kept
                break
            answered.add(about(first))
            pet.apply(told(1001 + 10 * number, {**content, "removed": []}))
            pet.reload()
    finally:
        asking._LEAST_GAIN = least
