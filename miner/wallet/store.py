"""The wallet's file: one SQLite database that several processes may share, and what its failures mean."""

from __future__ import annotations

import contextlib
import errno
import os
import sqlite3
import threading
import typing as t
from pathlib import Path

from miner.errors import WalletBusy, WalletDamaged, WalletError, WalletFull, WalletTooNew

SCHEMA_VERSION = 1
APPLICATION_ID = 0x544D5731
"""``TMW1``, in the header of the file."""
BUSY_SECONDS = 10.0

_SCHEMA = """
CREATE TABLE secrets (name TEXT PRIMARY KEY, value BLOB NOT NULL);
CREATE TABLE settings (name TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE sites (
    origin TEXT PRIMARY KEY, site_name TEXT NOT NULL, service_path TEXT NOT NULL, service TEXT,
    origins TEXT NOT NULL, seed BLOB, added INTEGER NOT NULL);
CREATE TABLE ticket_keys (
    origin TEXT NOT NULL, key_id BLOB NOT NULL, value INTEGER NOT NULL, not_before INTEGER NOT NULL,
    issue_until INTEGER NOT NULL, redeem_until INTEGER NOT NULL, issuer_name TEXT NOT NULL, spki BLOB NOT NULL,
    PRIMARY KEY (origin, key_id), UNIQUE (origin, value, not_before));
CREATE TABLE counters (
    seed_id BLOB NOT NULL, key_id BLOB NOT NULL, next INTEGER NOT NULL, signed INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (seed_id, key_id));
CREATE TABLE requests (
    id INTEGER PRIMARY KEY AUTOINCREMENT, kind TEXT NOT NULL, origin TEXT NOT NULL, url TEXT NOT NULL,
    body BLOB NOT NULL, amount INTEGER NOT NULL, resource TEXT, label TEXT NOT NULL, state TEXT NOT NULL,
    cause TEXT, created INTEGER NOT NULL, finished INTEGER);
CREATE INDEX requests_open ON requests (state, origin);
CREATE TABLE outputs (
    id INTEGER PRIMARY KEY, request INTEGER, position INTEGER NOT NULL, origin TEXT NOT NULL,
    seed_id BLOB NOT NULL, key_id BLOB NOT NULL, counter INTEGER NOT NULL, nonce BLOB NOT NULL,
    inverse BLOB NOT NULL, blinded BLOB NOT NULL, UNIQUE (seed_id, key_id, counter));
CREATE INDEX outputs_request ON outputs (request);
CREATE TABLE tickets (
    key_id BLOB NOT NULL, nonce BLOB NOT NULL, origin TEXT NOT NULL, value INTEGER NOT NULL,
    redeem_until INTEGER NOT NULL, token BLOB NOT NULL, state TEXT NOT NULL, request INTEGER, source INTEGER,
    PRIMARY KEY (key_id, nonce));
CREATE INDEX tickets_origin ON tickets (origin, state);
CREATE INDEX tickets_request ON tickets (request);
CREATE TABLE passes (
    id INTEGER PRIMARY KEY, origin TEXT NOT NULL, resource TEXT NOT NULL, scope TEXT, token TEXT NOT NULL,
    expires INTEGER, single_use INTEGER NOT NULL, UNIQUE (origin, token));
CREATE TABLE history (
    id INTEGER PRIMARY KEY, at INTEGER NOT NULL, origin TEXT NOT NULL, kind TEXT NOT NULL, amount INTEGER NOT NULL,
    detail TEXT NOT NULL);
CREATE TABLE runs (
    id INTEGER PRIMARY KEY, origin TEXT NOT NULL, algorithm TEXT NOT NULL, donation INTEGER NOT NULL,
    state TEXT NOT NULL, started INTEGER NOT NULL, updated INTEGER NOT NULL, hashes INTEGER NOT NULL DEFAULT 0,
    seconds INTEGER NOT NULL DEFAULT 0, accepted INTEGER NOT NULL DEFAULT 0, refused INTEGER NOT NULL DEFAULT 0,
    tickets INTEGER NOT NULL DEFAULT 0);
"""


def default_path() -> Path:
    """Return ``$XDG_DATA_HOME/ticketminer/wallet.sqlite``, else the same under ``~/.local/share``."""
    base = os.environ.get("XDG_DATA_HOME", "")
    # The XDG specification ignores relative paths.
    root = Path(base) if base.startswith("/") else Path.home() / ".local" / "share"
    return root / "ticketminer" / "wallet.sqlite"


