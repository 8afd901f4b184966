"""Whatever is wrong with a field, its path is told and what it may be, at every door."""

import re

import pytest

from sploot_clusterd.config import LimitsSettings
from sploot_clusterd.entry_ids import EntryId
from sploot_clusterd.errors import BadJobError
from sploot_clusterd.wire import decode_corrections, decode_entry, decode_pause, decode_request

LIMITS = LimitsSettings()
AT = EntryId(1_700_000_000_000, 3)
TEXT, UNIT, LIST, OBJECT, BOOLEAN, NUMBER = "`str", "`float", "`array", "`object", "`bool", "`float`, got"
DATA = f"{TEXT}|base64"
ID, CHOICE, TIME, CLUSTER = f"{TEXT}|characters A-Z", "expected f16 or f32", "RFC 3339", f"{TEXT}|cluster's id"

FIELDS = {
    "pet_id": ('{"pet_id": ?}', ID),
    "job_id": ('{"pet_id": "pet", "job_id": ?}', ID),
    "reason": ('{"pet_id": "pet", "reason": ?}', TEXT),
    "force": ('{"pet_id": "pet", "force": ?}', BOOLEAN),
    "metadata": ('{"pet_id": "pet", "metadata": ?}', OBJECT),
    "payload": ('{"pet_id": "pet", "payload": ?}', OBJECT),
}
IN_PAYLOAD = {
    "image_ids": ('"image_ids": ?', LIST),
    "image_ids[1]": ('"image_ids": ["a", ?]', ID),
    "labels": ('"labels": ?', LIST),
    "labels[0]": ('"labels": [?]', f"{TEXT}|printable"),
    "coverage": ('"coverage": ?', OBJECT),
    "coverage[...]": ('"coverage": {"a": ?}', UNIT),
    "quality_score": ('"quality_score": ?', UNIT),
    "model_version": ('"model_version": ?', f"{TEXT}|printable"),
    "removed_image_ids[0]": ('"removed_image_ids": [?]', ID),
    "images": ('"images": ?', LIST),
    "images[0]": ('"images": [?]', OBJECT),
    "images[0].image_id": ('"images": [{"image_id": ?}]', ID),
    "images[0].embedding": ('"images": [{"image_id": "i", "embedding": ?}]', "`object [|] array"),
    "images[0].pose[1]": ('"images": [{"image_id": "i", "pose": [1, ?]}]', NUMBER),
    "images[0].context.dtype": ('"images": [{"image_id": "i", "context": {"data": "AAA=", "dtype": ?}}]', CHOICE),
    "images[0].context.data": (
        '"images": [{"image_id": "i", "context": {"dtype": "f16", "data": ?}}]',
        f"{TEXT}|base64",
    ),
    "images[0].quality": ('"images": [{"image_id": "i", "quality": ?}]', UNIT),
    "images[0].label": ('"images": [{"image_id": "i", "label": ?}]', f"{TEXT}|printable"),
    "images[0].captured_at": ('"images": [{"image_id": "i", "captured_at": ?}]', TIME),
}
CORRECTIONS = {
    "": ("?", OBJECT),
    ".op": ('{"op": ?}', "merge, split, move, rename, set_hero, apart, stay, hide, unhide, not_here or undo"),
    ".cluster": ('{"op": "rename", "label": "x", "cluster": ?}', CLUSTER),
    ".label": ('{"op": "rename", "cluster": "pet-cluster-0", "label": ?}', f"{TEXT}|printable"),
    ".clusters": ('{"op": "merge", "clusters": ?}', LIST),
    ".clusters[1]": ('{"op": "merge", "clusters": ["pet-cluster-0", ?]}', CLUSTER),
    ".image_ids[0]": ('{"op": "split", "cluster": "pet-cluster-0", "image_ids": [?]}', ID),
    ".to": ('{"op": "move", "image_ids": ["a"], "to": ?}', CLUSTER),
    ".image_id": ('{"op": "set_hero", "cluster": "pet-cluster-0", "image_id": ?}', ID),
}
FIELDS |= {
    f"payload.{path}": ('{"pet_id": "pet", "payload": {@}}'.replace("@", part), may)
    for path, (part, may) in IN_PAYLOAD.items()
}
FIELDS |= {
    f"payload.corrections[0]{path}": ('{"pet_id": "pet", "payload": {"corrections": [@]}}'.replace("@", part), may)
    for path, (part, may) in CORRECTIONS.items()
}

