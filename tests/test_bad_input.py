"""Whatever a visitor sends wrongly has its own cause and the right status, and loses nothing."""

from __future__ import annotations

import base64
import json
import secrets
from collections.abc import Callable

import pytest
from sites import DEFAULT_WORK, Shop
from visitor import Visitor, authorization, cause

from flask_ticketminer.mint.retirement import prune
from miner.pow import ALGORITHMS, Algorithms
from miner.tokens import Token, b64url, blind, finalize, unb64url


def test_malformed_json_is_refused(shop: Shop, visitor: Visitor) -> None:
    reply = visitor.client.post("/ticketminer/job", data=b"{", content_type="application/json")
    assert cause(reply) == (400, "malformed-json")


@pytest.mark.parametrize(
    "body",
    [b'{"a":1,"a":1}', b'{"a":1.0}', b'{"a":NaN}', b"[]", b'"a"', b"\xff", b'{"a":"\\ud800"}', b"[" * 5000],
)
def test_json_that_is_not_strict_is_refused(visitor: Visitor, body: bytes) -> None:
    reply = visitor.client.post("/ticketminer/submit", data=body, content_type="application/json")
    assert cause(reply) == (400, "malformed-json")


def test_another_content_type_is_refused(visitor: Visitor) -> None:
    assert cause(visitor.client.post("/ticketminer/job", data=b"{}")) == (415, "unsupported-media-type")


def test_a_missing_member_is_named(visitor: Visitor) -> None:
    reply = visitor.post("/job", {"algorithms": [DEFAULT_WORK]})
    assert cause(reply) == (400, "missing-member")
    assert "consent" in reply.get_json(force=True)["detail"]


def test_an_unknown_member_is_refused(visitor: Visitor) -> None:
    assert cause(visitor.post("/job", visitor.job_request(more=1))) == (400, "unknown-member")


def test_a_body_over_the_limit_is_refused(visitor: Visitor) -> None:
    body = {"job": "x" * 70_000, "nonce": "00" * 8}
    assert cause(visitor.post("/submit", body)) == (413, "body-too-large")


def test_a_job_needs_consent(visitor: Visitor) -> None:
    assert cause(visitor.post("/job", visitor.job_request(consent="no"))) == (403, "consent-required")


def test_a_job_needs_an_algorithm_in_common(visitor: Visitor) -> None:
    assert cause(visitor.post("/job", visitor.job_request(algorithms=["x11"]))) == (400, "unknown-algorithm")


@pytest.mark.parametrize("value", [0, 3, -1, 1024, True, "1", None, 2**70])
def test_the_value_of_a_job_is_a_denomination(visitor: Visitor, value: object) -> None:
    assert cause(visitor.post("/job", visitor.job_request(value=value))) == (400, "bad-amount")


def test_an_unknown_fund_is_refused(visitor: Visitor) -> None:
    reply = visitor.post("/job", visitor.job_request(donate=True, fund="yacht"))
    assert cause(reply) == (400, "unknown-fund")


def test_a_forged_job_is_refused(visitor: Visitor) -> None:
    job, output = visitor.job(), visitor.output()
    token = job["job"]
    altered = token[:-2] + ("AA" if not token.endswith("AA") else "BB")
    assert cause(visitor.post("/submit", {**visitor.share(job, output), "job": altered})) == (
        400,
        "forged-job",
    )


def test_a_job_of_another_site_is_refused(make_site: Callable[..., Shop], visitor: Visitor) -> None:
    other = Visitor(make_site(SECRET_KEY="another site's secret, long enough").app)
    job = other.job()
    assert cause(visitor.post("/submit", visitor.share(job, visitor.output()))) == (400, "forged-job")


def test_an_expired_job_is_refused(shop: Shop, visitor: Visitor) -> None:
    job, output = visitor.job(), visitor.output()
    body = visitor.share(job, output)
    shop.clock.advance(601)
    assert cause(visitor.post("/submit", body)) == (410, "expired-job")


def test_a_job_made_for_another_effort_is_stale(make_site: Callable[..., Shop]) -> None:
    before = Visitor(make_site().app)
    job, output = before.job(), before.output()
    after = Visitor(make_site(TICKETMINER_EFFORT={DEFAULT_WORK: 4}).app)
    assert cause(after.post("/submit", after.share(job, output))) == (409, "stale-job")


