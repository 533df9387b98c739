"""Rules of the HTTP interface that no other test states by name."""

from __future__ import annotations

import base64
import json
import pathlib
import sqlite3
import typing as t
from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest
from flask import Response, stream_with_context
from sites import DEFAULT_WORK, SECRET, Shop
from sqlalchemy import event
from sqlalchemy.exc import OperationalError
from visitor import PREFIX, Visitor, authorization, cause, receipt

from flask_ticketminer import current_payment, ticket_required
from flask_ticketminer.work.job import job_token, read_job
from miner.tokens import Token, b64url, unb64url


@pytest.fixture
def database_url(sqlite_url: str) -> str:
    """One kind of database: what depends on the kind is tried on each by the ledger's own tests."""
    return sqlite_url


def statements(shop: Shop) -> list[str]:
    """Return the list of SQL statements that are executed from now on, however they come to the driver."""
    seen: list[str] = []
    database = shop.app.extensions["ticketminer"].database
    database.dispose()  # what is kept open would not be seen
    event.listen(database.engine, "checkout", lambda raw, *_: raw.set_trace_callback(seen.append))
    return seen


def for_sale(shop: Shop, path: str, view: Callable[..., t.Any], **terms: t.Any) -> None:
    shop.app.add_url_rule(path, path, ticket_required(**{"price": 1, **terms})(view))


# Addresses and documents


def test_one_parent_blueprint_has_a_child_for_each_concern(shop: Shop) -> None:
    children = {"job", "submit", "redeem", "keys", "dashboard"}
    assert {f"ticketminer.{child}" for child in children} <= set(shop.app.blueprints)


@pytest.mark.parametrize("path", ["/keys/x/spent", "/tip/x11", f"/tip/{DEFAULT_WORK}", "/donate?amount=x"])
def test_every_refusal_is_a_problem_that_says_what_to_do(visitor: Visitor, path: str) -> None:
    reply = visitor.get(PREFIX + path)
    status, name = cause(reply)
    problem = reply.get_json(force=True)
    assert (problem["status"], problem["type"]) == (status, f"urn:ticketminer:problem:{name}")
    assert len(problem["detail"]) > 20
    assert "Traceback" not in reply.text


# Order of work


def altered(text: str) -> str:
    return text[:-2] + ("AA" if not text.endswith("AA") else "BB")


def refused_requests(visitor: Visitor) -> Iterator[tuple[str, dict[str, t.Any] | bytes]]:
    """Yield paths and bodies that are wrong before anything in the database matters."""
    job, output, ticket = visitor.job(), visitor.output(), visitor.ticket()
    share = visitor.share(job, output)
    yield "/submit", {**share, "job": altered(share["job"])}
    yield "/submit", {**share, "nonce": next(visitor.nonces(job, hits=False))}
    yield "/submit", {**share, "token_request": "A" * 7}
    yield "/submit", b" " * 70_000
    paid = visitor.credential("/once", [ticket])
    token = Token.from_bytes(unb64url(ticket))
    forged = Token(token.nonce, token.challenge_digest, token.key_id, bytes(256))
    yield "/redeem", {**paid, "challenge": {**paid["challenge"], "id": altered(paid["challenge"]["id"])}}
    yield "/redeem", {**paid, "payload": {"tickets": [b64url(forged.to_bytes())]}}
    yield "/redeem", {"payload": {"tickets": [ticket] * 65, "outputs": []}}
    yield "/redeem", {"payload": {"tickets": [ticket, ticket], "outputs": []}}


def test_sizes_macs_and_signatures_are_checked_before_the_database_is_asked(
    shop: Shop, visitor: Visitor
) -> None:
    bodies = list(refused_requests(visitor))
    seen = statements(shop)
    for path, body in bodies:
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        reply = visitor.client.post(PREFIX + path, data=data, content_type="application/json")
        assert 400 <= reply.status_code < 500
        assert (path, seen) == (path, [])
    visitor.ticket()
    assert seen


