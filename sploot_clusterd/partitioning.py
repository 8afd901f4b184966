"""Which partition a pet belongs to, and the hash tags that give each partition a slot of its own."""

import binascii
import zlib
from typing import Final

MOST_PARTITIONS: Final = 256
SLOTS: Final = 16_384
"""Of a Redis Cluster."""

TAGS: Final = (  # noqa: SIM905 - a table of words
    "460 16 461 17 201 177 200 176 131 247 130 246 50 426 51 427 113 265 112 264 72 218 73 219 3 34 2 35 223 49 222 "
    "48 274 102 275 103 209 63 208 62 25 453 24 452 58 232 59 233 346 471 347 470 166 210 167 211 256 120 257 121 437 "
    "41 436 40 278 12 279 13 205 173 204 172 29 243 28 242 54 422 55 423 117 261 116 260 76 400 77 401 7 30 6 31 227 "
    "151 226 150 270 106 271 107 411 67 410 66 21 457 20 456 140 236 141 237 342 269 343 268 162 214 163 215 252 38 "
    "253 39 433 45 432 44 14 462 15 463 69 203 68 202 245 133 244 132 238 52 239 53 267 111 266 110 406 70 407 71 36 "
    "1 37 0 157 221 156 220 100 276 101 277 61 417 60 416 451 27 450 26 230 146 231 147 473 119 472 118 212 78 213 79 "
    "122 9 123 8 43 229 42 228 10 466 11 467 171 207 170 206 241 137 240 136 420 56 421 57 263 115 262 114 402 74 403 "
    "75 32 5 33 4 153 225 152 224 18 272 19 273 65 413 64 412 249 23 248 22 234 142 235 143 477 340 476 341 216 160 "
    "217 161 126 250 127 251 47 431 46 430"
).split()
"""By partition: the text between the braces. Slots follow the sequence of van der Corput (1935): the first 2, 4, 8 and
so on lie evenly in the range of slots, and a partition keeps its tag whatever the count.
"""


def partition_of(pet_id: str, count: int) -> int:
    """CRC-32 (ISO 3309, as in zlib and PNG) of the id in UTF-8, modulo the count. Never to change: jobs rely on it."""
    return zlib.crc32(pet_id.encode()) % count


def tag_of(partition: int) -> str:
    """What each of the partition's keys begins with."""
    return f"{{{TAGS[partition]}}}:"


def slot_of(key: str) -> int:
    """The key's slot in a Redis Cluster: CRC-16 (XMODEM) of its first text in braces, or else of all of it."""
    begin = key.find("{")
    end = key.find("}", begin + 1)
    hashed = key[begin + 1 : end] if begin >= 0 and end > begin + 1 else key
    return binascii.crc_hqx(hashed.encode(), 0) % SLOTS
