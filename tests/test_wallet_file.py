"""The wallet's file: private, whole or kept as it is, and shared between processes."""

from __future__ import annotations

import sqlite3
import stat
import subprocess
import sys

import pytest
from fake_keys import ticket_key
from purses import SHOP, receive, reopen

from miner.errors import WalletBusy, WalletDamaged, WalletError, WalletFull, WalletTooNew
from miner.wallet import Draft, Wallet, store

ONE = ticket_key(1)
FOUR = ticket_key(4)


def test_the_file_is_private(wallet):
    assert stat.S_IMODE(wallet.path.stat().st_mode) == 0o600
    assert stat.S_IMODE(wallet.path.parent.stat().st_mode) == 0o700


def test_a_readable_file_is_made_private_again(wallet):
    wallet.path.chmod(0o644)
    with reopen(wallet):
        assert stat.S_IMODE(wallet.path.stat().st_mode) == 0o600


def test_it_lives_in_the_data_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    assert store.default_path() == tmp_path / "ticketminer" / "wallet.sqlite"


def test_a_relative_data_folder_is_ignored(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_DATA_HOME", "data")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert store.default_path() == tmp_path / ".local" / "share" / "ticketminer" / "wallet.sqlite"


def test_a_damaged_file_is_refused_and_kept(tmp_path):
    path = tmp_path / "wallet.sqlite"
    path.write_bytes(b"this is not a database, it is a letter" * 100)
    with pytest.raises(WalletDamaged, match="12 words"):
        Wallet.open(path)
    assert path.read_bytes().startswith(b"this is not")


def test_a_wallet_with_broken_pages_is_refused(wallet):
    for _ in range(20):
        receive(wallet, 1, 10)
    wallet.close()
    data = bytearray(wallet.path.read_bytes())
    data[4096 : len(data) - 4096] = b"\xa5" * (len(data) - 8192)
    wallet.path.write_bytes(data)
    with pytest.raises(WalletDamaged, match="kept as it is"):
        Wallet.open(wallet.path)


def test_words_replace_a_damaged_file_which_is_kept(wallet):
    words = wallet.words()
    wallet.close()
    wallet.path.write_bytes(b"rubbish" * 1000)
    with Wallet.create_from_words(wallet.path, words) as again:
        assert again.words() == words
    assert wallet.path.with_name("wallet.sqlite.damaged-1").read_bytes() == b"rubbish" * 1000


def test_another_programs_database_is_not_touched(tmp_path):
    path = tmp_path / "wallet.sqlite"
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE cookies (name)")
    connection.close()
    with pytest.raises(WalletDamaged, match="another program"):
        Wallet.open(path)
    connection = sqlite3.connect(path)
    assert connection.execute("SELECT name FROM sqlite_schema").fetchall() == [("cookies",)]
    connection.close()


def test_a_newer_wallet_is_refused(wallet):
    wallet.close()
    connection = sqlite3.connect(wallet.path)
    connection.execute(f"PRAGMA user_version = {store.SCHEMA_VERSION + 1}")
    connection.close()
    with pytest.raises(WalletTooNew, match="Update this program"):
        Wallet.open(wallet.path)


def test_a_full_disk_undoes_the_step(wallet):
    tickets = receive(wallet, 1, 5)
    wallet.pin(SHOP, [FOUR])
    pages = wallet._store.rows("PRAGMA page_count")[0][0]
    wallet._store.rows(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(WalletFull, match="Free some space"):
        wallet.begin(
            Draft("exchange", SHOP, SHOP), lambda _: (tickets[:4], [FOUR]), lambda i, o: b"x" * 100_000
        )
    wallet._store.rows(f"PRAGMA max_page_count = {pages + 1000}")
    assert wallet.balance() == 5
    assert wallet.unanswered() == []


def test_an_unwritable_folder_is_explained(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(WalletError, match="--wallet"):
        Wallet.open(tmp_path / "file" / "wallet.sqlite")


def test_a_lock_held_too_long_is_explained(wallet):
    wallet._store.rows("PRAGMA busy_timeout = 1")
    holder = sqlite3.connect(wallet.path, isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    with pytest.raises(WalletBusy, match="Close it"):
        wallet.set_setting("a", "b")
    holder.close()


def test_two_processes_never_share_a_counter(wallet):
    wallet.pin(SHOP, [ONE])
    script = (
        "import sys; from pathlib import Path; from miner.wallet import Wallet, Draft\n"
        "w = Wallet.open(Path(sys.argv[1]))\n"
        f"key = w.keys({SHOP!r})[0]\n"
        "for _ in range(25):\n"
        f"    r = w.begin(Draft('exchange', {SHOP!r}, {SHOP!r}), lambda _: ((), [key]), lambda i, o: b'')\n"
        "    print(r.outputs[0].counter)\n"
    )
    command = [sys.executable, "-c", script, str(wallet.path)]
    running = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    counters = [int(line) for process in running for line in process.communicate(timeout=60)[0].split()]
    assert sorted(counters) == list(range(50))


def test_a_killed_process_leaves_its_request_behind(wallet):
    wallet.pin(SHOP, [ONE])
    script = (
        "import os, signal, sys; from pathlib import Path; from miner.wallet import Wallet, Draft\n"
        "w = Wallet.open(Path(sys.argv[1]))\n"
        f"key = w.keys({SHOP!r})[0]\n"
        f"w.begin(Draft('submit', {SHOP!r}, {SHOP!r}), lambda _: ((), [key]), lambda i, o: b'written')\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    done = subprocess.run([sys.executable, "-c", script, str(wallet.path)], timeout=60)
    assert done.returncode == -9
    assert [request.body for request in wallet.unanswered()] == [b"written"]
