from __future__ import annotations

import contextlib
import pathlib
import sqlite3

import httpx
import pytest
from flask import Response, request
from live import LiveSites, LossyProxy, visit

from miner.errors import AlreadyDelivered
from miner.payment import TicketAuth
from miner.payment.challenge import find_challenge
from miner.payment.payer import Payer
from miner.transport import open_http
from miner.wallet import Wallet


def test_a_page_whose_answer_was_lost_is_not_paid_for_again(tmp_path: pathlib.Path) -> None:
    with LiveSites(tmp_path) as sites, Wallet.open(tmp_path / "w.sqlite") as wallet:
        site = sites()
        with LossyProxy(site) as line, open_http() as http:
            site.fill(
                wallet, 64, at=line.url
            )  # so much change that it is paid through redeem, which answers with a pass

            def lose_what_comes_next(response: Response) -> Response:
                if request.path == "/ticketminer/redeem":
                    line.lose("GET /once")
                return response

            site.after = lose_what_comes_next
            url, auth = f"{line.url}/once", TicketAuth(wallet, None)
            with pytest.raises(httpx.TransportError):
                http.get(url, auth=auth)
            with pytest.raises(AlreadyDelivered):
                http.get(url, auth=auth)
        assert (wallet.balance(), site.paid()) == (63, 1)


def test_a_payment_is_not_closed_before_its_pass_is_kept(tmp_path: pathlib.Path) -> None:
    with LiveSites(tmp_path) as sites, Wallet.open(tmp_path / "w.sqlite") as wallet:
        site = sites()
        site.fill(wallet, 64)
        full = "CREATE TRIGGER full BEFORE INSERT ON passes BEGIN SELECT RAISE(ABORT, 'no room for the pass'); END"
        with contextlib.closing(sqlite3.connect(wallet.path)) as disk, visit(site.url, wallet) as client:
            disk.execute(full)
            with open_http() as http, pytest.raises(sqlite3.IntegrityError, match="no room"):
                http.get(f"{site.url}/once", auth=TicketAuth(wallet, None))
            disk.execute("DROP TRIGGER full")
            client.recover()
        assert wallet.find_pass(site.url, "GET /once") is not None


def test_a_page_that_a_pass_opens_is_not_paid_by_an_older_payment_of_it(tmp_path: pathlib.Path) -> None:
    with LiveSites(tmp_path) as sites, Wallet.open(tmp_path / "w.sqlite") as wallet, open_http() as http:
        site = sites()
        site.fill(wallet, 1, 1)
        url, payer = f"{site.url}/once", Payer(wallet, site.url)
        challenge = find_challenge(http.get(url).headers.get_list("WWW-Authenticate"))
        assert challenge is not None
        payer.prepare(challenge, "GET", url)
        paid = payer.prepare(challenge, "GET", url)
        headers = {"Content-Type": "application/json"}
        payer.complete(
            paid, redeem_answer=http.post(paid.redeem_url, content=paid.redeem_body, headers=headers).json()
        )
        assert http.get(url, auth=TicketAuth(wallet)).status_code == 200
        assert site.paid() == 1
