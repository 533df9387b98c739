"""What work is worth: pure arithmetic, exact to the last digit, on what the work itself and a price say (``docs/pools.md``).

Worth is in the currency that prices are in; a hash is worth

    reward of a block x (1 - fee) x price of a coin / expected hashes of a block

whoever computes it, and that is an expectation, not income: a pool pays it on average, a node all at once or never.
"""

from __future__ import annotations

import math
import typing as t
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import ROUND_CEILING, Context, Decimal
from fractions import Fraction

from flask_ticketminer.work.coins import Coin
from flask_ticketminer.work.difficulty import SPACE, expected_hashes, share_target, target_difficulty
from flask_ticketminer.work.stratum.jobs import HeaderJob

UNITS = 10**8
"""The smallest units of one coin of the Bitcoin family."""
SWITCH_MARGIN = Decimal(10)
"""Percent by which another coin must be better before work is made of it."""
EFFORT_RANGE = 16
"""The factor, either way, by which effort may leave the table's when it follows the market."""
MAX_OUTPUTS = 10_000

_MAX_REWARD = 1 << 63
_ROUNDED = Context(prec=5, rounding=ROUND_CEILING)
"""How difficulties are written for people: never below what they are."""


@dataclass(frozen=True, slots=True)
class BlockWork:
    """What a block takes and brings, as the work itself says.

    :ivar reward: what its coinbase pays, in the coin's smallest unit.
    :ivar target: what its digest must not exceed.
    """

    reward: int
    target: int

    @classmethod
    def of(cls, job: HeaderJob) -> t.Self:
        """Read a pool's or a node's job.

        :raises ValueError: its coinbase is not of a form that we know.
        """
        coinbase = job.params[2] + job.extranonce1 + "00" * job.extranonce2_size + job.params[3]
        return cls(coinbase_reward(bytes.fromhex(coinbase)), job.block_target)

    @property
    def hashes(self) -> Fraction:
        """How many hashes find the block on average: 2^256 / (target + 1)."""
        return Fraction(SPACE, self.target + 1)


def coinbase_reward(coinbase: bytes) -> int:
    """Return the sum of a coinbase's outputs, in the coin's smallest unit.

    :param coinbase: the transaction without its witness, as it is hashed for the merkle root.
    :raises ValueError: it is no coinbase of the Bitcoin family, or has something before, between or behind its parts.
    """
    read = _Reader(coinbase)
    read.take(4)  # version
    if read.take(37) != b"\x01" + bytes(32) + b"\xff" * 4:
        raise ValueError("A coinbase has one input, which spends nothing.")
    if not 2 <= len(read.script()) <= 100:
        raise ValueError("A coinbase's script has 2 to 100 bytes.")
    read.take(4)  # sequence
    count = read.var_int()
    if not 1 <= count <= MAX_OUTPUTS:
        raise ValueError(f"A coinbase has 1 to {MAX_OUTPUTS} outputs.")
    reward = 0
    for _ in range(count):
        reward += int.from_bytes(read.take(8), "little")
        read.script()
    read.take(4)  # lock time
    if read.rest() or reward >= _MAX_REWARD:
        raise ValueError("The coinbase has more behind its lock time, or pays more than there can be.")
    return reward


def hash_worth(work: BlockWork, fee: Decimal, price: Decimal) -> Fraction:
    """Return what one hash is worth, in the price's currency.

    :param fee: what the pool keeps, in percent.
    :param price: of one coin.
    """
    kept = 1 - Fraction(fee) / 100
    return Fraction(work.reward, UNITS) * kept * Fraction(price) / work.hashes


def coin_worth(coin: Coin, work: Mapping[str, BlockWork], prices: Mapping[str, Decimal]) -> Fraction | None:
    """Return what one hash for `coin` is worth; None where its work or its price is not known.

    :param work: by the coin's name.
    :param prices: by its symbol.
    """
    if coin.name not in work or coin.symbol not in prices:
        return None
    return hash_worth(work[coin.name], coin.fee, prices[coin.symbol])