@pytest.mark.parametrize("days", [0, 40], ids=["price", "price-offer-and-key"])
def test_a_repeat_is_answered_when_everything_else_has_ended(shop: Shop, days: int) -> None:
    price = [1]
    for_sale(shop, "/x", lambda: "x", price=lambda: price[0])
    visitor = Visitor(shop.app)
    credential = visitor.credential("/x", [visitor.ticket(2)], [visitor.output(1)])
    first = visitor.post("/redeem", credential)
    price[0] = 4
    shop.clock.advance(days * 86400)
    again = visitor.post("/redeem", credential)
    assert (first.status_code, again.status_code) == (200, 200)
    assert again.json["change"] == first.json["change"]


def test_a_credential_in_another_spelling_is_the_same_payment(shop: Shop, visitor: Visitor) -> None:
    credential = visitor.credential("/once", [visitor.ticket(2)], [visitor.output(1)])
    first = visitor.pay("/once", credential)
    spaced = json.dumps(dict(reversed(credential.items())), indent=2).encode()
    again = visitor.get("/once", headers={"Authorization": "payment " + b64url(spaced)})
    assert cause(again) == (409, "already-delivered")
    assert again.get_json(force=True)["receipt"]["change"] == receipt(first)["change"]
    assert shop.balanced()


# Jobs and shares


def test_a_job_pays_any_number_of_nonces(shop: Shop, visitor: Visitor) -> None:
    job = visitor.job()
    hits = visitor.nonces(job)
    for _ in range(5):
        share = visitor.share(job, visitor.output(), nonce=next(hits))
        assert visitor.post("/submit", share).status_code == 200
    assert shop.balanced()


def test_a_share_is_what_was_hashed_whatever_token_carries_its_job(make_site: Callable[..., Shop]) -> None:
    before = make_site()
    visitor = Visitor(before.app)
    job = visitor.job()
    share = visitor.share(job, visitor.output())
    assert visitor.post("/submit", share).status_code == 200
    after = make_site(SECRET_KEY="f" * 32, SECRET_KEY_FALLBACKS=[SECRET])
    jobs = after.app.extensions["ticketminer"].jobs
    renewed = job_token(read_job(job["job"], jobs), jobs)
    assert renewed != job["job"]
    later = Visitor(after.app)
    other = {**share, "job": renewed, "token_request": later.token_request(later.output())}
    assert cause(later.post("/submit", other)) == (409, "duplicate-share")


# Challenges


def test_no_two_challenges_are_the_same(visitor: Visitor) -> None:
    challenges = [visitor.challenge("/once") for _ in range(8)]
    nonces = [json.loads(base64.urlsafe_b64decode(c["opaque"] + "=="))["nonce"] for c in challenges]
    assert len({c["id"] for c in challenges}) == len(set(nonces)) == 8
    assert {len(unb64url(nonce)) for nonce in nonces} == {16}


def test_what_head_was_asked_to_pay_for_is_what_get_delivers(visitor: Visitor) -> None:
    credential = visitor.credential("/once", [visitor.ticket()], method="HEAD")
    assert visitor.pay("/once", credential).status_code == 200


@pytest.mark.parametrize("accepted", ["card/charge", "ticket/charge;q=0", "", "*/*"])
def test_a_402_names_tickets_whatever_payments_are_accepted(visitor: Visitor, accepted: str) -> None:
    assert visitor.challenge("/once", headers={"Accept-Payment": accepted})["method"] == "ticket"


def test_a_host_can_replace_the_template_of_the_402_page(shop: Shop, tmp_path: pathlib.Path) -> None:
    (tmp_path / "ticketminer").mkdir()
    (tmp_path / "ticketminer" / "402.html").write_text("mine: {{ amount }}")
    shop.app.template_folder = str(tmp_path)
    page = Visitor(shop.app).get("/report", headers={"Accept": "text/html"})
    assert (page.status_code, page.text) == (402, "mine: 3")
    assert page.headers["WWW-Authenticate"].startswith("Payment ")


# Amounts


