"""The routes of dead letters."""

from typing import Final

from sploot_clusterd.dead_letters import (
    DeadLetter,
    Fault,
    LettersChange,
    LettersChanged,
    LettersCounted,
    LettersPage,
    ReplayRequest,
    WholeLetter,
)
from sploot_clusterd.web import contract
from sploot_clusterd.web.letters import AboutLetters, AskedLetters, CountedLetters
from sploot_clusterd.web.route import Answer, Body, Route, refused

_PATH: Final = "/internal/dead-letters"
_LETTER: Final = DeadLetter(
    id="1764210000123-0",
    at="2025-11-27T02:20:00.123Z",
    reason="invalid",
    error="payload.quality_score: expected `float` <= 1.0",
    pet_id="pet_123",
    other_pet_id="",
    job_id="job_455",
    attempts=0,
    payload_bytes=61,
)
_PAYLOAD: Final = '{"pet_id":"pet_123","payload":{"image_ids":["img_001"],"quality_score":85}}'
_WHOLE: Final = WholeLetter(_LETTER, "1764209999870-0", _PAYLOAD, Fault("payload.quality_score", 71, 73))
_NEXT: Final = "0_1764210000123-0_1764210400512-3"
_BAD_FILTER: Final = refused(
    "A parameter breaks its rule, or none is there that says which letters are meant.",
    "expected either a filter (reason, pet, since, until) or all: true",
)
_BAD_ID: Final = refused("It is no letter's id.", "letter_id: expected an id like 1761827696789-0 or 3:1761827696789-0")
_GONE: Final = refused(
    "There is no such letter, any more.",
    "there is no such dead letter: it was never there, or was put back or dropped",
)

LETTERS: Final = (
    Route(
        "GET",
        _PATH,
        "operate",
        AboutLetters.list_letters,
        "Dead letters, the oldest first, without their payloads.",
        {
            200: Answer("A page of them; a short one is not the last.", LettersPage([_LETTER], _NEXT)),
            422: refused("A parameter breaks its rule.", "after: expected what an answer had for `next`"),
        },
        query=AskedLetters,
    ),
    Route(
        "GET",
        f"{_PATH}/counts",
        "operate",
        AboutLetters.count_letters,
        "How many dead letters are meant, by reason: before they are replayed or dropped.",
        {
            200: Answer(
                "Of a part of all: add up what comes with `next`.",
                LettersCounted(2, 0, {"invalid": 2}, "2025-11-27T02:20:00.123Z", None),
            ),
            422: refused("A parameter breaks its rule.", "after: expected what an answer had for `next`"),
        },
        query=CountedLetters,
    ),
    Route(
        "POST",
        f"{_PATH}/replay",
        "operate",
        AboutLetters.replay_letters,
        "Put jobs back, some of those that are meant, each at its first place in the order; their letters go.",
        {
            200: Answer("What became of them.", LettersChanged("replayed", 50, {"erased": 1}, _NEXT)),
            422: _BAD_FILTER,
        },
        Body(LettersChange, LettersChange(reason="invalid", pet="pet_123")),
    ),
    Route(
        "POST",
        f"{_PATH}/drop",
        "operate",
        AboutLetters.drop_letters,
        "Delete dead letters for good, some of those that are meant.",
        {
            200: Answer("How many; go on with `next`.", LettersChanged("dropped", 50, {}, _NEXT)),
            422: _BAD_FILTER,
        },
        Body(LettersChange, LettersChange(reason="invalid", pet="pet_123")),
    ),
    Route(
        "GET",
        f"{_PATH}/{{letter_id}}",
        "operate",
        AboutLetters.letter,
        "One dead letter, with its payload and the place of the fault in it.",
        {200: Answer("The letter.", _WHOLE), 404: _GONE, 422: _BAD_ID},
    ),
    Route(
        "DELETE",
        f"{_PATH}/{{letter_id}}",
        "operate",
        AboutLetters.drop_letter,
        "Delete a dead letter for good.",
        {200: Answer("Done.", contract.Dropped("dropped")), 422: _BAD_ID},
    ),
    Route(
        "POST",
        f"{_PATH}/{{letter_id}}/replay",
        "operate",
        AboutLetters.replay_letter,
        "Put a job back at its first place in the order, as it is or with a payload put right; its letter goes.",
        {
            200: Answer("Of a dry run: the payload would be taken.", contract.Checked("checked")),
            202: Answer("The stream has it.", contract.PutBack("replayed")),
            403: refused(
                "The caller has not the scope `operate`; or gives a payload and has not `submit`; or corrections in "
                "one and has not `correct`.",
                "missing scope: submit (the payload is another one)",
            ),
            404: _GONE,
            409: refused(
                "It cannot be put back: its payload was lost, or its pet was erased since.",
                "the pet was erased after the job was accepted: drop the letter",
            ),
            422: refused("The payload is none that an entry may have.", "payload.images[0].quality: expected `float`"),
            503: refused(
                "The backlog is full; or Redis does not answer, and it may have happened: ask again.",
                "the backlog is full: replay the letter when consumers have caught up",
                "Retry-After",
            ),
        },
        Body(ReplayRequest, ReplayRequest(_PAYLOAD.replace("85", "0.85"))),
    ),
)
