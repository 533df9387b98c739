"""yespower 1.0, whose S-boxes suit processors and hardly anything else; `local` work has N=1024, r=8 and a string of its own.

1.1 MiB of memory a hash; digests are read little-endian. Only compiled code computes it. Source: openwall/yespower.
"""

from __future__ import annotations

import typing as t

from miner.pow.compiled import compiled_kernels
from miner.pow.errors import PowError
from miner.pow.extension import extension
from miner.pow.registry import Algorithm

PERSONALISATION = b"ticketminer local v1"
"""Keeps the shares of `local` work apart from those of every coin."""

YESPOWER = Algorithm("yespower", "little", compiled_kernels("yespower"))
"""With N=1024, r=8 and our personalisation; without kernels where nothing was compiled."""


def yespower(data: bytes, *, N: int = 1024, r: int = 8, pers: bytes = PERSONALISATION) -> bytes:
    """Return the 32 bytes of yespower 1.0 of `data`, which has any length.

    :param N: a power of two from 1024 to 524,288; a hash takes 128 N r bytes.
    :param r: 8 to 32.
    :raises PowError: `N` or `r` is none of these.
    :raises MemoryError: there are not so many bytes.
    :raises NotCompiled: nothing was compiled here.
    """
    kernels = extension("yespower")
    if N < 0 or r < 0:
        raise PowError("N and r are positive numbers.")
    try:
        return t.cast(bytes, kernels.yespower(bytes(data), N, r, bytes(pers)))
    except (ValueError, OverflowError) as error:
        raise PowError(f"{error}.") from error