def test_a_job_of_an_algorithm_that_the_site_no_longer_has_is_stale(
    make_site: Callable[..., Shop], monkeypatch: pytest.MonkeyPatch
) -> None:
    before = Visitor(make_site(TICKETMINER_ALGORITHM="sha256d").app)
    job, output = before.job(), before.output()
    share = before.share(job, output)
    after = Visitor(make_site(TICKETMINER_ALGORITHM="scrypt").app)
    monkeypatch.setattr(
        "flask_ticketminer.work.judgement.ALGORITHMS", Algorithms({"scrypt": ALGORITHMS["scrypt"]})
    )
    assert cause(after.post("/submit", share)) == (409, "stale-job")


def test_a_share_that_misses_its_target_is_refused(visitor: Visitor) -> None:
    job = visitor.job()
    body = visitor.share(job, visitor.output(), nonce=next(visitor.nonces(job, hits=False)))
    assert cause(visitor.post("/submit", body)) == (422, "share-misses-target")


def test_a_duplicate_share_is_paid_once(shop: Shop, visitor: Visitor) -> None:
    job = visitor.job()
    first = visitor.share(job, visitor.output())
    assert visitor.post("/submit", first).status_code == 200
    second = visitor.share(job, visitor.output(), nonce=first["nonce"])
    assert cause(visitor.post("/submit", second)) == (409, "duplicate-share")
    assert shop.balanced()


def test_a_nonce_of_another_job_is_worth_nothing(visitor: Visitor) -> None:
    first, second = visitor.job(), visitor.job()
    nonce = next(nonce for nonce in visitor.nonces(first) if not visitor.meets(second, nonce))
    reply = visitor.post("/submit", visitor.share(second, visitor.output(), nonce=nonce))
    assert cause(reply) == (422, "share-misses-target")


@pytest.mark.parametrize("seconds", [0, 3600], ids=["at-once", "after-its-job"])
def test_the_same_share_again_gets_the_same_signature(shop: Shop, visitor: Visitor, seconds: int) -> None:
    body = visitor.share(visitor.job(), visitor.output())
    first = visitor.post("/submit", body)
    shop.clock.advance(seconds)
    assert visitor.post("/submit", body).json == {**first.json, "next": None}


@pytest.mark.parametrize("size", [0, 258, 260])
def test_a_token_request_of_the_wrong_length_is_refused(visitor: Visitor, size: int) -> None:
    body = visitor.share(visitor.job(), None, token_request=b64url(b"\0" * size))
    assert cause(visitor.post("/submit", body)) == (400, "wrong-size")


def test_a_token_request_of_another_type_is_refused(visitor: Visitor) -> None:
    body = visitor.share(visitor.job(), None, token_request=b64url(b"\0\1" + bytes(257)))
    assert cause(visitor.post("/submit", body)) == (400, "wrong-token-type")


def test_a_blinded_message_not_below_the_modulus_is_refused(visitor: Visitor) -> None:
    job, output = visitor.job(), visitor.output()
    request = unb64url(visitor.token_request(output))[:3] + b"\xff" * 256
    body = visitor.share(job, None, token_request=b64url(request))
    assert cause(visitor.post("/submit", body)) == (400, "blinded-message-range")


def test_malformed_base64_is_refused(visitor: Visitor) -> None:
    body = visitor.share(visitor.job(), None, token_request="*" * 345)
    assert cause(visitor.post("/submit", body)) == (400, "malformed-base64")


def test_padded_base64_is_refused(visitor: Visitor) -> None:
    padded = base64.urlsafe_b64encode(bytes(259)).decode()
    body = visitor.share(visitor.job(), None, token_request=padded)
    assert cause(visitor.post("/submit", body)) == (400, "malformed-base64")


def test_a_token_request_for_another_key_is_refused(visitor: Visitor) -> None:
    body = visitor.share(visitor.job(value=1), visitor.output(2))
    assert cause(visitor.post("/submit", body)) == (400, "wrong-key")


@pytest.mark.parametrize(
    ("nonce", "name"),
    [("00" * 7, "wrong-size"), ("0G" * 8, "malformed-hex"), ("AB" * 8, "malformed-hex"), (5, "wrong-type")],
)
def test_a_wrong_nonce_is_refused(visitor: Visitor, nonce: object, name: str) -> None:
    body = visitor.share(visitor.job(), visitor.output(), nonce=nonce)
    assert cause(visitor.post("/submit", body)) == (400, name)


