"""Bad requests, each with the reason it gets and the field that its error names. Both doors have to refuse them all."""

import base64
from typing import NamedTuple

import msgspec


class Bad(NamedTuple):
    name: str
    body: bytes
    reason: str
    names: str
    """What the error text has to contain."""


def packed(data: bytes, dtype: str = "f32") -> dict:
    return {"dtype": dtype, "data": base64.b64encode(data).decode()}


def request(**fields: object) -> bytes:
    return msgspec.json.encode({"pet_id": "pet", **fields})


def payload(**fields: object) -> bytes:
    return request(payload=fields)


def image(**fields: object) -> bytes:
    return payload(images=[{"image_id": "img", **fields}])


def nested(levels: int) -> bytes:
    return b"[" * levels + b"]" * levels


NOT_JSON = {
    "empty": b"",
    "blank": b"  ",
    "word": b"hello",
    "open object": b"{",
    "open string": b'{"pet_id": "a',
    "trailing text": b'{"pet_id": "a"} x',
    "single quotes": b"{'pet_id': 'a'}",
    "trailing comma": b'{"pet_id": "a",}',
    "comment": b'{"pet_id": "a" /* no */}',
    "bare key": b'{pet_id: "a"}',
    "nul byte": b'{"pet_id": "a\x00"}',
    "raw newline in a string": b'{"pet_id": "a\nb"}',
    "invalid utf-8": b'{"pet_id": "\xff\xfe"}',
    "utf-16": '{"pet_id": "a"}'.encode("utf-16"),
    "byte order mark": b'\xef\xbb\xbf{"pet_id": "a"}',
    "NaN": b'{"pet_id": "a", "payload": {"quality_score": NaN}}',
    "Infinity": b'{"pet_id": "a", "payload": {"quality_score": Infinity}}',
    "minus Infinity in a vector": b'{"pet_id": "a", "payload": {"images": [{"image_id": "i", "pose": [-Infinity]}]}}',
    "NaN in an ignored field": b'{"pet_id": "a", "else": NaN}',
    "hexadecimal": b'{"pet_id": "a", "payload": {"quality_score": 0x1}}',
    "leading zero": b'{"pet_id": "a", "payload": {"quality_score": 01}}',
    "100,000 brackets": b"[" * 100_000,
    "100,000 nested arrays": b"[" * 100_000 + b"]" * 100_000,
    "deep in an ignored field": b'{"pet_id": "a", "else": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    "deep in metadata": b'{"pet_id": "a", "metadata": {"x": ' + b"[" * 100_000 + b"]" * 100_000 + b"}}",
    "65 levels in metadata": b'{"pet_id": "a", "metadata": {"x": ' + nested(63) + b"}}",
    "65 levels in an ignored field": b'{"pet_id": "a", "else": ' + nested(64) + b"}",
    "65 levels of objects": b'{"pet_id": "a", "else": ' + b'{"x":' * 64 + b"1" + b"}" * 65,
    "980 levels in metadata": b'{"pet_id": "a", "metadata": {"x": ' + nested(978) + b"}}",
    "65 levels behind brackets in texts": b'{"pet_id": "a", "reason": "]]]]", "else": ' + nested(64) + b"}",
    "65 levels behind an escape": rb'{"pet_id": "a", "reason": "\\", "else": ' + nested(64) + b', "x": "\\"]]]"}',
    "gzip": b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03",
    "msgpack": msgspec.msgpack.encode({"pet_id": "a"}),
    "form": b"pet_id=a&force=true",
    "xml": b"<pet_id>a</pet_id>",
}

_IDS = {
    "empty": "",
    "blank": "a b",
    "newline at the end": "a\n",
    "nul": "a\x00",
    "slash": "a/b",
    "brace": "{a}",
    "percent": "a%20b",
    "umlaut": "hündchen",
    "dot": ".",
    "two dots": "..",
    "129 characters": "a" * 129,
    "fullwidth digit": "\uff11",
}
_NOT_SEEN = {
    "empty": "",
    "of a blank": " ",
    "of blanks": "\u00a0 \u2003\u3000",
    "without width": "\u200b\u2060\ufeff",
    "of marks of direction": "\u202e\u200f ",
    "of fillers": "\u3164\u2800\u115f",
    "of tags and selectors": "\U000e0041\ufe0f",
}
_NOT_TEXT = {"number": 1, "true": True, "list": ["a"], "object": {"a": 1}}
_NOT_UNIT = {"above": 1.0001, "below": -0.0001, "text": "0.5", "huge": 1e300, "true": True, "list": [0.5]}
_NOT_LIST = {"text": "img", "object": {"a": 1}, "number": 3, "false": False}


def _wrong_values() -> list[tuple[str, bytes, str]]:
    cases = [(f"{top} at the top", text, "the body") for top, text in (("list", b"[]"), ("null", b"null"), ("3", b"3"))]
    cases += [
        ("a good pet and a wrong one", b'{"pet_id": "pet", "pet_id": 1}', "pet_id"),
        ("a good payload and a wrong one", b'{"pet_id": "pet", "payload": {}, "payload": []}', "payload"),
    ]
    cases += [("no pet", b"{}", "pet_id: this field is required"), ("null pet", b'{"pet_id": null}', "pet_id")]
    for name, value in {**_IDS, **_NOT_TEXT}.items():
        cases.append((f"pet_id {name}", msgspec.json.encode({"pet_id": value}), "pet_id"))
        cases.append((f"job_id {name}", request(job_id=value), "job_id"))
        cases.append((f"image id {name}", payload(image_ids=["ok", value]), "payload.image_ids"))
        if value not in (".", ".."):
            cases.append((f"removed id {name}", payload(removed_image_ids=[value]), "payload.removed_image_ids"))
        cases.append((f"id in images {name}", payload(images=[{"image_id": value}]), "payload.images"))
    for name, value in _NOT_UNIT.items():
        cases.append((f"quality_score {name}", payload(quality_score=value), "payload.quality_score"))
        cases.append((f"quality {name}", image(quality=value), "payload.images[0].quality"))
        cases.append((f"coverage {name}", payload(coverage={"a": value}), "payload.coverage"))
    for field in ("image_ids", "labels", "images", "removed_image_ids"):
        cases += [
            (f"{field} as {name}", payload(**{field: value}), f"payload.{field}") for name, value in _NOT_LIST.items()
        ]
    cases += _wrong_corrections()
    for name, value in {**_NOT_SEEN, "control": "a\x07", "129": "a" * 129, **_NOT_TEXT}.items():
        cases.append((f"label {name}", image(label=value), "payload.images[0].label"))
        cases.append((f"label in the list {name}", payload(labels=[value]), "payload.labels[0]"))
        cases.append((f"model_version {name}", payload(model_version=value), "payload.model_version"))
    cases += [(f"force {v}", request(force=v), "force") for v in ("true", 1, [], {})]
    cases += [(f"payload {v}", request(payload=v), "payload") for v in ("a", 1, [], True)]
    cases += [(f"metadata {v}", request(metadata=v), "metadata") for v in ("a", 1, [])]
    cases += [
        (f"captured_at {v}", image(captured_at=v), "captured_at") for v in ("yesterday", 1, "2025-13-01T00:00:00Z")
    ]
    cases += [
        ("coverage key", payload(coverage={"": 0.5}), "payload.coverage"),
        ("coverage key of a blank", payload(coverage={" ": 0.5}), "payload.coverage"),
        ("257 images", payload(images=[{"image_id": f"i{n}"} for n in range(257)]), "payload.images: at most 256"),
        ("10,001 ids", payload(image_ids=["i"] * 10_001), "payload.image_ids: at most 10000"),
        ("seen no digest", payload(seen={"pet-cluster-0": "x"}), "payload.seen"),
        ("seen of another pet", payload(seen={"cat-cluster-0": "0123abcd"}), "payload.seen: a cluster's id is"),
        ("seen no cluster", payload(seen={"0": "0123abcd"}), "payload.seen"),
        ("seen of no id", payload(seen={"pet-cluster-0": ["a b"]}), "payload.seen"),
        ("too many seen", payload(seen={"pet-cluster-0": ["i"] * 257}), "payload.seen: at most 256"),
        ("anyway no boolean", payload(anyway=1), "payload.anyway"),
        ("257 labels", payload(labels=["l"] * 257), "payload.labels: at most 256"),
    ]
    return cases


_OPS = ".op: expected merge, split, move, rename, set_hero, apart, stay, hide, unhide, not_here or undo"


def _wrong_corrections() -> list[tuple[str, bytes, str]]:
    rename = {"op": "rename", "cluster": "pet-cluster-0", "label": "x"}
    split = {"op": "split", "cluster": "pet-cluster-0", "image_ids": ["i"]}
    wrong: dict[str, tuple[object, str]] = {
        "no object": (3, ""),
        "no op": ({"cluster": "pet-cluster-0"}, _OPS),
        "unknown op": ({**rename, "op": "redo"}, _OPS),
        "op no text": ({**rename, "op": 1}, ".op"),
        "no label": ({"op": "rename", "cluster": "pet-cluster-0"}, ".label: this field is required"),
        "empty label": ({**rename, "label": ""}, ".label"),
        "label of a blank": ({**rename, "label": " "}, ".label: expected 1 to 128 printable characters"),
        "label without width": ({**rename, "label": "\u200b"}, ".label: expected 1 to 128 printable characters"),
        "no cluster": ({"op": "rename", "label": "x"}, ".cluster: this field is required"),
        "cluster no text": ({**rename, "cluster": 0}, ".cluster"),
        "cluster a number": ({**rename, "cluster": "0"}, ".cluster: expected a cluster's id"),
        "cluster with a zero before": ({**rename, "cluster": "pet-cluster-01"}, ".cluster: expected a cluster's id"),
        "cluster with a newline": ({**rename, "cluster": "pet-cluster-1\n"}, ".cluster: expected a cluster's id"),
        "cluster of another pet": ({**rename, "cluster": "cat-cluster-1"}, ": a cluster's id is pet-cluster-<number>"),
        "cluster of a longer pet": ({**rename, "cluster": "pet-cluster-1-cluster-1"}, ": a cluster's id is"),
        "one to merge": ({"op": "merge", "clusters": ["pet-cluster-0"]}, ".clusters"),
        "nothing to hide": ({"op": "hide"}, ": expected either cluster or image_ids"),
        "both to hide": (
            {"op": "hide", "cluster": "pet-cluster-0", "image_ids": ["a"]},
            ": expected either cluster or image_ids",
        ),
        "no images to hide": ({"op": "hide", "image_ids": []}, ".image_ids"),
        "nothing to show again": ({"op": "unhide"}, ": expected either cluster or image_ids"),
        "another pet's cluster to hide": ({"op": "hide", "cluster": "other-cluster-0"}, ": a cluster's id is"),
        "no cluster to be kept from": ({"op": "not_here", "image_ids": ["a"]}, ".cluster"),
        "no image to be kept from one": ({"op": "not_here", "cluster": "pet-cluster-0", "image_ids": []}, ".image_ids"),
        "no job to take back": ({"op": "undo"}, ".job_id"),
        "a long job to take back": ({"op": "undo", "job_id": "x" * 200}, ".job_id: an id has at most"),
        "one to keep apart": ({"op": "apart", "clusters": ["pet-cluster-0"]}, ".clusters"),
        "three to keep apart": ({"op": "apart", "clusters": [f"pet-cluster-{n}" for n in range(3)]}, ".clusters"),
        "one twice to keep apart": ({"op": "apart", "clusters": ["pet-cluster-0"] * 2}, ".clusters: expected two"),
        "none to stay": ({"op": "stay", "cluster": "pet-cluster-0", "image_ids": []}, ".image_ids"),
        "nowhere to stay": ({"op": "stay", "image_ids": ["i"]}, ".cluster: this field is required"),
        "257 to merge": ({"op": "merge", "clusters": ["pet-cluster-0"] * 257}, ".clusters: at most 256"),
        "none to split": ({**split, "image_ids": []}, ".image_ids"),
        "a bad id to split": ({**split, "image_ids": ["a b"]}, ".image_ids"),
        "a long id to split": ({**split, "image_ids": ["a" * 129]}, ": an id has at most 128"),
        "a dot to split": ({**split, "image_ids": ["."]}, ".image_ids[0]: expected"),
        "asked no flag": ({**split, "asked": "yes"}, ".asked"),
        "none to move": ({"op": "move", "image_ids": [], "to": "pet-cluster-0"}, ".image_ids"),
        "no target": ({"op": "move", "image_ids": ["i"]}, ".to: this field is required"),
        "no hero": ({"op": "set_hero", "cluster": "pet-cluster-0"}, ".image_id: this field is required"),
    }
    at = "payload.corrections[0]"
    return [
        *((f"correction {name}", payload(corrections=[one]), at + says) for name, (one, says) in wrong.items()),
        *((f"corrections {v}", payload(corrections=v), "payload.corrections") for v in ("x", {}, 1)),
        ("257 corrections", payload(corrections=[rename] * 257), "payload.corrections: at most 256"),
        (
            "257 images in two corrections",
            payload(corrections=[{**split, "image_ids": ["i"] * n} for n in (56, 201)]),
            "payload.corrections: at most 256 images in all",
        ),
    ]


def _wrong_vectors() -> list[tuple[str, bytes, str]]:
    infinite, nan = b"\x00\x00\x80\x7f", b"\x00\x00\xc0\x7f"
    vectors: dict[str, object] = {
        "empty": [],
        "zeros": [0.0, 0.0],
        "texts": ["1"],
        "null inside": [None],
        "true inside": [True],
        "nested": [[1.0]],
        "text": "1,2,3",
        "number": 3,
        "4,097 long": [1.0] * 4097,
        "packed empty": packed(b""),
        "packed zeros": packed(b"\x00" * 8),
        "packed infinity": packed(infinite),
        "packed NaN": packed(nan),
        "packed half infinity": packed(b"\x00\x7c", "f16"),
        "packed odd": packed(b"\x00\x3c\x00", "f16"),
        "packed too long": packed(b"\x00\x3c" * 4097, "f16"),
        "packed f64": packed(b"\x00" * 8, "f64"),
        "packed without data": {"dtype": "f16"},
        "packed without dtype": {"data": "AAA="},
        "packed no base64": {"dtype": "f16", "data": "!!!!"},
        "packed blanks": {"dtype": "f16", "data": "AD wA"},
        "packed bad padding": {"dtype": "f16", "data": "ADw"},
        "packed umlaut": {"dtype": "f16", "data": "ä"},
    }
    kinds = ("embedding", "pose", "context")
    return [
        (f"{kind} {name}", image(**{kind: vector}), f"payload.images[0].{kind}")
        for kind in kinds
        for name, vector in vectors.items()
    ] + [
        (
            "a 400-digit number",
            b'{"pet_id": "p", "payload": {"images": [{"image_id": "i", "pose": [1' + b"0" * 400 + b"]}]}}",
            "pose",
        ),
    ]


CORPUS = [
    *(Bad(name, body, "malformed", "not JSON") for name, body in NOT_JSON.items()),
    *(Bad(name, body, "invalid", names) for name, body, names in (*_wrong_values(), *_wrong_vectors())),
]
