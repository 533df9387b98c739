"""What takes turns when kernels are compared: a native path on one thread or two, and a module in Node."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import threading
import time
import typing as t
from collections.abc import Iterator, Sequence
from pathlib import Path

from benchmarks.subjects import Subject

PAGE = Path(__file__).parent / "page.mjs"


class Contestant(t.Protocol):
    """Anything that hashes at a rate."""

    def run(self, seconds: float) -> float:
        """Hash for `seconds` and return the hashes a second."""

    def close(self) -> None:
        """Give back what is held between two runs."""


class Native:
    """One path on the thread that calls, through the same `scan` that a miner uses."""

    def __init__(self, subject: Subject, path: str) -> None:
        self._subject, self._path = subject, path

    def run(self, seconds: float) -> float:
        began = time.perf_counter()
        hashes = self._hash(began + seconds)
        return hashes / (time.perf_counter() - began)

    def close(self) -> None:
        """Nothing is held."""

    def _hash(self, until: float) -> int:
        subject = self._subject
        return subject.algorithm.scan(
            subject.blob,
            0,  # which no digest meets
            count=1 << 8 * subject.nonce_size,
            nonce_offset=subject.nonce_offset,
            nonce_size=subject.nonce_size,
            implementation=self._path,
            stop=lambda: time.perf_counter() >= until,
        ).hashes


class TwoThreads(Native):
    """The same on two threads, each on a core of its own."""

    def __init__(self, subject: Subject, path: str, cores: Sequence[int]) -> None:
        super().__init__(subject, path)
        self._cores = cores

    def run(self, seconds: float) -> float:
        hashes = [0, 0]
        together = threading.Barrier(3)
        clock: list[float] = []

        def work(index: int) -> None:
            with pinned(self._cores[index]):
                together.wait()
                hashes[index] = self._hash(clock[0] + seconds)

        threads = [threading.Thread(target=work, args=(index,)) for index in (0, 1)]
        for thread in threads:
            thread.start()
        clock.append(time.perf_counter())
        together.wait()
        for thread in threads:
            thread.join()
        return sum(hashes) / (time.perf_counter() - clock[0])


class Page:
    """A WebAssembly module in a Node of its own, which waits between two runs."""

    def __init__(self, node: str, subject: Subject, module: Path) -> None:
        blob = (len(subject.blob), subject.nonce_offset, subject.nonce_size)
        work = (subject.batch, *blob, *(subject.cache or ()))
        self._process = subprocess.Popen(
            [node, str(PAGE), str(module), *map(str, work)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def run(self, seconds: float) -> float:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.write(f"{seconds}\n")
            self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"Node ended with status {self._process.wait()}; what it said stands above.")
        answer = json.loads(line)
        return float(answer["hashes"] / answer["seconds"])

    def close(self) -> None:
        self._process.kill()
        self._process.communicate()


def cores() -> list[int]:
    """Return the numbers of the cores that this process may use; none where the system does not tell."""
    return sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []


@contextlib.contextmanager
def pinned(core: int | None) -> Iterator[None]:
    """Keep this thread, and what it starts, on `core`."""
    if core is None:
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {core})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)
