"""The files that hold caches and datasets: where they are, what they begin with, and who may write them.

A file is a header of 4,096 bytes and the table, so that the mapped table begins with a page. One process builds, under a lock that the
system takes back when that process ends; the others map what it has renamed into place. A file that does not hold what its name says
is set aside as ``….damaged``, once, and never read.
"""

from __future__ import annotations

import errno
import hashlib
import mmap
import os
import stat
import struct
import typing as t
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from miner.pow.ethash.errors import TableBusy, TableMissing
from miner.pow.ethash.sizes import EPOCH_LENGTH, cache_size, dataset_size, seed_hash

try:
    import fcntl
except ImportError:  # no Unix, where the kernels are not built either
    fcntl = None  # type: ignore[assignment]

MAGIC, VERSION = b"TMethash", 1
HEADER_SIZE = 4096
_FIELDS = struct.Struct("<8sI8sIIQ32s32s")
"""Magic, version, kind, epoch, its length, bytes of the table, seed, SHA-256 of the table (zeros for a dataset)."""

Kind = t.Literal["cache", "dataset"]
T = t.TypeVar("T")


_OF_OTHERS = (errno.EPIPE, errno.ECONNRESET)
"""Errors of whoever shows the progress, not of a file."""


class Unfit(Exception):
    """A file does not hold the table it should; the message says how that shows."""


@dataclass(frozen=True, slots=True)
class Place:
    """A table and the file it belongs into.

    :attr size: bytes of the table; shorter than the epoch's own in tests only.
    """

    kind: Kind
    epoch: int
    epoch_length: int
    size: int
    folder: Path

    @property
    def path(self) -> Path:
        return self.folder / f"{self.kind}-{self.epoch_length}-{self.epoch}"

    def beside(self, suffix: str) -> Path:
        """Return the path of a file that belongs to this one."""
        return self.path.with_name(f"{self.path.name}.{suffix}")

    def __str__(self) -> str:
        return f"The {self.kind} of ethash epoch {self.epoch} (of {self.epoch_length} blocks)"

    @property
    def remedy(self) -> str:
        """What to do where the table is not there; building takes seconds (a cache) or minutes (a dataset)."""
        length = f" --epoch-length {self.epoch_length}" if self.epoch_length != EPOCH_LENGTH else ""
        return (
            f"run python -m miner.pow.ethash {self.kind} {self.epoch}{length}, or call miner.pow.ethash."
            f"{'prepare' if self.kind == 'cache' else 'prepare_dataset'}, before work of this epoch begins"
        )


def default_folder() -> Path:
    """Return ``$TICKETMINER_ETHASH_DIR``, else ``$XDG_CACHE_HOME/ticketminer/ethash``, else the same under ``~/.cache``.

    :raises TableMissing: there is none of them: the user has no home.
    """
    chosen = os.environ.get("TICKETMINER_ETHASH_DIR")
    if chosen:
        return Path(chosen)
    base = os.environ.get("XDG_CACHE_HOME", "")
    # The XDG specification ignores relative paths.
    try:
        root = Path(base) if base.startswith("/") else Path.home() / ".cache"
    except RuntimeError as error:
        raise TableMissing(
            "Tables of ethash have no folder, since this user has no home: name one with TICKETMINER_ETHASH_DIR."
        ) from error
    return root / "ticketminer" / "ethash"


def cache_place(epoch: int, epoch_length: int, folder: Path | None) -> Place:
    """Return where the cache of `epoch` belongs.

    :raises BadEpoch: there is no such epoch.
    """
    size = cache_size(epoch, epoch_length=epoch_length)
    return Place("cache", epoch, epoch_length, size, folder or default_folder())


def dataset_place(epoch: int, epoch_length: int, folder: Path | None, pages: int | None = None) -> Place:
    """Return where the dataset of `epoch`, or the first `pages` pages of it, belongs.

    :raises BadEpoch: there is no such epoch.
    """
    size = dataset_size(epoch, epoch_length=epoch_length) if pages is None else pages * 128
    return Place("dataset", epoch, epoch_length, size, folder or default_folder())


def header(place: Place, checksum: bytes = bytes(32)) -> bytes:
    """Return what the file begins with: the fields and their own SHA-256, filled up with zeros."""
    fields = _FIELDS.pack(
        MAGIC,
        VERSION,
        place.kind.encode(),
        place.epoch,
        place.epoch_length,
        place.size,
        seed_hash(place.epoch, epoch_length=place.epoch_length),
        checksum,
    )
    return (fields + hashlib.sha256(fields).digest()).ljust(HEADER_SIZE, b"\0")


def check_header(place: Place, found: bytes) -> bytes:
    """Return the checksum of the table that follows.

    :raises Unfit: this is not the header of `place`.
    """
    if len(found) < _FIELDS.size + 32:
        raise Unfit(f"it ends after {len(found)} bytes")
    if not found.startswith(MAGIC):
        raise Unfit("it is no file of this program")
    checksum = found[_FIELDS.size - 32 : _FIELDS.size]
    if found[: _FIELDS.size + 32] != header(place, checksum)[: _FIELDS.size + 32]:
        raise Unfit("its header is damaged, or another epoch's")
    return checksum


def mapped(place: Place, path: Path | None = None) -> tuple[memoryview, bytes]:
    """Return the table in the file, mapped for reading and shared by all processes, and its checksum as the header says.

    :raises FileNotFoundError: there is no file.
    :raises Unfit: it is short, foreign, another epoch's or no file.
    :raises OSError: it cannot be read; the message says what helps.
    """
    try:
        return _mapped(place, path or place.path)
    except FileNotFoundError:
        raise
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise Unfit("it is a link to itself") from error
        raise unusable(place, error, "read from") from error


