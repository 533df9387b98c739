"""What a user's cache folder may hold instead of the files of ethash: a sentence or a remedy each, never a hang."""

from __future__ import annotations

import os
import pathlib
import subprocess
import sys
from collections.abc import Callable, Iterator

import pytest

pytest.importorskip("miner.pow._kernels", reason="the kernels were not compiled here")

from miner.pow import BadRange, ethash
from miner.pow.ethash import __main__ as command
from miner.pow.ethash import cache, dataset, files

WAIT = 30
"""Seconds after which a child process hangs."""


@pytest.fixture(autouse=True)
def folder(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[pathlib.Path]:
    """The folder of the tables, which are short."""
    path = tmp_path / "ethash"
    path.mkdir()
    monkeypatch.setenv("TICKETMINER_ETHASH_DIR", str(path))
    monkeypatch.setattr(files, "cache_size", lambda epoch, epoch_length: 64 * 61)
    monkeypatch.setattr(files, "dataset_size", lambda epoch, epoch_length: 128 * 500)
    yield path
    cache._open.clear()
    dataset._opened.clear()


def folder_with_a_file(path: pathlib.Path) -> None:
    path.mkdir()
    (path / "file").write_text("mine")


PLANTED: dict[str, Callable[[pathlib.Path], object]] = {
    "a FIFO": os.mkfifo,
    "a folder": pathlib.Path.mkdir,
    "a link to itself": lambda path: path.symlink_to(path),
    "a link to nothing": lambda path: path.symlink_to(path.with_name("nothing")),
    "an endless device": lambda path: path.symlink_to("/dev/zero"),
}


@pytest.mark.parametrize("planted", PLANTED)
@pytest.mark.parametrize("name", ["cache-30000-5", "cache-30000-5.new", "cache-30000-5.damaged"])
def test_whatever_is_in_the_place_of_a_cache_is_replaced(
    folder: pathlib.Path, planted: str, name: str
) -> None:
    if name.endswith("damaged"):
        (folder / "cache-30000-5").write_bytes(b"junk")
    PLANTED[planted](folder / name)
    ethash.prepare(5)
    assert ethash.load(5).rows
    assert not (folder / "nothing").exists()


@pytest.mark.parametrize("planted", PLANTED)
@pytest.mark.parametrize("name", ["dataset-30000-5", "dataset-30000-5.part", "dataset-30000-5.damaged"])
def test_whatever_is_in_the_place_of_a_dataset_is_replaced(
    folder: pathlib.Path, planted: str, name: str
) -> None:
    if name.endswith("damaged"):
        (folder / "dataset-30000-5").write_bytes(b"junk")
    PLANTED[planted](folder / name)
    ethash.prepare_dataset(5, threads=1)
    assert ethash.open_dataset(5).full


@pytest.mark.parametrize("planted", PLANTED)
def test_a_request_is_told_that_the_cache_is_missing_whatever_is_in_its_place(
    folder: pathlib.Path, planted: str
) -> None:
    PLANTED[planted](folder / "cache-30000-5")
    with pytest.raises(ethash.TableMissing, match=r"run python -m miner.pow.ethash cache 5"):
        ethash.load(5)


@pytest.mark.parametrize("suffix", ["", ".new", ".lock", ".damaged"])
def test_a_full_folder_in_the_way_is_left_alone_and_named(folder: pathlib.Path, suffix: str) -> None:
    (folder / "cache-30000-5.damaged").mkdir()
    if suffix == ".damaged":
        (folder / "cache-30000-5").write_bytes(b"junk")
        (folder / "cache-30000-5.damaged").rmdir()
    folder_with_a_file(folder / f"cache-30000-5{suffix}")
    if suffix:
        with pytest.raises(OSError, match=r"out of the way, or choose another folder"):
            ethash.prepare(5)
    else:
        ethash.prepare(5)
        suffix = ".damaged"
    assert (folder / f"cache-30000-5{suffix}" / "file").read_text() == "mine"


@pytest.mark.parametrize("path", ["/proc/nothing/here", "/dev/null", "a" * 5000])
def test_a_folder_that_cannot_be_is_named_with_the_remedy(
    path: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TICKETMINER_ETHASH_DIR", path)
    assert command.main(["cache", "5"]) == 1
    assert "choose another folder with TICKETMINER_ETHASH_DIR" in capsys.readouterr().err
    with pytest.raises(ethash.TableMissing):
        ethash.load(5)


def test_a_user_without_a_home_is_told_to_name_a_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_home() -> pathlib.Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.delenv("TICKETMINER_ETHASH_DIR")
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setattr(pathlib.Path, "home", no_home)
    with pytest.raises(ethash.TableMissing, match="TICKETMINER_ETHASH_DIR"):
        ethash.prepare(5)


@pytest.mark.parametrize("threads", [0, -1])
def test_a_dataset_needs_a_thread(threads: int) -> None:
    with pytest.raises(BadRange, match="at least 1 thread"):
        ethash.prepare_dataset(5, threads=threads)


def test_a_system_that_gives_no_more_threads_is_an_error_with_the_remedy(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def start(_: object) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr("threading.Thread.start", start)
    assert command.main(["dataset", "5", "--threads", "20"]) == 1
    assert "gives no 20 threads; choose fewer" in capsys.readouterr().err


def test_a_process_forked_during_a_build_does_not_keep_its_lock() -> None:
    place = files.cache_place(5, 30000, None)
    reading, writing = os.pipe()
    with files.locked(place, wait=False):
        child = os.fork()
        if not child:
            os.close(writing)
            os.read(reading, 1)  # until the parent has closed it
            os._exit(0)
    try:
        assert not files.is_locked(place)
    finally:
        os.close(writing)
        os.close(reading)
        os.waitpid(child, 0)


def test_a_dataset_that_somebody_set_aside_meanwhile_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    path = ethash.prepare_dataset(5)

    def vanish(*_: object) -> None:
        path.unlink(missing_ok=True)
        raise files.Unfit("its item 0 is wrong")

    monkeypatch.setattr(dataset, "check", vanish)
    with pytest.raises(ethash.TableMissing, match="is not in"):
        ethash.open_dataset(5)


def test_a_good_dataset_that_replaced_a_damaged_one_meanwhile_is_opened(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    path = ethash.prepare_dataset(5)
    good = path.read_bytes()
    path.write_bytes(b"junk")
    locked = files.locked

    def replaced(*arguments: object, **options: bool) -> object:
        path.write_bytes(good)
        return locked(*arguments, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(files, "locked", replaced)
    assert ethash.open_dataset(5).full


FORK = """
import os, threading
from miner.pow.ethash import files
from miner.pow.ethash.table import Table
half, free = threading.Event(), threading.Event()
memory = files.memory
def slowly(size):
    if half.is_set():
        return memory(size)
    half.set()
    free.wait()
files.memory = slowly
table = Table(bytes(128), 3)
threading.Thread(target=table.for_search, daemon=True).start()
half.wait()
child = os.fork()
if not child:
    os._exit(len(table.for_search().rows) // 128)
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
os._exit(0)
"""


def test_a_process_forked_while_a_table_is_copied_copies_it_itself() -> None:
    done = subprocess.run(
        [sys.executable, "-c", FORK], capture_output=True, text=True, timeout=WAIT, check=False
    )
    assert done.stdout == "1\n", done.stderr
