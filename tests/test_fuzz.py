"""The endpoints under fuzz: no crash, no answer that is not announced, no ticket that nobody earned or paid.

``python tests/fuzz.py --requests 10000 --seed 1`` does more of it and prints a table.
"""

from __future__ import annotations

import pathlib

import pytest
from conftest import missing

try:
    import schemathesis  # noqa: F401
except ImportError:
    missing("needs schemathesis: pip install -e '.[attack]'")

from fuzz import fuzz
from fuzz_books import Books
from fuzz_requests import Wire
from fuzz_site import Fuzzer

REQUESTS = 2000


@pytest.fixture
def fuzzer(tmp_path: pathlib.Path) -> Fuzzer:
    return Fuzzer(tmp_path)


def test_fuzzed_requests_get_announced_answers_and_leave_the_ledger_right(fuzzer: Fuzzer) -> None:
    fuzz(fuzzer, REQUESTS, start=1)
    assert fuzzer.faults == []
    assert fuzzer.requests == REQUESTS
    statuses = {status for _, status in fuzzer.answers}
    assert statuses >= {200, 303, 400, 402, 403, 404, 405, 409, 413, 415, 422}, fuzzer.table()


def test_the_fuzzer_notices_a_view_that_fails(fuzzer: Fuzzer) -> None:
    wire = fuzzer.stock.header("/raises", [1], [])
    fuzzer.send(wire)
    assert any("500 is not announced" in fault for fault in fuzzer.faults)
    assert any("the view failed" in fault for fault in fuzzer.faults)


def test_the_fuzzer_notices_a_ticket_that_no_answer_told_of(fuzzer: Fuzzer) -> None:
    fuzzer.stock.ticket(4)
    assert fuzzer.books.errors() == []
    assert Books(fuzzer.app).errors() == ["tickets worth 4 circulate, and answers told of 0"]


def test_the_fuzzer_notices_an_answer_of_another_shape(fuzzer: Fuzzer) -> None:
    reply = Wire("GET", "/ticketminer/stats").send(fuzzer.app)
    assert fuzzer.announced.faults("/ticketminer/stats", "GET", reply) == []
    assert fuzzer.announced.faults("/ticketminer/", "GET", reply) != []
    assert fuzzer.announced.faults("/ticketminer/submit", "POST", reply) != []
