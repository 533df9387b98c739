"""A PostgreSQL of the benchmark's own, as durable as it is by default; the test suite's is not."""

from __future__ import annotations

import contextlib
import os
import pathlib
import shutil
import socket
import subprocess
import tempfile
import typing as t
from collections.abc import Iterator


def programs() -> pathlib.Path | None:
    """Return the folder of the newest ``initdb`` and ``pg_ctl``; None where PostgreSQL is not installed."""
    packaged = pathlib.Path("/usr/lib/postgresql").glob("*/bin/initdb")
    found = sorted(packaged, key=lambda path: int(path.parts[4]))
    named = shutil.which("initdb")
    return found[-1].parent if found else None if named is None else pathlib.Path(named).parent


@contextlib.contextmanager
def running(programs: pathlib.Path) -> Iterator[str]:
    """Run a server from `programs`; yield the URL of its empty database. Nothing of it is left behind."""
    # The server refuses to run as root.
    prefix = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []
    folder = pathlib.Path(tempfile.mkdtemp(prefix="ticketminer-benchmark-"))
    if prefix:
        shutil.chown(folder, "postgres")
    quiet: dict[str, t.Any] = {
        "check": True,
        "cwd": "/",
        "stdout": subprocess.DEVNULL,
        "stderr": subprocess.DEVNULL,
    }
    control = [*prefix, str(programs / "pg_ctl"), "-D", str(folder / "data"), "-w"]
    initialise = ["-A", "trust", "-U", "benchmark", "-E", "UTF8", "--locale=C"]
    try:
        subprocess.run([*prefix, str(programs / "initdb"), "-D", str(folder / "data"), *initialise], **quiet)
        port = free_port()
        settings = f"-c port={port} -c listen_addresses=127.0.0.1 -c unix_socket_directories=''"
        subprocess.run([*control, "-l", str(folder / "log"), "-o", settings, "start"], **quiet)
        try:
            yield f"postgresql+psycopg://benchmark@127.0.0.1:{port}/postgres"
        finally:
            subprocess.run([*control, "-m", "immediate", "stop"], **quiet)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def free_port() -> int:
    """Return a port of 127.0.0.1 on which nobody listens now."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])
