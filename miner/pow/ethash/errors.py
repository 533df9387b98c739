"""What can go wrong with ethash alone; every message names the remedy.

::

    PowError
    ├── BadEpoch         an epoch that does not exist, or none where one is needed
    └── TableMissing     a cache or dataset is not there (or was damaged and set aside)
        └── TableBusy    another process is building it

Besides them, building raises MemoryError where there is no memory, and OSError (``ENOSPC``) where the disk is full.
"""

from __future__ import annotations

from miner.pow.errors import PowError


class BadEpoch(PowError):
    """The epoch, its length or its seed is none that ethash has."""


class TableMissing(PowError):
    """The cache or dataset of this epoch is not there; it is built by :func:`miner.pow.ethash.prepare` only."""


class TableBusy(TableMissing):
    """The cache or dataset of this epoch is being built by somebody else; try again later."""
