"""What a stranger can make the server do: garbage never reaches the database, and budgets answer 503 and lose nothing."""

from __future__ import annotations

import io
import json
import pathlib
import typing as t

import httpx
import pytest
from limits import connections, site_of, use_up
from mints import START
from sites import Shop, make_shop
from visitor import PREFIX, Visitor, authorization, cause
from werkzeug.test import TestResponse

from flask_ticketminer.binding import MAX_RESOURCE
from flask_ticketminer.clock import ManualClock
from flask_ticketminer.mint.spent import SpentFiles
from flask_ticketminer.testing import wallet
from miner import TicketAuth
from miner.tokens import b64url, unb64url


@pytest.fixture
def shop(tmp_path: pathlib.Path, sqlite_url: str, manual_clock: ManualClock) -> t.Iterator[Shop]:
    """On one kind of database: what is tested stands before it."""
    made = make_shop(tmp_path, sqlite_url, manual_clock)
    yield made
    site_of(made).database.dispose()


def forged(ticket: str) -> str:
    """Return `ticket` with another signature."""
    token = bytearray(unb64url(ticket))
    token[-1] ^= 1
    return b64url(bytes(token))


class Stock:
    """What a stranger prepares in advance, legitimately, to be mangled then."""

    def __init__(self, visitor: Visitor, shop: Shop) -> None:
        self.shop = shop
        self.post, self.get, self.client = visitor.post, visitor.get, visitor.client
        self.ticket = visitor.ticket()
        self.output = visitor.output()
        self.job = visitor.job()
        self.miss = next(visitor.nonces(self.job, hits=False))
        self.share = visitor.share(self.job, self.output)
        self.challenge = visitor.challenge("/once")
        self.asked = visitor.job_request()

    def pay(self, tickets: list[str], outputs: int = 0, **challenge: str) -> dict[str, t.Any]:
        members = [self.output.member()] * outputs
        return {
            "challenge": {**self.challenge, **challenge},
            "payload": {"tickets": tickets, "outputs": members},
        }

    def header(self, credential: dict[str, t.Any], path: str = "/once") -> TestResponse:
        return self.get(path, headers=authorization(credential))

    def form(self, **fields: str) -> TestResponse:
        page = b64url(json.dumps(self.challenge).encode())
        return self.client.post(f"{PREFIX}/redeem", data={"challenge": page, **fields})

    def chunked(self, path: str, body: bytes) -> TestResponse:
        """Send `body` without a Content-Length, as gunicorn hands a chunked one on."""
        return self.client.post(
            PREFIX + path,
            input_stream=io.BytesIO(body),
            content_type="application/json",
            headers={"Transfer-Encoding": "chunked"},
            environ_overrides={"wsgi.input_terminated": True},
        )


