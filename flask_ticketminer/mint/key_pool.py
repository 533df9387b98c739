"""RSA keys shared by all applications under test in one process, so that their tests take milliseconds.

Keys known to several applications protect nothing: only tests and ``flask_ticketminer.testing`` use this.
"""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from flask_ticketminer.forks import Shared
from flask_ticketminer.mint.keys import generate_rsa


class _Pool(Shared):
    def __init__(self) -> None:
        self._keys: list[RSAPrivateKey] = []
        super().__init__()

    def _begin_process(self) -> None:
        self._lock = threading.Lock()

    def key(self, position: int) -> RSAPrivateKey:
        with self._lock:
            while len(self._keys) <= position:
                self._keys.append(generate_rsa())
            return self._keys[position]


_pool = _Pool()


def pooled_keys() -> Callable[[], RSAPrivateKey]:
    """Return a `generate` for one :class:`~flask_ticketminer.mint.keys.KeyRing`: the pool's keys in order, then new ones."""
    positions = itertools.count()
    return lambda: _pool.key(next(positions))
