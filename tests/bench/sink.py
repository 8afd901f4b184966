"""`python -m tests.bench.sink`: takes whatever is posted, reads nothing of it, and answers 200. It costs the machine as
little as one on another would.

Prints its port; ends when it is terminated.
"""

import re
import socket
import sys
import threading
from typing import Final

_LENGTH: Final = re.compile(rb"(?i)\r\ncontent-length: *(\d+)")
_ANSWER: Final = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
_END: Final = b"\r\n\r\n"


def _serve(connection: socket.socket) -> None:
    head = b""
    while received := connection.recv(2**14):
        head += received
        while _END in head:
            begun, _, rest = head.partition(_END)
            length = _LENGTH.search(begun)
            _drop(connection, int(length[1]) - len(rest) if length else 0)
            connection.sendall(_ANSWER)
            head = b""


def _drop(connection: socket.socket, left: int) -> None:
    """Without copying it out of the kernel."""
    place = bytearray(2**20)
    while left > 0:
        left -= connection.recv_into(place, min(left, len(place)), socket.MSG_TRUNC)


if __name__ == "__main__":
    listening = socket.create_server(("127.0.0.1", 0))
    sys.stdout.write(f"{listening.getsockname()[1]}\n")
    sys.stdout.flush()
    while True:
        threading.Thread(target=_serve, args=(listening.accept()[0],), daemon=True).start()
