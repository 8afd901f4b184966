"""What is asked of a pet's album beyond its view."""

from aiohttp import web

from sploot_clusterd.web.answers import RefusedError, Response
from sploot_clusterd.web.backend import Looks
from sploot_clusterd.web.etags import Etags


class Looking:
    """Those that need the album as it is stored."""

    def __init__(self, looks: Looks) -> None:
        self._looks = looks
        self._etags = Etags()

    async def said(self, request: web.BaseRequest, pet_id: str) -> Response:
        """The corrections that can be taken back."""
        return self._answer(request, f"said {pet_id}", await self._looks.said(pet_id))

    async def hidden(self, request: web.BaseRequest, pet_id: str) -> Response:
        """What users hid."""
        return self._answer(request, f"hidden {pet_id}", await self._looks.hidden(pet_id))

    async def map(self, request: web.BaseRequest, pet_id: str) -> Response:
        """The pet's photos as a map."""
        return self._answer(request, f"map {pet_id}", await self._looks.map(pet_id))

    async def why(self, request: web.BaseRequest, pet_id: str, image_id: str) -> Response:
        """Why an image is where it is."""
        found = await self._looks.why(pet_id, image_id)
        return self._answer(request, f"why {pet_id} {image_id}", found, "the pet has no such image")

    def _answer(
        self,
        request: web.BaseRequest,
        key: str,
        found: bytes | None,
        missing: str = "no job of this pet was applied yet",
    ) -> Response:
        if found is None:
            raise RefusedError(404, missing)
        return self._etags.answer(request, key, found)
