"""Refuses the network to a Python process and to every Python process that it starts.

Python imports a module of this name by itself when its folder is on ``PYTHONPATH``, where ``Testing/conftest.py`` puts
it for all tests. What was refused is added to the file that ``MMGL_REFUSED`` names, as whoever asked may have kept
quiet about it. ``MMGL_NETWORK`` lets it through: several processes that train together must talk to each other.
"""

import os
import sys

EVENTS = {
    "socket.bind",
    "socket.connect",
    "socket.getaddrinfo",
    "socket.gethostbyaddr",
    "socket.gethostbyname",
    "socket.sendto",
}
"""What Python tells before it listens, calls or asks for an address (``sys.audit``)."""


def refuse(event, arguments):
    """Raise where the network would be used."""
    if event not in EVENTS or os.environ.get("MMGL_NETWORK"):
        return
    words = f"{event} {arguments[1:]!r:.200}"
    if os.environ.get("MMGL_REFUSED"):
        with open(os.environ["MMGL_REFUSED"], "a", encoding="utf-8") as file:
            file.write(f"{words} in {' '.join(sys.argv):.200}\n")
    raise RuntimeError(f"the network was used: {words}")


sys.addaudithook(refuse)
