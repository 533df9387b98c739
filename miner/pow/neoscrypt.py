"""NeoScrypt as Feathercoin and others hash block headers; digests are read little-endian.

Messages have 64 to 256 bytes. Only compiled code computes it: a hash takes a few hundred thousand steps, and the standard
library has no part of it but BLAKE2s.
"""

from __future__ import annotations

from miner.pow.compiled import compiled_kernels
from miner.pow.registry import Algorithm

NEOSCRYPT = Algorithm("neoscrypt", "little", compiled_kernels("neoscrypt"))
"""Without kernels where nothing was compiled."""