def _mapped(place: Place, path: Path) -> tuple[memoryview, bytes]:
    opened = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)  # a FIFO would keep us waiting
    status = os.fstat(opened)
    if not stat.S_ISREG(status.st_mode):
        os.close(opened)
        raise Unfit("it is no file")
    with open(opened, "rb") as file:
        checksum = check_header(place, file.read(HEADER_SIZE))
        if status.st_size != HEADER_SIZE + place.size:
            raise Unfit(f"it has {status.st_size} bytes instead of {HEADER_SIZE + place.size}")
        try:
            everything = mmap.mmap(opened, 0, access=mmap.ACCESS_READ)
        except OSError as error:
            raise no_memory(place.size) from error
    return memoryview(everything)[HEADER_SIZE:], checksum


def memory(size: int) -> mmap.mmap:
    """Return zeroed memory of our own, in huge pages where the system gives them.

    :raises MemoryError: there is none.
    """
    try:
        made = mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    except OSError as error:
        raise no_memory(size) from error
    if hasattr(mmap, "MADV_HUGEPAGE"):
        with suppress(OSError):  # a kernel without them
            made.madvise(mmap.MADV_HUGEPAGE)
    return made


def no_memory(size: int) -> MemoryError:
    """Return the error for `size` bytes that are not there."""
    return MemoryError(
        f"Ethash needs {size / 2**20:,.0f} MiB of memory for this epoch, and there is no such memory: close other programs, raise "
        "the limit (ulimit -v, or the container's), or mine another algorithm."
    )


def unusable(place: Place, error: OSError, doing: str = "written to") -> OSError:
    """Return `error` with the table and the folder that it was about, and what helps."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        remedy = f"free {(place.size + HEADER_SIZE) / 2**20:,.0f} MiB there and try again"
    elif error.errno in (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR):
        remedy = "make it writable" if doing == "written to" else "make it readable"
    else:
        remedy = f"move what is called {place.path.name} there out of the way"
    said = os.strerror(error.errno) if error.errno else str(error)
    return OSError(
        error.errno,
        f"{place} cannot be {doing} {place.folder} ({said}): {remedy}, or choose another folder with TICKETMINER_ETHASH_DIR.",
    )


@contextmanager
def explained(place: Place) -> Iterator[None]:
    """Say in every OSError which file it was about and what helps."""
    try:
        yield
    except OSError as error:
        if error.errno in _OF_OTHERS:
            raise
        raise unusable(place, error) from error


@contextmanager
def locked(place: Place, *, wait: bool) -> Iterator[None]:
    """Be the only one who writes the file.

    :raises TableBusy: somebody else does, and `wait` is false.
    """
    with explained(place):
        place.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        lock = os.open(place.beside("lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError:
            raise busy(place) from None
        yield
    finally:
        # A process that was forked meanwhile holds the same lock, and closing our end of it would not take it from there.
        fcntl.flock(lock, fcntl.LOCK_UN)
        os.close(lock)


def is_locked(place: Place) -> bool:
    """Return whether somebody writes the file now."""
    try:
        lock = os.open(place.beside("lock"), os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(lock)
    return False


def found(place: Place, read: Callable[[], T]) -> T:
    """Return what `read` makes of the file, which it may raise :class:`Unfit` about; a damaged file is set aside.

    :raises TableMissing, TableBusy: there is no table, or not yet; the message says what to do.
    """
    try:
        return _found(place, read)
    except OSError as error:
        raise TableMissing(error.strerror) from error


def _found(place: Place, read: Callable[[], T]) -> T:
    try:
        return read()
    except FileNotFoundError:
        if is_locked(place):
            raise busy(place) from None
        if not place.path.exists():  # else it has been finished just now
            raise missing(place) from None
    except Unfit:
        pass
    with locked(place, wait=False):
        try:
            return read()
        except FileNotFoundError:
            raise missing(place) from None
        except Unfit as why:
            raise damaged(place, why) from None


def missing(place: Place) -> TableMissing:
    """Return the error for a file that is not there."""
    return TableMissing(f"{place} is not in {place.folder}: {place.remedy}.")


def damaged(place: Place, why: Unfit) -> TableMissing:
    """Set the file aside and return the error that says so. Needs the lock."""
    aside = set_aside(place)
    return TableMissing(f"{place} was damaged ({why}) and has been set aside as {aside}: {place.remedy}.")


def busy(place: Place) -> TableBusy:
    """Return the error for a file that somebody else is writing."""
    return TableBusy(f"{place} is being built by another process or thread: try again later.")


def set_aside(place: Place, path: Path | None = None) -> Path:
    """Move the file out of the way, instead of what was set aside before, and return its new path. Needs the lock."""
    aside = place.beside("damaged")
    with explained(place):
        try:
            os.replace(path or place.path, aside)
        except (IsADirectoryError, NotADirectoryError):
            clear(aside)
            os.replace(path or place.path, aside)
    return aside


def open_own(path: Path) -> int:
    """Return a descriptor for reading and writing the file at `path`, which is made if nothing, or something else, is there."""
    with suppress(FileNotFoundError):
        if not stat.S_ISREG(path.lstat().st_mode):
            clear(path)
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o644)


def clear(path: Path) -> None:
    """Remove what is at `path`, unless it is a folder with something in it."""
    if path.is_dir() and not path.is_symlink():
        path.rmdir()
    else:
        path.unlink(missing_ok=True)


def put_in_place(place: Place, finished: Path) -> None:
    """Give a file that is complete and on the disk its name, and see that the name is there after a crash too."""
    os.replace(finished, place.path)
    folder = os.open(place.folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
