"""The compiled functions of ethash."""

from __future__ import annotations

import functools
import typing as t

from miner.pow.extension import BUILT, extension
from miner.pow.registry import choose

ROW_SIZE, PAGE_SIZE = 64, 128
"""Bytes of a row of the cache, which is also an item of the dataset, and of a page of two items."""


def compiled() -> t.Any:
    """Return the extension module.

    :raises NotCompiled: it was not built.
    """
    return extension("ethash")


@functools.cache
def paths() -> tuple[str, ...]:
    """Return the names of the kernels that this machine can run, the fastest first; none where nothing was compiled."""
    if not BUILT:
        return ()
    return tuple(path for _, path, usable in compiled().ethash_kernels() if usable)


def chosen(path: str | None) -> str:
    """Return `path` after checking that it runs here, or else the one that ``TICKETMINER_KERNEL`` names, or else the fastest.

    :raises NotCompiled, UnknownImplementation: there is none, or none of this name.
    """
    return choose("ethash", paths(), path)
