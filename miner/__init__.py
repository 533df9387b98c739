"""Everything the visitor runs: proof-of-work search, wallet, client and command line. Imports no Flask."""
