"""A command to a redis-server without a client of ours."""

import socket
from pathlib import Path


def ask(path: Path, command: str) -> str:
    """The raw reply to an inline command."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(5)
        connection.connect(str(path))
        connection.sendall(command.encode() + b"\r\n")
        return connection.recv(4096).decode()
