"""The public documents and the small rules of the endpoints."""

from __future__ import annotations

import hashlib
import pathlib

import pytest
from flask import Flask, session
from flask_wtf import CSRFProtect
from sites import DEFAULT_WORK, SECRET, Shop
from visitor import Visitor, cause

from flask_ticketminer import TicketMiner
from miner.tokens import unb64url


def test_the_service_document_says_what_is_offered(visitor: Visitor) -> None:
    service = visitor.service()
    assert service["denominations"] == [2**power for power in range(10)]
    assert service["algorithms"] == [{"algorithm": DEFAULT_WORK, "expected_hashes": 2, "work": "local"}]
    assert service["funds"] == [{"fund": "articles", "title": "Our articles", "minimum": 2, "default": 3}]


def test_links_lead_somewhere(visitor: Visitor) -> None:
    links = visitor.service()["links"]
    for name in ("keys", "openapi", "donate"):
        assert visitor.get(links[name]).status_code in (200, 402)
    spent = links["spent"].replace("{key_id}", visitor.entries()[0]["key-id"])
    assert visitor.get(spent).status_code == 200


@pytest.mark.parametrize("path", ["/ticketminer/keys", "/.well-known/private-token-issuer-directory"])
def test_the_directory_is_public_and_the_same_for_everyone(shop: Shop, path: str) -> None:
    replies = [shop.app.test_client().get(path, headers={"Cookie": f"who={n}"}) for n in range(2)]
    first, second = replies
    assert first.data == second.data
    assert first.mimetype == "application/private-token-issuer-directory"
    assert first.headers["Access-Control-Allow-Origin"] == "*"
    assert first.headers["Cache-Control"] == "public, max-age=600"
    assert "Set-Cookie" not in first.headers
    assert "Vary" not in first.headers


def test_the_directory_lists_value_one_first(visitor: Visitor) -> None:
    assert [entry["value"] for entry in visitor.entries()][:2] == [1, 2]


def test_an_unchanged_document_is_not_sent_again(visitor: Visitor) -> None:
    for path in ("/ticketminer/keys", f"/ticketminer/keys/{visitor.entries()[0]['key-id']}/spent"):
        etag = visitor.get(path).headers["ETag"]
        assert visitor.get(path, headers={"If-None-Match": etag}).status_code == 304


def test_the_file_of_spent_tickets_lists_truncated_hashes(visitor: Visitor) -> None:
    ticket = visitor.ticket()
    visitor.pay("/once", visitor.credential("/once", [ticket]))
    nonce, key_id = unb64url(ticket)[2:34], unb64url(ticket)[66:98].hex()
    spent = visitor.get(f"/ticketminer/keys/{key_id}/spent")
    assert spent.data == hashlib.sha256(nonce).digest()[:8]
    assert spent.headers["Access-Control-Allow-Origin"] == "*"


def test_the_spent_file_of_no_key_is_not_found(visitor: Visitor) -> None:
    assert cause(visitor.get(f"/ticketminer/keys/{'00' * 32}/spent")) == (404, "no-such-key")
    assert cause(visitor.get("/ticketminer/keys/xyz/spent")) == (400, "malformed-hex")


def test_restore_returns_what_was_signed(visitor: Visitor) -> None:
    job = visitor.job()
    output = visitor.output(key_id=job["key_id"])
    signed = visitor.post("/submit", visitor.share(job, output)).json
    digest = hashlib.sha256(output.blinded).hexdigest()
    reply = visitor.post("/restore", {"key_id": job["key_id"], "hashes": ["00" * 32, digest]})
    assert reply.json == {"signatures": [None, signed["token_response"]]}


def test_local_work_has_no_tip(visitor: Visitor) -> None:
    assert cause(visitor.get(f"/ticketminer/tip/{DEFAULT_WORK}")) == (404, "no-tip")
    assert cause(visitor.get("/ticketminer/tip/x11")) == (400, "unknown-algorithm")


