"""Bytes on a socket that are no HTTP, or only nearly."""

TOKEN = "0123456789abcdef-test"
HOST = b"Host: x\r\n"
AUTH = b"X-Internal-Token: " + TOKEN.encode() + b"\r\n"
POST = b"POST /internal/cluster-jobs HTTP/1.1\r\n" + HOST + AUTH
GET = b"GET /internal/pets/pet_123/clusters HTTP/1.1\r\n" + HOST + AUTH

MALFORMED = {
    "two different lengths": POST + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\n{}   ",
    "a length and chunks": POST + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "chunks and a length": POST + b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
    "chunked, not last": POST + b"Transfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n",
    "a negative length": POST + b"Content-Length: -5\r\n\r\n",
    "a length with a sign": POST + b"Content-Length: +5\r\n\r\nabcde",
    "a length that is no number": POST + b"Content-Length: five\r\n\r\n",
    "a length beyond all numbers": POST + b"Content-Length: " + b"9" * 40 + b"\r\n\r\n",
    "no host": b"GET /healthz HTTP/1.1\r\n\r\n",
    "two hosts": b"GET /healthz HTTP/1.1\r\n" + HOST + HOST + b"\r\n",
    "20,000 headers": GET + b"X: y\r\n" * 20_000 + b"\r\n",
    "a header without a colon": GET + b"nonsense\r\n\r\n",
    "a header with a blank in its name": GET + b"X y: z\r\n\r\n",
    "a header with NUL": GET + b"X: a\x00b\r\n\r\n",
    "a folded header": GET + b"X: a\r\n b\r\n\r\n",
    "a bare line feed": b"GET /healthz HTTP/1.1\nHost: x\n\n",
    "a version of tomorrow": b"GET /healthz HTTP/9.9\r\n" + HOST + b"\r\n",
    "an unknown method": b"EAT /healthz HTTP/1.1\r\n" + HOST + b"\r\n",
    "a method in lower case": b"get /healthz HTTP/1.1\r\n" + HOST + b"\r\n",
    "TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(64),
    "HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "garbage": bytes(range(256)) * 8,
    "a Redis client": b"*1\r\n$4\r\nPING\r\n",
}


BADLY_FRAMED = {
    "a chunk size that is no number": b"zz\r\n{}\r\n0\r\n\r\n",
    "a chunk longer than it says": b"2\r\n{}{}\r\n0\r\n\r\n",
    "a chunk size beyond all numbers": b"f" * 40 + b"\r\n{}\r\n0\r\n\r\n",
}

OVERSIZED = {
    "value": GET + b"X: " + b"y" * 9000 + b"\r\n\r\n",
    "name": GET + b"y" * 9000 + b": x\r\n\r\n",
    "request line": b"GET /healthz?" + b"y" * 9000 + b" HTTP/1.1\r\n" + HOST + b"\r\n",
}
