"""Somebody who records every byte that a site receives, sends, logs, signals and stores, and looks for what two visits share."""

from __future__ import annotations

import base64
import binascii
import contextlib
import io
import itertools
import logging
import pathlib
import re
import typing as t
import urllib.parse
import zlib
from collections import Counter

from flask import Flask
from physical import contents, frames, page_size
from sqlalchemy import event, select

from flask_ticketminer import signals
from flask_ticketminer.database import Database

if t.TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

RUN = 8
"""Bytes from which on an equal run is no accident."""
TEXT_RUN = 12
"""The same for printable text, of which a byte says less: 12 hexadecimal digits are 48 bits."""
FILE_RUN = 16
"""The same for pages of a database file, where lengths and small counts stand between the values."""
DEPTH = 5
"""Encodings within each other that are undone."""
_OWN = re.compile(r" at 0x[0-9a-f]+|(cached since|generated in) \S+")
"""What logs say about the site's own process: addresses of objects, and for how long a statement has been known."""
_VISITORS_OWN = ("httpx", "httpcore", "miner", "asyncio")
_LOGGERS = ("", "flask", "werkzeug", "sqlalchemy.engine", "sqlalchemy.pool", "flask_ticketminer")


class Exchange(t.NamedTuple):
    """Sizes of one request and its answer, head and body, in bytes as HTTP/1.1 would send them."""

    request: str
    status: int
    sent: tuple[int, int]
    received: tuple[int, int]


class Record:
    """What was recorded during one visit, by channel: ``wire``, ``log``, ``signal``, ``statement``, ``row``, ``file``."""

    def __init__(self) -> None:
        self.channels: dict[str, list[bytes]] = {}
        self.exchanges: list[Exchange] = []

    def add(self, channel: str, *parts: object) -> None:
        self.channels.setdefault(channel, []).extend(_as_bytes(part) for part in parts)

    def __contains__(self, value: bytes) -> bool:
        return any(value in part for parts in self.channels.values() for part in parts)

    def forms(self) -> dict[bytes, int]:
        """Return what was recorded, in every form that can be decoded, with the bytes that an equal run must have."""
        found: dict[bytes, int] = {}
        for channel, parts in self.channels.items():
            least = FILE_RUN if channel == "file" else RUN
            for form in {form for part in set(parts) if len(part) >= RUN for form in forms(part)}:
                found[form] = min(least, found.get(form, least))
        return found


def joins(
    visits: t.Mapping[str, Record], others: t.Collection[Record] = ()
) -> dict[tuple[str, str], set[bytes]]:
    """Return for each two of the `visits` the runs of bytes that both contain, in either order of bytes.

    Bytes of runs that occur in `others` too are public: they tell nothing about who the visitor was.
    """
    texts = {name: record.forms() for name, record in visits.items()}
    public = {run for record in others for text in record.forms() for run in _windows(text)}
    where: dict[bytes, set[str]] = {}
    for name, forms in texts.items():
        for run in {run for text in forms for run in _windows(text)} - public:
            where.setdefault(run, set()).add(name)
    found: dict[tuple[str, str], set[bytes]] = {}
    for name, forms in texts.items():
        for text, least in forms.items():
            for other, run in _common(name, text, where, public):
                if len(run) >= max(least, TEXT_RUN if _is_printable(run) else 0):
                    first, second = (each for each in texts if each in (name, other))
                    found.setdefault((first, second), set()).add(run)
    return found


def _common(
    name: str, text: bytes, where: t.Mapping[bytes, set[str]], public: t.Collection[bytes]
) -> t.Iterator[tuple[str, bytes]]:
    """Yield the other visits and what of `text`, without its public bytes, they contain."""
    places: dict[str, set[int]] = {}
    for at, run in enumerate(_windows(text)):
        if run not in public and run[::-1] not in public:
            for other in (where[run] | where.get(run[::-1], set())) - {name}:
                places.setdefault(other, set()).update(range(at, at + RUN))
    for other, covered in places.items():
        private = sorted(at for at in covered if not _is_public(text, at, public))
        for _, group in itertools.groupby(enumerate(private), lambda pair: pair[1] - pair[0]):
            places_of_run = [at for _, at in group]
            yield other, text[places_of_run[0] : places_of_run[-1] + 1]


