"""All that knows Redis: connections, scripts, and what they do for the rooms above.

Belongs here: moving bytes and ids in and out of Redis, atomically where it matters. Does not belong here: what the
bytes mean, and when to do what.
"""

from sploot_clusterd.store.albums import AlbumStore
from sploot_clusterd.store.charge import Charge
from sploot_clusterd.store.commit import LIST, Commit, CommitOutcome, Committed, InsightNews
from sploot_clusterd.store.erasure import Erasure
from sploot_clusterd.store.feed import Feed, FeedEntries, FeedEntry, FeedFigures
from sploot_clusterd.store.fleet_beats import FleetBeats
from sploot_clusterd.store.fleet_letters import FleetLetters
from sploot_clusterd.store.inspection import KeyFault
from sploot_clusterd.store.letters import Letters, LetterSummary
from sploot_clusterd.store.loading import Loaded, Wanted
from sploot_clusterd.store.marks import Marks, PartitionMarks
from sploot_clusterd.store.move import GroupMoved, Move
from sploot_clusterd.store.naming import HeldName
from sploot_clusterd.store.outcomes import FailedRun, Letter, Retry
from sploot_clusterd.store.partition import Partition
from sploot_clusterd.store.pending import Bounds, PendingEntries, PendingEntry, Standing
from sploot_clusterd.store.pictures import Picture, Pictures
from sploot_clusterd.store.plain import Moving, PlainStream
from sploot_clusterd.store.profiles import Offer, Polled, ProfileStore, SampleSize, State, UsedProfile
from sploot_clusterd.store.reader import Reader
from sploot_clusterd.store.rebuilding import LostPet, PutBack, Rebuilding
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
    "Bounds",
    "Carried",
    "Charge",
    "ClaimKind",
    "Commit",
    "CommitOutcome",
    "Committed",
    "Entry",
    "Erasure",
    "FailedRun",
    "Feed",
    "FeedEntries",
    "FeedEntry",
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
    "LostPet",
    "Marks",
    "Move",
    "Moving",
    "Offer",
    "Partition",
    "PartitionMarks",
    "PendingEntries",
    "PendingEntry",
    "Picture",
    "Pictures",
    "PlainStream",
    "Polled",
    "ProfileStore",
    "PutBack",
    "Queue",
    "Reader",
    "Rebuilding",
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