WRONG = {
    "true": (b"true", {BOOLEAN}),
    "a number": (b"7", {NUMBER}),
    "a share": (b"0.5", {NUMBER, UNIT}),
    "beyond 2^63": (b"9223372036854775808", {NUMBER}),
    "beyond 2^64": (b"18446744073709551617", {NUMBER}),
    "a list in a list": (b"[[[]]]", set()),
    "an object": (b'{"x": 1}', {OBJECT}),
    "a text": (b'"w\\u00f6rd!"', {TEXT, f"{TEXT}|printable"}),
    "an empty text": (b'""', {TEXT, DATA}),
    "a dot": (b'"."', {TEXT, f"{TEXT}|printable"}),
}
UNREADABLE = {
    "1e400": (b"1e400", "between -1.8e308 and 1.8e308"),
    "-1e400": (b"-1e400", "between -1.8e308 and 1.8e308"),
    "401 digits": (b"1" + b"0" * 400, "between -1.8e308 and 1.8e308"),
    "5,000 digits": (b"1" + b"0" * 5000, "between -1.8e308 and 1.8e308"),
    "NaN": (b"NaN", "NaN and Infinity are no numbers of JSON"),
    "Infinity": (b"Infinity", "NaN and Infinity are no numbers of JSON"),
    "-Infinity": (b"-Infinity", "NaN and Infinity are no numbers of JSON"),
    "a lone surrogate": (rb'"\ud800"', "half of a surrogate pair"),
    "a lone low surrogate": (rb'"a\udc00b"', "half of a surrogate pair"),
    "surrogates the wrong way round": (rb'"\ude00\ud83d"', "half of a surrogate pair"),
    "a text cut within an emoji": (rb'"so \ud83d"', "half of a surrogate pair"),
    "Latin-1": (b'"M\xfccke"', "a text is UTF-8"),
    "an encoded surrogate": (b'"\xed\xa0\x80"', "a text is UTF-8"),
}


def told(decode, *given) -> str:
    with pytest.raises(BadJobError) as caught:
        decode(*given, LIMITS)
    assert len(caught.value.detail) <= 520
    return caught.value.detail


def doors(body: bytes):
    """What each door says of it: HTTP, and the stream bare and in an envelope."""
    yield "", told(decode_request, body)
    yield "", told(decode_entry, AT, {b"payload": body})
    pet = re.search(rb'"pet_id": ("pet"|.*?)[,}]', body)[1]
    if pet == b'"pet"':
        yield "payload.", told(decode_entry, AT, {b"payload": b'{"pet_id": "pet", "payload": %s}' % body})


@pytest.mark.parametrize("wrong", WRONG)
@pytest.mark.parametrize("path", FIELDS)
def test_a_wrong_value_is_told_with_its_field_and_what_is_allowed(path: str, wrong: str):
    template, allowed = FIELDS[path]
    value, fits = WRONG[wrong]
    if allowed in fits or (wrong == "a dot" and "removed" in path):
        return
    for _, said in doors(template.encode().replace(b"?", value)):
        inner = re.escape(path) + (r"(\[\d\])*(\.\w+)?" if wrong in {"a list in a list", "an object"} else "")
        assert re.match(rf"(payload\.)?{inner}: ", said), said
        if inner == re.escape(path):
            assert re.search(f"{allowed}|a vector has 1 to|base64", said), said


@pytest.mark.parametrize("wrong", UNREADABLE)
@pytest.mark.parametrize("path", [*FIELDS, "metadata.x"])
def test_what_no_decoder_reads_is_told_with_its_field_as_well(path: str, wrong: str):
    template, allowed = FIELDS.get(path) or ('{"pet_id": "pet", "metadata": {"x": ?}}', "x")
    value, rule = UNREADABLE[wrong]
    if path == "metadata.x" and "digits" in wrong:
        return  # a number that JSON may have, and for people
    for _, said in doors(template.encode().replace(b"?", value)):
        where = re.escape(path).replace(re.escape("[...]"), r"(\.a|\[\.\.\.\])")
        assert re.match(rf"(not JSON: )?(payload\.)?{where}: ", said), said
        assert rule in said or re.search(allowed, said), said
        assert said.startswith("not JSON") == (rule.startswith(("NaN", "a text is"))), said


