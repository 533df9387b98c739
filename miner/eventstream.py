"""A stream of server-sent events (WHATWG HTML, section 9.2) from an untrusted site: bounded lines, events and pace."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterable, Iterator

from miner.answers import nonsense

BURST, PACE = 65_536, 1024
"""Bytes that may come at once, and bytes a second in the long run: more is no news but a load."""

_LINE_END = re.compile(rb"\r\n|\n|\r")


def event_data(
    chunks: Iterable[bytes], *, limit: int, clock: Callable[[], float] = time.monotonic
) -> Iterator[bytes | None]:
    """Yield the data of each event in `chunks`, and None after each chunk, as a sign of life.

    Fields other than ``data`` are left out, and so is an event without data.

    :param limit: bytes of a line, and of an event.
    :raises SiteProtocolError: a line or an event has more, or they come too fast.
    """
    data: list[bytes] = []
    for line in _lines(chunks, limit, clock):
        if line is None:
            yield None
        elif not line:
            if data:
                yield b"\n".join(data)
            data = []
        else:
            field, _, value = line.partition(b":")
            if field == b"data":
                data.append(value.removeprefix(b" "))
                if sum(len(part) + 1 for part in data) > limit:
                    raise nonsense(f"an event has more than {limit} bytes.")


def _lines(chunks: Iterable[bytes], limit: int, clock: Callable[[], float]) -> Iterator[bytes | None]:
    """Yield each line without its end, and None after each chunk."""
    began, received, rest = clock(), 0, b""
    for chunk in chunks:
        received += len(chunk)
        if received > BURST + PACE * (clock() - began):
            raise nonsense("events come faster than anybody needs them.")
        rest += chunk
        # A carriage return at the end may be half of a line's end.
        whole = len(rest) - 1 if rest.endswith(b"\r") else len(rest)
        *lines, tail = _LINE_END.split(rest[:whole])
        rest = tail + rest[whole:]
        if len(rest) > limit + 1 or any(len(line) > limit for line in lines):
            raise nonsense(f"a line of the stream has more than {limit} bytes.")
        yield from lines
        yield None
