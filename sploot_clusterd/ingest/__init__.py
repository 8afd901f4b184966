"""The way in: loops that read the stream, and what becomes of a batch.

Belongs here: when to read, what to do with each entry, and what to do when that fails. Does not belong here: how Redis
does it (store), and what clustering is (engine).
"""

from sploot_clusterd.ingest.ingest import Ingest
from sploot_clusterd.ingest.scheduling import Compute
from sploot_clusterd.ingest.wanting import Wanting

__all__ = ["Compute", "Ingest", "Wanting"]
