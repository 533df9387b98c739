"""A database that cannot store anything: visitors are told when to come back, the operator what to do, and nothing is lost."""

from __future__ import annotations

import contextlib
import os
import pathlib
import resource
import subprocess
import typing as t
from collections.abc import Callable, Iterator

import pytest
from sites import Shop, make_shop
from sqlalchemy import event
from visitor import Visitor, cause

from flask_ticketminer.clock import ManualClock
from flask_ticketminer.database import UNWRITABLE_RETRY, Database
from flask_ticketminer.errors import DatabaseBusy


@pytest.fixture
def folder(tmp_path: pathlib.Path) -> Iterator[pathlib.Path]:
    """A small disk of its own, where this user may mount one."""
    place = tmp_path / "disk"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(place)]
    mounted = os.geteuid() == 0 and subprocess.run(mount, capture_output=True).returncode == 0
    yield place
    if mounted:
        subprocess.run(["umount", str(place)], check=True)


@pytest.fixture
def shop(folder: pathlib.Path, manual_clock: ManualClock) -> Iterator[Shop]:
    made = make_shop(folder, f"sqlite:///{folder}/tickets.sqlite", manual_clock)
    yield made
    database_of(made).dispose()


def database_of(shop: Shop) -> Database:
    return t.cast(Database, shop.app.extensions["ticketminer"].database)


@contextlib.contextmanager
def full_disk(shop: Shop, folder: pathlib.Path) -> Iterator[None]:
    if not os.path.ismount(folder):
        pytest.skip("this user cannot mount a small disk")
    filler = folder / "filler"
    with filler.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            file.write(bytes(4096))
    yield
    filler.unlink()


@contextlib.contextmanager
def failing_disk(shop: Shop, folder: pathlib.Path) -> Iterator[None]:
    """Let no file of this process grow beyond the write-ahead log: SQLite meets an input/output error in COMMIT."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    log = (folder / "tickets.sqlite-wal").stat().st_size
    resource.setrlimit(resource.RLIMIT_FSIZE, (log, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


@contextlib.contextmanager
def write_protection(shop: Shop, folder: pathlib.Path) -> Iterator[None]:
    database = database_of(shop)
    pragma(database, "query_only = ON")
    yield
    database.dispose()


@contextlib.contextmanager
def size_limit(shop: Shop, folder: pathlib.Path) -> Iterator[None]:
    database = database_of(shop)
    pragma(database, "max_page_count = 1")  # SQLite takes it for the present size
    yield
    database.dispose()


def pragma(database: Database, setting: str) -> None:
    """Set it on every connection that is opened from now on."""
    database.dispose()
    event.listen(database.engine, "connect", lambda raw, _: raw.execute(f"PRAGMA {setting}").close())
    database.engine.dispose()


Way = Callable[[Shop, pathlib.Path], contextlib.AbstractContextManager[None]]


@pytest.mark.parametrize("way", [full_disk, failing_disk, write_protection])
def test_a_payment_that_cannot_be_stored_is_made_later_with_the_same_tickets(
    shop: Shop, folder: pathlib.Path, way: Way
) -> None:
    anna = Visitor(shop.app)
    credential = anna.credential("/report", [anna.ticket() for _ in range(3)])
    with way(shop, folder):
        refused = anna.pay("/report", credential)
        assert anna.get("/report").status_code == 402
    assert refused.status_code == 503
    assert int(refused.headers["Retry-After"]) > 0
    assert shop.served == []
    assert anna.pay("/report", credential).status_code == 200
    assert shop.balanced()


@pytest.mark.parametrize("way", [full_disk, write_protection, size_limit])
def test_a_share_that_cannot_be_stored_is_paid_later(
    shop: Shop, folder: pathlib.Path, way: Way, caplog: pytest.LogCaptureFixture
) -> None:
    anna = Visitor(shop.app)
    anna.ticket()
    job = anna.job()
    nonces = anna.nonces(job)
    with way(shop, folder):
        for nonce in nonces:  # the last page may still have room for some
            share = anna.share(job, anna.output(), nonce=nonce)
            refused = anna.post("/submit", share)
            if refused.status_code != 200:
                break
    assert cause(refused) == (503, "database-busy")
    assert refused.headers["Retry-After"] == str(UNWRITABLE_RETRY)
    assert "Free space on its disk" in caplog.text
    assert anna.post("/submit", share).status_code == 200
    assert shop.balanced()


def test_a_disk_that_fails_in_commit_leaves_an_outcome_that_the_same_request_settles(
    shop: Shop, folder: pathlib.Path, caplog: pytest.LogCaptureFixture
) -> None:
    anna = Visitor(shop.app)
    share = anna.share(anna.job(), anna.output())
    with failing_disk(shop, folder):
        refused = anna.post("/submit", share)
    assert cause(refused) == (503, "outcome-unknown")
    assert "disk I/O error" in caplog.text
    assert anna.post("/submit", share).status_code == 200
    assert shop.balanced()


def test_a_database_that_cannot_be_opened_is_a_503_too(tmp_path: pathlib.Path) -> None:
    (tmp_path / "tickets.sqlite").mkdir()
    database = Database(f"sqlite:///{tmp_path}/tickets.sqlite")
    with pytest.raises(DatabaseBusy) as refused:
        database.now()
    assert refused.value.retry_after == UNWRITABLE_RETRY
