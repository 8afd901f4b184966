"""All images of a cluster, of which the view lists the best."""

from typing import Annotated

from aiohttp import web
from msgspec import Meta, Struct

from sploot_clusterd.view import Order
from sploot_clusterd.web.answers import RefusedError, Response
from sploot_clusterd.web.backend import Listing
from sploot_clusterd.web.etags import Etags


class Listed(Struct):
    """The query."""

    after: Annotated[str, Meta(max_length=128)] = ""
    limit: Annotated[int, Meta(ge=1, le=1000)] = 100
    order: Order = "fit"


class Members:
    """Those that need lists of images alone."""

    def __init__(self, listing: Listing) -> None:
        self._listing = listing
        self._etags = Etags()

    async def images(self, request: web.BaseRequest, pet_id: str, cluster_id: str, asked: Listed) -> Response:
        """A page of the cluster's images, with a strong ETag: it changes with the view's version."""
        page = await self._listing.page(pet_id, cluster_id, asked.order, asked.after, asked.limit)
        if page is None:
            raise RefusedError(404, "the pet's view has no such cluster")
        return self._etags.answer(request, f"{cluster_id} {asked.order} {asked.after} {asked.limit}", page)