def test_an_exchange_splits_and_can_be_repeated(shop: Shop, visitor: Visitor) -> None:
    ones = [visitor.output(1), visitor.output(1)]
    body = {"payload": {"tickets": [visitor.ticket(2)], "outputs": [output.member() for output in ones]}}
    first, second = visitor.post("/redeem", body), visitor.post("/redeem", body)
    assert first.json == second.json
    change = [output.ticket(signature) for output, signature in zip(ones, first.json["change"], strict=True)]
    assert visitor.pay("/once", visitor.credential("/once", change[:1])).status_code == 200
    assert shop.balanced()


def test_a_job_near_its_end_brings_the_next(shop: Shop, visitor: Visitor) -> None:
    job, output = visitor.job(), visitor.output()
    shop.clock.advance(590)
    following = visitor.post("/submit", visitor.share(job, output)).json["next"]
    assert (following["expires_in"], following["value"]) == (600, 1)
    assert visitor.post("/submit", visitor.share(following, visitor.output())).status_code == 200


def test_a_key_signs_what_was_in_flight_at_the_epochs_end(shop: Shop, visitor: Visitor) -> None:
    entry = visitor.entries()[0]
    shop.clock.advance(entry["issue-until"] - shop.clock.now() - 10)
    job = visitor.job()
    output = visitor.output(key_id=job["key_id"])
    shop.clock.advance(60)
    assert visitor.post("/submit", visitor.share(job, output)).status_code == 200


def test_the_next_epochs_keys_appear_two_days_ahead(shop: Shop, visitor: Visitor) -> None:
    before = visitor.entries()
    shop.clock.advance(before[0]["issue-until"] - shop.clock.now() - 2 * 86400 + 1)
    after = visitor.entries()
    assert len(after) == 2 * len(before)
    assert after[: len(before)] == before


def test_no_cookie_and_no_session_are_used(visitor: Visitor) -> None:
    for reply in (visitor.get("/ticketminer/"), visitor.post("/job", visitor.job_request())):
        assert "Set-Cookie" not in reply.headers


@pytest.mark.parametrize("csrf_first", [True, False])
def test_a_hosts_csrf_protection_leaves_the_endpoints_alone(tmp_path: pathlib.Path, csrf_first: bool) -> None:
    app = Flask("host", instance_path=str(tmp_path))
    app.config.update(SECRET_KEY=SECRET, TESTING=True, TICKETMINER_WORK="instant")
    for extension in (CSRFProtect, TicketMiner) if csrf_first else (TicketMiner, CSRFProtect):
        extension(app)
    app.add_url_rule("/host", "host", lambda: str(session.get("x")), methods=["POST"])
    first = app.test_client().post("/ticketminer/job", json={})
    assert cause(first) == (400, "missing-member")
    assert app.test_client().post("/host").status_code == 400


def test_the_counters_are_public(visitor: Visitor) -> None:
    visitor.pay("/once", visitor.credential("/once", [visitor.ticket()]))
    assert visitor.get("/ticketminer/stats").json["value"]["paid"] == 1
    assert visitor.get("/ticketminer/dashboard").mimetype == "text/html"


def test_other_methods_are_refused_in_the_same_form(visitor: Visitor) -> None:
    reply = visitor.get("/ticketminer/job")
    assert cause(reply) == (405, "method-not-allowed")
    assert set(reply.headers["Allow"].split(", ")) == {"POST", "OPTIONS"}


def test_what_is_not_there_is_refused_in_the_same_form(visitor: Visitor) -> None:
    assert cause(visitor.get("/ticketminer/nothing")) == (404, "not-found")


def test_a_hosts_own_missing_pages_are_its_own(visitor: Visitor) -> None:
    assert visitor.get("/nothing").mimetype == "text/html"


def test_cors_lets_nobody_else_spend(visitor: Visitor) -> None:
    reply = visitor.post("/job", visitor.job_request(), headers={"Origin": "https://evil.example"})
    assert "Access-Control-Allow-Origin" not in reply.headers
