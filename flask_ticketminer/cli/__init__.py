"""``flask ticketminer …``: what a site's operator asks and tells the tickets.

Every command runs in the application's context, takes ``--json`` for programs, and answers a mistake with one sentence and a
status other than zero.
"""

from flask_ticketminer.cli.group import group  # first, for it checks whose package ``miner`` is

# isort: split
from flask_ticketminer.cli.bridge import bridge_command
from flask_ticketminer.cli.keys import keys
from flask_ticketminer.cli.ledger import audit_command, prune_command, stats_command
from flask_ticketminer.cli.pool import pool
from flask_ticketminer.cli.setup import config_command, routes_command
from flask_ticketminer.cli.upstream import upstream_command

COMMANDS = (
    keys,
    config_command,
    routes_command,
    stats_command,
    audit_command,
    prune_command,
    bridge_command,
    upstream_command,
    pool,
)
for command in COMMANDS:
    group.add_command(command)

__all__ = ["group"]
