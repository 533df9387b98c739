"""A crowd of wallets at one mint: they earn and spend tickets at random times, and only this module knows which is which.

``python tests/crowd.py`` simulates 1,000 wallets on SQLite and PostgreSQL, lets :mod:`guesser` try to match redeemed tickets to
issues, and prints what each source of information gives away.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import heapq
import itertools
import os
import pathlib
import random
import sqlite3
import tempfile
import time
import typing as t
from dataclasses import dataclass, field

import physical
import postgres
from guesser import Row, View, best_guesses, correlation, header
from mints import START, Mint

from flask_ticketminer.clock import ManualClock
from flask_ticketminer.mint.keys import MintKey
from flask_ticketminer.mint.ledger import Reservation
from flask_ticketminer.mint.retirement import prune
from miner.tokens import Token, finalize, split

DAY = 86400
ISSUING = 8 * DAY
"""Seconds from the start in which wallets mine: parts of two epochs."""
LAST_SPEND = 16 * DAY
END = 18 * DAY
"""When the tables are looked at: over a day after the last spending, a day before the first keys retire."""
TICKETS = 4
"""Tickets that each wallet mines."""
MINED = ((1, 2, 4, 64), (50, 30, 19, 1))
"""The values that they mine, and how often; the last one is unusual."""
SPENDING = 0.8
"""The share of tickets that are spent at all."""

Pair = tuple[bytes, bytes]
"""Key id, and nonce or hash of the blinded message."""
Habit = t.Callable[[random.Random], float]
"""Draws the seconds between the issue of a ticket and its spending."""

HABITS: dict[str, Habit] = {
    "at once": lambda draw: draw.uniform(1, 10),
    "within an hour": lambda draw: draw.uniform(1, 3600),
    "within a day": lambda draw: draw.uniform(1, DAY),
    "within a week": lambda draw: draw.uniform(1, 7 * DAY),
}


@dataclass(frozen=True)
class _Held:
    token: Token
    blinded_hash: bytes
    value: int


@dataclass(order=True)
class _Event:
    time: int
    serial: int
    act: t.Callable[[], None] = field(compare=False)


class Crowd:
    """Wallets that use one mint for sixteen days, on its manual clock.

    :param habit: of :data:`HABITS`: how long after their issue tickets are spent.
    :param pruned: whether ``prune`` runs every night, and at the end after the replay window.

    :ivar issued, spent: in the order in which it happened, with the time: what somebody who watches all requests knows.
    :ivar truth: for each spent ticket the hash of the blinded message that became it.
    """

    def __init__(
        self, mint: Mint, wallets: int, *, seed: int, habit: str = "within a week", pruned: bool = True
    ) -> None:
        self.mint = mint
        self.issued: dict[Pair, int] = {}
        self.spent: dict[Pair, int] = {}
        self.truth: dict[Pair, bytes] = {}
        self._random = random.Random(seed)
        self._habit = HABITS[habit]
        self._pruned = pruned
        self._events: list[_Event] = []
        self._serial = itertools.count()
        for _ in range(wallets):
            purse: list[_Held] = []
            for _ in range(TICKETS):
                value = self._random.choices(*MINED)[0]
                self._at(self._random.uniform(0, ISSUING), self._mine, purse, value)
        for day in range(1, END // DAY):
            self._at(day * DAY, self._prune)

    def live(self) -> None:
        """Let everything happen, then wait out the replay window and prune."""
        clock = self.mint.clock
        while self._events:
            event = heapq.heappop(self._events)
            clock.time = START + event.time
            event.act()
        clock.time = START + END
        self._prune()

    def _at(self, time: float, act: t.Callable[..., None], *arguments: t.Any) -> None:
        heapq.heappush(self._events, _Event(int(time), next(self._serial), lambda: act(*arguments)))

    @property
    def _now(self) -> int:
        return self.mint.clock.time - START

    def _prune(self) -> None:
        if self._pruned:
            prune(self.mint.database, self.mint.settings, self.mint.clock, force=True)

    def _mine(self, purse: list[_Held], value: int) -> None:
        key, blinded, nonce, inverse = self.mint.blinded(value)
        paid = self.mint.ledger.accept_share(
            os.urandom(32), os.urandom(32), value=value, key=key, blinded=blinded
        )
        assert paid.signature is not None
        self._receive(purse, key, blinded, nonce, inverse, paid.signature)

    def _receive(
        self, purse: list[_Held], key: MintKey, blinded: bytes, nonce: bytes, inverse: int, signature: bytes
    ) -> None:
        message = Token.input(nonce, key.challenge_digest, key.key_id)
        token = Token(
            nonce, key.challenge_digest, key.key_id, finalize(key.public_key, message, signature, inverse)
        )
        held = _Held(token, hashlib.sha256(blinded).digest(), key.value)
        self.issued[key.key_id, held.blinded_hash] = self._now
        purse.append(held)
        later = self._now + self._habit(self._random)
        if later < LAST_SPEND and self._random.random() < SPENDING:
            self._at(later, self._spend, purse, held)

    def _spend(self, purse: list[_Held], held: _Held) -> None:
        if held not in purse:  # it went along with another one
            return
        others = [other for other in purse if other is not held]
        tickets = [held, *self._random.sample(others, min(len(others), self._random.random() < 0.2))]
        worth = sum(ticket.value for ticket in tickets)
        how = self._random.choices(("header", "redeem", "exchange", "failed", "pass"), (30, 30, 20, 10, 10))[
            0
        ]
        price = 0 if how == "exchange" else self._random.randint(1, worth)
        wanted = [self.mint.blinded(part) for part in split(worth - price)]
        order = self.mint.order(
            [ticket.token for ticket in tickets],
            price,
            outputs=[(key, blinded) for key, blinded, _, _ in wanted],
            kind="exchange" if how == "exchange" else "pay",
            binding=None if how == "exchange" else os.urandom(32),
            single_use=how == "pass",
        )
        ledger = self.mint.ledger
        if how in ("header", "failed"):
            reservation = ledger.reserve(order)
            assert isinstance(reservation, Reservation)
            if how == "failed":
                ledger.release(reservation)
                return
            stored = ledger.settle(reservation)
            assert stored is not None
        else:
            stored = ledger.pay_at_once(order)
        for ticket in tickets:
            purse.remove(ticket)
            pair = (ticket.token.key_id, ticket.token.nonce)
            self.truth[pair], self.spent[pair] = ticket.blinded_hash, self._now
        for (key, blinded, nonce, inverse), signature in zip(wanted, stored.change, strict=True):
            self._receive(purse, key, blinded, nonce, inverse, signature)


def view(name: str, places: t.Mapping[str, t.Mapping[Pair, float]], *, same_scale: bool = False) -> View:
    """Return a view from the places of issued and spent rows."""
    rows = {
        table: [Row(*pair, place) for pair, place in places[table].items()] for table in ("issued", "spent")
    }
    return View(name, rows["issued"], rows["spent"], same_scale)


def numbered(rows: t.Mapping[str, t.Sequence[Pair]]) -> dict[str, dict[Pair, float]]:
    return {table: {pair: float(at) for at, pair in enumerate(pairs)} for table, pairs in rows.items()}


def watched(crowd: Crowd) -> View:
    """What an access log tells together with the rows: when each was written."""
    return view("log: times of all requests", {"issued": crowd.issued, "spent": crowd.spent}, same_scale=True)


def views(crowd: Crowd) -> list[View]:
    """Return every view of the tables that a copy of the database gives."""
    database = crowd.mint.database
    dumped = physical.as_dumped(database)
    kind = database.dialect
    found = [view(f"{kind}: dump of all tables", numbered(dumped))]
    found.append(
        view(f"{kind}: bytes of the values", {n: {p: float(p[1][0]) for p in r} for n, r in dumped.items()})
    )
    if database.is_sqlite:
        path = pathlib.Path(database.url.database or "")
        data, log = path.read_bytes(), path.with_name(path.name + "-wal").read_bytes()
        logged = physical.in_log(log, physical.page_size(data), dumped)
        found.append(view("sqlite: write-ahead log", logged, same_scale=True))
        with contextlib.closing(sqlite3.connect(path)) as connection:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        placed = physical.in_file(path, dumped)
        for name, which in (("page", 0), ("place in page", 1)):
            found.append(
                view(
                    f"sqlite: file, {name}",
                    {n: {p: float(at[which]) for p, at in r.items()} for n, r in placed.items()},
                )
            )
    else:
        found.append(view("postgresql: place in the heap", numbered(physical.by_position(database))))
        numbers = physical.transactions(database)
        found.append(view("postgresql: transaction numbers", numbers, same_scale=True))
    return found


def crowds(crowd: Crowd) -> t.Iterator[str]:
    """Yield for each key how many tickets there are to hide among."""
    for key_id in sorted(
        {key_id for key_id, _ in crowd.spent}, key=lambda key_id: crowd.mint.keys.find(key_id).value
    ):
        key = crowd.mint.keys.find(key_id)
        issued, spent = (sum(pair[0] == key_id for pair in pairs) for pairs in (crowd.issued, crowd.spent))
        epoch = 1 + (key.starts - START) // (7 * DAY)
        yield f"    value {key.value}, week {epoch}: {issued} issued, {spent} spent, a guess is right with 1/{issued} = {1 / issued:.2%}"


def report(crowd: Crowd, extra: t.Sequence[View] = ()) -> None:
    """Print what each view gives away."""
    print(*crowds(crowd), header(), sep="\n")
    for seen in (*views(crowd), *extra):
        for guess in best_guesses(seen, crowd.truth):
            print(guess, "ADVANTAGE" if guess.advantage else "")
        print(f"    order of issue and spending: {correlation(seen, crowd.truth):+.1f} standard deviations")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--wallets", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=int.from_bytes(os.urandom(4)))
    parser.add_argument("--database", choices=("sqlite", "postgresql"), action="append")
    parser.add_argument("--habit", choices=tuple(HABITS), default="within a week")
    parser.add_argument("--unpruned", action="store_true", help="look at tables that nobody ever pruned")
    options = parser.parse_args()
    with contextlib.ExitStack() as stack:
        for kind in options.database or ("sqlite", "postgresql"):
            folder = stack.enter_context(tempfile.TemporaryDirectory())
            url = f"sqlite:///{folder}/crowd.sqlite"
            if kind == "postgresql":
                programs = postgres.programs() or parser.error(
                    "PostgreSQL is missing: apt-get install postgresql"
                )
                url = stack.enter_context(postgres.running(programs)).new_database()
            started = time.monotonic()
            mint = Mint(url, ManualClock(START))
            crowd = Crowd(
                mint, options.wallets, seed=options.seed, habit=options.habit, pruned=not options.unpruned
            )
            crowd.live()
            print(
                f"{kind}: {options.wallets} wallets, {len(crowd.issued)} tickets issued, {len(crowd.truth)} spent {options.habit}, "
                f"seed {options.seed}, {time.monotonic() - started:.0f} s"
            )
            report(crowd, [watched(crowd)])
            mint.database.dispose()


if __name__ == "__main__":
    main()
