"""Ethash in readable Python: the truth that the compiled kernels are held against. Slow; never used by a server.

Sources: the Keccak reference, version 3.0 (the padding is the one from before SHA-3), and the Ethash page of the Ethereum wiki,
revision 23. All words are little-endian.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence

MASK32, MASK64 = 2**32 - 1, 2**64 - 1
ACCESSES, PARENTS, CACHE_ROUNDS = 64, 256, 3

Words = list[int]


def rotate(x: int, n: int) -> int:
    return (x << n | x >> (64 - n)) & MASK64


def round_constants() -> list[int]:
    """Bit 2^j - 1 of each round's constant is the next bit of a shift register with the polynomial x^8 + x^6 + x^5 + x^4 + 1."""
    constants, register = [], 1
    for _ in range(24):
        constant = 0
        for j in range(7):
            constant |= (register & 1) << (2**j - 1)
            register <<= 1
            if register & 0x100:
                register ^= 0x171
        constants.append(constant)
    return constants


def rotations() -> dict[tuple[int, int], int]:
    offsets, (x, y) = {(0, 0): 0}, (1, 0)
    for t in range(24):
        offsets[x, y] = (t + 1) * (t + 2) // 2 % 64
        x, y = y, (2 * x + 3 * y) % 5
    return offsets


CONSTANTS, OFFSETS = round_constants(), rotations()


def permute(a: dict[tuple[int, int], int]) -> dict[tuple[int, int], int]:
    """Keccak-f[1600]: theta, rho and pi, chi, iota, 24 times."""
    fives = range(5)
    for constant in CONSTANTS:
        c = [a[x, 0] ^ a[x, 1] ^ a[x, 2] ^ a[x, 3] ^ a[x, 4] for x in fives]
        d = [c[x - 1] ^ rotate(c[(x + 1) % 5], 1) for x in fives]
        b = {(y, (2 * x + 3 * y) % 5): rotate(a[x, y] ^ d[x], OFFSETS[x, y]) for x in fives for y in fives}
        a = {(x, y): b[x, y] ^ (~b[(x + 1) % 5, y] & b[(x + 2) % 5, y]) for x in fives for y in fives}
        a[0, 0] ^= constant
    return a


def keccak(data: bytes, size: int) -> bytes:
    """Return the digest of `size` bytes; the rate is 200 bytes less twice that."""
    rate = 200 - 2 * size
    padded = bytearray(data) + b"\x01" + bytes(-(len(data) + 1) % rate)
    padded[-1] |= 0x80
    state = {(x, y): 0 for x in range(5) for y in range(5)}
    for at in range(0, len(padded), rate):
        for i, word in enumerate(struct.unpack_from(f"<{rate // 8}Q", padded, at)):
            state[i % 5, i // 5] ^= word
        state = permute(state)
    return struct.pack("<25Q", *(state[i % 5, i // 5] for i in range(25)))[:size]


def keccak256(data: bytes) -> bytes:
    return keccak(data, 32)


def keccak512(data: bytes) -> bytes:
    return keccak(data, 64)


def is_prime(n: int) -> bool:
    return n > 1 and all(n % i for i in range(2, int(n**0.5) + 1))


def cache_size(epoch: int) -> int:
    """Return bytes: the largest prime number of rows of 64 bytes below 16 MiB and 128 KiB an epoch."""
    size = 2**24 + 2**17 * epoch - 64
    while not is_prime(size // 64):
        size -= 2 * 64
    return size


def dataset_size(epoch: int) -> int:
    """Return bytes: the largest prime number of pages of 128 bytes below 1 GiB and 8 MiB an epoch."""
    size = 2**30 + 2**23 * epoch - 128
    while not is_prime(size // 128):
        size -= 2 * 128
    return size


def seed_hash(epoch: int, epoch_length: int = 30000) -> bytes:
    """Return the seed (32 bytes): Keccak-256 once for every 30,000 blocks before the epoch, whatever its length (ECIP-1099)."""
    seed = bytes(32)
    for _ in range(epoch * epoch_length // 30000):
        seed = keccak256(seed)
    return seed


def words(data: bytes) -> Words:
    return list(struct.unpack(f"<{len(data) // 4}I", data))


def pack(values: Sequence[int]) -> bytes:
    return struct.pack(f"<{len(values)}I", *values)


def fnv(a: int, b: int) -> int:
    return (a * 0x01000193 ^ b) & MASK32


def make_cache(seed: bytes, rows: int) -> list[Words]:
    """Return the cache: a chain of digests, then three rounds of RandMemoHash over it."""
    cache = [keccak512(seed)]
    while len(cache) < rows:
        cache.append(keccak512(cache[-1]))
    for _ in range(CACHE_ROUNDS):
        for i in range(rows):
            other = cache[words(cache[i])[0] % rows]
            cache[i] = keccak512(bytes(a ^ b for a, b in zip(cache[i - 1], other, strict=True)))
    return [words(row) for row in cache]


def dataset_item(cache: Sequence[Words], number: int) -> Words:
    """Return the item of this number (16 words), from 256 rows of the cache."""
    mix = list(cache[number % len(cache)])
    mix[0] ^= number
    mix = words(keccak512(pack(mix)))
    for parent in range(PARENTS):
        row = cache[fnv(number ^ parent, mix[parent % 16]) % len(cache)]
        mix = [fnv(a, b) for a, b in zip(mix, row, strict=True)]
    return words(keccak512(pack(mix)))


def hashimoto(header: bytes, nonce: int, pages: int, item: Callable[[int], Words]) -> tuple[bytes, bytes]:
    """Return (mix, digest), 32 bytes each, over a dataset of `pages` pages of two items."""
    seed = keccak512(header + nonce.to_bytes(8, "little"))
    first = words(seed)[0]
    mix = words(seed) * 2
    for access in range(ACCESSES):
        page = fnv(access ^ first, mix[access % 32]) % pages
        mix = [fnv(a, b) for a, b in zip(mix, item(2 * page) + item(2 * page + 1), strict=True)]
    short = pack([fnv(fnv(fnv(*mix[i : i + 2]), mix[i + 2]), mix[i + 3]) for i in range(0, 32, 4)])
    return short, keccak256(seed + short)


def hashimoto_light(cache: Sequence[Words], pages: int, header: bytes, nonce: int) -> tuple[bytes, bytes]:
    return hashimoto(header, nonce, pages, lambda number: dataset_item(cache, number))


def hashimoto_full(dataset: Sequence[Words], header: bytes, nonce: int) -> tuple[bytes, bytes]:
    return hashimoto(header, nonce, len(dataset) // 2, dataset.__getitem__)
