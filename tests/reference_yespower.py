"""yespower 1.0 in readable Python: the truth that the compiled kernels are held against. A hash takes seconds here.

Names are those of the reference code (openwall/yespower): blocks of 64 bytes, ``r`` pairs of them in each of ``N`` rows of ``V``,
three S-boxes of 32 KiB. A block is eight 64-bit numbers; within it the words stand in the order of Salsa20's diagonals
(word i of the block is word 5 i mod 16 of the bytes), so that the four vectors of a block are the rows that SIMD code wants.
"""

from __future__ import annotations

import hashlib
import hmac
import struct
from dataclasses import dataclass, field

Block = list[int]

BOX_ENTRIES = 2**11
"""Entries of an S-box, each two 64-bit numbers."""
ROUNDS = 3
M32 = 2**32 - 1
M64 = 2**64 - 1


@dataclass
class Boxes:
    """The S-boxes, which every block that is mixed also rewrites in places.

    :attr w: the entry that is written next, the same in each box.
    """

    s0: list[int] = field(default_factory=list)
    s1: list[int] = field(default_factory=list)
    s2: list[int] = field(default_factory=list)
    w: int = 0


def from_bytes(data: bytes) -> Block:
    words = struct.unpack("<16I", data)
    shuffled = [words[5 * i % 16] for i in range(16)]
    return [low | high << 32 for low, high in zip(shuffled[::2], shuffled[1::2], strict=True)]


def to_bytes(block: Block) -> bytes:
    words = [0] * 16
    for i, word in enumerate(half for number in block for half in (number & M32, number >> 32)):
        words[5 * i % 16] = word
    return struct.pack("<16I", *words)


def xor(a: Block, b: Block) -> Block:
    return [x ^ y for x, y in zip(a, b, strict=True)]


def salsa20_2(block: Block) -> Block:
    """Return the Salsa20 core of `block` with one double round."""
    start = struct.unpack("<16I", to_bytes(block))
    x = list(start)

    def quarter(a: int, b: int, c: int, d: int) -> None:
        for to, one, other, bits in ((b, a, d, 7), (c, b, a, 9), (d, c, b, 13), (a, d, c, 18)):
            total = (x[one] + x[other]) & M32
            x[to] ^= (total << bits | total >> (32 - bits)) & M32

    for column in ((0, 4, 8, 12), (5, 9, 13, 1), (10, 14, 2, 6), (15, 3, 7, 11)):
        quarter(*column)
    for row in ((0, 1, 2, 3), (5, 6, 7, 4), (10, 11, 8, 9), (15, 12, 13, 14)):
        quarter(*row)
    return from_bytes(struct.pack("<16I", *((a + b) & M32 for a, b in zip(x, start, strict=True))))


def pwxform(block: Block, boxes: Boxes) -> Block:
    """Return `block` after three rounds of multiplying, adding and xoring entries of the S-boxes, which it rewrites."""
    x = list(block)
    s0, s1 = boxes.s0, boxes.s1
    for turn in range(ROUNDS):
        for j in range(4):
            low, high = 2 * (x[2 * j] >> 4 & (BOX_ENTRIES - 1)), 2 * (x[2 * j] >> 36 & (BOX_ENTRIES - 1))
            for k in range(2):
                number = x[2 * j + k]
                x[2 * j + k] = ((number >> 32) * (number & M32) + s0[low + k] & M64) ^ s1[high + k]
            if turn == 0 or j < 2:
                written = s1 if j & 1 else s0
                written[2 * boxes.w : 2 * boxes.w + 2] = x[2 * j : 2 * j + 2]
                boxes.w += j & 1
    boxes.s0, boxes.s1, boxes.s2 = boxes.s2, s0, s1
    boxes.w %= BOX_ENTRIES
    return x


def blockmix_salsa(row: list[Block]) -> list[Block]:
    first = salsa20_2(xor(row[1], row[0]))
    return [first, salsa20_2(xor(first, row[1]))]


def blockmix_pwxform(row: list[Block], boxes: Boxes) -> list[Block]:
    x, mixed = row[-1], []
    for block in row:
        x = pwxform(xor(x, block), boxes)
        mixed.append(x)
    mixed[-1] = salsa20_2(x)
    return mixed


def wrap(x: int, i: int) -> int:
    """Return a number below `i`: `x` modulo the largest power of two that is not above `i`, counted from the end."""
    power = 1 << (i.bit_length() - 1)
    return x % power + i - power


def fill(row: list[Block], count: int, boxes: Boxes | None) -> tuple[list[list[Block]], list[Block]]:
    """Return `count` rows, each made from the one before and an earlier one, and the row after them."""
    v: list[list[Block]] = []
    for i in range(count):
        v.append(row)
        if i > 1:
            row = [xor(a, b) for a, b in zip(row, v[wrap(row[-1][0] & M32, i)], strict=True)]
        row = blockmix_salsa(row) if boxes is None else blockmix_pwxform(row, boxes)
    return v, row


def yespower(data: bytes, *, N: int = 1024, r: int = 8, pers: bytes = b"ticketminer local v1") -> bytes:
    """Return the 32 bytes of yespower 1.0."""
    seed = hashlib.pbkdf2_hmac("sha256", hashlib.sha256(data).digest(), pers, 1, 128)
    row = [from_bytes(seed[:64]), from_bytes(seed[64:])]

    filled, row = fill(row, 3 * BOX_ENTRIES * 16 // 128, None)
    numbers = [number for entry in filled for block in entry for number in block]
    size = 2 * BOX_ENTRIES
    boxes = Boxes(numbers[:size], numbers[size : 2 * size], numbers[2 * size :])

    for _ in range(r - 1):
        row += blockmix_pwxform(row[-2:], boxes)
    v, row = fill(row, N, boxes)
    for _ in range(-(-((N + 2) // 3) // 2) * 2):
        j = row[-1][0] % N
        row = v[j] = [xor(a, b) for a, b in zip(row, v[j], strict=True)]
        row = blockmix_pwxform(row, boxes)
    return hmac.digest(to_bytes(row[-1]), seed[:32], "sha256")
