"""How a producer finds a pet's stream, in four languages: CRC-32 of the id, modulo the number of streams."""

import json
from collections.abc import Sequence
from typing import Final

_PYTHON: Final = """import zlib

STREAMS = [
    %s,
]


def stream_of(pet_id: str) -> str:
    return STREAMS[zlib.crc32(pet_id.encode()) %% len(STREAMS)]
"""
_GO: Final = """// import "hash/crc32"

var streams = []string{
	%s,
}

func streamOf(petID string) string {
	return streams[crc32.ChecksumIEEE([]byte(petID))%%uint32(len(streams))]
}
"""
_JAVASCRIPT: Final = """const streams = [
  %s,
];

function crc32(bytes) {
  let crc = ~0;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (0xedb88320 & -(crc & 1));
  }
  return ~crc >>> 0;
}

function streamOf(petId) {
  return streams[crc32(new TextEncoder().encode(petId)) %% streams.length];
}
"""
_JAVA: Final = """static final String[] STREAMS = {
    %s,
};

static String streamOf(String petId) {
    var crc = new java.util.zip.CRC32();
    crc.update(petId.getBytes(java.nio.charset.StandardCharsets.UTF_8));
    return STREAMS[(int) (crc.getValue() %% STREAMS.length)];
}
"""
_TEMPLATES: Final = {
    "python": (_PYTHON, "    "),
    "go": (_GO, "\t"),
    "javascript": (_JAVASCRIPT, "  "),
    "java": (_JAVA, "    "),
}


def code(language: str, streams: Sequence[str]) -> str:
    """The text of a function in that language. Raises KeyError for another one."""
    template, indent = _TEMPLATES[language]
    return template % f",\n{indent}".join(map(json.dumps, streams))
