"""From bytes of strangers to checked jobs: one decoder for both doors, HTTP bodies and stream entries.

What comes out is checked; what is wrong raises `BadJobError` with a text that names the field and what is allowed.
Nothing else may escape, whatever the bytes are.
"""

from sploot_clusterd.wire.bad_entries import first_place, flat_payload, named_ids, other_pet
from sploot_clusterd.wire.entries import CARRIED_ATTEMPTS, decode_entry
from sploot_clusterd.wire.faults import fault_in
from sploot_clusterd.wire.letters import check_edited, decode_letters_change, decode_replay
from sploot_clusterd.wire.requests import (
    check_id,
    decode_corrections,
    decode_pause,
    decode_request,
    decode_restore,
    encode_envelope,
    encode_fetched,
    encode_request,
    encode_restore,
    query_decoder,
)
from sploot_clusterd.wire.vectors import packed

__all__ = [
    "CARRIED_ATTEMPTS",
    "check_edited",
    "check_id",
    "decode_corrections",
    "decode_entry",
    "decode_letters_change",
    "decode_pause",
    "decode_replay",
    "decode_request",
    "decode_restore",
    "encode_envelope",
    "encode_fetched",
    "encode_request",
    "encode_restore",
    "fault_in",
    "first_place",
    "flat_payload",
    "named_ids",
    "other_pet",
    "packed",
    "query_decoder",
]
