"""The way in: loops that read the stream, and what becomes of a batch.

Belongs here: when to read, what to do with each entry, and what to do when that fails. Does not belong here: how Redis
does it (store), and what clustering is (engine).
"""

from sploot_clusterd.ingest.book import Book
from sploot_clusterd.ingest.brake import Brake
from sploot_clusterd.ingest.cache import AlbumCache
from sploot_clusterd.ingest.compute import Compute
from sploot_clusterd.ingest.consumer import Consumer, consumer_names
from sploot_clusterd.ingest.leases import Leases
from sploot_clusterd.ingest.outcomes import Outcomes
from sploot_clusterd.ingest.plan import Planner
from sploot_clusterd.ingest.process import Processor
from sploot_clusterd.ingest.profiles import ProfileKeeper
from sploot_clusterd.ingest.reclaim import Reclaimer

__all__ = [
    "AlbumCache",
    "Book",
    "Brake",
    "Compute",
    "Consumer",
    "Leases",
    "Outcomes",
    "Planner",
    "Processor",
    "ProfileKeeper",
    "Reclaimer",
    "consumer_names",
]
