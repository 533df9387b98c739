"""The command group, what all commands share, and how failures are told."""

from __future__ import annotations

import datetime as dt
import json
import logging
import typing as t

import click
from flask.cli import AppGroup
from sqlalchemy.exc import SQLAlchemyError

from flask_ticketminer.errors import DatabaseBusy, OutcomeUnknown, TicketMinerError
from flask_ticketminer.neighbour import check_miner

check_miner()  # ``python -m flask`` loads this before the application

C = t.TypeVar("C", bound=t.Callable[..., t.Any])


class _Group(AppGroup):
    """Turns the package's errors into one sentence."""

    def invoke(self, ctx: click.Context) -> t.Any:
        # The sentence says it; without a handler, logging would say it a second time.
        logger, handler = logging.getLogger("flask_ticketminer"), logging.NullHandler()
        logger.addHandler(handler)
        try:
            return super().invoke(ctx)
        except (DatabaseBusy, OutcomeUnknown) as error:  # whose own sentences are for a visitor's program
            raise click.ClickException(
                "The tickets' database is busy, cannot be reached or stores nothing. See that it runs and that TICKETMINER_DATABASE_URI, "
                "or the database of the site, leads to it; then call again."
            ) from error
        except TicketMinerError as error:
            raise click.ClickException(str(error)) from error
        except SQLAlchemyError as error:
            first = str(error).splitlines()[0]
            raise click.ClickException(
                f"The tickets' database cannot be used ({first}). Check TICKETMINER_DATABASE_URI, or the database of the site."
            ) from error
        finally:
            logger.removeHandler(handler)


group = _Group("ticketminer", help="Look after the tickets of this site.")


def json_option(command: C) -> C:
    """Add ``--json``, as the parameter ``as_json``."""
    return click.option("--json", "as_json", is_flag=True, help="Print one JSON object, for programs.")(
        command
    )


def print_json(members: t.Mapping[str, t.Any]) -> None:
    click.echo(json.dumps(members, indent=2, ensure_ascii=False))


def print_table(header: t.Sequence[str], rows: t.Sequence[t.Sequence[t.Any]]) -> None:
    """Print `rows` in columns; numbers to the right."""
    table = [list(header), *([_text(cell) for cell in row] for row in rows)]
    widths = [max(len(row[column]) for row in table) for column in range(len(header))]
    numeric = [
        bool(rows) and all(isinstance(row[column], int) for row in rows) for column in range(len(header))
    ]
    for row in table:
        cells = [
            cell.rjust(width) if right else cell.ljust(width)
            for cell, width, right in zip(row, widths, numeric, strict=True)
        ]
        click.echo("  ".join(cells).rstrip())


def date(seconds: int) -> str:
    """Return the UTC date of Unix time `seconds`."""
    return f"{dt.datetime.fromtimestamp(seconds, dt.UTC):%Y-%m-%d}"


def _text(cell: t.Any) -> str:
    if isinstance(cell, bool):
        return "yes" if cell else "no"
    return f"{cell:,}" if isinstance(cell, int) else "" if cell is None else str(cell)