class Store:
    """The open file. All writes go through :meth:`write`, one transaction each.

    :raises WalletDamaged, WalletTooNew, WalletFull, WalletBusy: from every method.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.RLock()
        with self._explained():
            _make_private(path)
            self._connection = sqlite3.connect(
                path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False
            )
        try:
            with self._explained():
                self._prepare()
        except BaseException:
            self._connection.close()
            raise

    def close(self) -> None:
        with self._lock:
            self._connection.close()

    @contextlib.contextmanager
    def write(self) -> t.Iterator[sqlite3.Connection]:
        """Begin a transaction, commit it durably at the end, undo it on any exception."""
        with self._lock, self._explained():
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield self._connection
                self._connection.execute("COMMIT")
            except BaseException:
                # SQLite has already rolled back after a full disk or an I/O error.
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                raise

    @contextlib.contextmanager
    def read(self) -> t.Iterator[sqlite3.Connection]:
        """Begin a reading transaction: one consistent view, which waits for no writer."""
        with self._lock, self._explained():
            self._connection.execute("BEGIN")
            try:
                yield self._connection
            finally:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")

    def rows(self, statement: str, *values: t.Any) -> list[sqlite3.Row]:
        """Return all rows of one reading statement."""
        with self._lock, self._explained():
            return self._connection.execute(statement, values).fetchall()

    def _prepare(self) -> None:
        connection = self._connection
        connection.row_factory = sqlite3.Row
        # Reading the header first keeps a foreign or newer file exactly as it is.
        application, version = self._identity()
        if (application, version) not in ((0, 0), (APPLICATION_ID, SCHEMA_VERSION)):
            if application == APPLICATION_ID and version > SCHEMA_VERSION:
                raise WalletTooNew(
                    f"{self.path} was written by a later version (format {version}, this program knows "
                    f"{SCHEMA_VERSION}). Update this program; the file was not touched."
                )
            raise WalletDamaged(self._damage("it is another program's database"))
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA secure_delete = ON")
        with self.write():
            if self._identity() == (0, 0):
                if connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0]:
                    raise WalletDamaged(self._damage("it is another program's database"))
                for statement in _SCHEMA.split(";"):
                    connection.execute(statement)
                connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
                connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
        if connection.execute("PRAGMA quick_check(1)").fetchone()[0] != "ok":
            raise WalletDamaged(self._damage("its pages are inconsistent"))

    def _identity(self) -> tuple[int, int]:
        application = self._connection.execute("PRAGMA application_id").fetchone()[0]
        return application, self._connection.execute("PRAGMA user_version").fetchone()[0]

    @contextlib.contextmanager
    def _explained(self) -> t.Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            explained = self._explain(error)
            if explained is None:
                raise
            raise explained from error
        except OSError as error:
            if error.errno == errno.ENOSPC:
                raise self._full() from error
            raise WalletError(
                f"The wallet {self.path} cannot be opened ({error.strerror}). Choose another place with --wallet, or set "
                "XDG_DATA_HOME."
            ) from error

    def _explain(self, error: sqlite3.Error) -> WalletError | None:
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        if code == sqlite3.SQLITE_FULL:
            return self._full()
        if code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
            return WalletDamaged(self._damage(str(error)))
        if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
            return WalletBusy(
                f"Another program has held {self.path} for {BUSY_SECONDS:.0f} s. Close it, or try again in a moment."
            )
        if code in (
            sqlite3.SQLITE_READONLY,
            sqlite3.SQLITE_CANTOPEN,
            sqlite3.SQLITE_IOERR,
            sqlite3.SQLITE_PERM,
        ):
            return WalletError(
                f"The wallet {self.path} cannot be read or written ({error}). Check its owner, its permissions and the "
                "disk; what was in it stays as it is."
            )
        return None

    def _full(self) -> WalletFull:
        return WalletFull(
            f"The disk with {self.path} is full. Nothing was lost: the last step was undone. Free some space and repeat it."
        )

    def _damage(self, reason: str) -> str:
        return (
            f"{self.path} cannot be read as a wallet ({reason}). The file is kept as it is. Restore from your 12 words "
            "with: ticketminer wallet restore. Its tickets then come back from the sites."
        )


def _make_private(path: Path) -> None:
    """Make the folder (0700) and an empty file (0600) where there are none; SQLite's side files inherit the mode."""
    if not path.parent.is_dir():
        path.parent.parent.mkdir(parents=True, exist_ok=True)
        path.parent.mkdir(mode=0o700, exist_ok=True)
    try:
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    except FileExistsError:
        if path.stat().st_mode & 0o077:
            path.chmod(0o600)
