"""NeoScrypt in readable Python: the truth that the compiled kernels are held against, some 0.3 seconds a hash.

Source: J. Doering, "NeoScrypt, a Strong Memory Intensive Key Derivation Function" (2014), in the profile of Feathercoin:
FastKDF over BLAKE2s, then N = 128 and r = 2 with 20 rounds of ChaCha and of Salsa20 (D. J. Bernstein, 2008 and 2005).
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from hashlib import blake2s

Words = list[int]

N, R = 128, 2
KDF_LEN = 256  # of both buffers of FastKDF, which are rings
KDF_ROUNDS = 32
DOUBLE_ROUNDS = 10

COLUMNS = ((0, 4, 8, 12), (1, 5, 9, 13), (2, 6, 10, 14), (3, 7, 11, 15))
CHACHA_DIAGONALS = ((0, 5, 10, 15), (1, 6, 11, 12), (2, 7, 8, 13), (3, 4, 9, 14))
SALSA_COLUMNS = ((0, 4, 8, 12), (5, 9, 13, 1), (10, 14, 2, 6), (15, 3, 7, 11))
SALSA_ROWS = ((0, 1, 2, 3), (5, 6, 7, 4), (10, 11, 8, 9), (15, 12, 13, 14))


def neoscrypt(data: bytes) -> bytes:
    """Return the 32-byte digest of 64 to 256 bytes (for others the published code reads beyond its input, or not all of it)."""
    assert 64 <= len(data) <= KDF_LEN
    x = list(struct.unpack("<64I", fastkdf(data, data, KDF_LEN)))
    mixed = [a ^ b for a, b in zip(smix(x, chacha20), smix(x, salsa20), strict=True)]
    return fastkdf(data, struct.pack("<64I", *mixed), 32)


def fastkdf(password: bytes, salt: bytes, length: int) -> bytes:
    """Return `length` (1 to 256) bytes; each round's key and input begin where the round before points to."""
    a, b = ring(password), bytearray(ring(salt))
    at = 0
    for _ in range(KDF_ROUNDS):
        prf = blake2s(taken(a, at, 64), key=taken(b, at, 32)).digest()
        at = sum(prf) % KDF_LEN
        for i, byte in enumerate(prf):
            b[(at + i) % KDF_LEN] ^= byte
    return bytes(x ^ y for x, y in zip(taken(b, at, length), a, strict=False))


def ring(data: bytes) -> bytes:
    """Return `data` repeated until 256 bytes are full."""
    return (data * (KDF_LEN // len(data) + 1))[:KDF_LEN]


def taken(buffer: bytes | bytearray, at: int, length: int) -> bytes:
    """Return `length` bytes from `at` on, around the end."""
    return bytes(buffer[(at + i) % KDF_LEN] for i in range(length))


def smix(x: Words, core: Callable[[Words], Words]) -> Words:
    """Return scrypt's SMix (RFC 7914, section 5) of 64 words, with N = 128, r = 2 and the given core."""
    v = []
    for _ in range(N):
        v.append(x)
        x = blockmix(x, core)
    for _ in range(N):
        x = blockmix([a ^ b for a, b in zip(x, v[x[48] % N], strict=True)], core)
    return x


def blockmix(x: Words, core: Callable[[Words], Words]) -> Words:
    """Return scrypt's BlockMix (RFC 7914, section 4): even blocks come before odd ones."""
    block, mixed = x[48:], []
    for i in range(0, 64, 16):
        block = core([a ^ b for a, b in zip(block, x[i : i + 16], strict=True)])
        mixed.append(block)
    return mixed[0] + mixed[2] + mixed[1] + mixed[3]


def chacha20(block: Words) -> Words:
    """Return 20 rounds of ChaCha, and the block added to them."""
    x = list(block)
    for _ in range(DOUBLE_ROUNDS):
        for a, b, c, d in COLUMNS + CHACHA_DIAGONALS:
            for turn_d, turn_b in ((16, 12), (8, 7)):
                x[a] = x[a] + x[b] & 0xFFFFFFFF
                x[d] = rotl(x[d] ^ x[a], turn_d)
                x[c] = x[c] + x[d] & 0xFFFFFFFF
                x[b] = rotl(x[b] ^ x[c], turn_b)
    return [a + b & 0xFFFFFFFF for a, b in zip(x, block, strict=True)]


def salsa20(block: Words) -> Words:
    """Return 20 rounds of Salsa20, and the block added to them."""
    x = list(block)
    for _ in range(DOUBLE_ROUNDS):
        for a, b, c, d in SALSA_COLUMNS + SALSA_ROWS:
            x[b] ^= rotl(x[a] + x[d], 7)
            x[c] ^= rotl(x[b] + x[a], 9)
            x[d] ^= rotl(x[c] + x[b], 13)
            x[a] ^= rotl(x[d] + x[c], 18)
    return [a + b & 0xFFFFFFFF for a, b in zip(x, block, strict=True)]


def rotl(word: int, bits: int) -> int:
    """Return the low 32 bits of `word`, turned left."""
    word &= 0xFFFFFFFF
    return (word << bits | word >> 32 - bits) & 0xFFFFFFFF
