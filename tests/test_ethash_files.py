"""The files of ethash: built once, shared, checked, never trusted, never built inside a request."""

from __future__ import annotations

import errno
import os
import pathlib
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from miner.pow import ALGORITHMS

pytest.importorskip("miner.pow._kernels", reason="the kernels were not compiled here")

from miner.pow import ethash
from miner.pow.ethash import __main__ as command
from miner.pow.ethash import cache, dataset, files
from miner.pow.ethash.files import HEADER_SIZE, Place
from miner.pow.ethash.table import Table

ROWS, PAGES = 61, 2500
HEADER = bytes(range(32))


@pytest.fixture(autouse=True)
def folder(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[pathlib.Path]:
    """An empty folder, and tables that are short."""
    path = tmp_path / "ethash"
    monkeypatch.setenv("TICKETMINER_ETHASH_DIR", str(path))
    monkeypatch.setattr(files, "cache_size", lambda epoch, epoch_length: 64 * ROWS)
    monkeypatch.setattr(files, "dataset_size", lambda epoch, epoch_length: 128 * PAGES)
    yield path
    forget()


def forget() -> None:
    """Do as a process that has opened nothing yet."""
    cache._open.clear()
    dataset._opened.clear()


def spoil(path: pathlib.Path, at: int, bytes_: bytes = b"?") -> None:
    with path.open("r+b") as file:
        file.seek(at)
        file.write(bytes_)


def run(program: str, **options: object) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", program],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        **options,  # type: ignore[call-overload]
    )


def test_a_hash_without_a_cache_says_what_to_run_and_builds_nothing(folder: pathlib.Path) -> None:
    with pytest.raises(ethash.TableMissing, match=r"run python -m miner.pow.ethash cache 5, or call"):
        ALGORITHMS["ethash"].hash(bytes(40), epoch=5)
    with pytest.raises(ethash.TableMissing, match=r"cache 5 --epoch-length 60000"):
        ethash.check_share(5, HEADER, 0, bytes(32), 2**256 - 1, epoch_length=60000)
    assert not folder.exists()


def test_a_cache_that_was_prepared_is_there_for_every_later_call(folder: pathlib.Path) -> None:
    path = ethash.prepare(5)
    assert path == folder / "cache-30000-5"
    built = path.stat().st_mtime_ns
    forget()
    assert ethash.prepare(5) == path
    assert path.stat().st_mtime_ns == built
    assert ALGORITHMS["ethash"].hash(bytes(40), epoch=5) == ethash.hashimoto_light(5, bytes(32), 0)[1]


def test_epochs_of_ethash_and_etchash_have_files_of_their_own() -> None:
    assert ethash.prepare(2) != ethash.prepare(2, epoch_length=60000)
    assert ethash.load(2).rows != ethash.load(2, epoch_length=60000).rows
    ethash.prepare(4)
    assert ethash.load(4).rows == ethash.load(2, epoch_length=60000).rows


