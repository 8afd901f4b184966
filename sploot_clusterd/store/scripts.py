"""The Lua scripts: each is a file in `lua/` that takes its keys and arguments into locals of the names given here."""

from typing import Final

from sploot_clusterd.store.script import Script

_ALL_OF_A_PET: Final = "album images view wanted asked untold dropped snapshots jobs wants tellings"
SUBMIT: Final = Script("submit", "submit", "stream", "most:int jobs_life:int", "payloads", fenced=True)
LOAD: Final = Script(
    "load",
    "load",
    "album images view erased",
    "pet_id token:bytes",
    "wanted",
    writes=False,
    repeatable=True,
    fenced=True,
)
COMMIT: Final = Script(
    "commit",
    "commit",
    "stream attempts album images view erased",
    "group consumer pet_id token:bytes mark new_view:bytes view_life:int album_life:int",
    "entries fields rows old_fields old_rows used_profiles offers insights new_wants old_wants untold fed told",
    fenced=True,
)
RETRY: Final = Script(
    "retry", "outcome", "stream attempts erased", "group consumer jobs_life:int", "retries", fenced=True
)
PUT_OFF: Final = Script("put_off", "outcome", "stream attempts", "group consumer", "entries")
PENDING_JOBS: Final = Script(
    "pending_jobs", "order", "stream attempts", "group", "strange known", writes=False, repeatable=True
)
CLAIM: Final = Script(
    "claim",
    "claim",
    "stream attempts",
    "group consumer kind abandoned:int cursor:bytes most:int lives:int",
    "besides",
    fenced=True,
)
BEGIN_ALONE: Final = Script(
    "begin_alone", "claim", "stream attempts", "group consumer entry:bytes most_lone_runs:int harmless:int", fenced=True
)
RENEW: Final = Script("renew", "upkeep", "stream attempts", "group consumer", "entries")
DEAD_LETTER: Final = Script(
    "dead_letter",
    "outcome",
    "stream attempts dead_letters letter_sizes letter_pets erased jobs",
    "group consumer entry:bytes most_letters:int most_bytes:int pet_id other_pet_id first_id jobs_life:int told",
    "letter fed",
    fenced=True,
)
LIST_LETTERS: Final = Script(
    "list_letters", "upkeep", "dead_letters", "from_id:bytes last_id:bytes most:int most_bytes:int", writes=False
)
REPLAY_LETTER: Final = Script(
    "replay_letter",
    "upkeep",
    "stream dead_letters letter_sizes letter_pets erased jobs",
    "letter_id most_jobs:int pet_id told_job jobs_life:int instead:bytes",
    fenced=True,
)
DROP_LETTERS: Final = Script("drop_letters", "upkeep", "dead_letters letter_sizes letter_pets", "", "ids", fenced=True)
ERASE: Final = Script(
    "erase",
    "erase",
    "stream album images view erased dead_letters profiles wanted asked untold dropped snapshots jobs wants tellings "
    "feed feed_index erasing",
    "pet_id tells:int remembers:int",
    "slots models",
    fenced=True,
)
DROP_VIEW: Final = Script("drop_view", "view", "view dropped", "pet_id", fenced=True)
REVIVE_VIEW: Final = Script(
    "revive_view",
    "view",
    "album view dropped wanted",
    "pet_id token:bytes new_view:bytes rest_of_view:bytes view_life:int",
    fenced=True,
)
KEEP_SNAPSHOT: Final = Script(
    "keep_snapshot", "submit", "snapshots erasing", "pet_id name snapshot:bytes life:int", repeatable=True, fenced=True
)
WAITING_JOBS: Final = Script(
    "waiting_jobs",
    "view",
    "stream",
    "pet_id cursor:bytes page_size:int most_bytes:int",
    writes=False,
    repeatable=True,
)
LAST_ID: Final = Script("last_id", "erase", "stream", "", writes=False, repeatable=True)
ERASE_LETTERS: Final = Script(
    "erase_letters", "erase", "dead_letters letter_sizes letter_pets", "pet_id cursor:bytes page_size:int", fenced=True
)
SWEEP_MARKS: Final = Script("sweep_marks", "upkeep", "stream erased", "cursor:bytes page_size:int", fenced=True)
SWEEP_RECORDS: Final = Script("sweep_records", "upkeep", "stream attempts", "group cursor:bytes page_size:int")
POLL_PROFILES: Final = Script(
    "poll_profiles", "profiles", "profiles", "most_sampled:int", writes=False, repeatable=True
)
PUBLISH_PROFILE: Final = Script(
    "publish_profile", "profiles", "profiles", "model_version seen generation:int settled:int profile:bytes"
)
STAGE_PROFILE: Final = Script("stage_profile", "profiles", "", "generation:int state profile:bytes instead_of")
DROP_SAMPLE: Final = Script("drop_sample", "profiles", "profiles", "model_version")
WANT_LISTS: Final = Script("want_lists", "insights", "wanted asked wants", "pet_id", fenced=True)
DUE_PETS: Final = Script("due_pets", "insights", "", "most:int", writes=False, repeatable=True)
TAKE_WANTS: Final = Script("take_wants", "insights", "wanted asked wants", "pet_id most:int lease_ms:int", fenced=True)
SETTLE_WANTS: Final = Script(
    "settle_wants",
    "insights",
    "stream wanted asked wants",
    "pet_id lease:int lease_ms:int handed_ms:int payload:bytes most_jobs:int most_wanted:int",
    "done handed missing later",
    fenced=True,
)
TAKE_UNTOLD: Final = Script("take_untold", "insights", "untold tellings", "pet_id most:int lease_ms:int", fenced=True)
SETTLE_UNTOLD: Final = Script(
    "settle_untold", "insights", "untold tellings", "pet_id delay_ms:int", "told", fenced=True
)
AUDIT: Final = Script("audit", "upkeep", "audit audit_pets", "pet_id entry:bytes most:int")
ERASE_AUDIT: Final = Script("erase_audit", "erase", "audit audit_pets", "pet_id most:int", repeatable=True)
PET_EVENTS: Final = Script(
    "pet_events", "erase", "feed", "pet_id from_id:bytes most:int", writes=False, repeatable=True
)
DROP_EVENTS: Final = Script("drop_events", "erase", "feed feed_index", "", "ids", repeatable=True)
TRIM_FEED: Final = Script("trim_feed", "upkeep", "feed feed_index", "life:int most_bytes:int page_size:int")
FEED_FIGURES: Final = Script("feed_figures", "upkeep", "feed feed_index", "", writes=False, repeatable=True)
BEAT: Final = Script("beat", "upkeep", "members", "member lives:int")
HOLD: Final = Script("hold", "upkeep", "", "member lives:int")
LET_GO: Final = Script("let_go", "upkeep", "", "member")
ROUTE: Final = Script(
    "route", "submit", "stream routed origins", "router:int most:int", "entries", repeatable=True, fenced=True
)
SETTLE_ROUTED: Final = Script("settle_routed", "submit", "stream", "group", "entries", repeatable=True)
SWEEP_ORIGINS: Final = Script("sweep_origins", "upkeep", "origins", "first:bytes cursor:bytes page_size:int")
RECORD: Final = Script("record", "upkeep", "", "expected new", repeatable=True)
OPEN_LAYOUT: Final = Script("open_layout", "upkeep", "layout", "number", fenced=True)
TAKE_PET: Final = Script("take_pet", "upkeep", _ALL_OF_A_PET, "pet_id", writes=False, repeatable=True, fenced=True)
PUT_PET: Final = Script("put_pet", "upkeep", _ALL_OF_A_PET, "pet_id", "taken", repeatable=True, fenced=True)
LEAVE_PET: Final = Script("leave_pet", "upkeep", _ALL_OF_A_PET, "pet_id", repeatable=True, fenced=True)
ADOPT: Final = Script("adopt", "upkeep", "stream routed erased", "source", "entries", repeatable=True, fenced=True)
ADOPT_LETTERS: Final = Script(
    "adopt_letters",
    "upkeep",
    "dead_letters letter_sizes letter_pets routed",
    "source",
    "letters",
    repeatable=True,
    fenced=True,
)
RAISE_LAST_ID: Final = Script("raise_last_id", "upkeep", "stream", "least:bytes", repeatable=True, fenced=True)
REBUILD_PARTITION: Final = Script(
    "rebuild_partition",
    "upkeep",
    "stream erased feed feed_index",
    "last_id event_id",
    "marks",
    repeatable=True,
    fenced=True,
)
REBUILD_PET: Final = Script(
    "rebuild_pet",
    "upkeep",
    "album images view erasing",
    "pet_id kept_view:bytes view_life:int album_life:int",
    "fields rows",
    fenced=True,
)
FORGET_CONSUMER: Final = Script("forget_consumer", "upkeep", "stream", "group consumer:bytes")
AGREE: Final = Script("agree", "upkeep", "", "member document lives:int")
INSPECT: Final = Script("inspect", "upkeep", "", "", writes=False, repeatable=True)
REMAKE_STREAM: Final = Script("remake_stream", "upkeep", "stream", "")
STATS: Final = Script("stats", "upkeep", "stream", "group", writes=False)
