"""Payments one step at a time: made ready, written down, booked, and printed."""

from __future__ import annotations

import json

import pytest
from fake_keys import NOW
from purses import REPORT, SHOP, challenge_of

from miner.client import SiteClient
from miner.errors import ForeignRequest, PaymentFailed, SiteProtocolError, SiteRefused
from miner.payment import Payer, payment_code
from miner.tokens import decode_json, unb64url


def test_a_prepared_payment_ties_up_its_tickets(wallet, site, fund):
    fund(8)
    prepared = Payer(wallet, SHOP).prepare(challenge_of(site), "GET", REPORT)
    assert prepared.header_name == "Authorization"
    assert prepared.header_value.startswith("Payment ")
    assert wallet.balance() == 0


def test_a_failed_payment_frees_them(wallet, site, fund):
    fund(8)
    payer = Payer(wallet, SHOP, budget=10)
    prepared = payer.prepare(challenge_of(site), "GET", REPORT)
    payer.failed(prepared, SiteRefused(402, "challenge-expired", "Too late."))
    assert (wallet.balance(), payer.budget.spent) == (8, 0)


def test_an_undecided_payment_stays_open(wallet, site, fund):
    fund(8)
    payer = Payer(wallet, SHOP, budget=10)
    prepared = payer.prepare(challenge_of(site), "GET", REPORT)
    payer.failed(prepared, SiteRefused(503, "outcome-unknown", "Ask again.", 1))
    assert (wallet.balance(), payer.budget.spent) == (0, 3)


def test_an_expired_challenge_is_not_paid(wallet, site, fund, clock):
    fund(8)
    challenge = challenge_of(site)
    clock.now += 901
    with pytest.raises(SiteProtocolError, match="expired"):
        Payer(wallet, SHOP).prepare(challenge, "GET", REPORT)


def test_a_challenge_for_another_body_is_not_paid(wallet, site, fund):
    fund(8)
    challenge = challenge_of(site, method="POST", body=b"one")
    with pytest.raises(SiteProtocolError, match="another request body"):
        Payer(wallet, SHOP).prepare(challenge, "POST", REPORT, b"two")


def test_another_sites_address_is_not_paid(wallet, site, fund):
    fund(8)
    with pytest.raises(ForeignRequest, match="never leave"):
        Payer(wallet, SHOP).prepare(challenge_of(site), "GET", "https://other.example/report")


@pytest.mark.parametrize(
    "change", [{"amount": "4"}, {"status": "failed"}, {"change": []}, {"change": ["AAAA", "AAAA"]}]
)
def test_a_receipt_that_does_not_fit_leaves_the_payment_open(wallet, site, fund, change):
    fund(8)
    payer = Payer(wallet, SHOP)
    prepared = payer.prepare(challenge_of(site), "GET", REPORT)
    answer = site._receipt(site._pay(decode_json(prepared.redeem_body)))
    with pytest.raises(SiteProtocolError):
        payer.complete(prepared, redeem_answer={**answer, **change})
    assert len(wallet.unanswered()) == 1
    payer.complete(prepared, redeem_answer=answer)
    assert wallet.balance() == 5


def test_tickets_and_outputs_are_ordered_by_value(wallet, site, fund):
    fund(8, 1, 4)
    site.prices["/report"] = (7, None)
    prepared = Payer(wallet, SHOP).prepare(challenge_of(site), "GET", REPORT)
    payload = json.loads(prepared.redeem_body)["payload"]
    values = {key.key_id.hex(): key.value for key in wallet.keys(SHOP)}
    outputs = [values[output["key_id"]] for output in payload["outputs"]]
    assert outputs == sorted(outputs)


# Printed payments


def test_a_printed_payment_pays_when_it_is_handed_in(wallet, site, fund):
    fund(8)
    client = SiteClient(SHOP, wallet, site.client())
    code = client.run(Payer(wallet, SHOP).code_steps(REPORT))
    credential = decode_json(unb64url(code.removeprefix("ticketminer-payment-1.")))
    assert site._pay(credential)["price"] == 3


def test_a_printed_payment_is_left_alone_until_its_challenge_has_expired(wallet, site, fund, clock):
    fund(8)
    client = SiteClient(SHOP, wallet, site.client())
    client.run(Payer(wallet, SHOP).code_steps(REPORT))
    assert client.recover().settled == 0
    clock.now = site.now = NOW + 1000
    assert client.recover().released == 1
    assert wallet.balance() == 8


def test_a_printed_payment_carries_the_credential(wallet, site, fund):
    fund(8)
    prepared = Payer(wallet, SHOP).prepare(challenge_of(site), "GET", REPORT)
    text = payment_code(prepared).removeprefix("ticketminer-payment-1.")
    assert decode_json(unb64url(text)) == decode_json(prepared.redeem_body)


def test_a_free_page_prints_no_payment(wallet, site):
    client = SiteClient(SHOP, wallet, site.client())
    with pytest.raises(PaymentFailed, match="nothing to pay"):
        client.run(Payer(wallet, SHOP).code_steps(SHOP + "/ticketminer/"))
