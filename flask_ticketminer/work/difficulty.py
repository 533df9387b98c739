"""Difficulty as pools and coins write it, and the targets it stands for. Everywhere else work is counted in expected hashes.

A target is an integer below 2^256: a digest meets it when, read as an integer, it is at most the target.
"""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

DIFFICULTY_1 = 0xFFFF << 208
"""The target of sha256d at difficulty 1 ("bdiff")."""

MULTIPLIERS = {"sha256d": 1, "scrypt": 1 << 16, "neoscrypt": 1 << 16}
"""How many times easier difficulty 1 is by a pool's count: scrypt pools, and by common practice neoscrypt ones, divide by 65,536."""

SPACE = 1 << 256
LEAST = Decimal("1e-20")


def share_target(algorithm: str, difficulty: int | Decimal) -> int:
    """Return the target of a share at a pool's `difficulty`: the exact quotient, rounded down, below 2^256.

    :raises ValueError: the difficulty is not from 1e-20 to 2^256, or the algorithm has no pools that we know.
    """
    if isinstance(difficulty, bool) or not isinstance(difficulty, int | Decimal):
        raise ValueError("A difficulty is an int or a Decimal; parse a pool's JSON with parse_float=Decimal.")
    if not Decimal(difficulty).is_finite() or not LEAST <= difficulty <= SPACE:
        raise ValueError(f"A difficulty lies between {LEAST} and 2^256; this one does not.")
    if algorithm == "ethash":
        space = Fraction(SPACE)
    elif algorithm in MULTIPLIERS:
        space = Fraction(DIFFICULTY_1 * MULTIPLIERS[algorithm])
    else:
        raise ValueError(f"No pool counts difficulty for {algorithm}.")
    return min(int(space / Fraction(difficulty)), SPACE - 1)


def nicehash_target(difficulty: int | Decimal) -> int:
    """Return the target of an ethash share by ``EthereumStratum/1.0.0``, which counts from sha256d's difficulty 1."""
    return share_target("sha256d", difficulty)


def nbits_target(nbits: int) -> int:
    """Return the target that a block header's compact `nbits` (32 bits) stands for.

    Bitcoin's arith_uint256::SetCompact: an 8-bit length in bytes, a sign, and 23 bits.

    :raises ValueError: it is negative, zero, or more than 256 bits.
    """
    size, sign, mantissa = nbits >> 24, nbits & 0x80_0000, nbits & 0x7F_FFFF
    target = mantissa << 8 * (size - 3) if size > 3 else mantissa >> 8 * (3 - size)
    if not 0 <= nbits < 1 << 32 or sign or not 0 < target < SPACE:
        raise ValueError(f"{nbits:#x} is no compact target.")
    return target


def expected_hashes(target: int) -> int:
    """Return how many hashes meet `target` once on average, rounded down, at least 1."""
    return max(1, SPACE // (target + 1))


def target_difficulty(algorithm: str, target: int) -> Decimal:
    """Return the pool's difficulty of `target`, to 9 digits: for people and for ``mining.suggest_difficulty``."""
    space = SPACE if algorithm == "ethash" else DIFFICULTY_1 * MULTIPLIERS[algorithm]
    ratio = Fraction(space, max(1, target))
    return Decimal(f"{ratio.numerator / ratio.denominator:.9g}")
