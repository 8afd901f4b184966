"""All that knows Redis: connections, scripts, and what they do for the rooms above.

Belongs here: moving bytes and ids in and out of Redis, atomically where it matters. Does not belong here: what the
bytes mean, and when to do what.
"""

from sploot_clusterd.store.albums import AlbumStore, Loaded, Wanted
from sploot_clusterd.store.commit import Commit, CommitOutcome, Committed
from sploot_clusterd.store.inspection import KeyFault
from sploot_clusterd.store.letters import Letters, LetterSummary, Replayed
from sploot_clusterd.store.pending import PendingEntries, PendingEntry, Standing
from sploot_clusterd.store.profiles import Offer, Polled, ProfileStore, SampleSize, State, UsedProfile
from sploot_clusterd.store.reader import Reader
from sploot_clusterd.store.server import Finding
from sploot_clusterd.store.store import Store
from sploot_clusterd.store.stream import ClaimKind, Entry, Handling, Letter, LoneRun, Retry, Stats, Stream, entry_id
from sploot_clusterd.store.views import ViewStore

__all__ = [
    "AlbumStore",
    "ClaimKind",
    "Commit",
    "CommitOutcome",
    "Committed",
    "Entry",
    "Finding",
    "Handling",
    "KeyFault",
    "Letter",
    "LetterSummary",
    "Letters",
    "Loaded",
    "LoneRun",
    "Offer",
    "PendingEntries",
    "PendingEntry",
    "Polled",
    "ProfileStore",
    "Reader",
    "Replayed",
    "Retry",
    "SampleSize",
    "Standing",
    "State",
    "Stats",
    "Store",
    "Stream",
    "UsedProfile",
    "ViewStore",
    "Wanted",
    "entry_id",
]
