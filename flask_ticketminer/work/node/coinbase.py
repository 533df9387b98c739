"""The first transaction of a block, which creates the reward (BIP 34; BIP 141 for the witness commitment)."""

from __future__ import annotations

import struct
from collections.abc import Sequence

MAX_SCRIPT = 100
"""Bytes of the longest coinbase script (Bitcoin's consensus rules)."""
WITNESS = bytes([1, 32]) + bytes(32)
"""The coinbase's witness: one item, BIP 141's reserved value."""

_OP_0 = 0x00
_OP_1 = 0x51


def height_push(height: int) -> bytes:
    """Return the script that pushes `height`, as BIP 34 wants it first: OP_0 to OP_16, else the shortest little-endian number.

    :raises ValueError: the height is negative or has more than 32 bits.
    """
    if not 0 <= height < 1 << 32:
        raise ValueError(f"{height} is no height of a block.")
    if height <= 16:
        return bytes([_OP_0 if height == 0 else _OP_1 + height - 1])
    size = height.bit_length() // 8 + 1  # with room for the sign
    return bytes([size]) + height.to_bytes(size, "little")


def var_int(number: int) -> bytes:
    """Return Bitcoin's CompactSize of `number`."""
    for limit, mark, code in ((0xFD, b"", "<B"), (1 << 16, b"\xfd", "<H"), (1 << 32, b"\xfe", "<I")):
        if number < limit:
            return mark + struct.pack(code, number)
    return b"\xff" + struct.pack("<Q", number)


def coinbase_halves(
    height: int, outputs: Sequence[tuple[int, bytes]], *, extranonce_size: int, tag: bytes = b""
) -> tuple[bytes, bytes]:
    """Return what stands before and after the extranonce in the transaction without its witness.

    :param outputs: (amount in the coin's smallest unit, script) of each.
    :param tag: at most 40 bytes of the operator's, in the script behind the extranonce.
    :raises ValueError: the script would be longer than 100 bytes.
    """
    push = height_push(height)
    size = len(push) + extranonce_size + len(tag)
    if not 2 <= size <= MAX_SCRIPT:
        raise ValueError(f"The coinbase's script would have {size} bytes; 2 to {MAX_SCRIPT} are allowed.")
    before = struct.pack("<I", 1) + b"\x01" + bytes(32) + b"\xff" * 4 + var_int(size) + push
    paid = b"".join(struct.pack("<Q", amount) + var_int(len(script)) + script for amount, script in outputs)
    return before, tag + b"\xff" * 4 + var_int(len(outputs)) + paid + bytes(4)


def with_witness(transaction: bytes) -> bytes:
    """Return a coinbase in BIP 144's form: marker and flag behind the version, the witness before the lock time."""
    return transaction[:4] + b"\x00\x01" + transaction[4:-4] + WITNESS + transaction[-4:]