def _is_printable(run: bytes) -> bool:
    return all(32 <= byte < 127 for byte in run)


def _is_public(text: bytes, at: int, public: t.Collection[bytes]) -> bool:
    return any(text[start : start + RUN] in public for start in range(max(0, at - RUN + 1), at + 1))


def forms(part: bytes, depth: int = DEPTH) -> set[bytes]:
    """Return `part` and whatever its tokens say when hex, base64, percent, escape and zlib encodings are undone."""
    # Escaped text needs more characters for a byte than are compared.
    found = set() if _ESCAPED_BYTE.search(part) and _is_printable(part.replace(b"\n", b"")) else {part}
    if depth:
        for decoded in _decoded(part):
            if len(decoded) >= RUN and decoded not in found:
                found |= forms(decoded, depth - 1)
    return found


def _decoded(part: bytes) -> t.Iterator[bytes]:
    if part[:1] == b"\x78":
        with contextlib.suppress(zlib.error):
            yield zlib.decompress(part)
    if b"\\" in part:
        yield _ESCAPE.sub(_unescaped, part)
    if b"%" in part:
        yield urllib.parse.unquote_to_bytes(part)
    for match in re.finditer(rb"[0-9a-fA-F]{16,}", part):
        for start in (0, 1):
            token = match[0][start:]
            yield binascii.unhexlify(token[: len(token) // 2 * 2])
    for match in re.finditer(rb"[A-Za-z0-9_+/-]{11,}", part):
        token = match[0].replace(b"-", b"+").replace(b"_", b"/")
        with contextlib.suppress(binascii.Error):
            yield base64.b64decode(token[: len(token) - (len(token) % 4 == 1)] + b"==")


_ESCAPE = re.compile(rb"\\(?:x([0-9a-f]{2})|(.))")
_ESCAPED_BYTE = re.compile(rb"\\x[0-9a-f]{2}|%[0-9a-fA-F]{2}")
_ESCAPED = {b"n": b"\n", b"r": b"\r", b"t": b"\t"}


def _unescaped(match: re.Match[bytes]) -> bytes:
    return _ESCAPED.get(match[2], match[2]) if match[1] is None else bytes.fromhex(match[1].decode())


def _windows(data: bytes) -> t.Iterator[bytes]:
    return (data[at : at + RUN] for at in range(len(data) - RUN + 1))


class Witness:
    """Watches one application from before its first request; :meth:`visit` gives each part of it a record of its own."""

    def __init__(self, app: Flask) -> None:
        self.record = Record()
        self.database: Database = app.extensions["ticketminer"].database
        app.wsgi_app = self._watch(app.wsgi_app)  # type: ignore[method-assign]
        self._handler = _Handler(self)
        self._levels: dict[logging.Logger, int] = {}
        self._receivers: list[t.Any] = []
        for name in (*_LOGGERS, app.logger.name):
            logger = logging.getLogger(name)
            self._levels[logger] = logger.level
            logger.setLevel(logging.DEBUG)
        logging.getLogger().addHandler(self._handler)
        for signal in signals._signals.values():
            signal.connect(self._hear, app)
        # SQLAlchemy's engines look at the level of their logger once, when they are made.
        self.database.dispose()
        event.listen(self.database.engine, "before_cursor_execute", self._execute)

    def close(self) -> None:
        self.database.dispose()
        logging.getLogger().removeHandler(self._handler)
        for logger, level in self._levels.items():
            logger.setLevel(level)

    @contextlib.contextmanager
    def visit(self) -> t.Iterator[Record]:
        """Record into a new record what happens in this block, and what it left in tables and files."""
        rows, written = self._rows(), len(self._log())
        self.record = record = Record()
        yield record
        self.record = Record()  # what the witness itself asks is nobody's visit
        record.add("row", *(self._rows() - rows).elements())
        record.add("file", *self._news(written))

    def _watch(self, application: WSGIApplication) -> WSGIApplication:
        def watched(environ: WSGIEnvironment, start_response: StartResponse) -> t.Iterable[bytes]:
            body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
            environ["wsgi.input"] = io.BytesIO(body)
            record = self.record
            texts = {name: value for name, value in environ.items() if isinstance(value, str)}
            record.add("wire", body, *(f"{name}: {value}" for name, value in texts.items()))
            answer: list[t.Any] = []

            def start(status: str, headers: list[tuple[str, str]], *rest: t.Any) -> t.Any:
                answer[:] = [status, headers]
                return start_response(status, headers, *rest)

            iterable = application(environ, start)
            try:
                content = b"".join(iterable)
            finally:
                getattr(iterable, "close", lambda: None)()
            status, headers = answer
            record.add("wire", status, *(f"{name}: {value}" for name, value in headers), content)
            record.exchanges.append(_measured(texts, body, status, headers, content))
            return [content]

        return watched

    def _hear(self, sender: object, **news: object) -> None:
        self.record.add("signal", *(f"{name}={value}" for name, value in news.items()))

    def _execute(
        self, connection: t.Any, cursor: t.Any, statement: str, parameters: t.Any, *_: t.Any
    ) -> None:
        many = parameters if isinstance(parameters, list) else [parameters]
        for values in many:
            self.record.add("statement", *(values.values() if isinstance(values, dict) else values))

    def _rows(self) -> Counter[bytes]:
        def work(connection: t.Any) -> Counter[bytes]:
            tables = self.database.tables.all
            return Counter(
                b"\0".join(map(_as_bytes, row))
                for table in tables
                for row in connection.execute(select(table))
            )

        return self.database.read(work)

    @property
    def _file(self) -> pathlib.Path:
        return pathlib.Path(self.database.url.database or "")

    def _log(self) -> bytes:
        if not self.database.is_sqlite:
            return b""
        log = self._file.with_name(self._file.name + "-wal")
        return log.read_bytes() if log.exists() else b""

    def _news(self, written: int) -> t.Iterator[bytes]:
        """Yield what each transaction since `written` bytes of the log has put on its pages that they did not hold before."""
        log = self._log()
        if not log:
            return
        data = self._file.read_bytes()
        size = page_size(data)
        pages = {at // size + 1: data[at : at + size] for at in range(0, len(data), size)}
        pages.update((frame.page, frame.image) for frame in frames(log[:written], size))
        before: Counter[bytes] = Counter()
        after: Counter[bytes] = Counter()
        images: list[bytes] = []
        for frame in frames(log, size, start=written):
            before.update(_windows(contents(pages.get(frame.page, b""))))
            images.append(contents(frame.image))
            after.update(_windows(images[-1]))
            pages[frame.page] = frame.image
            if frame.commit:
                # Rows that only moved to another page are on both sides.
                news = after - before
                for image in images:
                    yield from _stretches(image, news)
                before.clear()
                after.clear()
                images.clear()


def _stretches(image: bytes, news: t.Container[bytes]) -> t.Iterator[bytes]:
    """Yield the parts of a page that consist of new runs."""
    start = None
    for at, run in enumerate(_windows(image)):
        if run in news:
            start = at if start is None else start
        elif start is not None:
            yield image[start : at + RUN - 1]
            start = None
    if start is not None:
        yield image[start:]


class _Handler(logging.Handler):
    def __init__(self, witness: Witness) -> None:
        super().__init__(logging.DEBUG)
        self._witness = witness

    def emit(self, record: logging.LogRecord) -> None:
        if not record.name.startswith(_VISITORS_OWN):
            self._witness.record.add("log", _OWN.sub("", self.format(record)))


def _as_bytes(value: object) -> bytes:
    return bytes(value) if isinstance(value, bytes | bytearray | memoryview) else str(value).encode()


def _measured(
    environ: dict[str, str], body: bytes, status: str, headers: list[tuple[str, str]], content: bytes
) -> Exchange:
    target = environ["PATH_INFO"] + ("?" + environ["QUERY_STRING"] if environ.get("QUERY_STRING") else "")
    line = f"{environ['REQUEST_METHOD']} {target}"
    names = {"CONTENT_TYPE", "CONTENT_LENGTH", *(name for name in environ if name.startswith("HTTP_"))}
    sent = [(name.removeprefix("HTTP_"), value) for name, value in environ.items() if name in names and value]
    return Exchange(
        line,
        int(status[:3]),
        (_head(line + " HTTP/1.1", sent), len(body)),
        (_head("HTTP/1.1 " + status, headers), len(content)),
    )


def _head(first: str, headers: t.Iterable[tuple[str, str]]) -> int:
    return len(first) + 4 + sum(len(name) + len(value) + 4 for name, value in headers)
