"""The npm package ``foundation-stratum``, a Stratum pool that nobody here wrote, in front of a test's litecoind."""

from __future__ import annotations

import contextlib
import json
import pathlib
import shutil
import subprocess
import threading
import time
import typing as t
from collections.abc import Callable

from litecoin import PASSWORD, USER, Litecoind, free_port

FOLDER = pathlib.Path(__file__).parent / "pool"
BUILT = FOLDER / "node_modules" / "foundation-multi-hashing" / "build" / "Release" / "multihashing.node"
PATIENCE = 60.0

Event = dict[str, t.Any]


def absent() -> str | None:
    """Return what is missing to run it and how to get that; None when all is here."""
    if shutil.which("litecoind") is None:
        return "needs litecoind: apt-get install litecoind"
    if shutil.which("node") is None:
        return "needs Node 20 or later and npm: apt-get install nodejs npm"
    if not BUILT.is_file():
        return (
            "needs foundation-stratum: apt-get install npm g++ make libsodium-dev libboost-dev libboost-system-dev, "
            "then make test installs it, or: make tests/pool/node_modules/.installed"
        )
    return None


class FoundationPool:
    """A pool with one port, at a difficulty that stays as it is, in a process of its own.

    :param difficulty: of a share, as scrypt pools count: 0.005 is 328 expected hashes.
    :param worker: the only name that may log in; None: everybody.
    """

    def __init__(self, node: Litecoind, difficulty: float = 0.005, *, worker: str | None = None) -> None:
        self.port = free_port()
        options: dict[str, object] = {
            "port": self.port,
            "difficulty": difficulty,
            "node": node.port,
            "user": USER,
            "password": PASSWORD,
            "address": node.address,
        }
        if worker is not None:
            options["worker"] = worker
        self._events: list[Event] = []
        self._more = threading.Condition()
        self._process = subprocess.Popen(
            ["node", "pool.js", *(f"--{name}={value}" for name, value in options.items())],
            cwd=FOLDER,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        try:
            self._wait(lambda: self._of("ready"))
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> t.Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def shares(self, count: int = 0) -> list[Event]:
        """Return all shares that the pool has judged, once there are `count`.

        Each has `worker`, `job`, `difficulty` (asked for), `shareDiff` (reached; None where it was not hashed), `valid`, `reason`.
        """
        return self._wait(lambda: found if len(found := self._of("share")) >= count else [], count)

    def blocks(self, count: int = 0) -> list[Event]:
        """Return all blocks that the pool gave to the node, once there are `count`: `height`, `hash`, `accepted`."""
        return self._wait(lambda: found if len(found := self._of("block")) >= count else [], count)

    def close(self) -> None:
        """End the process, and wait for it."""
        assert self._process.stdin is not None
        with contextlib.suppress(OSError):
            self._process.stdin.close()
        self._process.wait(PATIENCE)
        self._reader.join(PATIENCE)
        assert self._process.stdout is not None
        self._process.stdout.close()

    def _of(self, kind: str) -> list[Event]:
        return [event for event in self._events if event["event"] == kind]

    def _wait(self, found: Callable[[], list[Event]], count: int = 1) -> list[Event]:
        deadline = time.monotonic() + PATIENCE
        with self._more:
            while count and not found():
                assert self._reader.is_alive(), f"the pool has ended: {self._events}"
                assert time.monotonic() < deadline, f"the pool said only {self._events}"
                self._more.wait(1)
            return found()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            with self._more:
                try:
                    self._events.append(json.loads(line))
                except ValueError:
                    self._events.append({"event": "log", "severity": "error", "text": line})
                self._more.notify_all()
