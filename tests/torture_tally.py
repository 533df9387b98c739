"""What a part of the torture has shown so far: numbers that add up, go into the state file and come out as a table."""

from __future__ import annotations

import typing as t
from collections import Counter
from dataclasses import dataclass, field


@dataclass
class Tally:
    """The numbers of one scenario on one database.

    :ivar winners: credentials that took their tickets, or payments and exchanges that were settled.
    :ivar interrupted: requests whose outcome a blow hid from their wallets, and that were found out about.
    :ivar moments: where the blows fell.
    """

    rounds: int = 0
    requests: int = 0
    winners: int = 0
    interrupted: int = 0
    lost: int = 0
    doubled: int = 0
    audits: int = 0
    seconds: float = 0.0
    causes: Counter[str] = field(default_factory=Counter)
    moments: Counter[str] = field(default_factory=Counter)

    def add(self, other: Tally) -> None:
        for name, value in vars(other).items():
            if isinstance(value, Counter):
                getattr(self, name).update(value)
            else:
                setattr(self, name, getattr(self, name) + value)

    def members(self) -> dict[str, t.Any]:
        return dict(vars(self))

    @classmethod
    def read(cls, members: t.Mapping[str, t.Any]) -> Tally:
        counters = {name: Counter(members[name]) for name in ("causes", "moments")}
        return cls(**{**members, **counters})


def table(tallies: t.Mapping[str, Tally], failed: t.Collection[str] = ()) -> str:
    """Return the table of all parts, with refusals and moments below it."""
    head = (
        "scenario/database",
        "rounds",
        "requests",
        "winners",
        "interrupted",
        "lost",
        "doubled",
        "audits",
        "min",
        "",
    )
    rows = [head]
    for name, tally in tallies.items():
        numbers = (
            tally.rounds,
            tally.requests,
            tally.winners,
            tally.interrupted,
            tally.lost,
            tally.doubled,
            tally.audits,
        )
        verdict = "FAILED" if name in failed else "held"
        rows.append((name, *(f"{n:,}" for n in numbers), f"{tally.seconds / 60:.1f}", verdict))
    widths = [max(len(row[column]) for row in rows) for column in range(len(head))]
    lines = [
        "  ".join(
            cell.ljust(width) if at in (0, len(head) - 1) else cell.rjust(width)
            for at, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]
    for title, attribute in (("answers and refusals", "causes"), ("where the blows fell", "moments")):
        for name, tally in tallies.items():
            counter: Counter[str] = getattr(tally, attribute)
            if counter:
                listed = ", ".join(f"{what} {number:,}" for what, number in sorted(counter.items()))
                lines += ["", f"{name}, {title}:", f"  {listed}"]
    return "\n".join(lines)
