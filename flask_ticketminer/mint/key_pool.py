"""RSA keys shared by all applications under test in one process, so that their tests take milliseconds.

Keys known to several applications protect nothing: only tests and ``flask_ticketminer.testing`` use this.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from flask_ticketminer.mint.keys import generate_rsa

_keys: list[RSAPrivateKey] = []
_lock = threading.Lock()


def pooled_keys() -> Callable[[], RSAPrivateKey]:
    """Return a `generate` for one :class:`~flask_ticketminer.mint.keys.KeyRing`: the pool's keys in order, then new ones."""
    source = _walk()
    turn = threading.Lock()

    def generate() -> RSAPrivateKey:
        with turn:
            return next(source)

    return generate


def _walk() -> Iterator[RSAPrivateKey]:
    position = 0
    while True:
        with _lock:
            if position == len(_keys):
                _keys.append(generate_rsa())
            key = _keys[position]
        yield key
        position += 1
