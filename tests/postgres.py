"""One real PostgreSQL server for a test session, on loopback, thrown away afterwards."""

from __future__ import annotations

import contextlib
import getpass
import glob
import itertools
import os
import pathlib
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator, Sequence

import psycopg

_names = itertools.count(1)


def programs() -> pathlib.Path | None:
    """Return the folder of the newest installed server's programs, or None."""
    found = glob.glob("/usr/lib/postgresql/*/bin/initdb") + glob.glob("/usr/pgsql-*/bin/initdb")
    if found:
        return pathlib.Path(
            max(found, key=lambda path: [int(n) for n in path.split("/") if n.isdigit()])
        ).parent
    initdb = shutil.which("initdb")
    return None if initdb is None else pathlib.Path(initdb).parent


class Postgres:
    """A running server; :meth:`new_database` makes an empty database in it.

    :param control: the command that starts and stops it, `starting` what else it needs to start.
    """

    def __init__(
        self,
        port: int,
        user: str,
        control: Sequence[str | pathlib.Path],
        starting: Sequence[str | pathlib.Path],
    ) -> None:
        self.port = port
        self.user = user
        self._control = control
        self._starting = starting

    def start(self) -> None:
        self._run(*self._starting, "start")

    def stop(self) -> None:
        """End every session and stop, at once."""
        self._run("-m", "immediate", "stop")

    def _run(self, *words: str | pathlib.Path) -> None:
        subprocess.run([*self._control, *words], check=True, stdout=subprocess.DEVNULL, cwd="/")

    def url(self, database: str, scheme: str = "postgresql+psycopg") -> str:
        return f"{scheme}://{self.user}@127.0.0.1:{self.port}/{database}"

    def new_database(self) -> str:
        """Return the SQLAlchemy URL of a new, empty database."""
        name = f"test_{next(_names)}"
        with psycopg.connect(self.url("postgres", "postgresql"), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}")
        return self.url(name)


@contextlib.contextmanager
def running(bin_dir: pathlib.Path) -> Iterator[Postgres]:
    """Run a server; as root it runs as the user ``postgres``, because PostgreSQL refuses root."""
    root = os.geteuid() == 0
    user = "postgres" if root else getpass.getuser()
    prefix = ["runuser", "-u", "postgres", "--"] if root else []
    folder = pathlib.Path(tempfile.mkdtemp(prefix="ticketminer-postgres-"))
    if root:
        shutil.chown(folder, "postgres")
    data, port = folder / "data", free_port()
    try:
        subprocess.run(
            [
                *prefix,
                bin_dir / "initdb",
                "-D",
                data,
                "-A",
                "trust",
                "-U",
                user,
                "-E",
                "UTF8",
                "--locale=C",
                "-N",
            ],
            check=True,
            capture_output=True,
            cwd="/",
        )
        options = f"-c port={port} -c listen_addresses=127.0.0.1 -c unix_socket_directories='' -c fsync=off -c max_connections=200"
        control = [*prefix, bin_dir / "pg_ctl", "-D", data, "-w", "-t", "60"]
        server = Postgres(port, user, control, ["-l", folder / "log", "-o", options])
        server.start()
        try:
            yield server
        finally:
            server.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])
