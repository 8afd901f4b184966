"""What stands behind the routes of one process: the store, what is worked out when it is asked for, and history."""

import asyncio
from typing import TYPE_CHECKING

from sploot_clusterd.config import Settings
from sploot_clusterd.engine import Params
from sploot_clusterd.following import Follower
from sploot_clusterd.looking import Looker
from sploot_clusterd.members import Members
from sploot_clusterd.metrics import Metrics
from sploot_clusterd.reviewing import Reviewer
from sploot_clusterd.reviving import Reviver
from sploot_clusterd.store import AlbumStore, Store
from sploot_clusterd.suggestions import Suggester
from sploot_clusterd.web import Auditor, Behind

if TYPE_CHECKING:
    from sploot_clusterd.fleet.watcher import FleetWatcher
    from sploot_clusterd.history.history import History


def put_together(
    settings: Settings,
    store: Store,
    params: Params,
    metrics: Metrics,
    *,
    auditor: Auditor,
    history: "History | None",
    watcher: "FleetWatcher | None",
    stopping: asyncio.Event,
) -> Behind:
    """`history` is None where it is off, `watcher` where there is no page; the feed is where the store has none."""

    def albums_of(pet_id: str) -> AlbumStore:
        return store.of(pet_id).albums

    lookups = history.lookups if history else None
    with_wants = settings.insights.url is not None
    return Behind(
        store=store.views,
        expired=Reviver(store, params, metrics, with_wants=with_wants, kept=lookups.newest_view if lookups else None),
        questions=Suggester(albums_of, params),
        jobs=store.jobs,
        finder=store.finder,
        listing=Members(albums_of, store.profiles, params),
        halting=store.pause,
        trail=store.audit,
        letters=store.letter_search,
        auditor=auditor,
        looks=Looker(albums_of, store.profiles.fetch, params),
        reports=Reviewer(store, params, watcher.quality.figures if watcher else None),
        changes=Follower(store.feed, stopping) if store.feed else None,
        past=lookups,
    )
