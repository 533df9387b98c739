"""A visitor with a real wallet and the real client, at an application in the same process.

``python tests/guest.py`` prints the sizes of requests and answers: what an observer of encrypted traffic sees.
"""

from __future__ import annotations

import itertools
import pathlib
import re
import secrets
import tempfile
import typing as t

import httpx
from flask import Flask
from mints import START
from sites import DEFAULT_WORK, Shop, make_shop
from witness import Exchange, Record, Witness

from flask_ticketminer.clock import ManualClock
from miner import SiteClient, TicketAuth, Wallet
from miner.job import Job
from miner.pow import ALGORITHMS
from miner.transport import open_http
from miner.wallet import HeldTicket

ORIGIN = "http://127.0.0.1"


class Guest:
    """Mines and pays as the command line does.

    :param address: where its requests come from.
    :param headers: what a careless client sends along with every request.
    :param keeps_cookies: as a browser does, and the command line does not.
    """

    def __init__(
        self,
        app: Flask,
        wallet: Wallet,
        *,
        address: str = "127.0.0.1",
        headers: t.Mapping[str, str] | None = None,
        keeps_cookies: bool = False,
    ) -> None:
        self.wallet = wallet
        own = open_http()
        self.http = httpx.Client(
            transport=httpx.WSGITransport(app=_undated(app), remote_addr=address),
            cookies=httpx.Cookies() if keeps_cookies else own.cookies.jar,
            headers={**own.headers, **(headers or {})},
        )
        own.close()
        self.site = SiteClient(ORIGIN, wallet, self.http)

    def mine(self, value: int) -> None:
        job = self.site.job([DEFAULT_WORK], value=value)
        assert self.site.submit(job, share_of(job)).accepted

    def pay(self, path: str) -> httpx.Response:
        reply = self.http.get(ORIGIN + path, auth=TicketAuth(self.wallet))
        assert reply.status_code == 200, reply.text
        return reply

    def held(self, value: int) -> list[HeldTicket]:
        return [t for t in self.wallet.tickets() if (t.value, t.state) == (value, "available")]

    def split(self, value: int, parts: t.Sequence[int]) -> None:
        self.site.exchange(self.held(value)[:1], parts)

    def restore(self) -> None:
        self.site.restore()


def _undated(app: Flask) -> t.Callable[..., t.Any]:
    """Return the application without ``Date``: the wallet would take the machine's time for the site's."""

    def application(environ: t.Any, start_response: t.Any) -> t.Any:
        def start(status: str, headers: list[tuple[str, str]], *rest: t.Any) -> t.Any:
            return start_response(status, [pair for pair in headers if pair[0] != "Date"], *rest)

        return app(environ, start)

    return application


def share_of(job: Job) -> int:
    """Return a nonce that meets the job's target."""
    algorithm = ALGORITHMS[job.algorithm]
    # Small numbers would meet again by chance.
    for start in itertools.count(secrets.randbits(60), 16):
        hits, _ = algorithm.scan(
            job.blob,
            job.target,
            start=start,
            count=16,
            nonce_offset=job.nonce_offset,
            nonce_size=job.nonce_size,
        )
        if hits:
            return hits[0][0]
    raise AssertionError("The loop returns.")


def measure(folder: pathlib.Path) -> list[tuple[str, Exchange]]:
    """Return the exchanges of visits that differ in the numbers of tickets and outputs."""
    shop: Shop = make_shop(folder, f"sqlite:///{folder}/site.sqlite", ManualClock(START))
    witness = Witness(shop.app)
    found: list[tuple[str, Exchange]] = []
    with Wallet.open(folder / "wallet.sqlite", clock=shop.clock.now) as wallet:
        guest = Guest(shop.app, wallet)

        def keep(name: str, record: Record, request: str, status: int = 200) -> None:
            found.append(
                (
                    name,
                    next(
                        e for e in record.exchanges if re.fullmatch(request, e.request) and e.status == status
                    ),
                )
            )

        with witness.visit() as record:
            guest.mine(1)
        keep("what the site offers", record, "GET /ticketminer/")
        keep("key directory", record, "GET /ticketminer/keys")
        keep("job", record, "POST /ticketminer/job")
        keep("submit", record, "POST /ticketminer/submit")
        with witness.visit() as record:
            guest.pay("/once")
        keep("402", record, "GET /once", 402)
        keep("pay in the header: 1 ticket", record, "GET /once")
        for inputs, outputs in ((2, 1), (4, 1), (4, 3), (8, 1), (16, 1)):
            for _ in range(inputs):
                guest.mine(1)
            worth = _parts(inputs, outputs)
            with witness.visit() as record:
                guest.site.exchange(guest.held(1)[:inputs], worth)
            keep(f"exchange: {inputs} tickets, {outputs} outputs", record, "POST /ticketminer/redeem")
            wallet.send(ORIGIN, wallet.balance(ORIGIN))  # out of the way
        guest.mine(4)
        with witness.visit() as record:
            guest.pay("/report")
        keep("pay in the header: 1 ticket, 1 output", record, "GET /report")
        for _ in range(4):
            guest.mine(1)
        while len(guest.held(1)) > 4:
            wallet.send(ORIGIN, 1)
        with witness.visit() as record:
            guest.pay("/pictures/four")
        keep("pay in the header: 4 tickets", record, "GET /pictures/four")
        with witness.visit() as record:
            guest.site.restore()
        keep("restore, one key", record, "POST /ticketminer/restore")
        keep("file of spent tickets", record, "GET /ticketminer/keys/.*/spent")
    witness.close()
    return found


def _parts(total: int, number: int) -> list[int]:
    parts = [total]
    while len(parts) < number:
        largest = max(parts)
        parts.remove(largest)
        parts += [largest // 2, largest // 2]
    return parts


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        print(f"{'exchange':<40} {'request':>14} {'answer':>14}   head + body, bytes")
        for name, exchange in measure(pathlib.Path(folder)):
            sent, received = (f"{head} + {body}" for head, body in (exchange.sent, exchange.received))
            print(f"{name:<40} {sent:>14} {received:>14}")


if __name__ == "__main__":
    main()
