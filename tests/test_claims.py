"""Every claim of the lists ``claims_*.toml`` names tests that exist, and ``docs/claims.md`` says what the lists say.

``python tests/test_claims.py`` writes that page anew.
"""

from __future__ import annotations

import ast
import functools
import re
import tomllib
import typing as t
from collections import Counter
from pathlib import Path

import pytest

TESTS = Path(__file__).parent
PAGE = TESTS.parent / "docs/claims.md"
LISTS = [
    tomllib.loads((TESTS / f"claims_{name}.toml").read_text())
    for name in ("2016", "threads", "tickets", "http", "storage")
]
CLAIMS: list[dict[str, t.Any]] = [claim for each in LISTS for claim in each["claim"]]
FOUND = {
    f"{name} {item}" for each in LISTS for name, source in each["source"].items() for item in source["items"]
}
"""What the claims answer to: each hole, defect, pitfall, request and rule."""
LATER: dict[str, str] = {name: what for each in LISTS for name, what in each.get("later", {}).items()}

INTRODUCTION = """\
# Claims and their tests

Each sentence below is something that Flask-TicketMiner claims, with the tests that would fail if it were not so. It is written from
the lists `tests/claims_*.toml`, and a test keeps the two alike. `make mutants` breaks the most important lines of the program one at a time
and prints which test noticed.
"""


@functools.cache
def defined_in(file: str) -> set[str]:
    """Return the names of the test functions that pytest collects from `file`, of which the last of a name counts."""
    path = TESTS / file
    if not re.fullmatch(r"test_\w+\.py", file) or not path.exists():
        return set()
    functions = [
        node.name
        for node in ast.parse(path.read_text()).body
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_")
    ]
    return {name for name, times in Counter(functions).items() if times == 1}


def page() -> str:
    """Return the page that says what the lists say."""
    parts = [INTRODUCTION]
    for each in LISTS:
        parts.append(f"## {each['title']}\n")
        parts += [
            f"- {source['title']}: {name} {span(source['items'])}." for name, source in each["source"].items()
        ]
        parts += ["", *(paragraph(claim) for claim in each["claim"])]
    return "\n".join(parts)


def paragraph(claim: dict[str, t.Any]) -> str:
    lines = [f"**{claim['text']}** ({', '.join(claim['sources'])})", ""]
    lines += [f"- `{test}`" for test in claim.get("tests", [])]
    if "later" in claim:
        lines.append(f"- not built yet: {LATER[claim['later']]}")
    return "\n".join([*lines, ""])


def span(items: list[str]) -> str:
    return f"{items[0]} to {items[-1]}"


@pytest.mark.parametrize("claim", CLAIMS, ids=lambda claim: claim["id"])
def test_a_claim_has_tests_that_exist_or_is_not_built_yet(claim: dict[str, t.Any]) -> None:
    tests = claim.get("tests", [])
    assert tests or "later" in claim
    assert len(tests) == len(set(tests))
    assert [
        test for test in tests if test.partition("::")[2] not in defined_in(test.partition("::")[0])
    ] == []
    assert set(claim) <= {"id", "sources", "text", "tests", "later"}
    assert claim.get("later", "page") in LATER


def test_nothing_that_was_found_or_laid_down_is_left_out() -> None:
    claimed = {source for claim in CLAIMS for source in claim["sources"]}
    assert claimed == FOUND


def test_each_claim_is_named_once() -> None:
    for field in ("id", "text"):
        assert [
            value for value, times in Counter(claim[field] for claim in CLAIMS).items() if times > 1
        ] == []


def test_the_documentation_says_what_the_lists_say() -> None:
    assert PAGE.read_text() == page()


def test_a_test_that_does_not_exist_is_noticed() -> None:
    assert "test_each_claim_is_named_once" in defined_in("test_claims.py")
    assert "test_that_nobody_wrote" not in defined_in("test_claims.py")
    assert defined_in("test_nothing_of_this_name.py") == defined_in("../setup.py") == set()


if __name__ == "__main__":
    PAGE.write_text(page())
