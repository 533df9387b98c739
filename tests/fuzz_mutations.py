"""Almost valid requests: a valid one, spoilt in one place or two."""

from __future__ import annotations

import base64
import gzip
import itertools
import json
import typing as t
from collections.abc import Callable
from urllib.parse import parse_qsl, urlencode

from fuzz_requests import Wire
from hypothesis import strategies as st

from miner.tokens import b64url

T = t.TypeVar("T")
Spoil = Callable[["Pick", Wire], Wire]

FRAGMENTS = (
    *("null", "true", "false", "0", "1", "-1", "2", "512", "1.0", "1e400", "-0", "NaN", "Infinity", "01"),
    *("2147483647", "2147483648", "9007199254740993", "9" * 40, "9" * 5000),
    *(
        '""',
        '" "',
        '"0"',
        '"1"',
        '"\\u0000"',
        '"\\ud800"',
        '"\\u0663"',
        '"é"',
        '"\\n"',
        '"A"',
        '"=="',
        '"../.."',
    ),
    *('"' + "A" * 343 + '"', '"' + "A" * 472 + '"', '"' + "00" * 32 + '"', '"' + "x" * 2000 + '"'),
    *('"' + "x" * 70_000 + '"', "[]", "{}", "[[]]", "[null]", '{"":0}', '{"a":1,"a":1}', '["A","A"]'),
    *("[" * 400 + "]" * 400, "[" * 3000, '{"a":' * 900 + "0" + "}" * 900, "", "undefined", "'a'", "/**/1"),
)
"""What a member of JSON may turn into; not all of it is JSON."""
TEXTS = (
    "",
    " ",
    "\0",
    "é",
    "\u202e",
    "0",
    "-1",
    "99999999999999999999",
    "%00",
    "a,b",
    'a"b',
    "a\tb",
    "x" * 9000,
)
FIELDS = (
    (
        "Authorization",
        ("", "Payment", "Payment ", "payment e30", "Payment e30 e30", "Basic YTpi", "Bearer x"),
    ),
    ("Payment-Authorization", ("Payment e30", "x", "Payment " + "A" * 7001)),
    (
        "Content-Type",
        ("", "text/plain", "application/json; charset=utf-16", "APPLICATION/JSON", "multipart/form-data"),
    ),
    (
        "Content-Type",
        ("application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "application/json,x/y"),
    ),
    ("Content-Encoding", ("gzip", "identity", "br", "deflate, gzip")),
    ("Transfer-Encoding", ("chunked", "gzip, chunked", "x")),
    (
        "Accept",
        ("", "text/html", "image/*", "*/*;q=0", "text/html;q=0.1,*/*", "x", "text/html;q=x", "a/b;" * 50),
    ),
    ("Accept-Payment", ("ticket", "card", "")),
    ("Sec-Fetch-Dest", ("image", "document", "empty", "")),
    (
        "Cookie",
        ("a", "a=b; a=c", "ticketminer_pass_=x", "ticketminer_pass_0000000000000000=W10.x", ";;;", "é=é"),
    ),
    ("TicketMiner-Pass", ("", "x", "W10.AAAA", ".", "..", ".eJyLjgUAARUAuQ.x", "é", "x" * 2000)),
    (
        "Host",
        (
            "",
            "localhost:99999",
            "shop.example",
            "x.onion",
            "a b",
            "[::1]",
            "[",
            "localhost,evil.example",
            "é",
        ),
    ),
    ("X-HTTP-Method-Override", ("DELETE", "GET", "PUT")),
    ("X-Forwarded-Proto", ("https", "http", "")),
    ("X-Forwarded-Host", ("evil.example",)),
    ("If-None-Match", ("*", '"x"', "W/", "x", '"' * 9)),
    ("If-Match", ("*", '"x"', "x")),
    ("If-Modified-Since", ("Thu, 01 Jan 2099 00:00:00 GMT", "yesterday", "")),
    ("Range", ("bytes=0-0", "bytes=-1", "bytes=9-1", "x", "bytes=0-0,2-3")),
    ("Origin", ("https://evil.example", "null")),
    ("Expect", ("100-continue", "x")),
    ("X-TicketMiner-Service", ("https://evil.example/",)),
)
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND", "get")
LENGTHS = ("0", "1", "-1", "x", "", "99999999", "1e3", "65536", "65537", "9" * 30, " 5", "+5")


class Pick:
    """Chooses by the bytes that a strategy drew, two for each choice; when they are used up, they begin again.

    Their number is fixed, so the requests that are spoilt may differ from run to run.
    """

    def __init__(self, data: bytes) -> None:
        self._numbers = itertools.cycle(
            int.from_bytes(data[at : at + 2], "big") for at in range(0, len(data), 2)
        )

    def __call__(self, options: t.Sequence[T]) -> T:
        return options[next(self._numbers) % len(options)]


PICKS: st.SearchStrategy[Pick] = st.binary(min_size=64, max_size=64).map(Pick)


def almost(valid: Wire, pick: Pick) -> Wire:
    """Return `valid` with up to three faults, mostly one."""
    wire = valid
    for _ in range(pick((1, 1, 1, 1, 2, 3, 0))):
        wire = pick(_spoils(wire))(pick, wire)
    return wire


def _spoils(wire: Wire) -> list[Spoil]:
    """Return what can go wrong with `wire`; what it carries goes wrong most often."""
    own: list[Spoil] = []
    if wire.field("Content-Type") == "application/json" and _parsed(wire.body) is not None:
        own += [_json_body] * 8
    if wire.field("Content-Type") == "application/x-www-form-urlencoded":
        own += [_form_member] * 8
    if (wire.field("Authorization") or "").startswith("Payment "):
        own += [_credential] * 8
    for name in ("TicketMiner-Pass", "Cookie", "Authorization"):
        if wire.field(name):
            own += [_field_text(name)] * 2
    if wire.body:
        own += [_bytes] * 2 + [_encoded, _length, _chunked]
    return [*own, _field, _field, _method, _query, _path, _repeated]


def _json_body(pick: Pick, wire: Wire) -> Wire:
    return wire.change(body=_spoilt_json(pick, wire.body))


def _credential(pick: Pick, wire: Wire) -> Wire:
    text = (wire.field("Authorization") or "").removeprefix("Payment ")
    return wire.with_field("Authorization", "Payment " + _spoilt_base64(pick, text))


def _form_member(pick: Pick, wire: Wire) -> Wire:
    members = parse_qsl(wire.body.decode("latin-1"), keep_blank_values=True)
    if not members:
        return wire.change(body=pick((b"", b"=", b"&&", b"tickets", b"%zz=%", b"\xff" * 30)))
    at = pick(range(len(members)))
    name, value = members[at]
    what = pick(("value", "value", "value", "name", "drop", "twice"))
    if what == "value":
        prefix, dot, text = value.rpartition(".")
        members[at] = (name, prefix + dot + _spoilt_base64(pick, text))
    elif what == "name":
        members[at] = (pick((*TEXTS, "tickets", "challenge", "donate_rest")), value)
    elif what == "drop":
        del members[at]
    else:
        members.append((name, pick(TEXTS)))
    return wire.change(body=urlencode(members).encode())


def _spoilt_base64(pick: Pick, text: str) -> str:
    """Spoil the JSON inside base64url `text`, or the text itself."""
    try:
        data = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except ValueError:
        data = b""
    if _parsed(data) is None or pick(range(5)) == 0:
        return _spoilt_text(pick, text)
    return b64url(_spoilt_json(pick, data))


def _spoilt_json(pick: Pick, data: bytes) -> bytes:
    """Replace, drop, rename, repeat or bend one member, however deep."""
    document = _parsed(data)
    paths = list(_paths(document))
    path = pick(paths)
    what = pick(("replace", "replace", "bend", "bend", "drop", "add", "repeat", "move", "inner"))
    holder, name = _holder(document, path)
    value = holder[name] if path else document
    fragment = pick(FRAGMENTS)
    if what == "bend" and isinstance(value, str):
        return _with(document, path, json.dumps(_spoilt_text(pick, value)))
    if what == "inner" and isinstance(value, str):
        return _with(document, path, json.dumps(_spoilt_base64(pick, value)))
    if what == "drop" and path:
        del holder[name]
        return json.dumps(document).encode()
    if what == "add" and isinstance(value, dict):
        key = pick((*TEXTS, *value))  # perhaps one that is there: then it is there twice
        added = f"{json.dumps(key)}: {fragment or 'null'}"
        return _with(document, path, json.dumps(value).replace("{", "{" + added + (", " if value else ""), 1))
    if what == "repeat" and isinstance(value, list):
        return _with(document, path, json.dumps(value * pick((0, 2, 17, 33, 65, 300))))
    if what == "move":
        other = pick(paths)
        taken, key = _holder(document, other)
        return _with(document, path, json.dumps(taken[key] if other else document))
    return _with(document, path, fragment)


def _with(document: t.Any, path: tuple[t.Any, ...], raw: str) -> bytes:
    """Return `document` as JSON with the text `raw` at `path`."""
    mark = "\N{SNOWMAN}"
    if not path:
        return raw.encode("utf-8", "surrogatepass")
    holder, name = _holder(document, path)
    holder[name] = mark
    text = json.dumps(document, ensure_ascii=False).replace(f'"{mark}"', raw)
    return text.encode("utf-8", "surrogatepass")


def _paths(value: t.Any, path: tuple[t.Any, ...] = ()) -> t.Iterator[tuple[t.Any, ...]]:
    yield path
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, member in items:
        yield from _paths(member, (*path, name))


def _holder(document: t.Any, path: tuple[t.Any, ...]) -> tuple[t.Any, t.Any]:
    """Return what holds the value at `path`, and under which name."""
    if not path:
        return None, None
    for name in path[:-1]:
        document = document[name]
    return document, path[-1]


def _parsed(data: bytes) -> t.Any:
    """Return the object or list in `data`, or None."""
    try:
        value = json.loads(data)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict | list) else None