@pytest.mark.parametrize(("value", "rule"), UNREADABLE.values(), ids=UNREADABLE)
@pytest.mark.parametrize("field", ["metadata", "labels", "quality_score", "images", "force", "corrections"])
def test_flat_entries_name_the_field_as_well(field: str, value: bytes, rule: str):
    try:
        text = value.decode()
    except UnicodeDecodeError:
        assert told(decode_entry, AT, {b"pet_id": b"pet", field.encode(): value}).startswith(f"{field}: ")
        return
    for wrapped, step in ((text, ""), (f"[{text}]", "[0]")):
        said = told(decode_entry, AT, {b"pet_id": b"pet", field.encode(): wrapped.encode()})
        assert re.match(rf"(not JSON: )?(payload\.)?{field}", said), said
        if field != "force" and (rule in said):
            assert f"{field}{step}: " in said


@pytest.mark.parametrize("wrong", [*WRONG, *UNREADABLE])
@pytest.mark.parametrize("path", CORRECTIONS)
def test_the_door_for_corrections_names_the_field_as_well(path: str, wrong: str):
    part, allowed = CORRECTIONS[path]
    value, fits = WRONG.get(wrong) or (UNREADABLE[wrong][0], set())
    if allowed in fits:
        return
    said = told(decode_corrections, "pet", b'{"corrections": [%s]}' % part.encode().replace(b"?", value))
    assert re.match(rf"(not JSON: )?corrections\[0\]{re.escape(path)}", said), said


@pytest.mark.parametrize("mark", ["utf-8-sig", "utf-16", "utf-16-be"])
def test_a_byte_order_mark_is_named(mark: str):
    body = '\ufeff{"pet_id": "pet"}'.encode(mark.removesuffix("-sig")) if mark != "utf-16" else '{"a": 1}'.encode(mark)
    assert told(decode_request, body) == "not JSON: it begins with a byte order mark; expected UTF-8 without one"
    assert told(decode_entry, AT, {b"payload": body}).startswith("not JSON: it begins with a byte order mark")


def test_keys_are_named_by_what_holds_them():
    assert told(decode_request, rb'{"pet_id": "pet", "payload": {"coverage": {"\ud800": 0.5}}}').startswith(
        "payload.coverage: "
    )
    assert told(decode_request, rb'{"pet_id": "pet", "metadata": {"a b": ["\ud800"]}}').startswith("metadata[...][0]: ")


@pytest.mark.parametrize("value", [b"-0", b"-0.0", b"1e-400", b"1E+0", b"0.1e1", b"1.0000000000000000000000000001"])
def test_unusual_numbers_that_are_allowed_are_taken(value: bytes):
    body = b'{"pet_id": "pet", "payload": {"quality_score": %s}}' % value
    assert 0 <= decode_request(body, LIMITS).payload.quality_score <= 1
    assert decode_entry(AT, {b"payload": body}, LIMITS).quality_score is not None


@pytest.mark.parametrize("image_id", [".", ".."])
def test_images_that_earlier_versions_took_can_be_removed(image_id: str):
    body = b'{"pet_id": "pet", "payload": {"removed_image_ids": ["%s"]}}' % image_id.encode()
    assert decode_request(body, LIMITS).payload.removed_image_ids == [image_id]
    assert decode_entry(AT, {b"payload": body}, LIMITS).removed == [image_id]


def test_an_id_that_is_too_long_is_told_with_its_place():
    body = b'{"pet_id": "pet", "payload": {"images": [{"image_id": "a"}, {"image_id": "%s"}]}}' % (b"a" * 129)
    assert told(decode_request, body) == "payload.images[1].image_id: an id has at most 128 characters"


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b"{}", "reason: this field is required"),
        (b'{"reason": "a deploy"}', "until: expected an RFC 3339 time, as in 2025-10-30T12:00:00Z"),
        (b'{"reason": "\\t", "until": "2025-10-30T12:00:00Z"}', "reason: expected 1 to 128 printable characters"),
        (b'{"reason": "a deploy", "until": 7}', "until: expected an RFC 3339 time"),
        (b'{"reason": "a deploy", "until": "soon"}', "until: expected an RFC 3339 time, as in 2025-10-30T12:00:00Z"),
        (b'{"reason": "a deploy", "until": NaN}', "not JSON: until: NaN and Infinity are no numbers of JSON"),
        (b"[" * 100, "not JSON that can be read: lists and objects nested more than 64 levels deep"),
    ],
)
def test_the_door_for_pauses_does(body: bytes, says: str):
    assert told(lambda raw, _: decode_pause(raw), body).startswith(says)
