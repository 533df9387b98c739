"""Scripts and style sheets without what only their readers need: comments, indentation, empty lines, needless space."""

from __future__ import annotations

import json
import re
import typing as t

_TOKEN = re.compile(
    r"""(?P<comment>//[^\n]*|/\*.*?\*/)
      | (?P<text>"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*')
      | (?P<word>[\w$]+)
      | (?P<space>\s+)
      | (?P<sign>[^\w$\s/"'`{}]+|.)""",
    re.VERBOSE | re.DOTALL,
)
_SHEET_TOKEN = re.compile(
    r"""(?P<comment>/\*.*?\*/)|(?P<text>"[^"]*"|'[^']*')|(?P<space>\s+)|(?P<sign>[^\s"'/]+|.)""", re.DOTALL
)
_REGEX = re.compile(r"/(?:[^/\\\[\n]|\\.|\[(?:[^\]\\\n]|\\.)*\])+/\w*")
_TEMPLATE = re.compile(r"(?:[^`\\$]|\\.|\$(?!\{))*", re.DOTALL)
_APART = frozenset("{}()[],;:=")
"""Signs that are never read together with what stands beside them, but for each other, and those are one token."""
_VALUES = frozenset(")]}")
"""Signs that end a value, after which a slash divides; after any other sign it begins a regular expression."""
_OPERATORS = frozenset(
    ("return", "typeof", "case", "of", "in", "await", "yield", "void", "delete", "else", "do")
)
"""Words that do not."""


def lean_script(source: str) -> str:
    """Return the JavaScript module `source` as the same program, without comments, indentation, empty lines and needless space.

    Line ends stay where they were, so that a missing semicolon means the same; names stay as they are. After ``)`` and ``}`` a slash is taken for a
    division, as it is everywhere in our modules; a test compares the programs.
    """
    return "".join(_lean(_script_tokens(source), _APART))


def lean_sheet(source: str) -> str:
    """Return the style sheet `source` without comments, indentation and empty lines."""
    return "".join(_lean(_sheet_tokens(source)))


def lean_json(source: str) -> str:
    """Return the JSON text `source` without white space."""
    return json.dumps(json.loads(source), ensure_ascii=False, separators=(",", ":"))


def _lean(tokens: t.Iterable[tuple[str, str]], apart: frozenset[str] = frozenset()) -> t.Iterator[str]:
    """Yield the tokens that count, and of the space between them as little as keeps them apart.

    :param apart: characters that need no space beside them.
    """
    gap, last = "", ""
    for kind, text in tokens:
        if kind in ("comment", "space"):
            gap = "\n" if "\n" in gap + text else " "
            continue
        if last and (gap == "\n" or (gap and not apart & {last[-1], text[0]})):
            yield gap
        yield text
        gap, last = "", text
    yield "\n"


def _sheet_tokens(source: str) -> t.Iterator[tuple[str, str]]:
    for match in _SHEET_TOKEN.finditer(source):
        yield t.cast(str, match.lastgroup), match[0]


def _script_tokens(source: str) -> t.Iterator[tuple[str, str]]:
    position, braces = 0, [0]
    before = ""
    while position < len(source):
        match = t.cast("re.Match[str]", _TOKEN.match(source, position))
        kind, text = t.cast(str, match.lastgroup), match[0]
        if kind == "sign":
            if text == "/" and (
                before in _OPERATORS
                or not (before[-1:].isalnum() or before[-1:] in _VALUES | {"_", "$", '"', "'", "`"})
            ):
                text = t.cast("re.Match[str]", _REGEX.match(source, position))[0]
                kind = "text"
            elif text == "`" or (text == "}" and len(braces) > 1 and braces[-1] == 0):
                # A template goes on until it ends or until its next ${, after which there is code again.
                if text == "}":
                    braces.pop()
                text += t.cast("re.Match[str]", _TEMPLATE.match(source, position + 1))[0]
                if source.startswith("${", position + len(text)):
                    text += "${"
                    braces.append(0)
                else:
                    text += "`"
                kind = "text"
            elif text in "{}":
                braces[-1] += 1 if text == "{" else -1
        if kind not in ("comment", "space"):
            before = text
        yield kind, text
        position += len(text)
