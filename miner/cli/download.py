"""Writing a download so that nothing half-finished and nothing foreign ends up in a file."""

from __future__ import annotations

import contextlib
import os
import pathlib
import re
import tempfile
import typing as t
from email.message import Message
from urllib.parse import unquote, urlsplit

from miner.errors import FileError

MAX_NAME = 120
"""Bytes of a name that a site may choose; file systems take 255, and a number may be added."""

_RESERVED = re.compile(r"(?i)(con|prn|aux|nul|com\d|lpt\d)(\..*)?")


class Download:
    """A file that appears under its name only when it is complete.

    :param destination: a file, or a folder (made when it ends in a slash) in which the served name is used and nothing is
        overwritten; the present folder when ``None``.

    Opened before anything is paid, so that a full or read-only folder costs nothing.
    """

    def __init__(self, destination: str | None) -> None:
        path = pathlib.Path(destination or ".")
        as_folder = destination is None or destination.endswith(("/", os.sep)) or path.is_dir()
        self._file = None if as_folder else path
        self._folder = folder = path if as_folder else path.parent
        try:
            if as_folder:
                folder.mkdir(parents=True, exist_ok=True)
            handle, name = tempfile.mkstemp(prefix=".ticketminer-", dir=folder)
        except OSError as error:
            raise FileError(
                f"Cannot write in {folder.absolute()} ({error.strerror}); choose another place with -o."
            ) from error
        self._handle = os.fdopen(handle, "wb")
        self._temporary = pathlib.Path(name)
        self.size = 0

    def __enter__(self) -> t.Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._handle.close()
        self._temporary.unlink(missing_ok=True)

    def write(self, data: bytes) -> None:
        """:raises FileError: the disk is full or has failed."""
        try:
            self._handle.write(data)
        except OSError as error:
            raise self._failure(error) from error
        self.size += len(data)

    def restart(self) -> None:
        """Drop what was written so far."""
        self._handle.seek(0)
        self._handle.truncate()
        self.size = 0

    def finish(self, served_name: str) -> pathlib.Path:
        """Give the file its name and return it."""
        try:
            self._handle.flush()
            os.fsync(self._handle.fileno())
            self._handle.close()
            umask = os.umask(0)
            os.umask(umask)
            self._temporary.chmod(0o666 & ~umask)
            if self._file is not None:
                os.replace(self._temporary, self._file)
                return self._file
            return self._place(served_name)
        except OSError as error:
            raise self._failure(error) from error

    def _place(self, name: str) -> pathlib.Path:
        """Take the first free of ``name.ext``, ``name-1.ext``, …; an exclusive creation reserves it."""
        stem, suffix = os.path.splitext(name)
        for number in range(1000):
            path = self._folder / (f"{stem}-{number}{suffix}" if number else name)
            with contextlib.suppress(FileExistsError):
                os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY))
                os.replace(self._temporary, path)
                return path
        raise FileError(f"There are already 1,000 files called {name}; name another with -o.")

    def _failure(self, error: OSError) -> FileError:
        return FileError(
            f"Writing failed ({error.strerror}). If it was paid, what came is lost; its period of validity decides whether "
            "it can be had again without paying."
        )


def served_name(url: str, disposition: str | None) -> str:
    """Return a harmless file name: from ``Content-Disposition``, else from the path of `url`.

    No folders, no leading dot, no control characters, nothing that a system reserves.
    """
    name = ""
    if disposition is not None:
        message = Message()
        # Impossible charsets and mixed continuations (RFC 2231) are not worth losing what was paid for.
        with contextlib.suppress(ValueError, TypeError, LookupError):
            message["Content-Disposition"] = disposition
            name = message.get_filename("") or ""
    if not _clean(name):
        name = unquote(urlsplit(url).path.rstrip("/").rpartition("/")[2])
    return _clean(name) or "download"


def _clean(name: str) -> str:
    name = re.split(r"[\\/]", name)[-1]
    name = "".join(c if c.isprintable() and c not in '<>:"|?*' else "_" for c in name).strip(" .").lstrip("-")
    if len(name.encode()) > MAX_NAME:
        stem, suffix = os.path.splitext(name)
        suffix = _cut(suffix, 20)
        name = _cut(stem, MAX_NAME - len(suffix.encode())) + suffix
    return f"_{name}" if _RESERVED.fullmatch(name) else name


def _cut(name: str, size: int) -> str:
    """Return the beginning of `name` that fits `size` bytes."""
    return name.encode()[:size].decode(errors="ignore")
