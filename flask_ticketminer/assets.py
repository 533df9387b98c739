"""The files of the page miner: modules, styles, sentences, kernels and words, under one hash.

One hash over all files names the tree, so that modules find one another by relative addresses and caches keep all of it.
"""

from __future__ import annotations

import functools
import hashlib
import os
import threading
import typing as t
from dataclasses import dataclass
from importlib.resources import files

from flask import current_app

from flask_ticketminer.forks import Shared
from flask_ticketminer.lean import lean_json, lean_script, lean_sheet

if t.TYPE_CHECKING:
    from importlib.resources.abc import Traversable

WORDS = "english.txt"
"""The words of BIP 39, one a line."""
ELEMENT = "element/element.js"
"""Defines ``<ticket-miner>``."""
BANNER = "pages/banner.js"
"""Lets donation banners give from the balance."""
FALLBACK = "en"
"""The language that every sentence is there in."""

_TYPES = {
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".json": "application/json",
    ".wasm": "application/wasm",
    ".txt": "text/plain; charset=utf-8",
}
_LEAN: t.Mapping[str, t.Callable[[str], str]] = {".js": lean_script, ".css": lean_sheet, ".json": lean_json}
_BROWSER = frozenset(_LEAN)


@dataclass(frozen=True, slots=True)
class Asset:
    """One file: its bytes, its ``Content-Type``, and the first 32 hex digits of its SHA-256."""

    data: bytes
    content_type: str
    etag: str


@dataclass(frozen=True, slots=True, eq=False)
class Assets:
    """All files by name; `hash` is 16 hex digits of SHA-256 over names and contents."""

    hash: str
    files: t.Mapping[str, Asset]


class _Reading(Shared):
    """Lets one thread read, which takes some tenths of a second, while the others wait for what it finds."""

    def _begin_process(self) -> None:
        self.lock = threading.Lock()


_reading = _Reading()


def current_assets() -> Assets:
    """Return the files, lean and read once a process; in debug mode as they are, and again whenever one has changed."""
    state = _state() if current_app.debug else None
    with _reading.lock:
        return _read(state)


def languages() -> tuple[str, ...]:
    """Return the languages that there are sentences in, as BCP 47 tags, English first; opens no file."""
    found = {entry.name for entry in (files("miner") / "browser" / "messages").iterdir() if entry.is_dir()}
    return FALLBACK, *sorted(found - {FALLBACK})


@functools.lru_cache(2)
def _read(state: tuple[tuple[str, int, int], ...] | None) -> Assets:
    contents = {name: file.read_bytes() for name, file in _found()}
    contents[WORDS] = _words()
    if state is None:
        contents = {name: _lean(name, data) for name, data in contents.items()}
    total = hashlib.sha256()
    for name in sorted(contents):
        total.update(f"{name}\n{len(contents[name])}\n".encode() + contents[name])
    return Assets(total.hexdigest()[:16], {name: _asset(name, data) for name, data in contents.items()})


def _lean(name: str, data: bytes) -> bytes:
    shorten = _LEAN.get(os.path.splitext(name)[1])
    return data if shorten is None else shorten(data.decode()).encode()


def _asset(name: str, data: bytes) -> Asset:
    return Asset(data, _TYPES[os.path.splitext(name)[1]], hashlib.sha256(data).hexdigest()[:32])


def _found() -> t.Iterator[tuple[str, Traversable]]:
    """Yield the name and the place of every file of package ``miner`` that browsers may load."""
    package = files("miner")
    yield from _below(package / "browser", "", _BROWSER)
    yield from _below(package / "pow" / "wasm", "wasm/", frozenset({".wasm"}))


def _below(
    folder: Traversable, prefix: str, suffixes: t.Collection[str]
) -> t.Iterator[tuple[str, Traversable]]:
    for entry in folder.iterdir():
        if entry.is_dir():
            yield from _below(entry, f"{prefix}{entry.name}/", suffixes)
        elif os.path.splitext(entry.name)[1] in suffixes:
            yield prefix + entry.name, entry


def _state() -> tuple[tuple[str, int, int], ...]:
    """Return what changes when a file does: names, times and sizes."""
    stats = ((name, os.stat(str(file))) for name, file in _found())
    return tuple(sorted((name, stat.st_mtime_ns, stat.st_size) for name, stat in stats))


def _words() -> bytes:
    words = (files("mnemonic") / "wordlist" / "english.txt").read_text("utf-8").split()
    return ("\n".join(words) + "\n").encode()
