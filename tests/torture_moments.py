"""Named moments of a request, recognised by the statements that a database is sent; nothing else of the ledger is known here."""

from __future__ import annotations

import re

ARMED, REACHED = "armed", "reached"
"""Files: the moment that is waited for, and the same once somebody has come to it."""

MOMENTS = (
    "submit/write",
    "submit/commit",
    "submit/committed",
    "submit/answer",
    "reserve/write",
    "reserve/commit",
    "reserve/committed",
    "view/before-effect",
    "view/after-effect",
    "settle/write",
    "settle/commit",
    "settle/committed",
    "settle/answer",
    "redeem/write",
    "redeem/commit",
    "redeem/committed",
    "redeem/answer",
)
"""``write``: a transaction has written something; ``commit``: COMMIT has been given, and not been carried out; ``committed``:
it has, and the process does not know yet; ``answer``: the process knows, and its client does not."""

_WRITE = re.compile(r'\s*(INSERT INTO|UPDATE|DELETE FROM)\s+"?ticketminer_(\w+)"?', re.IGNORECASE)


class Transaction:
    """Follows the statements of one connection."""

    def __init__(self) -> None:
        self.writes: list[tuple[str, str]] = []

    def saw(self, statement: str) -> str | None:
        """Take note of `statement`, which is about to be run, and return the moment that this is, if it has a name."""
        command = statement.lstrip()[:8].upper()
        if command.startswith(("BEGIN", "ROLLBACK")):
            self.writes.clear()
            return None
        if command.startswith("COMMIT"):
            kind = self.kind()
            self.writes.clear()
            return None if kind is None else f"{kind}/commit"
        written = _WRITE.match(statement)
        if written is not None:
            self.writes.append((written[1].split()[0].upper(), written[2]))
            kind = self.kind()
            return None if kind is None else f"{kind}/write"
        return None

    def kind(self) -> str | None:
        """Return what the transaction is, as far as its writes tell: ``submit``, ``reserve``, ``redeem`` or ``settle``."""
        tables = {table for _, table in self.writes}
        if "share" in tables:
            return "submit"
        if ("INSERT", "payment") in self.writes:
            if "payment_input" in tables:
                return "reserve"
            return "redeem" if "counter" in tables else None
        if ("UPDATE", "payment") in self.writes:
            # A settlement ends the hold of its tickets; a release also deletes them from the spent ones.
            return "settle" if "payment_input" in tables and "spent" not in tables else None
        return None
