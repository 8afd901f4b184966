"""Answers that are not what the contract says, and what each of them is to be taken for.

`BAD` is for an image's insight, `BAD_LISTS` for a pet's list. `GOOD` look odd, and are within the contract.
"""

import gzip
import json
import zlib
from typing import Any

from tests.insights.raw_server import Raw

IMAGE = "img_1"
UNAVAILABLE, REFUSED = "unavailable", "refused"
"""In place of the reason of a bad answer."""
MOST_BYTES = 200_000
"""What the client under test takes."""


def http(body: bytes, status: str = "200 OK", **headers: str) -> Raw:
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    head = {"Content-Type": "application/json", "Content-Length": str(len(body)), **given}
    lines = [f"HTTP/1.1 {status}", *(f"{name}: {value}" for name, value in head.items() if value)]
    return Raw("\r\n".join([*lines, "", ""]).encode() + body)


def insight(**changes: Any) -> bytes:
    whole = {"has_embedding": True, "embedding": [0.5, -0.25, 0.125], "quality_score": 0.5, **changes}
    return json.dumps(whole).encode()


def said(**changes: Any) -> Raw:
    return http(insight(**changes))


def numbers(text: str) -> Raw:
    """An embedding as JSON writes it, or not."""
    return http(f'{{"has_embedding": true, "embedding": [{text}]}}'.encode())


HTML = b"<!DOCTYPE html><html><body>Sign in to continue</body></html>"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
BOMB = gzip.compress(b'{"embedding": [' + b"0.5, " * 4_000_000 + b"0.5]}")