def test_a_value_that_is_not_the_jobs_is_refused(visitor: Visitor) -> None:
    body = visitor.share(visitor.job(value=1), visitor.output(), value=2)
    assert cause(visitor.post("/submit", body)) == (400, "value-mismatch")


def test_an_output_already_signed_leaves_the_share_payable(shop: Shop, visitor: Visitor) -> None:
    job, output = visitor.job(), visitor.output()
    hits = visitor.nonces(job)
    assert visitor.post("/submit", visitor.share(job, output, nonce=next(hits))).status_code == 200
    nonce = next(hits)
    again = visitor.post("/submit", visitor.share(job, output, nonce=nonce))
    assert cause(again) == (409, "output-already-signed")
    assert visitor.post("/submit", visitor.share(job, visitor.output(), nonce=nonce)).status_code == 200
    assert shop.balanced()


# Payments


def test_a_malformed_credential_gets_a_fresh_challenge(visitor: Visitor) -> None:
    reply = visitor.get("/once", headers={"Authorization": "Payment %%%"})
    assert cause(reply) == (402, "malformed-base64")
    assert reply.headers["WWW-Authenticate"].startswith("Payment id=")


@pytest.mark.parametrize("text", ["YWJj", "W10", "%%%"])
@pytest.mark.parametrize("field", ["Authorization", "Payment-Authorization"])
def test_the_fault_of_a_header_is_told_of_that_header(
    make_site: Callable[..., Shop], field: str, text: str
) -> None:
    visitor = Visitor(make_site(TICKETMINER_USES_AUTHORIZATION=field != "Authorization").app)
    detail = visitor.get("/once", headers={field: f"Payment {text}"}).json["detail"]
    assert detail.startswith(f"The Payment credential in the {field} header field must be")


def test_unknown_members_of_a_credential_make_no_other_payment(shop: Shop, visitor: Visitor) -> None:
    credential = visitor.credential("/once", [visitor.ticket()])
    assert visitor.pay("/once", {**credential, "new": 1}).status_code == 200
    echo = {**credential["challenge"], "new": "x"}
    again = visitor.pay("/once", {**credential, "challenge": echo})
    assert cause(again) == (409, "already-delivered")
    assert visitor.post("/redeem", {**credential, "new": 1}).status_code == 200
    assert shop.balanced()


@pytest.mark.parametrize(
    "body",
    [
        b"{}",
        b"[]",
        b"x",
        json.dumps({"challenge": 1, "payload": {}}).encode(),
        json.dumps({"challenge": {}, "payload": {"tickets": 1}}).encode(),
    ],
)
def test_a_credential_of_the_wrong_form_is_refused(visitor: Visitor, body: bytes) -> None:
    reply = visitor.get("/once", headers={"Authorization": "Payment " + b64url(body)})
    assert reply.status_code == 402
    assert reply.headers["WWW-Authenticate"]


def test_a_credential_too_long_for_a_header_is_refused(visitor: Visitor) -> None:
    reply = visitor.get("/once", headers={"Authorization": "Payment " + "A" * 7001})
    assert cause(reply) == (402, "wrong-size")


def test_a_spent_ticket_is_refused(shop: Shop, visitor: Visitor) -> None:
    ticket = visitor.ticket()
    assert visitor.pay("/once", visitor.credential("/once", [ticket])).status_code == 200
    assert cause(visitor.pay("/once", visitor.credential("/once", [ticket]))) == (402, "ticket-spent")
    assert shop.balanced()


def test_one_ticket_twice_in_a_request_is_refused(visitor: Visitor) -> None:
    ticket = visitor.ticket()
    credential = visitor.credential("/once", [ticket, ticket])
    assert cause(visitor.pay("/once", credential)) == (402, "ticket-repeated")
    assert visitor.pay("/once", visitor.credential("/once", [ticket])).status_code == 200


def test_too_little_value_is_refused_and_kept(visitor: Visitor) -> None:
    ticket = visitor.ticket()
    reply = visitor.pay("/report", visitor.credential("/report", [ticket]))
    assert cause(reply) == (402, "not-enough")
    assert reply.get_json(force=True)["type"] == "https://paymentauth.org/problems/payment-insufficient"
    assert visitor.pay("/once", visitor.credential("/once", [ticket])).status_code == 200


