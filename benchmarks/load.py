"""The load: a process that sends requests over a few connections at a time and keeps the time of each.

It talks with the benchmark in pickled lines: a port and a list of requests come in; what each took, in seconds, and the time of
all of them go out.
"""

from __future__ import annotations

import pickle
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Sequence

CONNECTIONS = 4
"""Requests under way at a time: enough that the worker never waits for the load."""


class Load:
    """A running load process."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.load"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )

    def send(self, port: int, requests: Sequence[bytes]) -> tuple[float, list[float]]:
        """Send `requests` to 127.0.0.1:`port`; return the seconds that all took, and each.

        :raises RuntimeError: an answer was not 2xx.
        """
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        pickle.dump((port, list(requests)), self._process.stdin)
        self._process.stdin.flush()
        outcome = pickle.load(self._process.stdout)
        if isinstance(outcome, str):
            raise RuntimeError(f"the site answered a request of the benchmark with: {outcome}")
        seconds, each = outcome
        return seconds, each

    def stop(self) -> None:
        self._process.kill()
        self._process.wait()


def _exchange(port: int, request: bytes) -> bytes:
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.sendall(request)
        parts = []
        while part := connection.recv(65536):  # the worker closes the connection after its answer
            parts.append(part)
    return b"".join(parts)


def _run(port: int, requests: list[bytes]) -> tuple[float, list[float]] | str:
    waiting = iter(requests)
    times: list[float] = []
    refused: list[str] = []
    taking = threading.Lock()

    def work() -> None:
        while not refused:
            with taking:
                request = next(waiting, None)
            if request is None:
                return
            began = time.perf_counter()
            answer = _exchange(port, request)
            times.append(time.perf_counter() - began)
            if not answer.startswith(b"HTTP/1.1 2"):
                refused.append(answer.decode("latin-1")[:2000])

    threads = [threading.Thread(target=work) for _ in range(CONNECTIONS)]
    began = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    seconds = time.perf_counter() - began
    return refused[0] if refused else (seconds, times)


def main() -> None:
    while True:
        try:
            port, requests = pickle.load(sys.stdin.buffer)
        except EOFError:
            return
        pickle.dump(_run(port, requests), sys.stdout.buffer)
        sys.stdout.buffer.flush()


if __name__ == "__main__":
    main()