def test_the_folder_is_the_users_cache_unless_told_otherwise(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TICKETMINER_ETHASH_DIR")
    monkeypatch.setenv("XDG_CACHE_HOME", "/somewhere")
    assert ethash.default_folder() == pathlib.Path("/somewhere/ticketminer/ethash")
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")
    assert ethash.default_folder() == pathlib.Path.home() / ".cache" / "ticketminer" / "ethash"


SPOILED: dict[str, Callable[[pathlib.Path], object]] = {
    "empty": lambda path: path.write_bytes(b""),
    "cut in its header": lambda path: os.truncate(path, 100),
    "cut in its table": lambda path: os.truncate(path, HEADER_SIZE + 64),
    "too long": lambda path: os.truncate(path, HEADER_SIZE + 64 * ROWS + 1),
    "of another program": lambda path: path.write_bytes(b"\x7fELF" * 5000),
    "damaged in its header": lambda path: spoil(path, 20),
    "damaged in its checksum": lambda path: spoil(path, 80),
    "damaged in its first row": lambda path: spoil(path, HEADER_SIZE),
    "damaged in its last byte": lambda path: spoil(path, HEADER_SIZE + 64 * ROWS - 1),
    "another epoch's": lambda path: os.replace(ethash.prepare(6), path),
}


@pytest.mark.parametrize("spoiled", SPOILED)
def test_a_cache_that_is_not_what_its_name_says_is_set_aside_and_built_anew(spoiled: str) -> None:
    path = ethash.prepare(5)
    good = path.read_bytes()
    SPOILED[spoiled](path)
    bad = path.read_bytes()
    forget()
    with pytest.raises(ethash.TableMissing, match=r"was damaged .* set aside as .*\.damaged: run python"):
        ethash.load(5)
    assert path.with_name(path.name + ".damaged").read_bytes() == bad
    assert not path.exists()
    assert ethash.prepare(5).read_bytes() == good


@pytest.mark.parametrize("spoiled", SPOILED)
def test_preparing_replaces_a_damaged_cache(spoiled: str) -> None:
    path = ethash.prepare(5)
    good = path.read_bytes()
    SPOILED[spoiled](path)
    forget()
    assert ethash.prepare(5).read_bytes() == good


def test_while_somebody_builds_others_are_told_so_or_wait() -> None:
    place = files.cache_place(5, 30000, None)
    with files.locked(place, wait=False):
        with pytest.raises(ethash.TableBusy, match="being built"):
            ethash.load(5)
        with pytest.raises(ethash.TableBusy, match="try again later"):
            ethash.prepare(5, wait=False)
        waiting = threading.Thread(target=ethash.prepare, args=(5,))
        waiting.start()
        waiting.join(0.1)
        assert waiting.is_alive()
    waiting.join(10)
    assert ethash.load(5).rows


def test_of_several_processes_one_builds(folder: pathlib.Path) -> None:
    program = (
        "from miner.pow import ethash, _kernels\n"
        "from miner.pow.ethash import cache\n"
        "built = cache._built\n"
        "cache._built = lambda place: print('built') or built(place)\n"
        "ethash.prepare(0)\n"
        "print(ethash.load(0).hash(bytes(32), 0)[1].hex())\n"
    )
    said = [process.communicate()[0].split() for process in [run(program) for _ in range(3)]]
    assert sum(words.count("built") for words in said) == 1
    assert len({words[-1] for words in said}) == 1
    assert sorted(path.name for path in folder.iterdir()) == ["cache-30000-0", "cache-30000-0.lock"]


def test_a_builder_that_is_killed_leaves_nothing_in_the_way(folder: pathlib.Path) -> None:
    process = run("from miner.pow import ethash; ethash.prepare(1000)")
    while not (folder / "cache-30000-1000.lock").exists():
        time.sleep(0.01)
    process.kill()
    process.communicate()
    with pytest.raises(ethash.TableMissing):
        ethash.load(1000)
    assert ethash.prepare(1000, wait=False).exists()


@pytest.mark.parametrize("call", [ethash.prepare, ethash.prepare_dataset])
def test_a_folder_that_cannot_be_written_is_named_with_the_remedy(
    call: Callable[[int], object], tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("TICKETMINER_ETHASH_DIR", str(tmp_path / "file" / "below"))
    with pytest.raises(OSError, match=r"below .*choose another folder with TICKETMINER_ETHASH_DIR"):
        call(5)


FULL_DISK = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (10**6, 10**6))\n"
NO_MEMORY = "import resource; resource.setrlimit(resource.RLIMIT_AS, (2**28, 2**28))\n"


def test_a_full_disk_is_said_with_the_remedy_and_leaves_no_rest(folder: pathlib.Path) -> None:
    process = run(FULL_DISK + "from miner.pow import ethash\nethash.prepare(0)")
    assert "free 16 MiB there and try again" in process.communicate()[0]
    assert [path.name for path in folder.iterdir()] == ["cache-30000-0.lock"]


def test_a_disk_without_room_for_the_dataset_is_said_before_anything_is_computed(
    folder: pathlib.Path,
) -> None:
    ethash.prepare(0)
    program = (
        FULL_DISK + "from miner.pow.ethash import dataset, files\nfrom miner.pow.ethash.table import Table\n"
        "dataset.build(files.dataset_place(0, 30000, None), Table(bytes(64), 5))"
    )
    assert "free 1,024 MiB there and try again" in run(program).communicate()[0]
    assert sum(path.stat().st_size for path in folder.iterdir() if "dataset" in path.name) < 2 * HEADER_SIZE


def test_no_memory_for_a_dataset_is_an_error_with_the_remedy() -> None:
    program = NO_MEMORY + "from miner.pow.ethash import files\nfiles.memory(2**30)"
    said = run(program).communicate()[0]
    assert "MemoryError: Ethash needs 1,024 MiB" in said
    assert "mine another algorithm" in said


def test_no_memory_for_a_cache_is_an_error_with_the_remedy() -> None:
    program = NO_MEMORY + "from miner.pow import ethash\nethash.prepare(2047)"
    assert "MemoryError: Ethash needs 272 MiB" in run(program).communicate()[0]


def light() -> Table:
    ethash.prepare(0)
    return ethash.load(0)


def place(pages: int = PAGES) -> Place:
    return files.dataset_place(0, 30000, None, pages)


@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("block_items", [64, 999, 10**6])
def test_a_dataset_holds_every_item_and_its_progress_is_told(threads: int, block_items: int) -> None:
    told: list[tuple[int, int]] = []
    dataset.build(place(), light(), threads, lambda *so_far: told.append(so_far), block_items=block_items)
    assert bytes(dataset.open_place(place(), light()).rows) == light().items(0, 2 * PAGES)
    assert told[0] == (0, 128 * PAGES)
    assert told[-1] == (128 * PAGES, 128 * PAGES)
    assert told == sorted(told)


@pytest.mark.parametrize("in_memory", [None, True, False])
def test_an_opened_dataset_gives_the_shares_that_the_cache_gives(in_memory: bool | None) -> None:
    ethash.prepare_dataset(0, threads=1)
    table = ethash.open_dataset(0, in_memory=in_memory)
    assert table.full
    scan = {"count": 20, "nonce_offset": 32, "nonce_size": 8, "epoch": 0}
    found = ALGORITHMS["ethash"].scan(HEADER + bytes(8), 2**255, **scan)  # type: ignore[arg-type]
    ethash.close_dataset(0)
    assert Table(light().rows, PAGES).scan(HEADER, 2**255, 0, 20) == found.hits


def test_a_finished_dataset_is_not_built_again() -> None:
    path = ethash.prepare_dataset(0)
    built = path.stat().st_mtime_ns
    assert ethash.prepare_dataset(0) == path
    assert path.stat().st_mtime_ns == built


@pytest.mark.parametrize("lacking", ["posix_fallocate", "sched_getaffinity"])
def test_a_system_without_linuxs_calls_builds_a_dataset_too(
    lacking: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(os, lacking)
    dataset.build(place(), light())
    assert bytes(dataset.open_place(place(), light()).rows) == light().items(0, 2 * PAGES)


def test_a_file_system_that_reserves_no_room_holds_a_dataset_too(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_file: int, _from: int, _size: int) -> None:
        raise OSError(errno.EOPNOTSUPP, os.strerror(errno.EOPNOTSUPP))

    monkeypatch.setattr(os, "posix_fallocate", refuse)
    dataset.build(place(), light())
    assert dataset.open_place(place(), light()).full


BUILDING = """
import sys
from miner.pow.ethash import dataset, files
from miner.pow.ethash.table import Table
light = Table(open(sys.argv[1], 'rb').read()[4096:], 5)
report = lambda done, all: print(done, flush=True)
dataset.build(files.dataset_place(0, 30000, None, 2**16), light, 2, report, block_items=1024)
"""


@pytest.mark.parametrize("signal_", [signal.SIGKILL, signal.SIGINT])
def test_a_build_that_was_ended_goes_on_where_it_was(signal_: int) -> None:
    ethash.prepare(0)
    half = place(2**16)
    process = subprocess.Popen(
        [sys.executable, "-c", BUILDING, str(files.cache_place(0, 30000, None).path)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert process.stdout is not None
    while int(process.stdout.readline()) < half.size // 4:
        pass
    process.send_signal(signal_)
    process.communicate()
    assert not half.path.exists()
    told: list[int] = []
    dataset.build(half, light(), 2, lambda done, _all: told.append(done), block_items=1024)
    assert half.size // 4 <= told[0] <= half.size
    assert len(told) == 1 + (half.size - told[0]) // (1024 * 64)
    assert bytes(dataset.open_place(half, light()).rows) == light().items(0, 2**17)


@pytest.fixture
def part() -> Place:
    """A build that stopped after four of its blocks."""

    def stop(done: int, _all: int) -> None:
        if done >= 4 * 500 * 64:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        dataset.build(place(), light(), 1, stop, block_items=500)
    return place()


def test_a_block_that_did_not_reach_the_disk_is_built_again(part: Place) -> None:
    spoil(part.beside("part"), HEADER_SIZE + 500 * 64, bytes(500 * 64))
    told: list[int] = []
    dataset.build(part, light(), 1, lambda done, _all: told.append(done), block_items=500)
    assert told[0] >= 3 * 500 * 64
    assert bytes(dataset.open_place(part, light()).rows) == light().items(0, 2 * PAGES)


@pytest.mark.parametrize("spoiled", ["empty", "cut in its header", "cut in its table", "of another program"])
def test_an_unfinished_dataset_that_is_damaged_is_completed_or_begun_again(part: Place, spoiled: str) -> None:
    SPOILED[spoiled](part.beside("part"))
    dataset.build(part, light(), 1, block_items=500)
    assert bytes(dataset.open_place(part, light()).rows) == light().items(0, 2 * PAGES)


@pytest.mark.parametrize("at", [HEADER_SIZE, HEADER_SIZE + 128 * PAGES - 1, 30])
def test_a_finished_dataset_that_is_damaged_is_set_aside(at: int) -> None:
    path = ethash.prepare_dataset(0)
    spoil(path, at)
    with pytest.raises(
        ethash.TableMissing, match=r"was damaged .*: run python -m miner.pow.ethash dataset 0"
    ):
        ethash.open_dataset(0)
    assert not path.exists()
    ethash.prepare_dataset(0)
    assert ethash.open_dataset(0).full


def test_a_dataset_of_wrong_items_is_found_by_its_sample() -> None:
    dataset.build(place(), Table(bytes(64 * ROWS), PAGES))
    with pytest.raises(ethash.TableMissing, match="its item 0 is wrong"):
        dataset.open_place(place(), light())


def test_a_dataset_that_is_absent_or_being_built_says_so() -> None:
    light()
    with pytest.raises(ethash.TableMissing, match="dataset 0"):
        ethash.open_dataset(0)
    with files.locked(place(), wait=False), pytest.raises(ethash.TableBusy):
        ethash.open_dataset(0)


def test_a_dataset_larger_than_the_memory_is_refused_or_mapped(monkeypatch: pytest.MonkeyPatch) -> None:
    ethash.prepare_dataset(0)
    monkeypatch.setattr(dataset, "available_memory", lambda: 1000)
    with pytest.raises(MemoryError, match="no such memory"):
        ethash.open_dataset(0, in_memory=True)
    assert ethash.open_dataset(0).full


def test_the_command_builds_and_says_where(capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main(["dataset", "3", "--epoch-length", "60000", "--threads", "2"]) == 0
    said = capsys.readouterr()
    assert said.out.strip() == str(files.dataset_place(3, 60000, None).path)
    assert "of 0 MiB" in said.err


def test_the_command_says_what_is_wrong(capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main(["cache", "5000"]) == 1
    assert "epochs 0 to 2047" in capsys.readouterr().err
