"""The mint: keys, blind signatures, and the ledger that issues and spends each ticket exactly once."""
