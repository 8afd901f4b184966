"""All that knows Redis: connections, scripts, and what they do for the rooms above.

Belongs here: moving bytes and ids in and out of Redis, atomically where it matters. Does not belong here: what the
bytes mean, and when to do what.
"""

from sploot_clusterd.store.albums import AlbumStore, Loaded, Wanted
from sploot_clusterd.store.commit import LIST, Commit, CommitOutcome, Committed, InsightNews
from sploot_clusterd.store.feed import Feed, FeedFigures
from sploot_clusterd.store.fleet_beats import FleetBeats
from sploot_clusterd.store.fleet_letters import FleetLetters
from sploot_clusterd.store.inspection import KeyFault
from sploot_clusterd.store.letters import Letters, LetterSummary, Replayed
from sploot_clusterd.store.move import GroupMoved, Move
from sploot_clusterd.store.naming import HeldName
from sploot_clusterd.store.outcomes import FailedRun, Letter, Retry
from sploot_clusterd.store.partition import Partition
from sploot_clusterd.store.pending import PendingEntries, PendingEntry, Standing
from sploot_clusterd.store.plain import Moving, PlainStream
from sploot_clusterd.store.profiles import Offer, Polled, ProfileStore, SampleSize, State, UsedProfile
from sploot_clusterd.store.reader import Reader
from sploot_clusterd.store.server import Finding
from sploot_clusterd.store.store import Store
from sploot_clusterd.store.stream import ClaimKind, Entry, Handling, LoneRun, Stats, Stream, entry_id
from sploot_clusterd.store.tenure import Tenure
from sploot_clusterd.store.transfer import Carried
from sploot_clusterd.store.untold import Untold
from sploot_clusterd.store.views import ViewStore
from sploot_clusterd.store.wants import Queue, Settled, Settlement, Taken, TakenImage, Wants

__all__ = [
    "LIST",
    "AlbumStore",
    "Carried",
    "ClaimKind",
    "Commit",
    "CommitOutcome",
    "Committed",
    "Entry",
    "FailedRun",
    "Feed",
    "FeedFigures",
    "Finding",
    "FleetBeats",
    "FleetLetters",
    "GroupMoved",
    "Handling",
    "HeldName",
    "InsightNews",
    "KeyFault",
    "Letter",
    "LetterSummary",
    "Letters",
    "Loaded",
    "LoneRun",
    "Move",
    "Moving",
    "Offer",
    "Partition",
    "PendingEntries",
    "PendingEntry",
    "PlainStream",
    "Polled",
    "ProfileStore",
    "Queue",
    "Reader",
    "Replayed",
    "Retry",
    "SampleSize",
    "Settled",
    "Settlement",
    "Standing",
    "State",
    "Stats",
    "Store",
    "Stream",
    "Taken",
    "TakenImage",
    "Tenure",
    "Untold",
    "UsedProfile",
    "ViewStore",
    "Wanted",
    "Wants",
    "entry_id",
]
