"""Blocks that a coin's own node has taken, and whether the chain kept them."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import insert, select, update
from sqlalchemy.exc import IntegrityError

from flask_ticketminer.clock import Clock
from flask_ticketminer.database import Database
from flask_ticketminer.tables import BLOCK_STATES

FOUND, CONFIRMED, ORPHANED = BLOCK_STATES


class Blocks:
    """The blocks of one coin."""

    def __init__(self, database: Database, clock: Clock, coin: str) -> None:
        self._database = database
        self._clock = clock
        self._coin = coin
        self._table = database.tables.block

    def add(self, block_hash: bytes, *, height: int, reward: int) -> None:
        """Write down a block that the node took; a block that is known changes nothing.

        :param block_hash: 32 bytes, as explorers write them.
        :param reward: in the coin's smallest unit.
        """
        now = self._clock.now()
        row = {
            "block_hash": block_hash,
            "coin": self._coin,
            "height": height,
            "reward": reward,
            "state": FOUND,
            "created": now,
            "changed": now,
        }
        try:
            self._database.transaction(
                lambda connection: connection.execute(insert(self._table), row) and None
            )
        except IntegrityError:
            return

    def open(self) -> Sequence[bytes]:
        """Return the hashes of blocks that are not decided about."""
        table = self._table
        wanted = select(table.c.block_hash).where(table.c.coin == self._coin, table.c.state == FOUND)
        return self._database.read(lambda connection: connection.execute(wanted).scalars().all())

    def decide(self, block_hash: bytes, state: str) -> None:
        """Write down that a block is ``confirmed`` or ``orphaned``."""
        change = update(self._table).where(self._table.c.block_hash == block_hash)
        values = {"state": state, "changed": self._clock.now()}
        self._database.transaction(lambda connection: connection.execute(change.values(**values)) and None)
