"""Two copies of each wallet: they spend the same tickets and count the same outputs, and know nothing of each other."""

from __future__ import annotations

import contextlib
import sqlite3
import time

from torture_app import PRICES
from torture_siege import VISITORS, Outcome, Siege
from torture_verdict import compare
from torture_visitors import Visitor
from torture_world import World

STALE = 11.0
"""Seconds after which every worker's list of spent tickets is written anew."""
EXPECTED = frozenset(
    {
        "tickets taken",
        "refused: ticket-spent",
        "refused: output-already-signed",
        "payment failed: asked again and again",
        "more than 20 requests",
    }
)
"""What may become of a task besides, because the other copy was faster.

A ticket that the site calls spent before its list does, which may be ten seconds old, is kept back and not replaced by another.
The last is the bound on one request of a program, in which a wallet that is far behind cannot catch up; ``recover`` can.
"""


class Copies(Siege):
    """The rounds of one batch; wallets and ledger are compared at its end, when the copies have caught up with each other."""

    expected = Siege.expected | EXPECTED

    def __init__(self, world: World, seed: str) -> None:
        super().__init__(world, None, "copies", seed, visitors=VISITORS // 2)
        self._paths: dict[int, list[str]] = {}
        for original in list(self.visitors):
            number = len(self.visitors)
            with (
                contextlib.closing(sqlite3.connect(original.wallet)) as source,
                contextlib.closing(sqlite3.connect(world.folder / f"wallet-{number}.sqlite")) as target,
            ):
                source.backup(target)
            self.visitors.append(Visitor(world.folder, number, world.server.url))

    def round(self) -> Outcome:
        self._serial += 1
        before = sum(visitor.requests for visitor in self.visitors)
        for visitor, paths in zip(
            self.visitors, self._begin(self.chance.choice(("reserve", "redeem"))), strict=True
        ):
            self._paths.setdefault(visitor.number, []).extend(paths)
        self._end()
        outcome = Outcome([])
        self._review(outcome)
        outcome.requests = sum(visitor.requests for visitor in self.visitors) - before
        outcome.problems += self.world.unequal()
        return outcome

    def reconcile(self) -> Outcome:
        """Let everybody find out about everything, and compare."""
        outcome = Outcome([])
        time.sleep(STALE)
        for visitor in self.visitors:
            interrupted, problems = visitor.finish(self._paths[visitor.number], False)
            outcome.interrupted += interrupted
            outcome.problems += [problem for problem in problems if problem not in EXPECTED]
        time.sleep(STALE)
        for visitor in self.visitors:
            visitor.restore()
        holdings = [visitor.holdings() for visitor in self.visitors]
        half = len(holdings) // 2
        for one, other in zip(holdings[:half], holdings[half:], strict=True):
            if set(one.available) != set(other.available):
                difference = set(one.available) ^ set(other.available)
                outcome.problems.append(f"two copies differ by {len(difference)} tickets after restoring")
        books = self.world.books()
        outcome.settled = len(books.payments)
        found = compare(books, holdings[:half], self.world.effects(), PRICES["effect"])
        outcome.problems += found.problems
        outcome.lost, outcome.doubled = found.lost, found.doubled
        return outcome
