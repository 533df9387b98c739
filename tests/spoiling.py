"""What happens to bytes and texts on their way: cut, prolonged, altered, put together wrongly."""

from __future__ import annotations

import json
import typing as t
from collections.abc import Callable

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

JSON_VALUES = st.sampled_from(
    (
        None,
        True,
        False,
        0,
        1,
        -1,
        2**31,
        2**63,
        2**300,
        "",
        "0",
        "x",
        "\0",
        "é",
        "A" * 342,
        [],
        {},
        [[]],
        [None],
        {"a": 1},
    )
)


def holds_for(*drawn: t.Any, examples: int = 100, **named: t.Any) -> Callable[[t.Any], t.Any]:
    """Return hypothesis's ``given`` for the suite: the same examples in every run, and nothing stored."""
    steady = settings(
        max_examples=examples,
        derandomize=True,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    return lambda test: steady(given(*drawn, **named)(test))


@st.composite
def spoilt_bytes(draw: st.DrawFn, data: bytes) -> bytes:
    """Return `data` with one fault; it is never `data`."""
    at = draw(st.integers(0, 2**16))
    kind = draw(st.sampled_from(("cut", "prolonged", "altered", "inserted", "removed", "swapped")))
    if not data or kind == "prolonged":
        return data + draw(st.binary(min_size=1, max_size=4))
    at %= len(data)
    if kind == "cut":
        return data[:at]
    if kind == "inserted":
        spoilt = data[:at] + draw(st.binary(min_size=1, max_size=3)) + data[at:]
    elif kind == "removed":
        spoilt = data[:at] + data[at + 1 :]
    elif kind == "swapped":
        spoilt = data[at:] + data[:at]
    else:
        spoilt = data[:at] + bytes((data[at] ^ draw(st.integers(1, 255)),)) + data[at + 1 :]
    return spoilt if spoilt != data else data + b"\0"


@st.composite
def spoilt_text(draw: st.DrawFn, text: str) -> str:
    """Return `text` with one fault; it is never `text`."""
    at = draw(st.integers(0, 2**16)) % (len(text) + 1)
    some = draw(st.sampled_from(("A", "B", "_", "-", "0", "=", "+", ".", " ", "\n", "\0", "é", "|", "aa")))
    kind = draw(st.sampled_from(("cut", "prolonged", "altered", "inserted", "case")))
    spoilt = {
        "cut": text[:at],
        "prolonged": text + some,
        "altered": text[:at] + some + text[at + 1 :],
        "inserted": text[:at] + some + text[at:],
        "case": text.swapcase(),
    }[kind]
    return spoilt if spoilt != text else text + "A"


@st.composite
def spoilt_json(draw: st.DrawFn, document: t.Any) -> t.Any:
    """Return a copy of the JSON value `document` in which one value is another, or is missing, or is new."""
    copy = json.loads(json.dumps(document))
    holders = [(copy, name) for name in _names(copy)]
    for holder, name in holders:
        holders += [(holder[name], inner) for inner in _names(holder[name])]
    holder, name = holders[draw(st.integers(0, 2**16)) % len(holders)]
    kind = draw(st.sampled_from(("other", "spoilt", "missing", "new", "double")))
    if kind == "spoilt" and isinstance(holder[name], str):
        holder[name] = draw(spoilt_text(holder[name]))
    elif kind == "missing":
        del holder[name]
    elif kind == "new" and isinstance(holder, dict):
        holder["new"] = draw(JSON_VALUES)
    elif kind == "double" and isinstance(holder, list):
        holder.append(holder[name])
    else:
        holder[name] = draw(JSON_VALUES)
    return copy


def _names(value: t.Any) -> list[t.Any]:
    return (
        list(value) if isinstance(value, dict) else list(range(len(value))) if isinstance(value, list) else []
    )