def most_profitable(
    coins: Iterable[Coin],
    work: Mapping[str, BlockWork],
    prices: Mapping[str, Decimal],
    effort: Mapping[str, int],
    *,
    current: str | None,
    margin: Decimal = SWITCH_MARGIN,
) -> str | None:
    """Return the name of the coin for which a ticket's effort is worth most; `current` unless another is better by `margin`.

    Coins without work or price are left out. Where that leaves none, any with work will do, `current` first: tickets are sold
    while a price service is away. None: there is no work. Of equals the first one is taken.

    :param effort: expected hashes of a ticket by algorithm, of the table: what it takes a visitor, not what follows the market.
    :param margin: in percent.
    """
    working = {coin.name: coin for coin in coins if coin.name in work}
    worth = {
        name: effort[coin.algorithm] * each
        for name, coin in working.items()
        if (each := coin_worth(coin, work, prices)) is not None
    }
    if not worth:
        return current if current in working else next(iter(working), None)
    best = max(worth, key=worth.__getitem__)
    if current in worth and worth[best] <= worth[current] * (1 + Fraction(margin) / 100):
        return current
    return best


def market_effort(
    ticket_worth: Decimal, hash_worth: Fraction, table: int, *, current: int | None = None
) -> int:
    """Return the effort at which a ticket is worth `ticket_worth`: the nearest power of two, within a factor of 16 around `table`.

    Nearest is by ratio: 2^n stands for everything from 2^n / sqrt(2) to below 2^n x sqrt(2).

    :param current: the effort until now: it is kept within a factor of 2 of the exact one, or prices that swing a little would
        void jobs all the time.
    """
    least, most = max(1, table // EFFORT_RANGE), table * EFFORT_RANGE
    if hash_worth <= 0:
        return most
    exact = Fraction(ticket_worth) / hash_worth
    if current is not None and least <= current <= most and current < 2 * exact and exact < 2 * current:
        return current
    if exact <= least:
        return least
    if exact >= most:
        return most
    power = 1 << (int(exact).bit_length() - 1)
    return 2 * power if exact * exact >= 2 * power * power else power


def suggested_difficulty(coin: Coin, effort: int) -> Decimal:
    """Return the pool difficulty, to 9 digits, whose shares take `effort` expected hashes or hardly more, as the coin's dialect counts."""
    algorithm = "sha256d" if coin.dialect == "nicehash" else coin.algorithm
    target = SPACE // effort - 1
    difficulty = target_difficulty(algorithm, target)
    if share_target(algorithm, difficulty) <= target:
        return difficulty
    return difficulty.next_plus(Context(prec=9))


def share_warning(coin: Coin, pool_target: int, effort: int) -> str | None:
    """Return a sentence for the operator when a pool's share is easier than the site's own; None when it is not.

    Visitors submit what meets the site's target, and the pool counts no share for more than its own difficulty.

    :param pool_target: of the pool's shares.
    :param effort: expected hashes of the site's share: of one ticket, or of a job worth more.
    """
    if pool_target < SPACE // effort:
        return None
    hashes = expected_hashes(pool_target)
    lost = Fraction(100 * (effort - hashes), effort)
    return (
        f"{coin.name}: the pool counts a share as {hashes:,} hashes, but visitors compute {effort:,} for each that they submit: "
        f"{math.ceil(lost)} % of their work earns nothing there. Ask the pool for a difficulty of at least "
        f"{_ROUNDED.plus(suggested_difficulty(coin, effort)).normalize():f}: by another port, by the password (often 'd=…') or on its web page."
    )


def coin_text(units: int) -> str:
    """Return an amount in a coin's smallest unit (10^-8) as one in coins, every digit of it."""
    whole, rest = divmod(units, UNITS)
    digits = f"{rest:08d}".rstrip("0")
    return f"{whole:,}.{digits}" if digits else f"{whole:,}"


class _Reader:
    """Takes a transaction apart.

    :raises ValueError: from each method, where there is not as much.
    """

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def take(self, size: int) -> bytes:
        found = self._data[self._at : self._at + size]
        if len(found) != size:
            raise ValueError("The coinbase ends too early.")
        self._at += size
        return found

    def var_int(self) -> int:
        """Read Bitcoin's CompactSize, in its shortest form only."""
        first = self.take(1)[0]
        if first < 0xFD:
            return first
        size = 1 << (first - 0xFC)
        number = int.from_bytes(self.take(size), "little")
        if number < (0xFD if size == 2 else 1 << 4 * size):
            raise ValueError("A length in the coinbase is not in its shortest form.")
        return number

    def script(self) -> bytes:
        return self.take(self.var_int())

    def rest(self) -> bytes:
        return self._data[self._at :]
