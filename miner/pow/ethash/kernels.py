"""The compiled functions of ethash, and a sentence for installations without them."""

from __future__ import annotations

import typing as t

from miner.pow.errors import UnknownImplementation
from miner.pow.ethash.errors import NotCompiled

try:
    from miner.pow import _kernels
except ImportError:  # pure Python: no compiler, or a system that the kernels are not written for
    _kernels = None  # type: ignore[assignment]

ROW_SIZE, PAGE_SIZE = 64, 128
"""Bytes of a row of the cache, which is also an item of the dataset, and of a page of two items."""


def compiled() -> t.Any:
    """Return the extension module.

    :raises NotCompiled: it was not built.
    """
    if _kernels is None:
        raise NotCompiled(
            "This installation has no compiled kernels, and nothing else computes ethash: install a C compiler and "
            "reinstall (pip install --force-reinstall --no-binary Flask-TicketMiner Flask-TicketMiner), or use a wheel."
        )
    return _kernels


def paths() -> tuple[str, ...]:
    """Return the names of the kernels that this machine can run, the fastest first; none where nothing was compiled."""
    if _kernels is None:
        return ()
    return tuple(path for _, path, usable in _kernels.ethash_kernels() if usable)


def chosen(path: str | None) -> str:
    """Return `path` after checking that it runs here, or the fastest.

    :raises NotCompiled, UnknownImplementation: there is none, or none of this name.
    """
    compiled()
    here = paths()
    if path is None:
        return here[0]
    if path not in here:
        raise UnknownImplementation(
            f"ethash has no implementation {path!r} here; choose from {', '.join(here)}, or leave it out."
        )
    return path
