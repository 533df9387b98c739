"""What a command works with: the wallet, one HTTP client a purpose, and the sites."""

from __future__ import annotations

import contextlib
import hashlib
import typing as t

import click
import httpx

from miner.cli.options import Options
from miner.cli.text import safe, tickets
from miner.client import SiteClient
from miner.errors import ConsentMissing
from miner.transport import Purpose, open_http, origin_of
from miner.wallet import Wallet


class Session:
    """Opens what is needed when it is needed, and closes it at the end."""

    def __init__(self, options: Options) -> None:
        self.options = options
        self.output = options.output
        self._stack = contextlib.ExitStack()
        self._wallet: Wallet | None = None
        self._sites: dict[tuple[str, Purpose], SiteClient] = {}

    def __enter__(self) -> t.Self:
        return self

    def __exit__(self, *exc: t.Any) -> None:
        self._stack.__exit__(*exc)

    @property
    def wallet(self) -> Wallet:
        if self._wallet is None:
            self._wallet = self._stack.enter_context(Wallet.open(self.options.wallet))
        return self._wallet

    def http(self, purpose: Purpose) -> httpx.Client:
        """Return a new client; sites, and mining and spending, never share connections."""
        return self._stack.enter_context(open_http(self.options.proxy, purpose))

    def site(self, url: str, purpose: Purpose = "mining", *, recover: bool = True) -> SiteClient:
        """Return the site at `url`, after settling what an earlier run left unanswered there."""
        key = (origin_of(url), purpose)
        if key not in self._sites:
            # A payment names its own service; only mining has to look for it.
            find = SiteClient.discover if purpose == "mining" else SiteClient
            client = find(
                url,
                self.wallet,
                self.http(purpose),
                allow_http=self.options.allow_http,
                watch=lambda: open_http(self.options.proxy, purpose),
            )
            if recover:
                self._recover(client)
            self._sites[key] = client
        return self._sites[key]

    def _recover(self, client: SiteClient) -> None:
        found = client.recover()
        if found.value:
            self.output.note(
                f"{client.origin}: {tickets(found.value)} came in that an earlier command had under way."
            )
        for problem in found.problems:
            self.output.note(f"{client.origin}: {problem}")
        if client.clock_warning:
            self.output.note(client.clock_warning)

    def consent(self, site: SiteClient, *, yes: bool) -> None:
        """Make sure the visitor has agreed to the site's consent text, as it is now.

        :raises ConsentMissing: refused, or nobody is there to be asked.
        """
        service = site.service()
        name = f"consent:{site.origin}"
        # A version that stays while the words change is no consent to the new words.
        words = f"{service.consent_version} {hashlib.sha256(service.consent_text.encode()).hexdigest()}"
        if self.wallet.setting(name) != words:
            if not yes:
                self._ask(site.origin, service.consent_text)
            self.wallet.set_setting(name, words)
        site.consent = service.consent_version

    def _ask(self, origin: str, words: str) -> None:
        if not self.output.interactive:
            raise ConsentMissing(
                f"{origin} asks for your consent before it gives work. Read its text with: ticketminer info {origin}, "
                "then run this command in a terminal, or with --yes to agree."
            )
        click.echo(f"{origin} says:\n", err=True)
        click.echo(click.wrap_text(safe(words), 78, "  ", "  ", preserve_paragraphs=True), err=True)
        click.echo(err=True)
        if not click.confirm("Do you agree to compute for this site?", default=False, err=True):
            raise ConsentMissing(f"Nothing was computed: you did not agree to the text of {origin}.")

    def suggest_backup(self) -> None:
        """From 8 tickets on, suggest once to write the backup words down."""
        if self.output.quiet or self.output.as_json or not self.wallet.needs_backup_prompt():
            return
        self.output.note(
            f"You hold {tickets(sum(site.balance for site in self.wallet.sites()))}. If this computer is lost, only "
            "words bring them back. Write them down once: ticketminer wallet words"
        )