def _spoilt_text(pick: Pick, text: str) -> str:
    what = pick(("own", "own", "own", "char", "cut", "grow", "case", "insert", "replace", "double"))
    at = pick(range(len(text) + 1))
    if what == "own" and text:  # well-formed still, as a rule
        return text[:at] + text[pick(range(len(text)))] + text[at + 1 :]
    if what == "char":
        return text[:at] + pick("AB_-09=+/. \0é\n") + text[at + 1 :]
    if what == "cut":
        return text[:at]
    if what == "grow":
        return text + pick(("A", "=", "==", "AAAA", "\n", " ", "\0", "|", "A" * 70_000))
    if what == "case":
        return text.swapcase()
    if what == "insert":
        return text[:at] + pick(TEXTS) + text[at:]
    if what == "double":
        return text + text
    return pick(TEXTS)


def _field_text(name: str) -> Spoil:
    def spoil(pick: Pick, wire: Wire) -> Wire:
        return wire.with_field(name, _latin(_spoilt_text(pick, wire.field(name) or "")))

    return spoil


def _field(pick: Pick, wire: Wire) -> Wire:
    name, values = pick(FIELDS)
    return wire.with_field(name, pick(values))


def _repeated(pick: Pick, wire: Wire) -> Wire:
    if not wire.fields:
        return wire.change(fields=(("Accept", "text/html"), ("Accept", "x/y")))
    at = pick(range(len(wire.fields)))
    return wire.change(fields=(*wire.fields, wire.fields[at]))


