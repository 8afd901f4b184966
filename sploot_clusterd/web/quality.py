"""How good the clusters are."""

from typing import Final

from aiohttp import web

from sploot_clusterd.inflight import InFlight
from sploot_clusterd.quality import (
    AlbumFigures,
    Encoder,
    FleetFigures,
    ModelFigures,
    Quality,
    QualityPoint,
    Sample,
    SizeCount,
    Totals,
)
from sploot_clusterd.web.answers import Response, answer
from sploot_clusterd.web.backend import Reports
from sploot_clusterd.web.route import Answer, Route


class AboutQuality:
    """Those that need whoever looks at albums."""

    def __init__(self, reports: Reports, in_flight: InFlight) -> None:
        self._reports = reports
        self._in_flight = in_flight

    async def quality(self, _request: web.BaseRequest) -> Response:
        """From a look at some albums, which may be a minute old. No job gives way to it."""
        with self._in_flight.client_awaited():
            report = await self._reports.report()
        return answer(report)


EXAMPLE: Final = Quality(
    Sample(
        "2025-11-27T02:20:00.123Z",
        100,
        0,
        False,
        4120,
        211.5,
        [ModelFigures("clip-b32@3", 100, 4120, 610, 402, 0.412)],
        [SizeCount(4, 201), SizeCount(8, 409)],
        [AlbumFigures("pet_123", 80, 6, 4, 0.31, 12.25)],
    ),
    FleetFigures(
        2,
        1764200000.0,
        Totals(12, 3, 40, 1, {"rename": 2}, 81.5, 200, 18.0, 200),
        [QualityPoint(1764210000.0, 1, 0, 4, 1, 0.41, 0.09)],
    ),
    [Encoder("clip-b32@3", 4, True, ["scale 1.00: the cosines of two photos of one pet deviate by 0.120 ..."])],
)

QUALITY: Final = (
    Route(
        "GET",
        "/internal/quality",
        "read",
        AboutQuality.quality,
        "How good clusters are: in some albums, which are others each minute; by what the fleet did; by its encoders.",
        {200: Answer("The figures.", EXAMPLE)},
    ),
)
