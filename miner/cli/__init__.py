"""The command line of a visitor: ``ticketminer``.

Exit codes stand in :class:`miner.cli.status.Status`. Errors are one sentence on stderr, with ``--json`` one object.
"""

from __future__ import annotations

import importlib.metadata
import os
import sys
import typing as t
from collections.abc import Sequence

import click

from miner.cli.benchmark import benchmark
from miner.cli.config import config_command
from miner.cli.donate import donate
from miner.cli.get import get
from miner.cli.info import info
from miner.cli.jobs import jobs
from miner.cli.mine import mine_command
from miner.cli.output import print_error
from miner.cli.pay import pay
from miner.cli.status import HELP, Status, status_of
from miner.cli.wallet import wallet
from miner.errors import MinerError
from miner.pow import PowError

_HELP = f"""Compute for websites and pay them with the tickets you earn.

\b
  ticketminer mine https://shop.example           collect tickets
  ticketminer get https://shop.example/report     pay for a page or file
  ticketminer wallet                              what you hold

{HELP}
"""


class Main(click.Group):
    """The root command: turns every failure into one sentence and an exit code."""

    def main(
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        complete_var: str | None = None,
        standalone_mode: bool = True,
        **extra: t.Any,
    ) -> t.Any:
        words = list(sys.argv[1:] if args is None else args)
        as_json = "--json" in words
        extra.setdefault("obj", words)
        try:
            code = super().main(
                words, prog_name or "ticketminer", complete_var, standalone_mode=False, **extra
            )
        except MinerError as error:
            code = status_of(error)
            print_error(error, status=code, as_json=as_json)
        except (PowError, MemoryError) as error:
            code = Status.FAILURE
            print_error(error, status=code, as_json=as_json)
        except click.exceptions.NoArgsIsHelpError as error:
            error.show()
            code = Status.USAGE
        except click.ClickException as error:
            code = Status.USAGE if error.exit_code == 2 else Status.FAILURE
            if as_json:
                print_error(error.format_message(), status=code, as_json=True)
            else:
                error.show()
        except click.Abort:
            code = Status.INTERRUPTED
            print_error("Interrupted; nothing is lost.", status=code, as_json=as_json)
        except BrokenPipeError:
            # The reader of our output has gone; Python would complain once more when it closes stdout.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            code = Status.FAILURE
        if not standalone_mode:
            return code
        sys.exit(int(code or 0))


def _version() -> str:
    try:
        return importlib.metadata.version("Flask-TicketMiner")
    except importlib.metadata.PackageNotFoundError:
        return "unknown (not installed)"


@click.group("ticketminer", cls=Main, help=_HELP, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(_version(), "-V", "--version", message="ticketminer %(version)s")
def main() -> None:
    """See ``_HELP``."""


for _command in (mine_command, get, pay, donate, wallet, jobs, info, benchmark, config_command):
    main.add_command(_command)

__all__ = ["Status", "main"]