def _method(pick: Pick, wire: Wire) -> Wire:
    return wire.change(method=pick(METHODS))


def _query(pick: Pick, wire: Wire) -> Wire:
    path, _, query = wire.path.partition("?")
    amount = pick(("0", "1", "2", "1.0", "-1", "01", "2147483647", "2147483648", "x", "", "٣", "1&amount=2"))
    name = pick(("amount", "fund", "x", ""))
    value = pick((amount, "articles", "roads", "%ff", "%", "a'b", '"', "<b>", "\xe9", "x" * 3000))
    kept = f"{query}&" if query and pick((True, False)) else ""
    return wire.change(path=_latin(f"{path}?{kept}{name}={value}"))


def _path(pick: Pick, wire: Wire) -> Wire:
    path, mark, query = wire.path.partition("?")
    at = pick(range(len(path)))
    bent = pick(
        (
            path + "/",
            "/" + path,
            path.upper(),
            path[:at],
            path + "%00",
            path + "%2f..",
            path + ";x=y",
            path + "é",
        )
    )
    return wire.change(path=_latin(bent or "/") + mark + query)


def _bytes(pick: Pick, wire: Wire) -> Wire:
    at = pick(range(len(wire.body)))
    byte = bytes((pick(range(256)),))
    body = pick(
        (
            wire.body[:at] + byte + wire.body[at + 1 :],
            wire.body[:at],
            wire.body + byte,
            b"\xef\xbb\xbf" + wire.body,
            wire.body * 2,
            wire.body + b" " * 70_000,
            b"",
        )
    )
    return wire.change(body=body)


def _encoded(pick: Pick, wire: Wire) -> Wire:
    if pick((True, False)):
        return wire.change(body=gzip.compress(wire.body, mtime=0)).with_field("Content-Encoding", "gzip")
    return wire.change(body=wire.body.decode("latin-1").encode(pick(("utf-16", "utf-32", "utf-7"))))


def _length(pick: Pick, wire: Wire) -> Wire:
    return wire.change(length=pick(LENGTHS))


def _chunked(pick: Pick, wire: Wire) -> Wire:
    return wire.change(chunked=True, body=wire.body + b" " * pick((0, 0, 1, 70_000)))


def _latin(text: str) -> str:
    """Return `text` as a server hands a header field or a path over: each character stands for a byte."""
    return text.encode("utf-8", "surrogateescape").decode("latin-1") if not text.isascii() else text
