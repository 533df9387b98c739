"""How much may be spent."""

from __future__ import annotations

import threading

from miner.errors import BudgetExceeded
from miner.wording import tickets


class Budget:
    """At most `limit` tickets over the life of this object; None sets no bound. Threads may share it."""

    def __init__(self, limit: int | None) -> None:
        if limit is not None and limit < 0:
            raise ValueError("A budget is not negative.")
        self.limit = limit
        self._spent = 0
        self._lock = threading.Lock()

    @property
    def spent(self) -> int:
        """Tickets spent, or tied up in payments that are not answered yet."""
        return self._spent

    def take(self, amount: int) -> None:
        """Count `amount` as spent.

        :raises BudgetExceeded: it is more than what is left.
        """
        with self._lock:
            if self.limit is not None and self._spent + amount > self.limit:
                left = self.limit - self._spent
                raise BudgetExceeded(
                    f"This costs {tickets(amount)}, and the budget of {self.limit} has {left} left. Nothing was paid; "
                    "raise the budget if it is worth it.",
                    price=amount,
                    left=left,
                )
            self._spent += amount

    def correct(self, counted: int, actual: int) -> None:
        """Count `actual` where `counted` was taken, even if that is more than what is left."""
        with self._lock:
            self._spent += actual - counted

    def give_back(self, amount: int) -> None:
        """Count `amount` as not spent after all."""
        with self._lock:
            self._spent -= amount