GARBAGE: dict[str, tuple[int, str, t.Callable[[Stock], TestResponse]]] = {
    "json": (400, "malformed-json", lambda s: s.client.post(PREFIX + "/submit", data=b"{", content_type="application/json")),
    "depth": (400, "malformed-json", lambda s: s.client.post(PREFIX + "/redeem", data=b'{"payload":' * 5000, content_type="application/json")),
    "huge-number": (400, "malformed-json", lambda s: s.client.post(PREFIX + "/job", data=b'{"value":' + b"9" * 5000 + b"}", content_type="application/json")),
    "body": (413, "body-too-large", lambda s: s.post("/submit", {"job": "x" * 70_000, "nonce": ""})),
    "chunked-body": (413, "body-too-large", lambda s: s.chunked("/redeem", b'{"payload":"' + b"x" * 200_000 + b'"}')),
    "consent": (403, "consent-required", lambda s: s.post("/job", {**s.asked, "consent": "x" * 60_000})),
    "fund": (400, "unknown-fund", lambda s: s.post("/job", {**s.asked, "donate": True, "fund": "x" * 60_000})),
    "job-value": (400, "bad-amount", lambda s: s.post("/job", {**s.asked, "value": 10**4000})),
    "algorithms": (400, "wrong-type", lambda s: s.post("/job", {**s.asked, "algorithms": ["x"] * 10_000})),
    "job-length": (400, "forged-job", lambda s: s.post("/submit", {**s.share, "job": "x" * 60_000})),
    "job-mac": (400, "forged-job", lambda s: s.post("/submit", {**s.share, "job": s.job["job"][:-4] + "AAAA"})),
    "nonce": (400, "wrong-size", lambda s: s.post("/submit", {**s.share, "nonce": "00" * 30_000})),
    "blinded": (400, "wrong-size", lambda s: s.post("/submit", {**s.share, "token_request": "AA"})),
    "work": (422, "share-misses-target", lambda s: s.post("/submit", {**s.share, "nonce": s.miss})),
    "tickets": (400, "too-many-tickets", lambda s: s.post("/redeem", s.pay([s.ticket] * 65))),
    "outputs": (400, "too-many-outputs", lambda s: s.post("/redeem", s.pay([s.ticket], outputs=33))),
    "challenge": (400, "challenge-altered", lambda s: s.post("/redeem", s.pay([s.ticket], expires="2030-01-01T00:00:00Z"))),
    "repeated": (402, "ticket-repeated", lambda s: s.post("/redeem", s.pay([s.ticket] * 2))),
    "signature": (402, "bad-signature", lambda s: s.post("/redeem", s.pay([forged(s.ticket)]))),
    "exchange": (400, "bad-signature", lambda s: s.post("/redeem", {"payload": {"tickets": [forged(s.ticket)], "outputs": [s.output.member()]}})),
    "header-text": (402, "malformed-base64", lambda s: s.get("/once", headers={"Authorization": "Payment %"})),
    "header-length": (402, "wrong-size", lambda s: s.get("/once", headers={"Authorization": "Payment " + "A" * 7001})),
    "header-outputs": (402, "too-many-outputs", lambda s: s.header(s.pay([s.ticket], outputs=4))),
    "header-resource": (402, "wrong-resource", lambda s: s.header(s.pay([s.ticket]), "/report")),
    "header-signature": (402, "bad-signature", lambda s: s.header(s.pay([forged(s.ticket)]))),
    "pass": (402, "payment-required", lambda s: s.get("/once", headers={"TicketMiner-Pass": "x" * 60_000})),
    "address": (414, "address-too-long", lambda s: s.get("/once?" + "x" * MAX_RESOURCE)),
    "donation": (400, "bad-amount", lambda s: s.get(PREFIX + "/donate?amount=" + "9" * 3000)),
    "donation-fund": (400, "unknown-fund", lambda s: s.get(PREFIX + "/donate?amount=1&fund=" + "x" * 3000)),
    "restore": (400, "wrong-size", lambda s: s.post("/restore", {"key_id": "00" * 32, "hashes": ["00" * 32] * 257})),
    "spent": (400, "malformed-hex", lambda s: s.get(f"{PREFIX}/keys/{'x' * 3000}/spent")),
}  # fmt: skip


@pytest.fixture(scope="module")
def stock(tmp_path_factory: pytest.TempPathFactory) -> t.Iterator[Stock]:
    """For all garbage alike, since garbage changes nothing."""
    folder = tmp_path_factory.mktemp("garbage")
    made = make_shop(folder, f"sqlite:///{folder}/ticketminer.sqlite", ManualClock(START))
    yield Stock(Visitor(made.app), made)
    site_of(made).database.dispose()


@pytest.mark.parametrize("name", GARBAGE)
def test_garbage_is_refused_without_the_database(stock: Stock, name: str) -> None:
    status, why, send = GARBAGE[name]
    with connections(stock.shop) as used:
        reply = send(stock)
    assert cause(reply) == (status, why)
    assert used == []


@pytest.mark.parametrize(
    "tickets", ["", "garbage", "ticketminer-tickets-1.e30", "ticketminer-payment-1." + "A" * 60_000]
)
def test_a_form_of_garbage_is_refused_without_the_database(stock: Stock, tickets: str) -> None:
    with connections(stock.shop) as used:
        assert stock.form(tickets=tickets).status_code in (400, 402)
    assert used == []


def test_a_form_over_the_limit_is_refused(stock: Stock) -> None:
    assert stock.form(tickets="x" * 70_000).status_code == 413


