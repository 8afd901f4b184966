"""A stub that holds requests against what Grafana's "Dashboard HTTP API" asks, and keeps dashboards by their uids."""

import copy
from typing import Any

from aiohttp import web

TOKEN = "glsa_a-token-of-a-service-account"
_BODY = {"dashboard", "folderId", "folderUid", "message", "overwrite"}


class Grafana:
    """`status` makes it answer everything with that, in its way."""

    def __init__(self) -> None:
        self.dashboards: dict[str, dict[str, Any]] = {}
        self.folders: dict[str, str] = {}
        self.messages: list[str] = []
        self.status: int | None = None
        self.asked: list[str] = []
        self.app = web.Application(middlewares=[self._admit])
        self.app.router.add_get("/grafana/api/dashboards/uid/{uid}", self._get)
        self.app.router.add_post("/grafana/api/dashboards/db", self._save)

    @web.middleware
    async def _admit(self, request: web.Request, handler: Any) -> web.StreamResponse:
        self.asked.append(request.method)
        if self.status in {301, 302}:
            raise web.HTTPFound("http://elsewhere.invalid/login")
        if self.status:
            return web.json_response({"message": "told so"}, status=self.status)
        if request.headers.get("Authorization") != f"Bearer {TOKEN}":
            return web.json_response({"message": "Invalid API key"}, status=401)
        assert request.headers["Accept"] == "application/json"
        assert request.headers["Content-Type"] == "application/json"
        return await handler(request)

    async def _get(self, request: web.Request) -> web.Response:
        uid = request.match_info["uid"]
        if uid not in self.dashboards:
            return web.json_response({"message": "Dashboard not found"}, status=404)
        meta = {"url": f"/d/{uid}/slug", "folderUid": self.folders[uid], "isStarred": False}
        return web.json_response({"dashboard": self.dashboards[uid], "meta": meta})

    async def _save(self, request: web.Request) -> web.Response:
        body = await request.json()
        model = body["dashboard"]
        if fault := _fault(body):
            return web.json_response({"message": fault}, status=400)
        uid = model["uid"]
        before = self.dashboards.get(uid)
        if before is not None and not body.get("overwrite"):
            told = {"message": "A dashboard with the same uid already exists", "status": "name-exists"}
            return web.json_response(told, status=412)
        number = before["version"] + 1 if before else 1
        self.dashboards[uid] = {**copy.deepcopy(model), "id": 7, "version": number}
        self.folders[uid] = body.get("folderUid", "")  # without one it moves to the root
        self.messages.append(body["message"])
        saved = {"id": 7, "uid": uid, "url": f"/d/{uid}/slug", "status": "success", "version": number, "slug": "slug"}
        return web.json_response(saved)


def _fault(body: dict[str, Any]) -> str | None:
    """What is wrong with a dashboard that is to be saved."""
    model = body["dashboard"]
    places = [panel["gridPos"] for panel in model["panels"]]
    ids = [panel["id"] for panel in model["panels"]]
    checks = {
        "unknown field": body.keys() <= _BODY,
        "id": model["id"] is None or isinstance(model["id"], int),
        "uid": isinstance(model["uid"], str) and 0 < len(model["uid"]) <= 40,
        "title": bool(model["title"]),
        "schemaVersion": isinstance(model["schemaVersion"], int),
        "panel ids": len(set(ids)) == len(ids) and all(isinstance(each, int) for each in ids),
        "gridPos": all(place["x"] + place["w"] <= 24 and place["h"] > 0 for place in places),
        "refIds": all(_distinct([t["refId"] for t in panel.get("targets", ())]) for panel in model["panels"]),
    }
    return next((name for name, held in checks.items() if not held), None)


def _distinct(names: list[str]) -> bool:
    return len(set(names)) == len(names)