def test_outputs_that_do_not_add_up_are_refused(visitor: Visitor) -> None:
    ticket = visitor.ticket(4)
    for outputs in ([], [visitor.output(1)], [visitor.output(2)]):
        credential = visitor.credential("/once", [ticket], outputs)
        assert cause(visitor.pay("/once", credential)) == (402, "amount-mismatch")
    too_much = visitor.credential("/once", [ticket], [visitor.output(4)])
    assert cause(visitor.pay("/once", too_much)) == (402, "not-enough")


def test_one_output_twice_is_refused(visitor: Visitor) -> None:
    ticket, output = visitor.ticket(2), visitor.output(1)
    body = {"payload": {"tickets": [ticket], "outputs": [output.member(), output.member()]}}
    reply = visitor.post("/redeem", body)
    assert cause(reply) == (400, "output-repeated")


def test_an_output_already_signed_costs_nothing(shop: Shop, visitor: Visitor) -> None:
    first, second, output = visitor.ticket(2), visitor.ticket(2), visitor.output(1)
    assert visitor.pay("/once", visitor.credential("/once", [first], [output])).status_code == 200
    assert cause(visitor.pay("/once", visitor.credential("/once", [second], [output]))) == (
        409,
        "output-already-signed",
    )
    assert visitor.pay("/once", visitor.credential("/once", [second], [visitor.output(1)])).status_code == 200
    assert shop.balanced()


def test_a_bad_signature_is_refused(visitor: Visitor) -> None:
    token = Token.from_bytes(unb64url(visitor.ticket()))
    forged = Token(token.nonce, token.challenge_digest, token.key_id, secrets.token_bytes(256))
    reply = visitor.pay("/once", visitor.credential("/once", [b64url(forged.to_bytes())]))
    assert cause(reply) == (402, "bad-signature")


def test_a_ticket_of_an_unknown_key_is_refused(visitor: Visitor) -> None:
    token = Token.from_bytes(unb64url(visitor.ticket()))
    foreign = Token(token.nonce, token.challenge_digest, secrets.token_bytes(32), token.authenticator)
    reply = visitor.pay("/once", visitor.credential("/once", [b64url(foreign.to_bytes())]))
    assert cause(reply) == (402, "unknown-key")


def test_a_ticket_bound_to_another_site_is_refused(visitor: Visitor) -> None:
    token = Token.from_bytes(unb64url(visitor.ticket()))
    message = Token.input(token.nonce, secrets.token_bytes(32), token.key_id)
    foreign = message + sign_as_site(visitor, token.key_id, message)
    assert cause(visitor.pay("/once", visitor.credential("/once", [b64url(foreign)]))) == (
        402,
        "foreign-ticket",
    )


def sign_as_site(visitor: Visitor, key_id: bytes, message: bytes) -> bytes:
    """Return the site's signature on a message of our choice, as anybody gets one by blinding it."""
    ring = visitor.app.extensions["ticketminer"].keys
    key = ring.find(key_id)
    blinded, inverse = blind(key.public_key, message, salt=bytes(48), r=3)
    return finalize(key.public_key, message, ring.sign(key, blinded), inverse)


def test_an_expired_ticket_is_refused(shop: Shop, visitor: Visitor) -> None:
    ticket = visitor.ticket()
    shop.clock.advance(30 * 86400)
    assert cause(visitor.pay("/once", visitor.credential("/once", [ticket]))) == (402, "expired-key")


def test_change_under_a_key_that_does_not_sign_is_refused(shop: Shop, visitor: Visitor) -> None:
    ticket, output = visitor.ticket(2), visitor.output(1)
    shop.clock.advance(8 * 86400)
    reply = visitor.pay("/once", visitor.credential("/once", [ticket], [output]))
    assert cause(reply) == (402, "key-not-signing")


def test_too_many_tickets_are_refused(visitor: Visitor) -> None:
    body = {"payload": {"tickets": [b64url(b"\0\2" + bytes(352))] * 65, "outputs": []}}
    assert cause(visitor.post("/redeem", body)) == (400, "too-many-tickets")


def test_too_many_outputs_are_refused(visitor: Visitor) -> None:
    output = visitor.output().member()
    body = {"payload": {"tickets": [visitor.ticket()], "outputs": [output] * 33}}
    assert cause(visitor.post("/redeem", body)) == (400, "too-many-outputs")


