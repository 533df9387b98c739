"""A site, as a visitor's program talks to it: :class:`SiteClient`."""

from __future__ import annotations

import contextlib
import typing as t

import httpx

from miner.answers import is_path
from miner.dialogue.conversation import Conversation
from miner.dialogue.exchange import exact_steps, exchange_steps, join_steps, receive_steps, renew_steps
from miner.dialogue.mining import job_steps, submit_steps
from miner.dialogue.recovery import Recovered, recover_steps
from miner.dialogue.restore import Restored, restore_steps
from miner.errors import SiteUnreachable
from miner.job import Job, Submission
from miner.service import Service, TicketKey
from miner.tip import Connect, SiteTips
from miner.transport import Call, Reply, Steps, origin_of, run, sender
from miner.wallet import HeldTicket, Wallet

_T = t.TypeVar("_T")

SERVICE_HEADER = "x-ticketminer-service"


class SiteClient:
    """Everything a visitor does with the site at `origin`, its tickets kept in `wallet`.

    :param http: from :func:`miner.transport.open_http`; used from one thread at a time.
    :param allow_http: go on over plain http to another machine.
    :param watch: opens another client, over which :meth:`tips` asks from a thread of its own; `http` serves both if not given.
    :ivar consent: version of the consent text that the visitor agreed to; None for whatever the site shows now.

    Every method raises :class:`~miner.errors.SiteError`, :class:`~miner.errors.SecurityError` or
    :class:`~miner.errors.WalletError`; what was sent and not answered is kept for :meth:`recover`.
    """

    def __init__(
        self,
        origin: str,
        wallet: Wallet,
        http: httpx.Client,
        *,
        allow_http: bool = False,
        service_path: str | None = None,
        watch: Connect | None = None,
    ) -> None:
        self.wallet = wallet
        self.consent: str | None = None
        self._send = sender(http)
        self._watch: Connect = watch or (lambda: contextlib.nullcontext(http))
        self._talk = Conversation(wallet, origin, allow_http=allow_http, service_path=service_path)

    @classmethod
    def discover(
        cls,
        url: str,
        wallet: Wallet,
        http: httpx.Client,
        *,
        allow_http: bool = False,
        watch: Connect | None = None,
    ) -> t.Self:
        """Return a client for the site that the page `url` belongs to, found by its ``X-TicketMiner-Service``."""
        client = cls(url, wallet, http, allow_http=allow_http, watch=watch)
        if url.rstrip("/") != origin_of(url):
            reply = client._send(Call("HEAD", url))
            found = reply.get(SERVICE_HEADER)
            if found is not None:
                client = cls(url, wallet, http, allow_http=allow_http, service_path=_path(found), watch=watch)
        return client

    @property
    def origin(self) -> str:
        return self._talk.origin

    @property
    def clock_warning(self) -> str | None:
        """A sentence to show when this machine's clock differs from the site's; known after the first answer."""
        return self._talk.clock_warning

    def service(self, *, refresh: bool = False) -> Service:
        """Return what the site offers; asked for once."""
        return self._run(self._talk.service(refresh=refresh))

    def keys(self, refresh: bool = False) -> list[TicketKey]:
        """Return the site's ticket keys, pinned.

        :raises KeyMismatch: the directory contradicts what this wallet has seen before.
        """
        return self._run(self._talk.keys(refresh=refresh))

    def job(
        self, algorithms: t.Sequence[str], *, value: int = 1, donate: bool = False, fund: str | None = None
    ) -> Job:
        """Return work in one of `algorithms` (preferred first), worth about `value` tickets."""
        return self._run(
            job_steps(self._talk, algorithms, value=value, donate=donate, fund=fund, consent=self.consent)
        )

    def submit(self, job: Job, nonce: int, mix: bytes | None = None) -> Submission:
        """Send a share and file its ticket. Written down before it is sent.

        :raises SiteRefused: e.g. cause ``stale-job``, ``expired-job``, ``duplicate-share``: go on with a new job.
        """
        return self._run(submit_steps(self._talk, job, nonce, mix))

    def write_down(self, job: Job, nonce: int, mix: bytes | None = None) -> None:
        """Keep a share without sending it, when there is no time to wait for the site; :meth:`recover` sends it.

        Safe beside another thread that is waiting in :meth:`submit`.
        """
        with contextlib.suppress(SiteUnreachable):
            run(submit_steps(self._talk, job, nonce, mix), _not_now)

    def tips(self) -> SiteTips:
        """Return what tells when upstream has moved on, for one other thread; to be closed."""
        return SiteTips(self.origin, lambda: self._talk.links, self._watch)

    def exchange(self, tickets: t.Sequence[HeldTicket], outputs: t.Sequence[int]) -> list[HeldTicket]:
        """Swap `tickets` for new ones with the values `outputs`, of the same sum."""
        return self._run(exchange_steps(self._talk, tickets, outputs))

    def make_exact(self, amount: int) -> None:
        """Split tickets as needed, so that some add up to exactly `amount`."""
        self._run(exact_steps(self._talk, amount))

    def join(self) -> int:
        """Swap small tickets for as few as possible; return by how many they became fewer."""
        return self._run(join_steps(self._talk))

    def renew(self) -> int:
        """Swap tickets that expire within a week for new ones; return their value."""
        return self._run(renew_steps(self._talk))

    def send(self, amount: int) -> str:
        """Return text that carries exactly `amount` tickets to somebody else."""
        self.make_exact(amount)
        return self.wallet.send(self._talk.purse, amount)

    def receive(self, text: str) -> int:
        """Take over the tickets in `text` and return their value."""
        return self._run(receive_steps(self._talk, text))

    def recover(self, *, older_than: int = 0) -> Recovered:
        """Send what was not answered again, as it was written down; book the outcomes."""
        return self._run(recover_steps(self._talk, older_than=older_than))

    def restore(
        self,
        progress: t.Callable[[TicketKey], None] | None = None,
        *,
        earned_at: t.Sequence[str] = (),
    ) -> Restored:
        """Bring back from the site what this wallet's words have earned there.

        :param earned_at: other addresses of this very site, whose tickets are wanted too. Whoever answers at this origin
            can then be paid with them, so name only what you know to belong together.
        """
        places = [origin_of(place) for place in earned_at]
        return self._run(restore_steps(self._talk, progress, earned_at=places))

    def run(self, steps: Steps[_T]) -> _T:
        """Carry out other steps (:mod:`miner.payment`) over this client's connection."""
        return self._run(steps)

    def _run(self, steps: Steps[_T]) -> _T:
        return run(steps, self._send)


def _not_now(call: Call) -> Reply:
    raise SiteUnreachable(f"{call.url} is asked later.")


def _path(link: str) -> str | None:
    return link if is_path(link) else None