def test_guessed_key_ids_read_the_database_seldom(shop: Shop) -> None:
    visitor = Visitor(shop.app)
    visitor.entries()
    with connections(shop) as used:
        for number in range(200):
            reply = visitor.get(f"{PREFIX}/keys/{number:064x}/spent")
            assert cause(reply) == (404, "no-such-key")
    assert len(used) < 100


def test_the_directory_is_the_same_document_every_time(shop: Shop) -> None:
    directory = site_of(shop).directory
    assert directory.document("/submit") is directory.document("/submit")


# Budgets over HTTP


def test_wrong_shares_are_told_to_wait_and_right_ones_are_not_lost(shop: Shop) -> None:
    visitor, verification = Visitor(shop.app), site_of(shop).budgets.verification
    share = visitor.share(visitor.job(), visitor.output())
    use_up(verification)
    reply = visitor.post("/submit", share)
    assert cause(reply) == (503, "busy")
    assert 1 <= int(reply.headers["Retry-After"]) <= 60
    verification.give_back(10**12)
    assert visitor.post("/submit", share).status_code == 200


def test_garbage_shares_use_the_budget_up_and_accepted_ones_do_not(
    tmp_path: pathlib.Path, sqlite_url: str, manual_clock: ManualClock
) -> None:
    shop = make_shop(tmp_path, sqlite_url, manual_clock, TICKETMINER_VERIFICATION_BUDGET=1)  # some shares
    visitor = Visitor(shop.app)
    job = visitor.job()
    hits, misses = visitor.nonces(job), visitor.nonces(job, hits=False)
    for _ in range(10):
        share = visitor.share(job, visitor.output(), nonce=next(hits))
        assert visitor.post("/submit", share).status_code == 200
    wrong = [visitor.share(job, visitor.output(), nonce=next(misses)) for _ in range(10)]
    answers = [visitor.post("/submit", share).status_code for share in wrong]
    assert answers[:2] == [422, 422]
    assert set(answers) == {422, 503}
    site_of(shop).database.dispose()


@pytest.mark.parametrize("budget", ["verification", "signing"])
def test_a_payment_that_meets_a_used_up_budget_spends_nothing(shop: Shop, budget: str) -> None:
    visitor, bucket = Visitor(shop.app), getattr(site_of(shop).budgets, budget)
    credential = visitor.credential("/once", [visitor.ticket(2)], [visitor.output(1)])
    use_up(bucket)
    assert cause(visitor.pay("/once", credential)) == (503, "busy")
    assert cause(visitor.post("/redeem", credential)) == (503, "busy")
    assert shop.served == []
    bucket.give_back(10**12)
    assert visitor.pay("/once", credential).status_code == 200
    assert shop.balanced()


def test_settled_payments_get_their_charge_back(
    tmp_path: pathlib.Path, sqlite_url: str, manual_clock: ManualClock
) -> None:
    shop = make_shop(tmp_path, sqlite_url, manual_clock, TICKETMINER_SIGNING_BUDGET=1)  # fills slowly
    visitor, signing = Visitor(shop.app), site_of(shop).budgets.signing
    credential = visitor.credential("/once", [visitor.ticket(2)], [visitor.output(1)])
    assert visitor.pay("/once", credential).status_code == 200
    assert signing.level == signing.burst
    site_of(shop).database.dispose()


def test_exchanges_in_circles_end_and_payments_go_on(shop: Shop) -> None:
    visitor, exchanges = Visitor(shop.app), site_of(shop).budgets.exchanges
    ticket, output = visitor.ticket(), visitor.output()
    body = {"payload": {"tickets": [ticket], "outputs": [output.member()]}}
    use_up(exchanges)
    assert cause(visitor.post("/redeem", body)) == (503, "busy")
    assert visitor.pay("/once", visitor.credential("/once", [ticket])).status_code == 200


def test_spent_tickets_buy_no_exchange_and_use_none_up(shop: Shop) -> None:
    visitor, exchanges = Visitor(shop.app), site_of(shop).budgets.exchanges
    ticket = visitor.ticket()
    assert visitor.pay("/once", visitor.credential("/once", [ticket])).status_code == 200
    body = {"payload": {"tickets": [ticket], "outputs": [visitor.output().member()]}}
    assert cause(visitor.post("/redeem", body)) == (400, "ticket-spent")
    assert exchanges.level == exchanges.burst


