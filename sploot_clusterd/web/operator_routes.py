"""The routes of those who run the fleet."""

from typing import Final

from sploot_clusterd.model import PauseRequest
from sploot_clusterd.web import contract
from sploot_clusterd.web.operating import Operating
from sploot_clusterd.web.route import Answer, Body, Route, refused

OPERATING: Final = (
    Route(
        "POST",
        "/internal/pause",
        "operate",
        Operating.pause,
        "Have no process take jobs until a moment; submitting goes on.",
        {
            200: Answer("Each process knows within a second or so.", contract.Halted("paused")),
            422: refused("The JSON has the wrong shape.", "until: expected a time that is to come, within 7 days"),
        },
        Body(PauseRequest, contract.PAUSE),
    ),
    Route(
        "POST",
        "/internal/resume",
        "operate",
        Operating.resume,
        "Have jobs taken again.",
        {200: Answer("Each process knows within a second or so.", contract.Resumed("resumed"))},
    ),
)
