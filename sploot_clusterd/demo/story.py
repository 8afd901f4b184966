"""What the demo does and shows: jobs that only name photos, and what becomes of them."""

# ruff: noqa: T201 - a command prints

import asyncio
import json
import time
from collections.abc import Callable
from typing import Any, Final

import aiohttp

from sploot_clusterd.demo.pets import Pet
from sploot_clusterd.errors import StartError
from sploot_clusterd.waiting import pause

_NAMED: Final = 3
"""Photos that a pet's first job names: the rest is in its list."""
_SHOWN: Final = 6
_TICK: Final = 0.01
_PATIENCE: Final = 30.0

View = dict[str, Any]


class _StoppedError(Exception):
    """Somebody has seen enough."""


class Story:
    """Told to one daemon, at `url`."""

    def __init__(self, url: str, token: str, pets: list[Pet], stopping: asyncio.Event) -> None:
        self._url = url
        self._token = token
        self._pets = pets
        self._stopping = stopping

    async def tell(self) -> None:
        """Posts the jobs and prints the views, until it is over or the daemon stops. Raises StartError if they do not
        come.
        """
        headers = {"X-Internal-Token": self._token}
        first, *others = self._pets
        try:
            async with aiohttp.ClientSession(self._url, headers=headers) as http:
                view = await self._first(http, first)
                for pet in others:
                    await self._another(http, pet)
        except (_StoppedError, aiohttp.ClientError) as error:
            if not self._stopping.is_set():
                raise StartError(f"the demo's daemon does not answer: {error}") from error
        else:
            print(self._what_next(first, view["clusters"][0]["id"]), flush=True)

    async def _another(self, http: aiohttp.ClientSession, pet: Pet) -> None:
        await self._post(http, pet)
        view = await self._view(http, pet, lambda view: _is_real(view, pet))
        print(f"\nAnother pet, {pet.pet_id}:\n{_table(view)}", flush=True)

    async def _first(self, http: aiohttp.ClientSession, pet: Pet) -> View:
        print(f"\nAn upload service posts a job that only names photos:\n  {json.dumps(_job(pet))}", flush=True)
        began = time.monotonic()
        await self._post(http, pet)
        view = await self._view(http, pet, lambda view: view["metrics"]["num_images"] > 0)
        print(f"\nThe view at once, provisional, by the job's coverage:\n{_table(view)}", flush=True)
        view = await self._view(http, pet, lambda view: _is_real(view, pet))
        seconds = time.monotonic() - began
        print(
            f"\nAfter {seconds:.1f} s, with the pet's whole list and its insights, fetched from the storage service:\n"
            f"{_table(view)}",
            flush=True,
        )
        return view

    async def _post(self, http: aiohttp.ClientSession, pet: Pet) -> None:
        async with http.post("/internal/cluster-jobs", json=_job(pet)) as answer:
            if not answer.ok:
                raise StartError(f"the demo's job was answered {answer.status}: {await answer.text()}")

    async def _view(self, http: aiohttp.ClientSession, pet: Pet, is_enough: Callable[[View], bool]) -> View:
        deadline = time.monotonic() + _PATIENCE
        while time.monotonic() < deadline:
            async with http.get(f"/internal/pets/{pet.pet_id}/clusters") as answer:
                if answer.ok and is_enough(view := await answer.json()):
                    found: View = view
                    return found
            if await pause(self._stopping, _TICK):
                raise _StoppedError
        raise StartError(f"the demo's clusters of {pet.pet_id} did not come within {_PATIENCE:.0f} s; the log says why")

    def _what_next(self, pet: Pet, cluster: str) -> str:
        curl = f'curl -sS -H "X-Internal-Token: {self._token}"'
        base = f"{self._url}/internal"
        late = json.dumps({"pet_id": pet.pet_id, "payload": {"image_ids": pet.late}})
        rename = {"op": "rename", "cluster": cluster, "label": "My favourites"}
        corrections = json.dumps({"corrections": [rename]})
        post = f"{curl} -H 'Content-Type: application/json' -d"
        return "\n".join(
            [
                "",
                "Try next, in another terminal: read the view, name new photos, rename a cluster, erase the pet:",
                f"  {curl} {base}/pets/{pet.pet_id}/clusters",
                f"  {post} '{late}' {base}/cluster-jobs",
                f"  {post} '{corrections}' {base}/pets/{pet.pet_id}/corrections",
                f"  {curl} -X DELETE {base}/pets/{pet.pet_id}",
                "With a storage service of your own: STORAGE_SERVICE_URL=http://... clusterd --embedded",
                "",
                "Ctrl+C ends it; nothing is kept.",
            ]
        )


def _job(pet: Pet) -> dict[str, Any]:
    named = {"image_ids": pet.listed[:_NAMED], "labels": list(pet.coverage), "coverage": pet.coverage}
    return {"pet_id": pet.pet_id, "job_id": f"demo_{pet.pet_id}", "reason": "insights_ready", "payload": named}


def _is_real(view: View, pet: Pet) -> bool:
    """Whether all that the service knows of the pet is in it."""
    metrics = view["metrics"]
    return metrics["num_images"] >= len(pet.listed) and not metrics.get("insights_wanted")


def _table(view: View) -> str:
    return "\n".join(map(_row, view["clusters"]))


def _row(cluster: dict[str, Any]) -> str:
    members = [member["image_id"] for member in cluster["members"]]
    more = " ..." if len(members) > _SHOWN else ""
    hero = cluster["hero_image_id"] or "-"
    return f"  {cluster['label']:<14} {cluster['size']:>2}  hero {hero:<8}  {' '.join(members[:_SHOWN])}{more}"
