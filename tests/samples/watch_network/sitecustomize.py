"""Writes every attempt to reach a network into a file; loaded by every Python of a test that looks for them."""

import os
import socket
import sys
from pathlib import Path


def _look(event, arguments):
    if event in ("socket.getaddrinfo", "socket.gethostbyname"):
        said = repr(arguments[0])
    elif event in ("socket.connect", "socket.sendto"):
        address = arguments[1]
        if not isinstance(address, tuple) or arguments[0].family not in (socket.AF_INET, socket.AF_INET6):
            return
        said = repr(address)
    else:
        return
    with Path(os.environ["NETWORK_SEEN"]).open("a") as out:
        out.write(f"{event} {said} {sys.argv[:3]}\n")


if "NETWORK_SEEN" in os.environ:
    sys.addaudithook(_look)