BAD: dict[str, tuple[Raw, str]] = {
    # no JSON
    "a page": (http(HTML, Content_Type="text/html"), "not_json"),
    "a page that says JSON": (http(HTML), "not_json"),
    "nothing": (http(b""), "not_json"),
    "half a document": (http(insight()[:-9]), "not_json"),
    "two documents": (http(insight() + insight()), "not_json"),
    "something after it": (http(insight() + b"-- "), "not_json"),
    "a byte order mark": (http(b"\xef\xbb\xbf" + insight()), "not_json"),
    "UTF-16": (http(insight().decode().encode("utf-16")), "not_json"),
    "no UTF-8 in a text": (http(b'{"pose_category": "\xff\xfe"}'), "not_json"),
    "nested without end": (http(b'{"tags": ' + b"[" * 50_000), "not_json"),
    "deep down": (http(b'{"tags": ' + b"[" * 50_000 + b"]" * 50_000 + b"}"), "not_json"),
    "not a number": (numbers("0.5, NaN"), "not_json"),
    "infinity": (numbers("0.5, -Infinity"), "not_json"),
    "a number with a comma": (numbers("0,5, 0,25,"), "not_json"),
    "empty with 204": (http(b"", "204 No Content", Content_Length=""), "status"),
    # JSON of another shape
    "an array": (http(b"[0.5, 0.25]"), "shape"),
    "a number": (http(b"0.5"), "shape"),
    "null": (http(b"null"), "shape"),
    "a text": (http(b'"not found"'), "shape"),
    "a text for a vector": (said(embedding="0.5 0.25"), "shape"),
    "base64 for a vector": (said(embedding={"dtype": "f32", "data": "AAAAPw=="}), "shape"),
    "texts in a vector": (said(embedding=["0.5", "0.25"]), "shape"),
    "a gap in a vector": (said(embedding=[0.5, None]), "shape"),
    "truths in a vector": (said(embedding=[True, False]), "shape"),
    "a matrix": (said(embedding=[[0.5, 0.25], [0.5, 0.25]]), "shape"),
    "a number beyond all": (numbers("0.5, 1e999"), "shape"),
    "a text for has_embedding": (said(has_embedding="yes"), "shape"),
    "quality above 1": (said(quality_score=87.5), "shape"),
    "quality below 0": (said(quality_score=-0.1), "shape"),
    "a text for quality": (said(quality_score="good"), "shape"),
    "a number for the label": (said(pose_category=3), "shape"),
    "a long label": (said(pose_category="x" * 129), "shape"),
    "a label that nobody sees": (said(pose_category="\u200b"), "shape"),
    "a label of two lines": (said(pose_category="side\nview"), "shape"),
    "a number for the version": (said(processor_version=3), "shape"),
    "a long version": (said(processor_version="v" * 200), "shape"),
    "yesterday": (said(captured_at="yesterday"), "shape"),
    "seconds": (said(captured_at=1_700_000_000), "shape"),
    "another image": (said(source_image_id="img_2"), "other_image"),
    "a list for its id": (said(source_image_id=[IMAGE]), "shape"),
    # no vectors
    "zeros": (said(embedding=[0.0, 0.0, 0.0]), "vector"),
    "an empty vector": (said(embedding=[]), "vector"),
    "a promise only": (said(embedding=None), "vector"),
    "a vector too long": (said(embedding=[0.5] * 4097), "vector"),
    # too much
    "100 MB announced": (http(b"{", Content_Length="100000000"), "too_large"),
    "100 MB in pieces": (Raw(b"186A0\r\n" + b" " * 100_000 + b"\r\n", head=CHUNKED, times=1000), "too_large"),
    "100 MB without a length": (Raw(b" " * 100_000, head=b"HTTP/1.0 200 OK\r\n\r\n", times=1000), "too_large"),
    "just too much": (http(b" " * (MOST_BYTES - len(insight()) + 1) + insight()), "too_large"),
    "a bomb": (http(BOMB, Content_Encoding="gzip"), "too_large"),
    "a flat bomb": (http(zlib.compress(b" " * 50_000_000), Content_Encoding="deflate"), "too_large"),
    # encodings
    "no gzip": (http(insight(), Content_Encoding="gzip"), "encoding"),
    "half a gzip": (http(gzip.compress(insight())[:-10], Content_Encoding="gzip"), "encoding"),
    "gzip twice": (http(gzip.compress(gzip.compress(insight())), Content_Encoding="gzip, gzip"), "encoding"),
    "brotli": (http(insight(), Content_Encoding="br"), "encoding"),
    "an unknown one": (http(insight(), Content_Encoding="x" * 500), "encoding"),
    # other answers
    "a redirect elsewhere": (http(b"", "302 Found", Location="http://127.0.0.1:1/"), "redirect"),
    "a redirect to itself": (http(b"", "307 Temporary Redirect", Location="/internal/insights/img_1"), "redirect"),
    "for good": (http(b"", "301 Moved Permanently", Location="https://elsewhere.example/"), "redirect"),
    "not modified": (http(b"", "304 Not Modified"), "redirect"),
    "a bad request": (http(b'{"detail": "no"}', "400 Bad Request"), "status"),
    "gone": (http(b"", "410 Gone"), "status"),
    "no such method": (http(b"", "405 Method Not Allowed"), "status"),
    "an unknown status": (http(b"", "799 What"), "status"),
    "refused": (http(b"", "401 Unauthorized"), REFUSED),
    "forbidden": (http(HTML, "403 Forbidden"), REFUSED),
    "an error": (http(HTML, "500 Internal Server Error"), UNAVAILABLE),
    "a gateway's error": (http(HTML, "502 Bad Gateway"), UNAVAILABLE),
    "too many": (http(b"", "429 Too Many Requests", Retry_After="soon"), UNAVAILABLE),
    "later": (http(b"", "503 Service Unavailable", Retry_After="Fri, 99 Foo 1999"), UNAVAILABLE),
    # no HTTP
    "noise": (Raw(bytes(range(256)) * 4), "not_http"),
    "another protocol": (Raw(b"SSH-2.0-OpenSSH_9.6\r\n"), "not_http"),
    "no head": (Raw(insight()), "not_http"),
    "a long line": (Raw(b"HTTP/1.1 200 OK\r\nX-Long: " + b"x" * 100_000 + b"\r\n\r\n"), "not_http"),
    "two lengths": (Raw(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}"), "not_http"),
    "a length below 0": (Raw(b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n{}"), "not_http"),
    "chunks of no length": (Raw(CHUNKED + b"zz\r\n{}\r\n0\r\n\r\n"), "not_http"),
    # no end
    "a length too long": (Raw(b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{}"), UNAVAILABLE),
    "half a head": (Raw(b"HTTP/1.1 200 OK\r\nContent-"), UNAVAILABLE),
    "good-bye": (Raw(b""), UNAVAILABLE),
    "silence": (Raw(b"", closes=False), UNAVAILABLE),
    "silence after the head": (Raw(b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n", closes=False), UNAVAILABLE),
    "a drip": (Raw(http(insight()).data, drips=True), UNAVAILABLE),
    "a head without end": (Raw(b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 50, drips=True), UNAVAILABLE),
    "go on, go on": (Raw(b"HTTP/1.1 100 Continue\r\n\r\n", times=1000, closes=False), UNAVAILABLE),
}

GOOD: dict[str, Raw] = {
    "whole numbers": said(embedding=[1, 2, 3]),
    "a huge number": numbers("0.5, 1e300"),
    "a tiny number": numbers("0.5, 1e-300"),
    "members that are not known": said(more={"a": [1, {"b": None}]}, tags=["furry"]),
    "an empty label": said(pose_category=""),
    "an empty version": said(processor_version=""),
    "its own id": said(source_image_id=IMAGE),
    "a time without a zone": said(captured_at="2025-10-30T12:00:00"),
    "no time, no version": said(captured_at=None, processor_version=None, species=None),
    "without has_embedding": http(b'{"embedding": [0.5, 0.25]}'),
    "gzip": http(gzip.compress(insight()), Content_Encoding="gzip"),
    "deflate": http(zlib.compress(insight()), Content_Encoding="Deflate"),
    "in pieces": Raw(CHUNKED + f"{len(insight()):x}\r\n".encode() + insight() + b"\r\n0\r\n\r\n"),
    "as text": http(insight(), Content_Type="text/plain"),
    "without a length": Raw(b"HTTP/1.0 200 OK\r\n\r\n" + insight()),
    "as much as may be": http(b" " * (MOST_BYTES - len(insight())) + insight()),
}


def listed(value: Any) -> Raw:
    return http(json.dumps({"image_ids": value}).encode())


BAD_LISTS: dict[str, tuple[Raw, str]] = {
    "a page": (http(HTML), "not_json"),
    "no member": (http(b"{}"), "shape"),
    "the ids alone": (http(b'["img_1"]'), "shape"),
    "null": (listed(None), "shape"),
    "a text": (listed("img_1,img_2"), "shape"),
    "a gap": (listed(["img_1", None]), "shape"),
    "a fraction": (listed(["img_1", 1.5]), "shape"),
    "a truth": (listed([True]), "shape"),
    "a list": (listed([["img_1"]]), "shape"),
    "an empty id": (listed(["img_1", ""]), "shape"),
    "a step": (listed([".."]), "shape"),
    "a path": (listed(["pets/1/img_1"]), "shape"),
    "a line break": (listed(["img_1\n"]), "shape"),
    "a long id": (listed(["x" * 129]), "shape"),
    "a long number": (http(b'{"image_ids": [' + b"9" * 5000 + b"]}"), "shape"),
    "too much": (listed([f"img_{at}" for at in range(50_000)]), "too_large"),
}
