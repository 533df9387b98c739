"""One real MariaDB server for a test session, on loopback, thrown away afterwards."""

from __future__ import annotations

import contextlib
import getpass
import itertools
import os
import pathlib
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass

import pymysql
from postgres import free_port

_names = itertools.count(1)

_OPTIONS = (
    # Nothing here outlives the session, so nothing is forced to disk.
    "--innodb-flush-log-at-trx-commit=0",
    "--skip-sync-frm",
    "--innodb-doublewrite=0",
    "--innodb-buffer-pool-size=64M",
    "--innodb-log-file-size=32M",
    "--performance-schema=OFF",
    "--skip-log-bin",
    "--skip-name-resolve",
    "--max-connections=400",
    # Defaults that servers still have, or will: lax, one byte a character, strict about snapshots.
    "--sql-mode=",
    "--character-set-server=latin1",
    "--transaction-isolation=REPEATABLE-READ",
    "--loose-innodb-snapshot-isolation=ON",
)


_PROVIDER = pathlib.Path("/usr/lib/galera/libgalera_smm.so")


_LEAVE = {
    "cut": "SET GLOBAL wsrep_cluster_address = ''",
    "draining": "SET GLOBAL wsrep_reject_queries = ALL",
}


@dataclass(frozen=True)
class Programs:
    """Where the server's programs are, and the library that makes it a node of Galera."""

    install: str
    server: str
    galera: pathlib.Path | None


def programs() -> Programs | None:
    """Return the installed server's programs, or None."""
    places = "/usr/bin:/usr/sbin:/usr/local/bin:/usr/local/sbin"
    install = shutil.which("mariadb-install-db") or shutil.which("mariadb-install-db", path=places)
    server = shutil.which("mariadbd") or shutil.which("mariadbd", path=places)
    if not install or not server:
        return None
    return Programs(install, server, _PROVIDER if _PROVIDER.exists() else None)


class MariaDB:
    """A running server; :meth:`new_database` makes an empty database in it."""

    def __init__(self, port: int) -> None:
        self.port = port

    def url(self, database: str) -> str:
        return f"mariadb+pymysql://root@127.0.0.1:{self.port}/{database}"

    def connect(self) -> pymysql.Connection:
        return pymysql.connect(host="127.0.0.1", port=self.port, user="root", autocommit=True)

    def execute(self, statement: str) -> None:
        with contextlib.closing(self.connect()) as connection:
            connection.cursor().execute(statement)

    def new_database(self, name: str | None = None) -> str:
        """Return the SQLAlchemy URL of a new, empty database."""
        name = name or f"test_{next(_names)}"
        self.execute(f"CREATE DATABASE {name}")
        return self.url(name)

    def leave(self, how: str) -> None:
        """Stop serving: ``cut`` off from the cluster, open connections end; ``draining``, they stay and refuse with error 1047."""
        self.execute(_LEAVE[how])

    def rejoin(self) -> None:
        """Serve again, however it was stopped."""
        self.execute("SET GLOBAL wsrep_reject_queries = NONE")
        self.execute("SET GLOBAL wsrep_cluster_address = 'gcomm://'")


@contextlib.contextmanager
def running(found: Programs, *, galera: bool = False) -> Iterator[MariaDB]:
    """Run a server as the user who runs the tests, root included; with `galera`, as a cluster of one node."""
    user = getpass.getuser()
    folder = pathlib.Path(tempfile.mkdtemp(prefix="ticketminer-mariadb-", dir=_memory()))
    data, port = folder / "data", free_port()
    try:
        subprocess.run(
            [
                found.install,
                "--no-defaults",
                f"--datadir={data}",
                f"--user={user}",
                "--auth-root-authentication-method=normal",
                "--skip-test-db",
            ],
            check=True,
            capture_output=True,
        )
        places = [
            f"--datadir={data}",
            f"--socket={folder}/socket",
            f"--pid-file={folder}/pid",
            f"--port={port}",
        ]
        options = [*_OPTIONS, *(_cluster(found) if galera else [])]
        with (folder / "log").open("wb") as log:
            process = subprocess.Popen(
                [
                    found.server,
                    "--no-defaults",
                    f"--user={user}",
                    "--bind-address=127.0.0.1",
                    *places,
                    *options,
                ],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        try:
            server = MariaDB(port)
            _wait_for(server, process, folder / "log")
            yield server
        finally:
            process.kill()
            process.wait()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _memory() -> str | None:
    """Return a folder in memory, if it has room: making a table waits for the disk eight times."""
    shared = "/dev/shm"
    return shared if os.access(shared, os.W_OK) and shutil.disk_usage(shared).free > 2**30 else None


def _cluster(found: Programs) -> list[str]:
    traffic = free_port()
    return [
        "--binlog-format=ROW",
        "--innodb-autoinc-lock-mode=2",
        "--wsrep-on=ON",
        f"--wsrep-provider={found.galera}",
        "--wsrep-cluster-address=gcomm://",
        "--wsrep-new-cluster",
        f"--wsrep-node-address=127.0.0.1:{traffic}",
        f"--wsrep-provider-options=gmcast.listen_addr=tcp://127.0.0.1:{traffic};gcache.size=16M",
    ]


def _wait_for(server: MariaDB, process: subprocess.Popen[bytes], log: pathlib.Path) -> None:
    until = time.monotonic() + 60
    while True:
        try:
            server.connect().close()
        except pymysql.err.OperationalError:
            if process.poll() is not None or time.monotonic() > until:
                raise RuntimeError(f"MariaDB did not start:\n{log.read_text()[-2000:]}") from None
            time.sleep(0.05)
        else:
            return