def test_an_altered_challenge_is_refused(visitor: Visitor) -> None:
    credential = visitor.credential("/report", [visitor.ticket()])
    request = json.loads(base64.urlsafe_b64decode(credential["challenge"]["request"] + "=="))
    request["amount"] = "1"
    credential["challenge"]["request"] = b64url(
        json.dumps(request, separators=(",", ":"), sort_keys=True).encode()
    )
    assert cause(visitor.pay("/report", credential)) == (402, "challenge-altered")


def test_an_expired_challenge_is_refused(shop: Shop, visitor: Visitor) -> None:
    credential = visitor.credential("/once", [visitor.ticket()])
    shop.clock.advance(901)
    assert cause(visitor.pay("/once", credential)) == (402, "challenge-expired")


def test_a_challenge_of_another_route_is_refused(visitor: Visitor) -> None:
    credential = visitor.credential("/pictures/one", [visitor.ticket()])
    assert cause(visitor.pay("/once", credential)) == (402, "wrong-resource")


def test_a_challenge_for_another_query_is_refused(visitor: Visitor) -> None:
    credential = visitor.credential("/once?page=1", [visitor.ticket()])
    assert cause(visitor.pay("/once?page=2", credential)) == (402, "wrong-resource")


def test_a_challenge_for_another_body_is_refused(visitor: Visitor) -> None:
    credential = visitor.credential("/echo", [visitor.ticket()], method="POST", data=b"one")
    assert cause(visitor.pay("/echo", credential, method="POST", data=b"two")) == (402, "wrong-body")
    assert visitor.pay("/echo", credential, method="POST", data=b"one").data == b"one"


@pytest.mark.parametrize("amount", ["-1", "1.5", "2147483648", "01", "", "1e3", " 1", "٣"])
def test_a_donation_of_no_amount_is_refused(visitor: Visitor, amount: str) -> None:
    reply = visitor.get("/ticketminer/donate", query_string={"amount": amount})
    assert cause(reply) == (400, "bad-amount")


def test_a_donation_below_the_minimum_is_refused(visitor: Visitor) -> None:
    reply = visitor.get("/ticketminer/donate?amount=1&fund=articles")
    assert cause(reply) == (400, "bad-amount")


def test_an_exchange_needs_a_ticket(visitor: Visitor) -> None:
    body = {"payload": {"tickets": [], "outputs": [visitor.output().member()]}}
    assert cause(visitor.post("/redeem", body)) == (400, "not-enough")


def test_value_cannot_be_made_by_an_exchange(shop: Shop, visitor: Visitor) -> None:
    body = {"payload": {"tickets": [visitor.ticket(1)], "outputs": [visitor.output(2).member()]}}
    assert visitor.post("/redeem", body).status_code == 400
    assert shop.balanced()


def test_restore_asks_for_known_keys_and_at_most_256_hashes(visitor: Visitor) -> None:
    key_id = visitor.entries()[0]["key-id"]
    assert cause(visitor.post("/restore", {"key_id": "00" * 32, "hashes": []})) == (404, "no-such-key")
    assert cause(visitor.post("/restore", {"key_id": key_id, "hashes": ["00" * 32] * 257})) == (
        400,
        "wrong-size",
    )
    assert cause(visitor.post("/restore", {"key_id": key_id, "hashes": ["00"]})) == (400, "wrong-size")


def test_a_pass_that_was_altered_opens_nothing(visitor: Visitor) -> None:
    reply = visitor.get("/report", headers={"TicketMiner-Pass": "WyJ4Il0.AAAA"})
    assert cause(reply) == (402, "payment-required")


def test_plain_http_from_afar_is_refused(visitor: Visitor) -> None:
    reply = visitor.get("/once", base_url="http://shop.example", headers=authorization({}))
    assert cause(reply) == (403, "insecure-transport")
    assert visitor.get("/once", base_url="https://shop.example").status_code == 402


def test_a_ticket_of_a_retired_key_is_refused(make_site: Callable[..., Shop]) -> None:
    shop = make_site()
    ticket, site = Visitor(shop.app).ticket(), shop.app.extensions["ticketminer"]
    shop.clock.advance(25 * 86400)
    prune(site.database, site.settings, shop.clock, force=True)  # the tables were made by the real clock
    later = Visitor(make_site().app)
    assert cause(later.pay("/once", later.credential("/once", [ticket]))) == (402, "retired-key")
    assert shop.balanced()
