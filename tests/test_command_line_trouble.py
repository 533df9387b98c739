"""The command ``ticketminer`` when it is killed, its disk is full, or its wallet is damaged: nothing is lost."""

from __future__ import annotations

import contextlib
import json
import os
import pathlib
import resource
import signal
import sqlite3
import subprocess
import typing as t
from collections.abc import Iterator

import pytest
from flask import Response, request
from live import LiveSite, LiveSites, LossyProxy, Person
from sites import DEFAULT_WORK
from terminal import assert_refused, objects

# Interruptions


@pytest.fixture
def slow_site(serve: LiveSites) -> LiveSite:
    """A site where a share takes long enough for the next one not to be there yet."""
    return serve(TICKETMINER_EFFORT={DEFAULT_WORK: 64})


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_an_interrupted_run_keeps_what_it_found(
    slow_site: LiveSite, anna: Person, number: signal.Signals
) -> None:
    with anna.start("mine", slow_site.url, "--yes", "--json") as process:
        wait_for(process, "accepted")
        process.send_signal(number)
        out, err = process.communicate(timeout=30)
    assert (process.returncode, err) == (130, "")
    assert objects(out)[-1]["interrupted"] is True
    assert anna.balance() == slow_site.unspent() >= 1


def test_a_killed_run_loses_nothing(slow_site: LiveSite, anna: Person) -> None:
    with anna.start("mine", slow_site.url, "--yes", "--json") as process:
        wait_for(process, "accepted")
        process.kill()
    assert anna.run("wallet", "recover").exit_code == 0
    assert anna.balance() == slow_site.unspent() >= 1


def test_the_next_command_fetches_what_a_lost_answer_kept(served: LiveSite, funded: Person) -> None:
    with LossyProxy(served) as line:
        with funded.wallet() as wallet:
            served.fill(wallet, 4, at=line.url)
        line.lose("POST /ticketminer/redeem")
        assert funded.run("wallet", "send", 1, "--site", line.url).exit_code == 3
        assert "4 tickets came in" in funded.run("wallet", "recover", line.url).stderr
    assert funded.balance() == served.unspent() == 12


def wait_for(process: subprocess.Popen[str], event: str) -> None:
    """Read what a run prints until it tells of `event`."""
    assert process.stdout is not None
    for line in process.stdout:
        if json.loads(line)["event"] == event:
            return
    raise AssertionError(process.stderr and process.stderr.read())


# The wallet's file


def test_a_damaged_wallet_is_left_as_it_is(served: LiveSite, funded: Person) -> None:
    whole = funded.wallet_file.read_bytes()
    damaged = whole[:4096] + b"\xff" * 4096 + whole[8192:]
    funded.wallet_file.write_bytes(damaged)
    assert_refused(funded.run("get", served.url + "/report"), 6, "wallet restore")
    assert funded.wallet_file.read_bytes() == damaged
    assert served.paid() == 0


def test_a_wallet_of_a_later_version_is_left_as_it_is(served: LiveSite, funded: Person) -> None:
    with contextlib.closing(sqlite3.connect(funded.wallet_file)) as connection:
        connection.execute("PRAGMA user_version = 99")
    before = funded.wallet_file.read_bytes()
    assert_refused(funded.run("mine", served.url, "--yes"), 6, "Update this program")
    assert funded.wallet_file.read_bytes() == before


class Disk(t.NamedTuple):
    """A folder whose disk can be full: a small one of its own where we may mount one, else by a limit on files."""

    folder: pathlib.Path
    mounted: bool

    @contextlib.contextmanager
    def full(self, *, limit: int = 4096) -> Iterator[dict[str, t.Any]]:
        """Yield how a process is to be started that then finds the disk full."""
        if not self.mounted:
            yield {"preexec_fn": lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))}
            return
        filler = self.folder / "filler"
        with filler.open("wb", buffering=0) as file, contextlib.suppress(OSError):
            while True:
                file.write(bytes(4096))
        yield {}
        filler.unlink()


@pytest.fixture
def disk(tmp_path: pathlib.Path) -> Iterator[Disk]:
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=900k", "tmpfs", str(folder)]
    mounted = os.geteuid() == 0 and subprocess.run(mount, capture_output=True).returncode == 0
    yield Disk(folder, mounted)
    if mounted:
        subprocess.run(["umount", str(folder)], check=True)


@pytest.mark.parametrize("words", [("mine", "--tickets", "1", "--yes"), ("wallet", "send", "1", "--site")])
def test_a_full_disk_loses_no_ticket(served: LiveSite, disk: Disk, words: tuple[str, ...]) -> None:
    person = Person(disk.folder / "anna")
    with person.wallet() as wallet:
        served.fill(wallet, 8)
    with disk.full() as options, person.start(*words, served.url, **options) as process:
        _, err = process.communicate(timeout=30)
    assert (process.returncode, err.count("\n")) == (6, 1), err
    assert person.run("wallet", "recover", served.url).exit_code == 0
    assert person.balance() == served.unspent() == 8


def test_what_was_paid_for_and_did_not_fit_is_fetched_again(
    served: LiveSite, disk: Disk, funded: Person
) -> None:
    large = "x" * 1_000_000
    served.after = lambda reply: (
        served.app.response_class(large, 200, reply.headers) if delivers(reply) else reply
    )
    words = ("get", served.url + "/report", "-o")
    with (
        disk.full(limit=500_000) as options,
        funded.start(*words, disk.folder / "report", **options) as process,
    ):
        _, err = process.communicate(timeout=30)
    assert (process.returncode, err.count("\n")) == (1, 1), err
    assert list(disk.folder.iterdir()) == []
    assert funded.run(*words, funded.home / "report").exit_code == 0
    assert (funded.home / "report").read_text() == large
    assert (served.paid(), funded.balance()) == (3, 5)


def delivers(reply: Response) -> bool:
    """Return whether this is what was paid for."""
    return request.path == "/report" and reply.status_code == 200