@pytest.mark.parametrize("way", ["header", "redeem"])
@pytest.mark.parametrize("price", [1, 4])
def test_a_price_that_changed_is_asked_for_anew(shop: Shop, way: str, price: int) -> None:
    now = [2]
    for_sale(shop, "/x", lambda: "x", price=lambda: now[0])
    visitor = Visitor(shop.app)
    credential = visitor.credential("/x", [visitor.ticket(2)])
    now[0] = price
    reply = visitor.pay("/x", credential) if way == "header" else visitor.post("/redeem", credential)
    assert cause(reply) == (402, "price-changed")
    now[0] = 2
    assert visitor.pay("/x", credential).text == "x"


def test_a_credential_in_a_header_has_at_most_three_outputs(visitor: Visitor) -> None:
    tickets, outputs = [visitor.ticket(4), visitor.ticket(1)], [visitor.output(1) for _ in range(4)]
    credential = visitor.credential("/once", tickets, outputs)
    assert cause(visitor.pay("/once", credential)) == (402, "too-many-outputs")
    assert len(visitor.post("/redeem", credential).json["change"]) == 4


@pytest.mark.parametrize(
    ("inputs", "outputs", "status"), [(1, 16, 200), (1, 17, 400), (18, 18, 200), (18, 19, 400)]
)
def test_an_exchange_has_at_most_16_outputs_or_one_for_each_input(
    shop: Shop, visitor: Visitor, inputs: int, outputs: int, status: int
) -> None:
    worth = max(inputs, outputs)
    tickets = [visitor.ticket() for _ in range(inputs - 1)]
    tickets += [visitor.ticket(1 << (worth - inputs).bit_length())]
    rest = inputs - 1 + (1 << (worth - inputs).bit_length()) - (outputs - 1)
    values = [1] * (outputs - 1) + [rest]
    if rest not in visitor.service()["denominations"]:
        values = [2] * (rest - 1) + [1] * (outputs - rest + 1)
    body = {"payload": {"tickets": tickets, "outputs": [visitor.output(value).member() for value in values]}}
    assert visitor.post("/redeem", body).status_code == status
    assert shop.balanced()


# Transactions


def test_no_transaction_is_open_while_a_view_runs(shop: Shop) -> None:
    database = shop.app.extensions["ticketminer"].database
    views: list[int] = []

    def view() -> str:
        other = sqlite3.connect(database.url.database, timeout=0, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")  # fails where anybody else writes
        other.rollback()
        assert other.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0] == 0  # 1 where anybody reads
        other.close()
        views.append(1)
        return "x"

    for_sale(shop, "/x", view)
    visitor = Visitor(shop.app)
    visitor.pay("/x", visitor.credential("/x", [visitor.ticket()]))
    visitor.post("/redeem", visitor.credential("/x", [visitor.ticket()]))
    assert visitor.get("/x").text == "x"
    assert views == [1, 1]


def test_a_streamed_body_counts_as_delivered_when_the_view_returns(shop: Shop) -> None:
    def stream() -> Iterator[str]:
        yield str(current_payment.amount)
        raise ConnectionError("the visitor is gone")

    for_sale(shop, "/x", lambda: Response(stream_with_context(stream())))
    visitor = Visitor(shop.app)
    ticket = visitor.ticket()
    reply = visitor.pay("/x", visitor.credential("/x", [ticket]))
    parts = reply.iter_encoded()
    assert next(parts) == b"1"
    with pytest.raises(ConnectionError):
        next(parts)
    assert receipt(reply)["amount"] == "1"
    assert cause(visitor.pay("/once", visitor.credential("/once", [ticket]))) == (402, "ticket-spent")


def test_a_view_that_runs_again_sees_the_same_payment_id(shop: Shop) -> None:
    seen: list[str] = []

    def view() -> str:
        seen.append(current_payment.id)
        if len(seen) == 1:
            shop.clock.advance(121)  # whoever began is taken for dead
            assert Visitor(shop.app).pay("/x", credential).status_code == 200
        return "x"

    for_sale(shop, "/x", view)
    visitor = Visitor(shop.app)
    credential = visitor.credential("/x", [visitor.ticket()])
    assert cause(visitor.pay("/x", credential)) == (409, "in-progress")
    assert len(seen) == 2
    assert len(set(seen)) == 1


