"""The compiled extension, where there is one."""

from __future__ import annotations

import typing as t

from miner.pow.errors import not_compiled

try:
    from miner.pow import _kernels as _kernels
except ImportError:  # pure Python: no compiler, or a system that the kernels are not written for
    _kernels = None  # type: ignore[assignment]

BUILT = _kernels is not None


def extension(algorithm: str) -> t.Any:
    """Return the extension module, for `algorithm`, which nothing else computes.

    :raises NotCompiled: it was not built.
    """
    if not BUILT:
        raise not_compiled(algorithm)
    return _kernels
