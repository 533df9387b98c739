"""``python -m miner.cli``, the same as the command ``ticketminer``."""

from miner.cli import main

main()