@pytest.mark.parametrize("raises", [False, True])
def test_a_view_that_fails_after_a_copy_of_its_request_has_paid_does_not_say_that_nothing_was_spent(
    shop: Shop, raises: bool
) -> None:
    copies: list[int] = []

    def view() -> tuple[str, int]:
        if copies:
            return "x", 200
        copies.append(0)
        shop.clock.advance(121)  # whoever began is taken for dead
        copies[0] = Visitor(shop.app).pay("/x", credential).status_code
        if raises:
            raise LookupError
        return "failed", 500

    for_sale(shop, "/x", view)
    visitor = Visitor(shop.app)
    credential = visitor.credential("/x", [visitor.ticket()])
    assert cause(visitor.pay("/x", credential)) == (409, "in-progress")
    assert copies == [200]
    assert cause(visitor.pay("/x", credential)) == (409, "already-delivered")


@pytest.mark.parametrize("path", ["/submit", "/redeem"])
def test_an_unknown_outcome_is_503_and_the_same_request_settles_it(
    shop: Shop, visitor: Visitor, path: str
) -> None:
    if path == "/submit":
        job = visitor.job()
        body = visitor.share(job, visitor.output(key_id=job["key_id"]))
    else:
        body = visitor.credential("/once", [visitor.ticket(2)], [visitor.output(1)])
    written = statements(shop)
    lost: list[int] = []

    def lose(connection: t.Any) -> None:
        if any("share" in seen or "spent" in seen for seen in written) and not lost:
            lost.append(1)
            raise OperationalError("COMMIT", {}, OSError("the connection broke"))

    event.listen(shop.app.extensions["ticketminer"].database.engine, "commit", lose)
    reply = visitor.post(path, body)
    assert (cause(reply), lost) == ((503, "outcome-unknown"), [1])
    assert reply.headers["Retry-After"] == "1"
    assert "token_response" not in reply.text
    assert visitor.post(path, body).status_code == 200
    assert shop.balanced()


def test_a_refused_payment_writes_nothing(shop: Shop, visitor: Visitor) -> None:
    spent, fresh = visitor.ticket(1), visitor.ticket(2)
    assert visitor.pay("/once", visitor.credential("/once", [spent])).status_code == 200
    output = visitor.output(2)
    refused = visitor.credential("/once", [spent, fresh], [output])
    assert cause(visitor.pay("/once", refused)) == (402, "ticket-spent")
    stats = visitor.get(PREFIX + "/stats").json
    assert stats["tickets"]["issued"]["change"] == 0
    assert visitor.pay("/once", visitor.credential("/once", [fresh], [visitor.output(1)])).status_code == 200
    assert shop.balanced()


def test_a_pass_for_a_scope_is_bound_to_its_site_and_time(shop: Shop, visitor: Visitor) -> None:
    reply = visitor.pay("/premium/a", visitor.credential("/premium/a", [visitor.ticket(2)]))
    token = receipt(reply)["pass"]["token"]
    stranger = Visitor(shop.app)
    headers = {"TicketMiner-Pass": token}
    assert stranger.get("/premium/b", headers=headers).status_code == 200
    assert stranger.get("/report", headers=headers).status_code == 402
    shop.clock.advance(int(timedelta(hours=1).total_seconds()))
    assert stranger.get("/premium/b", headers=headers).status_code == 402


def test_the_header_of_a_payment_needs_its_scheme(visitor: Visitor) -> None:
    credential = visitor.credential("/once", [visitor.ticket()])
    text = authorization(credential)["Authorization"].removeprefix("Payment ")
    assert visitor.get("/once", headers={"Authorization": f"Bearer {text}"}).status_code == 402
    assert visitor.pay("/once", credential).status_code == 200
