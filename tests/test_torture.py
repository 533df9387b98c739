from __future__ import annotations

import pathlib

import httpx
import pytest
from flask import Response, request
from live import LiveSites, LossyProxy

from miner.errors import AlreadyDelivered
from miner.payment import TicketAuth
from miner.transport import open_http
from miner.wallet import Wallet


def test_a_page_whose_answer_was_lost_is_not_paid_for_again(tmp_path: pathlib.Path) -> None:
    with LiveSites(tmp_path) as sites, Wallet.open(tmp_path / "w.sqlite") as wallet:
        site = sites()
        with LossyProxy(site) as line, open_http() as http:
            site.fill(wallet, 64, at=line.url)  # so much change that it is paid through redeem, which answers with a pass

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
