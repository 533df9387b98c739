"""``ticketminer wallet``: what you hold, how to keep it, how to give it away."""

from __future__ import annotations

import contextlib
import functools
import sys
import typing as t
from collections.abc import Iterable

import click

from miner.cli import text
from miner.cli.options import ADDRESS, Command, Options, shared
from miner.cli.session import Session
from miner.errors import ForeignRequest, MinerError, WalletError, WrongWords
from miner.transport import origin_of
from miner.wallet import HeldTicket, Wallet
from miner.wallet.transfer import decode_tickets

MAX_INPUT = 1_000_000
"""Characters of a gift, of which a thousand tickets take some 630,000."""


class WalletGroup(click.Group):
    """Shows the balance when no command is named; its options may follow ``wallet`` directly."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if not args or (args[0].startswith("-") and args[0] not in ctx.help_option_names):
            args = ["balance", *args]
        return super().parse_args(ctx, args)


@click.group("wallet", cls=WalletGroup)
def wallet() -> None:
    """Show what you hold; keep it safe; give it away.

    Without a command: the balance at each site.
    """


@wallet.command("balance", cls=Command)
@shared(network=False)
def balance(options: Options) -> None:
    """Show the balance at each site, and when it ends."""
    with Session(options) as session:
        sites = session.wallet.sites()
        held = _available(session.wallet.tickets())
        rows = []
        for site in sites:
            until = [ticket.redeem_until for ticket in held if ticket.origin == site.origin]
            rows.append(
                {
                    "site": site.origin,
                    "name": site.site_name,
                    "balance": site.balance,
                    "pending": site.pending,
                    "first_expiry": min(until, default=None),
                    "last_expiry": max(until, default=None),
                }
            )
        total = sum(site.balance for site in sites)
        options.output.result(
            "\n".join(_balance_line(row) for row in rows)
            or "No tickets yet. Get some from a site with: ticketminer mine https://SITE",
            {"wallet": str(session.wallet.path), "total": total, "sites": rows},
        )
        session.suggest_backup()


def _balance_line(row: dict[str, t.Any]) -> str:
    line = f"{row['site']}: {text.tickets(row['balance'])}"
    if row["pending"]:
        line += f", {row['pending']} in requests without an answer yet"
    if row["first_expiry"] is not None:
        first, last = text.day(row["first_expiry"]), text.day(row["last_expiry"])
        line += f", good until {first}" if first == last else f", good until {first} to {last}"
    return line


@wallet.command("tickets", cls=Command)
@click.option("--site", type=ADDRESS, metavar="URL", help="Only this site's.")
@click.option("--all", "everything", is_flag=True, help="Spent, given and expired ones too.")
@shared(network=False)
def tickets(options: Options, site: str | None, everything: bool) -> None:
    """List the tickets: site, value, state, last day."""
    with Session(options) as session:
        held = session.wallet.tickets(None if site is None else origin_of(site))
        shown = (
            held if everything else [ticket for ticket in held if ticket.state in ("available", "pending")]
        )
        if options.output.as_json:
            for ticket in shown:
                options.output.object(
                    {
                        "site": ticket.origin,
                        "value": ticket.value,
                        "state": ticket.state,
                        "redeem_until": ticket.redeem_until,
                        "key_id": ticket.key_id.hex(),
                    }
                )
            return
        lines = [
            f"{ticket.value:>5}  {ticket.state:<9}  until {text.day(ticket.redeem_until)}  {ticket.origin}"
            for ticket in sorted(shown, key=lambda ticket: (ticket.origin, ticket.redeem_until, ticket.value))
        ]
        options.output.result("\n".join(lines) or "No tickets.", {})


@wallet.command("words", cls=Command)
@click.option("--site", type=ADDRESS, metavar="URL", help="The 24 words of this one site.")
@shared(network=False)
def words(options: Options, site: str | None) -> None:
    """Show the words that bring your tickets back: 12 for everything, 24 for one site.

    Whoever has them has the tickets. Write them on paper.
    """
    with Session(options) as session:
        if site is None:
            spelt = session.wallet.words()
            apart = session.wallet.apart()
            session.output.note(
                f"These 12 words are the {'rest of the' if apart else 'whole'} wallet. Write them down and show them to nobody."
            )
            for origin in apart:
                session.output.note(
                    f"The tickets of {origin} came from other words. These bring them back: ticketminer wallet words --site {origin}"
                )
        else:
            spelt = session.wallet.site_words(origin_of(site))
            session.output.note(f"These 24 words are your tickets of {origin_of(site)} only.")
        options.output.result(spelt, {"words": spelt, "site": None if site is None else origin_of(site)})
        if site is None:
            session.wallet.backup_seen()


@wallet.command("restore", cls=Command)
@click.argument("urls", nargs=-1, type=ADDRESS, metavar="URL...")
@click.option("--site", type=ADDRESS, metavar="URL", help="The site that 24 words belong to.")
@click.option(
    "--earned-at",
    type=ADDRESS,
    multiple=True,
    metavar="URL",
    help="Another address of the same site, where you earned tickets.",
)
@shared()
def restore(options: Options, urls: tuple[str, ...], site: str | None, earned_at: tuple[str, ...]) -> None:
    """Bring tickets back from words, and from the sites at URL... that issued them.

    The words are read from the terminal or from standard input, never from the command line. Tickets come back at the address
    where they were earned. If the site has moved since, name its new address as URL and the old one with --earned-at; do so
    only when you know that both are the same site, for it can then be paid with them.
    """
    if earned_at and len({*map(origin_of, urls), *map(origin_of, [site] if site else [])}) != 1:
        raise click.UsageError("--earned-at is about one site: name one URL with it.")
    spelt = _ask("Your words")
    target = None if site is None else origin_of(site)
    addresses = list(dict.fromkeys([*urls, *([site] if site else [])]))
    Wallet.create_from_words(options.wallet, spelt, target).close()
    with Session(options) as session:
        if not earned_at and target is None:
            named = {*map(origin_of, addresses)}
            addresses += [known.origin for known in session.wallet.sites() if known.origin not in named]
        if not addresses:
            options.output.result(
                "The words are in place. Name the sites that your tickets are of: ticketminer wallet restore URL...",
                {"sites": []},
            )
            return
        if target is None:
            session.wallet.backup_seen()
        _each(session, addresses, functools.partial(_restore_one, earned_at=earned_at))


def _restore_one(session: Session, url: str, *, earned_at: t.Sequence[str]) -> dict[str, t.Any]:
    site = session.site(url)
    found = site.restore(earned_at=earned_at)
    if not found.tickets and not session.wallet.balance(site.origin):
        session.output.note(
            f"All that was earned at {site.origin} with these words has been spent."
            if found.spent
            else f"Nothing was earned at {site.origin} with these words. If it was at another address of the same site: "
            "--earned-at URL."
        )
    return {"site": site.origin, "restored": found.value, "balance": session.wallet.balance(site.origin)}


@wallet.command("recover", cls=Command)
@click.argument("urls", nargs=-1, type=ADDRESS, metavar="[URL]...")
@shared()
def recover(options: Options, urls: tuple[str, ...]) -> None:
    """Repeat the requests that were cut off, at URL... or at every known site."""
    with Session(options) as session:
        addresses = list(urls) or [site.origin for site in session.wallet.sites()]
        _each(session, addresses, _recover_one)


def _recover_one(session: Session, url: str) -> dict[str, t.Any]:
    before = session.wallet.balance(origin_of(url))
    site = session.site(url)
    now = session.wallet.balance(site.origin)
    return {"site": site.origin, "restored": now - before, "balance": now}


def _each(
    session: Session, addresses: Iterable[str], act: t.Callable[[Session, str], dict[str, t.Any]]
) -> None:
    """Do the same at every site, go on after a failure, and fail at the end if there was one."""
    failure: MinerError | None = None
    for address in addresses:
        try:
            members = act(session, address)
        except MinerError as error:
            failure = error
            session.output.note(f"{address}: {error}")
            continue
        session.output.result(
            f"{members['site']}: {text.tickets(members['restored'])} came back, {members['balance']:,} in all.",
            members,
        )
    if failure is not None:
        raise failure


@wallet.command("send", cls=Command)
@click.argument("amount", type=click.IntRange(1, 2**31 - 1), metavar="N")
@click.option("--site", type=ADDRESS, required=True, metavar="URL", help="The site that the tickets are of.")
@shared()
def send(options: Options, amount: int, site: str) -> None:
    """Print text that carries N tickets to somebody else. They leave this wallet at once."""
    with Session(options) as session:
        carried = session.site(site, "spending").send(amount)
        session.output.note(
            f"Whoever gives this text to `ticketminer wallet receive` first has the {text.tickets(amount)}:"
        )
        options.output.result(carried, {"site": origin_of(site), "amount": amount, "tickets": carried})


@wallet.command("receive", cls=Command)
@click.option("--site", type=ADDRESS, metavar="URL", help="Only if they are tickets of this site.")
@shared()
def receive(options: Options, site: str | None) -> None:
    """Take over tickets that somebody sent you; reads their text from the terminal or standard input.

    The text names the site that the tickets are of. This program asks before it connects to one that is new to your wallet.
    """
    carried = _ask("The text you were sent")
    with Session(options) as session:
        origin, tokens = decode_tickets(carried)
        if site is not None and origin_of(site) != origin:
            raise ForeignRequest(
                f"These are tickets of {origin}, not of {origin_of(site)}. Nothing was sent anywhere."
            )
        if site is None and origin not in {known.origin for known in session.wallet.sites()}:
            said = f"The text says that it holds {text.plural(len(tokens), 'ticket')} of {origin}, which is new to this wallet."
            if options.output.interactive:
                click.confirm(f"{said} Connect to it?", abort=True, err=True)
            else:
                session.output.note(said)
        value = session.site(origin, "spending").receive(carried)
        options.output.result(
            f"Received {text.tickets(value)} of {origin}.", {"site": origin, "received": value}
        )
        session.suggest_backup()


@wallet.command("move", cls=Command)
@click.argument("old", type=ADDRESS)
@click.argument("new", type=ADDRESS)
@shared(network=False)
def move(options: Options, old: str, new: str) -> None:
    """File the tickets of site OLD under NEW, after the site itself has moved."""
    with Session(options) as session:
        moved = session.wallet.move(origin_of(old), origin_of(new))
        options.output.result(
            f"{text.tickets(moved)} of {origin_of(old)} are now filed under {origin_of(new)}.",
            {"old": origin_of(old), "new": origin_of(new), "moved": moved},
        )


@wallet.command("forget", cls=Command)
@click.argument("address", type=ADDRESS, metavar="URL")
@click.option("--yes", is_flag=True, help="Even when tickets are lost with it.")
@shared(network=False)
def forget(options: Options, address: str, yes: bool) -> None:
    """Remove a site from the wallet."""
    origin = origin_of(address)
    with Session(options) as session:
        lost = session.wallet.balance(origin)
        if lost and not yes and options.output.interactive:
            click.confirm(f"{text.tickets(lost)} of {origin} will be lost. Go on?", abort=True, err=True)
            yes = True
        session.wallet.forget(origin, tickets_too=yes)
        options.output.result(f"{origin} is forgotten.", {"site": origin, "lost": lost})


@wallet.command("history", cls=Command)
@click.option("-n", "--limit", type=click.IntRange(1, 10_000), default=20, show_default=True)
@shared(network=False)
def history(options: Options, limit: int) -> None:
    """List what happened, the newest first. The site keeps no such list, this machine does."""
    with Session(options) as session:
        entries = session.wallet.history(limit)
        if options.output.as_json:
            for entry in entries:
                options.output.object(
                    {
                        "at": entry.at,
                        "site": entry.origin,
                        "kind": entry.kind,
                        "amount": entry.amount,
                        "detail": entry.detail,
                    }
                )
            return
        lines = [
            f"{text.moment(entry.at)}  {entry.kind:<10} {entry.amount:>6}  {entry.origin}  {entry.detail}".rstrip()
            for entry in entries
        ]
        options.output.result("\n".join(lines) or "Nothing happened yet.", {})


def _available(held: Iterable[HeldTicket]) -> list[HeldTicket]:
    return [ticket for ticket in held if ticket.state == "available"]


def _ask(prompt: str) -> str:
    """Return what is typed at the terminal, or all of standard input."""
    if sys.stdin.isatty():
        with contextlib.suppress(ImportError):
            import readline  # noqa: F401 - without it a terminal cuts a line at 4,096 characters
        return str(click.prompt(prompt, err=True))
    given = sys.stdin.read(MAX_INPUT + 1).strip()
    if len(given) > MAX_INPUT:
        raise WalletError(
            f"Standard input holds more than {MAX_INPUT:,} characters; that is neither words nor a gift."
        )
    if not given:
        raise WrongWords("Nothing was given on standard input; type or paste it there.")
    return given
