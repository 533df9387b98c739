"""Giving tickets away as text."""

from __future__ import annotations

import json

import pytest
from fake_keys import NOW, private_key, sign, ticket_key
from fake_site import Clock, FakeSite

from miner.client import SiteClient
from miner.errors import ForeignRequest, SiteUnreachable, WalletError
from miner.tokens import b64url, unb64url
from miner.wallet import Wallet
from miner.wallet.transfer import PREFIX, decode_tickets

SHOP = "https://shop.example"


@pytest.fixture
def site():
    return FakeSite()


@pytest.fixture
def giver(tmp_path):
    with Wallet.open(tmp_path / "giver" / "wallet.sqlite", clock=Clock()) as wallet:
        yield wallet


@pytest.fixture
def taker(tmp_path):
    with Wallet.open(tmp_path / "taker" / "wallet.sqlite", clock=Clock()) as wallet:
        yield wallet


def client(wallet, site):
    return SiteClient(SHOP, wallet, site.client())


def gift(giver, site, amount=3):
    giver.deposit(SHOP, site.key(8), site.signer(8), 1)
    return client(giver, site).send(amount)


def test_any_amount_can_be_sent(giver, site):
    text = gift(giver, site, 3)
    assert len(decode_tickets(text)[1]) == 2
    assert giver.balance() == 5


def test_received_tickets_become_ones_own(giver, taker, site):
    text = gift(giver, site)
    assert taker.receive(text, client(taker, site)) == 3
    given = {token.nonce for token in decode_tickets(text)[1]}
    own = [ticket for ticket in taker.tickets() if ticket.state == "available"]
    assert sum(ticket.value for ticket in own) == 3
    assert not given & {ticket.nonce for ticket in own}


def test_the_giver_cannot_spend_them_again(giver, taker, site):
    text = gift(giver, site)
    taker.receive(text, client(taker, site))
    with pytest.raises(WalletError, match="already spent"):
        giver.receive(text, client(giver, site))
    assert giver.balance() == 5


def test_an_unclaimed_gift_can_be_taken_back(giver, site):
    text = gift(giver, site)
    assert giver.receive(text, client(giver, site)) == 3
    assert giver.balance() == 8


def test_a_gift_is_received_once(giver, taker, site):
    text = gift(giver, site)
    taker.receive(text, client(taker, site))
    with pytest.raises(WalletError):
        taker.receive(text, client(taker, site))
    assert taker.balance() == 3


def test_receiving_needs_the_site(giver, taker, site):
    text = gift(giver, site)
    site.vanish("/ticketminer/")
    with pytest.raises(SiteUnreachable):
        taker.receive(text, client(taker, site))
    assert taker.tickets() == []


def test_a_lost_answer_while_receiving_is_recovered(giver, taker, site):
    text = gift(giver, site)
    site.drop("/ticketminer/redeem")
    with pytest.raises(SiteUnreachable):
        taker.receive(text, client(taker, site))
    assert client(taker, site).recover().value == 3


def test_a_gift_of_another_site_is_refused(giver, taker, site):
    text = gift(giver, site)
    other = FakeSite("https://other.example")
    with pytest.raises(ForeignRequest, match=r"tickets of https://shop\.example"):
        taker.receive(text, SiteClient("https://other.example", taker, other.client()))


def test_many_small_tickets_are_received_in_parts(giver, taker, site):
    giver.deposit(SHOP, site.key(1), site.signer(1), 50)
    assert taker.receive(giver.send(SHOP, 50), client(taker, site)) == 50
    assert taker.balance() == 50


def test_a_forged_ticket_is_refused(taker, giver, site):
    key = ticket_key(8)
    giver.pin(SHOP, [key])
    [ticket] = giver.deposit(SHOP, key, lambda blinded: sign(private_key(8), blinded), 1)
    token = bytearray(ticket.token)
    token[-1] ^= 1
    text = PREFIX + b64url(json.dumps({"origin": SHOP, "tickets": [b64url(bytes(token))]}).encode())
    with pytest.raises(WalletError, match="not genuine"):
        taker.receive(text, client(taker, site))
    assert site.counted("/ticketminer/redeem") == 0


def test_an_expired_ticket_is_refused(giver, taker, site):
    text = gift(giver, site)
    site.now = ticket_key(1).redeem_until
    taker._clock.now = site.now
    with pytest.raises(WalletError, match="expired"):
        taker.receive(text, client(taker, site))


def test_white_space_from_copying_does_not_matter(giver, site):
    text = gift(giver, site)
    assert decode_tickets("\n".join(text[i : i + 70] for i in range(0, len(text), 70))) == decode_tickets(
        text
    )


def test_a_cut_text_is_refused(giver, site):
    with pytest.raises(WalletError, match="copy all of it"):
        decode_tickets(gift(giver, site)[:-40])


def test_other_text_is_refused():
    with pytest.raises(WalletError, match="not a gift"):
        decode_tickets("legal winner thank year")


def test_a_ticket_twice_is_refused(giver, site):
    document = json.loads(unb64url(gift(giver, site).removeprefix(PREFIX)))
    document["tickets"] *= 2
    with pytest.raises(WalletError, match="twice"):
        decode_tickets(PREFIX + b64url(json.dumps(document).encode()))


def test_the_history_names_gifts(giver, taker, site):
    taker.receive(gift(giver, site), client(taker, site))
    assert (giver.history()[0].kind, giver.history()[0].amount) == ("sent", 3)
    assert (taker.history()[0].kind, taker.history()[0].amount, taker.history()[0].at) == ("received", 3, NOW)
