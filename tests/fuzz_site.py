"""One site under fuzz: what it answered, and what was wrong with that."""

from __future__ import annotations

import pathlib
import traceback
import typing as t
from collections import Counter
from collections.abc import Callable

from flask import Flask, got_request_exception
from fuzz_answers import Announced
from fuzz_books import Books
from fuzz_requests import Wire
from fuzz_stock import Stock
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from mints import START
from sites import make_shop
from werkzeug.test import TestResponse

from flask_ticketminer.clock import ManualClock

AUDIT_EVERY = 500
"""Requests between two looks at the ledger."""
MOST_FAULTS = 30
"""Faults that are kept with their requests."""


class Fuzzer:
    """One site under fuzz, what it answered, and what was wrong with that.

    :ivar answers: numbers of answers by (method and path, status).
    :ivar faults: sentences, each with its request.
    """

    def __init__(self, folder: pathlib.Path, url: str = "sqlite://") -> None:
        self.clock = ManualClock(START)
        # Faults of the application have to come as answers, as they do in production.
        self.app: Flask = make_shop(folder, url, self.clock, PROPAGATE_EXCEPTIONS=False).app
        self.announced = Announced(self.app)
        self.books = Books(self.app)
        self.stock = Stock(self.app, self.books)
        self.answers: Counter[tuple[str, int]] = Counter()
        self.faults: list[str] = []
        self._sorts: set[str] = set()
        self._errors: list[str] = []
        self._connection = got_request_exception.connect(self._note_error, self.app)

    def _note_error(self, _: Flask, exception: BaseException, **extra: t.Any) -> None:
        self._errors.append("".join(traceback.format_exception(exception)[-3:]))

    @property
    def requests(self) -> int:
        """How many requests were made."""
        return sum(self.answers.values())

    def send(self, wire: Wire) -> TestResponse | None:
        """Send `wire` and judge the answer; None when there was none."""
        template = self.announced.template(wire.environ())
        try:
            reply = wire.send(self.app)
        except Exception:
            self.judge(str(wire), [traceback.format_exc()])
            self.answers[f"{wire.method} {template}", 599] += 1
            return None
        self.note(template, wire.method, str(wire), reply)
        return reply

    def note(self, template: str | None, method: str, shown: str, reply: TestResponse) -> None:
        """Count and judge `reply` to the request `shown`, and keep the books."""
        method = method.upper()
        self.answers[f"{method} {template or '(nothing)'}", reply.status_code] += 1
        self.judge(shown, self.announced.faults(template, method, reply) + self._errors)
        self._errors.clear()
        self.books.note(reply)
        if self.requests % AUDIT_EVERY == 0:
            self.judge("the ledger", self.books.errors())

    def judge(self, shown: str, faults: list[str]) -> None:
        """Keep `faults` of the request `shown`, the first of each sort."""
        for fault in faults:
            if fault[:60] not in self._sorts and len(self.faults) < MOST_FAULTS:
                self._sorts.add(fault[:60])
                self.faults.append(f"{fault}\n    {shown}")

    def table(self) -> str:
        """Return the numbers of answers, by path and status."""
        statuses = sorted({status for _, status in self.answers})
        names = sorted({name for name, _ in self.answers})
        width = max(map(len, names), default=0)
        lines = [" " * width + "".join(f"{status:>7}" for status in statuses)]
        for name in names:
            lines.append(name.ljust(width) + "".join(f"{self.answers[name, s] or '.':>7}" for s in statuses))
        return "\n".join(lines)


def repeat(
    number: int, start: int, **strategies: st.SearchStrategy[t.Any]
) -> Callable[[Callable[..., None]], None]:
    """Call the decorated function with `number` examples of `strategies`, the same ones for the same `start`."""

    def decorate(function: Callable[..., None]) -> None:
        count = 0

        def counted(**drawn: t.Any) -> None:
            nonlocal count
            if count < number:
                count += 1
                function(**drawn)

        batch = 0
        while count < number:
            run = given(**strategies)(counted)
            before = count
            settings(
                max_examples=number - count,
                database=None,
                deadline=None,
                phases=[Phase.generate],
                suppress_health_check=list(HealthCheck),
            )(seed(start + batch)(run))()
            batch += 1
            if count == before:
                break

    return decorate