def test_open_payments_are_bounded(
    tmp_path: pathlib.Path, sqlite_url: str, manual_clock: ManualClock
) -> None:
    shop = make_shop(tmp_path, sqlite_url, manual_clock, TICKETMINER_MAX_RESERVATIONS=1)
    visitor, reservations = Visitor(shop.app), site_of(shop).budgets.reservations
    credential = visitor.credential("/once", [visitor.ticket()])
    with reservations:
        assert cause(visitor.pay("/once", credential)) == (503, "busy")
    assert visitor.pay("/once", credential).status_code == 200
    assert reservations.taken == 0
    site_of(shop).database.dispose()


def test_a_failing_view_gives_its_place_back(shop: Shop) -> None:
    visitor = Visitor(shop.app)
    visitor.pay("/broken/500", visitor.credential("/broken/500", [visitor.ticket()]))
    with pytest.raises(LookupError):
        visitor.pay("/raises", visitor.credential("/raises", [visitor.ticket()]))
    assert site_of(shop).budgets.reservations.taken == 0


def test_a_wallet_that_restores_is_told_to_wait(shop: Shop) -> None:
    visitor = Visitor(shop.app)
    body = {"key_id": visitor.entries()[0]["key-id"], "hashes": ["00" * 32]}
    assert visitor.post("/restore", body).json == {"signatures": [None]}
    use_up(site_of(shop).budgets.verification)
    with connections(shop) as used:
        assert cause(visitor.post("/restore", body)) == (503, "busy")
    assert used == []


def test_a_program_waits_as_it_is_told_and_pays(shop: Shop) -> None:
    verification = site_of(shop).budgets.verification
    waited: list[float] = []

    def sleep(seconds: float) -> None:
        waited.append(seconds)
        verification.give_back(10**12)

    tickets = wallet(shop.app, tickets=1)
    use_up(verification)
    transport = httpx.WSGITransport(app=shop.app)
    with httpx.Client(auth=TicketAuth(tickets, sleep=sleep), transport=transport) as client:
        assert client.get("http://localhost/once").status_code == 200
    assert len(waited) == 1
    assert tickets.balance("http://localhost") == 0


# Files and pages that anybody may ask for


def test_a_spent_file_is_read_again_only_when_something_was_spent(shop: Shop) -> None:
    visitor, site, now = Visitor(shop.app), site_of(shop), [0.0]
    files = SpentFiles(site.database, site.keys, monotonic=lambda: now[0])
    key_id = bytes.fromhex(visitor.entries()[0]["key-id"])
    empty = files.document(key_id)
    now[0] += 11
    assert files.document(key_id) is empty
    visitor.pay("/once", visitor.credential("/once", [visitor.ticket()]))
    assert files.document(key_id) is empty  # kept ten seconds
    now[0] += 11
    assert len(files.document(key_id).body) == 8


def test_a_spent_file_that_was_dear_is_kept_longer(shop: Shop) -> None:
    """Ten times what all files took: here two seconds, by which this clock moves at every look."""
    visitor, site, now = Visitor(shop.app), site_of(shop), [0.0]

    def ticking() -> float:
        now[0] += 2.0
        return now[0]

    files = SpentFiles(site.database, site.keys, monotonic=ticking)
    key_id = bytes.fromhex(visitor.entries()[0]["key-id"])
    empty = files.document(key_id)
    visitor.pay("/once", visitor.credential("/once", [visitor.ticket()]))
    now[0] += 11
    with connections(shop) as used:
        assert files.document(key_id) is empty
    assert used == []
    now[0] += 11
    assert files.document(key_id) is not empty


def test_an_unchanged_spent_file_is_not_sent_again(shop: Shop) -> None:
    visitor = Visitor(shop.app)
    path = f"{PREFIX}/keys/{visitor.entries()[0]['key-id']}/spent"
    tag = visitor.get(path).headers["ETag"]
    assert visitor.get(path, headers={"If-None-Match": tag}).status_code == 304


def test_public_counters_are_read_once_a_second(shop: Shop) -> None:
    visitor = Visitor(shop.app)
    visitor.get(f"{PREFIX}/stats")
    with connections(shop) as used:
        for _ in range(50):
            assert visitor.get(f"{PREFIX}/stats").status_code == 200
    assert len(used) < 25
