"""The page's client in a real browser against a real site, and against what a hostile one could answer."""

from __future__ import annotations

import json
import pathlib
import threading
import time
import typing as t
from collections.abc import Callable, Iterator

import pytest
from browsers import Browser, Profile, Tab, absent, launch
from conftest import missing
from flask import Response, request
from live import LiveSite, LiveSites

from flask_ticketminer.assets import current_assets
from flask_ticketminer.mint.spent import SpentFiles
from miner import SiteClient, Wallet
from miner.payment import parse_challenges
from miner.tokens import b64url, decode_json, jcs, unb64url
from miner.transport import open_http

PRELUDE = (pathlib.Path(__file__).parent / "browser" / "client.js").read_text()
DAY = 86_400
JSON = "application/json"


class Problem(Exception):
    """What the client threw in the page."""

    def __init__(self, error: dict[str, t.Any]) -> None:
        super().__init__(f"{error['name']} {error['code']}: {error['detail']}")
        self.name, self.code, self.detail = error["name"], error["code"], error["detail"]
        self.cause, self.values = error.get("cause"), error.get("values", {})


class Visitor:
    """A tab of its own profile, with `wallet` and `client` of a site."""

    def __init__(self, profile: Profile, site: LiveSite) -> None:
        self.profile = profile
        self.tab: Tab = profile.tab(f"{site.url}/free")
        with site.app.app_context():
            assets = f"/ticketminer/assets/{current_assets().hash}/"
        self.tab.evaluate(f"await (async () => {{ const assets = {json.dumps(assets)};\n{PRELUDE} }})()")

    def __call__(self, expression: str, *args: t.Any) -> t.Any:
        """Return the value of an expression in the page; raises :class:`Problem` for what it throws."""
        found = self.tab.evaluate(f"await attempt(async () => ({expression}))", *args)
        if "error" in found:
            raise Problem(found["error"])
        return found["value"]

    def fails(self, expression: str, *args: t.Any) -> Problem:
        with pytest.raises(Problem) as caught:
            self(expression, *args)
        return caught.value

    def balance(self) -> int:
        return int(self("await wallet.balance()"))

    def open(self) -> int:
        """Return how many requests have no answer."""
        return int(self("(await wallet.unanswered()).length"))

    def lose(self, path: str, how: str | dict[str, t.Any] = "after", times: int = 1) -> None:
        self("line.faults.push(...args[0])", [[f"/ticketminer/{path}", how]] * times)

    def restore(self, words: str) -> dict[str, int]:
        self("await adopt(args[0])", words)
        return t.cast(dict[str, int], self("await client.restore()"))


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    reason = absent("chromium")
    if reason is not None:
        missing(reason)
    with launch("chromium", tmp_path_factory.mktemp("chromium")) as started:
        yield started


@pytest.fixture
def sites(tmp_path: pathlib.Path) -> Iterator[LiveSites]:
    with LiveSites(tmp_path) as started:
        yield started


@pytest.fixture
def shop(sites: LiveSites) -> LiveSite:
    site = sites(TICKETMINER_ALGORITHM="sha256d")
    # What was spent a moment ago is on the lists.
    site.app.extensions["ticketminer"].spent_files = SpentFiles(
        site.app.extensions["ticketminer"].database, site.app.extensions["ticketminer"].keys, kept=0
    )
    return site


@pytest.fixture
def visit(browser: Browser, shop: LiveSite) -> Iterator[Callable[[], Visitor]]:
    profiles: list[Profile] = []

    def make() -> Visitor:
        profiles.append(browser.profile())
        return Visitor(profiles[-1], shop)

    yield make
    for profile in profiles:
        profile.close()


@pytest.fixture
def page(visit: Callable[[], Visitor]) -> Visitor:
    return visit()


@pytest.fixture
def purse(tmp_path: pathlib.Path, shop: LiveSite) -> Iterator[Wallet]:
    """A wallet of the command line, known at the shop."""
    with Wallet.open(tmp_path / "purse.sqlite") as wallet, open_http() as http:
        SiteClient(shop.url, wallet, http).keys()
        yield wallet


@pytest.fixture
def fund(page: Visitor, shop: LiveSite, purse: Wallet) -> Callable[..., None]:
    """Return a function that puts a ticket of each value into the page's wallet, by words."""

    def put(*tickets: int) -> None:
        shop.fill(purse, *tickets)
        page.restore(purse.site_words(shop.url))
        page("await wallet.useSeed(crypto.getRandomValues(new Uint8Array(32)))")

    return put


def rewrite(shop: LiveSite, path: str, change: Callable[[dict[str, t.Any]], t.Any]) -> None:
    """Let the shop's JSON at `path` be what `change` makes of it."""

    def after(response: Response) -> Response:
        if request.path == path and response.status_code == 200:
            del response.headers["ETag"]
            members = json.loads(response.get_data())
            response.set_data(json.dumps(change(members) or members))
        return response

    shop.after = after


def instead(shop: LiveSite, path: str, answer: Callable[[], Response]) -> None:
    """Let the shop answer requests to `path` with this."""
    shop.before = lambda: answer() if request.path == path else None


# Mining


def test_three_tickets_are_mined(page: Visitor, shop: LiveSite) -> None:
    for value in (1, 2, 4):
        done = page("await mine({ value: args[0] })", value)
        assert (done["accepted"], done["value"], done["ticket"]) == (True, value, True)
    assert page("await values()") == [1, 2, 4]
    assert (page.open(), shop.unspent()) == (0, 7)
    assert page("(await wallet.history()).map((entry) => entry.kind)") == ["mined"] * 3


def test_work_is_given_to_a_fund(page: Visitor, shop: LiveSite) -> None:
    done = page("await mine({ value: 2, donate: true, fund: 'articles' })")
    assert (done["accepted"], done["ticket"], page.balance()) == (True, False, 0)
    assert shop.donated("articles") == 2


@pytest.mark.parametrize("how", ["before", "after"])
def test_a_share_without_an_answer_is_sent_again_byte_for_byte(
    page: Visitor, shop: LiveSite, how: str
) -> None:
    page.lose("submit", how)
    assert page.fails("await mine()").code == "site-unreachable"
    assert (page.balance(), page.open()) == (0, 1)
    assert page("await client.recover()") == {
        "settled": 1, "released": 0, "pending": 0, "value": 1, "problems": [], "paid": [],
    }  # fmt: skip
    sent = [body for called, body in page("line.sent") if called.endswith("/submit")]
    assert (len(sent), len(set(sent)), page.balance(), shop.unspent()) == (2, 1, 1, 1)


def test_a_share_that_is_refused_leaves_nothing_open(page: Visitor, shop: LiveSite) -> None:
    page("void (globalThis.job = await client.job(['sha256d']))")
    shop.clock.advance(2000)
    assert page.fails("await client.submit(job, await solve(job))").cause == "expired-job"
    assert (page.open(), page.balance()) == (0, 0)


def test_another_copy_is_caught_up_with(page: Visitor, visit: Callable[[], Visitor], shop: LiveSite) -> None:
    other = visit()
    seed = page("toHex(await wallet.seed())")
    other("await wallet.useSeed(Uint8Array.from(args[0].match(/../g), (pair) => parseInt(pair, 16)))", seed)
    for _ in range(3):
        page("await mine()")
    other("await mine()")
    assert (page.balance(), other.balance(), shop.unspent(), other.open()) == (3, 4, 4, 0)


def test_a_clock_far_behind_goes_by_the_site(page: Visitor, shop: LiveSite) -> None:
    page("setSkew(-20 * 86400)")
    page("await mine()")
    assert page("client.clockOffset") == pytest.approx(20 * DAY, abs=3)
    assert page("client.now()") == pytest.approx(shop.clock.now(), abs=3)
    assert page("(await wallet.tickets()).length") == 1


# Paying


def test_a_page_is_paid_and_opens(page: Visitor, shop: LiveSite, fund: Callable[..., None]) -> None:
    fund(8)
    challenge = page("await client.challenge('/report')")
    assert (challenge["amount"], challenge["redeem"]) == (3, "/ticketminer/redeem")
    paid = page("await client.pay(args[0], '/report', 3)", challenge)
    assert (paid["location"], paid["amount"], paid["change"]) == ("/report", 3, 5)
    assert len(paid["reference"]) == 64
    assert (page("await values()"), shop.paid()) == ([1, 4], 3)
    entry = page("(await wallet.history())[0]")
    assert (entry["kind"], entry["amount"], entry["detail"]) == ("paid", 3, "GET /report")
    assert entry["reference"] == paid["reference"]
    assert page("await client.challenge('/report')") is None
    page.tab.goto(f"{shop.url}/report")
    assert page.tab.text() == "the report"


def test_the_price_is_asked_without_using_up_a_pass(
    page: Visitor, shop: LiveSite, fund: Callable[..., None]
) -> None:
    fund(1)
    page("await client.pay(await client.challenge('/once'), '/once', 1)")
    page("await client.challenge('/once')")
    page.tab.goto(f"{shop.url}/once")
    assert page.tab.text().endswith(" 1")


def test_a_price_above_what_was_agreed_is_not_paid(
    page: Visitor, shop: LiveSite, fund: Callable[..., None]
) -> None:
    fund(8)
    problem = page.fails("await client.pay(await client.challenge('/report'), '/report', 2)")
    assert (problem.name, problem.code, problem.values) == (
        "PaymentFailed",
        "price-changed",
        {"amount": 3, "most": 2},
    )
    assert (page.balance(), page.open(), shop.paid()) == (8, 0, 0)


def test_too_few_tickets(page: Visitor, fund: Callable[..., None]) -> None:
    fund(1)
    problem = page.fails("await client.pay(await client.challenge('/report'), '/report', 3)")
    assert (problem.code, problem.values) == (
        "not-enough-tickets",
        {"needed": 3, "available": 1, "missing": 2},
    )


def test_what_does_not_exist_has_no_price(page: Visitor) -> None:
    assert page.fails("await client.challenge('/pictures/none')").cause == "http-404"
    assert page("await client.challenge('/free')") is None


ELSEWHERE = [
    "//evil.example/x", "https://evil.example/", "javascript:alert(1)", "/\\evil.example/", "/\t/evil.example", "//[",
    "", "x",
]  # fmt: skip


def test_nothing_is_paid_elsewhere(page: Visitor, fund: Callable[..., None]) -> None:
    fund(8)
    page("globalThis.wanted = await client.challenge('/report')")
    for link in ELSEWHERE:
        assert page.fails("await client.challenge(args[0])", link).code == "foreign-request"
        assert page.fails("await client.pay(wanted, args[0], 3)", link).code == "foreign-request"
    assert (page.balance(), page.open()) == (8, 0)


def test_a_payment_without_an_answer_is_settled_later(
    page: Visitor, shop: LiveSite, fund: Callable[..., None]
) -> None:
    fund(8)
    page.lose("redeem")
    assert (
        page.fails("await client.pay(await client.challenge('/report'), '/report', 3)").code
        == "site-unreachable"
    )
    assert (page.balance(), page.open(), shop.paid()) == (0, 1, 3)
    outcome = page("await client.recover()")
    assert (outcome["settled"], outcome["value"], outcome["paid"]) == (1, 5, ["GET /report"])
    assert page("await client.challenge('/report')") is None


def test_the_same_purchase_again_repeats_the_open_payment(
    page: Visitor, shop: LiveSite, fund: Callable[..., None]
) -> None:
    fund(8)
    page.lose("redeem")
    page("globalThis.wanted = await client.challenge('/once')")
    page.fails("await client.pay(wanted, '/once', 1)")
    assert page("(await client.pay(wanted, '/once', 1)).change") == 7
    assert (page.balance(), shop.paid()) == (7, 1)


def test_a_busy_site_is_waited_for(page: Visitor, shop: LiveSite, fund: Callable[..., None]) -> None:
    fund(1)
    page.lose("redeem", {"status": 503, "cause": "busy", "headers": {"Retry-After": "1"}}, times=2)
    assert page("(await client.pay(await client.challenge('/once'), '/once', 1)).amount") == 1


@pytest.mark.parametrize("cause", ["challenge-expired", "payment-released", "key-not-signing"])
def test_a_refusal_that_can_be_mended_is(
    page: Visitor, shop: LiveSite, fund: Callable[..., None], cause: str
) -> None:
    fund(8)
    page.lose("redeem", {"status": 402, "cause": cause})
    assert page("(await client.pay(await client.challenge('/report'), '/report', 3)).change") == 5
    assert (page.balance(), page.open(), shop.paid()) == (5, 0, 3)


def test_an_old_challenge_is_replaced(page: Visitor, shop: LiveSite, fund: Callable[..., None]) -> None:
    fund(1)
    page("globalThis.wanted = await client.challenge('/once')")
    shop.clock.advance(3600)
    page("await client.service({ refresh: true })")
    assert page("(await client.pay(wanted, '/once', 1)).amount") == 1


def test_a_refusal_for_good_frees_the_tickets(page: Visitor, fund: Callable[..., None]) -> None:
    fund(8)
    page.lose("redeem", {"status": 400, "cause": "wrong-body"})
    problem = page.fails("await client.pay(await client.challenge('/report'), '/report', 3)")
    assert (problem.code, problem.cause) == ("payment-failed", "wrong-body")
    assert "still yours" in problem.detail
    assert (page.balance(), page.open()) == (8, 0)


def test_a_payment_that_the_site_denies_is_not_made_again(
    page: Visitor, shop: LiveSite, fund: Callable[..., None]
) -> None:
    fund(8, 8)

    def deny(response: Response) -> Response:
        if request.path == "/ticketminer/redeem":
            return Response(
                json.dumps({"cause": "challenge-expired"}), 402, mimetype="application/problem+json"
            )
        return response

    shop.after = deny
    problem = page.fails("await client.pay(await client.challenge('/report'), '/report', 3)")
    assert (problem.code, shop.paid(), page.balance(), page.open()) == ("already-delivered", 3, 13, 0)


def test_tickets_called_spent_that_are_not_listed_stay_open(
    page: Visitor, shop: LiveSite, fund: Callable[..., None]
) -> None:
    fund(1, 1, 1, 1)
    page.lose("redeem", {"status": 402, "cause": "ticket-spent"})
    assert page("(await client.pay(await client.challenge('/once'), '/once', 1)).amount") == 1
    assert (page.balance(), page("await values('pending')"), page.open()) == (2, [1], 1)


def test_tickets_that_another_copy_has_spent_are_written_off(
    page: Visitor, shop: LiveSite, purse: Wallet, fund: Callable[..., None]
) -> None:
    fund(2)
    with open_http() as http:
        SiteClient(shop.url, purse, http).make_exact(1)
    problem = page.fails("await client.pay(await client.challenge('/premium/a'), '/premium/a', 2)")
    assert (problem.code, page.balance(), page.open()) == ("already-delivered", 0, 0)


def test_many_small_tickets_are_joined_first(
    page: Visitor, shop: LiveSite, fund: Callable[..., None]
) -> None:
    fund(*[1] * 70)
    given = page("await client.donate(70, 'articles')")
    assert (given["amount"], len(given["reference"])) == (70, 64)
    assert (shop.donated("articles"), page.balance()) == (70, 0)


@pytest.mark.parametrize("member", ["redeem", "service"])
def test_a_payment_that_would_leave_the_service_is_not_made(
    page: Visitor, shop: LiveSite, fund: Callable[..., None], member: str
) -> None:
    fund(8)

    def after(response: Response) -> Response:
        asked = response.headers.get("WWW-Authenticate")
        if asked:
            before, _, rest = asked.partition('request="')
            wanted = decode_json(unb64url(rest.partition('"')[0]))
            wanted["methodDetails"][member] = "/elsewhere/redeem"
            response.headers["WWW-Authenticate"] = (
                f'{before}request="{b64url(jcs(wanted))}"{rest.partition(chr(34))[2]}'
            )
        return response

    shop.after = after
    assert (
        page.fails("await client.pay(await client.challenge('/report'), '/report', 3)").code
        == "foreign-request"
    )
    assert (page.balance(), page.open(), shop.requests.count("POST /elsewhere/redeem")) == (8, 0, 0)


def test_another_recipient_is_not_paid(page: Visitor, fund: Callable[..., None]) -> None:
    fund(8)
    problem = page.fails(
        "await client.pay({ ...await client.challenge('/report'), recipient: 'evil.example' }, '/report', 3)"
    )
    assert (problem.code, page.balance()) == ("foreign-request", 8)


def test_where_a_payment_leads_stays_on_the_site(
    page: Visitor, shop: LiveSite, fund: Callable[..., None]
) -> None:
    fund(8)
    rewrite(shop, "/ticketminer/redeem", lambda members: {**members, "location": "https://evil.example/"})
    assert page("(await client.pay(await client.challenge('/report'), '/report', 3)).location") == "/report"


# Tabs


def begin(page: Visitor, expression: str) -> None:
    """Start what `expression` does, without waiting for it; :func:`end` tells what became of it."""
    page(f"void (globalThis.outcome = attempt(async () => ({expression})))")


def end(page: Visitor) -> dict[str, t.Any]:
    return t.cast(dict[str, t.Any], page("await outcome"))


def test_two_tabs_buy_and_mine_at_once(page: Visitor, shop: LiveSite, fund: Callable[..., None]) -> None:
    fund(4, 4)
    other = Visitor(page.profile, shop)
    begin(page, "await client.pay(await client.challenge('/report'), '/report', 3)")
    begin(other, "await client.pay(await client.challenge('/premium/a'), '/premium/a', 2)")
    assert (end(page)["value"]["change"], end(other)["value"]["change"]) == (1, 2)
    for _ in range(3):
        begin(page, "await mine()")
        begin(other, "await mine()")
        assert (end(page)["value"]["ticket"], end(other)["value"]["ticket"]) == (True, True)
    assert (page.balance(), page.open(), shop.paid(), shop.unspent()) == (9, 0, 5, 9)


def test_two_tabs_that_buy_the_same_pay_once(
    page: Visitor, shop: LiveSite, fund: Callable[..., None]
) -> None:
    fund(4, 4)
    other = Visitor(page.profile, shop)
    page.lose("redeem")
    page.fails("await client.pay(await client.challenge('/once'), '/once', 1)")
    begin(page, "await client.pay(await client.challenge('/once'), '/once', 1)")
    begin(other, "await client.pay(await client.challenge('/once'), '/once', 1)")
    assert {end(page)["value"]["reference"], end(other)["value"]["reference"]} == {
        page("(await wallet.history())[0].reference")
    }
    assert (page.balance(), page.open(), shop.paid()) == (7, 0, 1)


def test_a_tab_that_dies_while_it_pays_loses_nothing(
    page: Visitor, shop: LiveSite, fund: Callable[..., None]
) -> None:
    fund(8)
    arrived = threading.Event()

    def slow(response: Response) -> Response:
        if request.path == "/ticketminer/redeem":
            arrived.set()
            time.sleep(1)
        return response

    shop.after = slow
    begin(page, "await client.pay(await client.challenge('/report'), '/report', 3)")
    assert arrived.wait(20)
    page.tab.crash()
    again = Visitor(page.profile, shop)
    assert (again.balance(), again.open()) == (0, 1)
    outcome = again("await client.recover()")
    assert (outcome["value"], outcome["paid"], again.balance(), shop.paid()) == (5, ["GET /report"], 5, 3)


# Challenges

FIELDS = [
    "",
    ",",
    ", ,Basic",
    'Basic realm="x", Payment id="1", method="ticket"',
    'Payment id="1",method=ticket , intent = "charge" ,Basic',
    "Negotiate abc==, Payment id=1",
    "Negotiate abc== Payment id=1",
    "Negotiate abc, id=2",
    'Digest realm="a \\"b\\\\, Payment id=9", nonce="q", Payment id="x"',
    'Payment id="1", ID="2", Basic a=b',
    'Payment __proto__="1", constructor="2", toString=3',
    'id="1", Payment id="2"',
    'Payment id="1", @@@, method="ticket", Basic b=c',
    'Payment id="unfinished, Basic x=y',
    'Payment  \tid  =  "1"  ,  a=""',
    "Payment=1, Basic",
    "a b c, d e=f g=h, i",
    'Payment id="1"x, Basic a=b',
    "é, Basic a=b",
]


def test_challenges_are_read_as_the_command_line_reads_them(page: Visitor) -> None:
    read = page(
        """(({ parseChallenges }) => args[0].map((field) =>
            parseChallenges(field).map(([scheme, found]) => [scheme, Object.entries(found)])
        ))(await load('client/challenge.js'))""",
        FIELDS,
    )
    for field, challenges in zip(FIELDS, read, strict=True):
        expected = [
            [scheme, [list(item) for item in found.items()]] for scheme, found in parse_challenges([field])
        ]
        assert challenges == expected, field


# Gifts, exchange, words


def test_tickets_are_given_away(
    page: Visitor, visit: Callable[[], Visitor], shop: LiveSite, fund: Callable[..., None]
) -> None:
    fund(8)
    text = page("await client.send(3)")
    other = visit()
    assert other("await client.receive(args[0])", text) == 3
    assert (page.balance(), other.balance(), shop.unspent()) == (5, 3, 8)
    assert other.fails("await client.receive(args[0])", text).code == "tickets-taken"
    third = visit()
    assert third.fails("await client.receive(args[0])", text).code == "gift-spent"
    assert (other.balance(), other.open(), third.balance(), third.open()) == (3, 0, 0, 0)


def test_a_gift_goes_to_the_command_line_and_comes_from_it(
    page: Visitor, shop: LiveSite, purse: Wallet
) -> None:
    with open_http() as http:
        client = SiteClient(shop.url, purse, http)
        shop.fill(purse, 16)
        assert page("await client.receive(args[0])", client.send(12)) == 12
        assert client.receive(page("await client.send(5)")) == 5
    assert (page.balance(), purse.balance()) == (7, 9)


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (lambda text: text[:-300], "damaged-gift"),
        (lambda text: "hello", "not-a-gift"),
    ],
)
def test_a_gift_that_is_none(
    page: Visitor, purse: Wallet, shop: LiveSite, change: Callable[[str], str], code: str
) -> None:
    shop.fill(purse, 1)
    assert page.fails("await client.receive(args[0])", change(purse.send(shop.url, 1))).code == code


def test_a_forged_gift_is_not_taken(page: Visitor, purse: Wallet, shop: LiveSite) -> None:
    shop.fill(purse, 1)
    prefix, _, body = purse.send(shop.url, 1).partition(".")
    gift = decode_json(unb64url(body))
    token = bytearray(unb64url(gift["tickets"][0]))
    token[10] ^= 1
    text = f"{prefix}.{b64url(jcs({**gift, 'tickets': [b64url(bytes(token))]}))}"
    assert page.fails("await client.receive(args[0])", text).code == "gift-forged"
    text = f"{prefix}.{b64url(jcs({**gift, 'origin': 'https://evil.example'}))}"
    assert page.fails("await client.receive(args[0])", text).code == "foreign-request"
    assert (page.open(), page("(await wallet.tickets()).length")) == (0, 0)


def test_small_tickets_are_joined(page: Visitor, fund: Callable[..., None]) -> None:
    fund(1, 1, 1, 4, 2)
    assert page("await client.join()") == 3
    assert page("await values()") == [1, 8]


def test_tickets_near_their_end_are_renewed(page: Visitor, shop: LiveSite, fund: Callable[..., None]) -> None:
    fund(4, 2)
    assert page("await client.renew()") == 0
    shop.clock.advance(15 * DAY)
    page(f"setSkew({15 * DAY})")
    assert page("await client.renew()") == 6
    assert page.balance() == 6
    shop.clock.advance(7 * DAY)
    page(f"setSkew({22 * DAY})")
    assert page.balance() == 6


def test_words_bring_tickets_back(page: Visitor, shop: LiveSite, purse: Wallet) -> None:
    shop.fill(purse, 8, 2)
    with open_http() as http:
        SiteClient(shop.url, purse, http).make_exact(3)
    found = page.restore(purse.site_words(shop.url))
    assert (found["value"], page.balance()) == (purse.balance(), purse.balance())
    assert found["spent"] >= 1
    assert page("await client.restore()")["value"] == 0


def test_tickets_of_other_words_are_reissued_for_these(
    page: Visitor, shop: LiveSite, fund: Callable[..., None], purse: Wallet
) -> None:
    fund(4, 2)
    assert page("await client.reissue()") == 6
    assert page("await client.reissue()") == 0
    with open_http() as http:
        SiteClient(shop.url, purse, http).restore()
    assert (purse.balance(), page.balance()) == (0, 6)


def test_a_restore_lets_messages_in_and_can_be_stopped(page: Visitor, purse: Wallet, shop: LiveSite) -> None:
    ticks, begun, count, name = page(
        """await (async () => {
            const stop = new AbortController();
            let [ticks, begun, count] = [0, 0, 0];
            const timer = setInterval(() => ++ticks === 5 && stop.abort(), 10);
            const progress = (key, index, all) => ([begun, count] = [index + 1, all]);
            const error = await client.restore(progress, stop.signal).catch((error) => error);
            clearInterval(timer);
            return [ticks, begun, count, error.name];
        })()"""
    )
    assert (ticks >= 5, 0 < begun < count, name) == (True, True, "AbortError")
    assert page("await client.restore()") == {"value": 0, "tickets": 0, "spent": 0}


# Answers that are no answers


def plain(body: bytes, kind: str = JSON, status: int = 200, **headers: str) -> Callable[[], Response]:
    return lambda: Response(body, status, content_type=kind, headers=headers)


STRANGE = [
    plain(b"<h1>Hello</h1>", "text/html"),
    plain(b"{}"),
    plain(b"[]"),
    plain(b"[" * 100_000),
    plain(b'{"a":' * 100_000),
    plain(b'{"service": "ticketminer", "version": 1.0}'),
    plain(b'{"service": "ticketminer", "version": 1e0}'),
    plain(b"\xef\xbb\xbf{}"),
    plain(b'{"a": "\xff"}'),
    plain(b'{"a": 1e999}'),
]


def test_strange_documents_are_one_sentence(page: Visitor, shop: LiveSite) -> None:
    for answer in STRANGE:
        instead(shop, "/ticketminer/", answer)
        problem = page.fails("await client.service()")
        assert (problem.code, len(problem.detail) < 200) == ("site-protocol", True)


def test_an_endless_answer_is_cut_off(page: Visitor, shop: LiveSite) -> None:
    sent = 0

    def chunks() -> Iterator[bytes]:
        nonlocal sent
        for _ in range(4096):
            sent += 65536
            yield b" " * 65536

    instead(shop, "/ticketminer/", lambda: Response(chunks(), mimetype=JSON))
    assert page.fails("await client.service()").code == "site-protocol"
    assert sent < 2**25


@pytest.mark.parametrize("body", [False, True])
def test_a_hanging_answer_is_given_up(page: Visitor, shop: LiveSite, body: bool) -> None:
    def drip() -> Iterator[bytes]:
        for _ in range(40):
            yield b" "
            time.sleep(0.1)

    def hang() -> Response:
        if not body:
            time.sleep(2)
        return Response(drip() if body else b"{}", mimetype=JSON)

    page("await visit('wallet', 400)")
    instead(shop, "/ticketminer/", hang)
    began = time.monotonic()
    assert page.fails("await client.service()").code == "site-unreachable"
    assert time.monotonic() - began < 1.8


def test_a_redirect_is_not_followed(page: Visitor, shop: LiveSite) -> None:
    page("await client.service()")
    instead(shop, "/ticketminer/job", lambda: Response(status=307, headers={"Location": "/elsewhere"}))
    problem = page.fails("await client.job(['sha256d'])")
    assert (problem.code, "redirects" in problem.detail) == ("site-refused", True)
    assert not any("elsewhere" in asked for asked in shop.requests)


def test_a_redirected_share_stays_open(page: Visitor, shop: LiveSite) -> None:
    instead(shop, "/ticketminer/submit", lambda: Response(status=308, headers={"Location": "/elsewhere"}))
    assert page.fails("await mine()").code == "site-refused"
    assert page.open() == 1
    shop.before = lambda: None
    assert page("(await client.recover()).value") == 1


def test_what_a_site_says_rewrites_nothing(page: Visitor, shop: LiveSite) -> None:
    detail = "No.\u202e\u2066 \x1b[2J\u200f\ud800 Send more\n" + "x" * 2000
    body = json.dumps({"cause": "BAD cause", "detail": detail}).encode()
    instead(shop, "/ticketminer/job", plain(body, "application/problem+json", 400))
    problem = page.fails("await client.job(['sha256d'])")
    assert problem.cause == "http-400"
    assert " ".join(problem.detail.split()).startswith("The site refused (http-400): No. [2J Send more xxx")
    assert len(problem.detail) < 600


def test_links_lead_nowhere_else(page: Visitor, shop: LiveSite) -> None:
    rewrite(
        shop, "/ticketminer/", lambda m: {**m, "links": {**m["links"], "redeem": "//evil.example/redeem"}}
    )
    assert page.fails("await client.service()").code == "site-protocol"


# Keys


@pytest.mark.parametrize("change", [{"value": 2}, {"redeem-until": 2**40}, {"issuer-name": "other"}])
def test_a_key_that_changes_is_refused(page: Visitor, shop: LiveSite, change: dict[str, t.Any]) -> None:
    rewrite(shop, "/ticketminer/keys", dict)
    page("await mine()")

    def later(members: dict[str, t.Any]) -> None:
        members["token-keys"][0].update(change)

    rewrite(shop, "/ticketminer/keys", later)
    assert page.fails("await client.keys({ refresh: true })").code == "key-mismatch"
    assert page.balance() == 1


def test_a_second_key_for_one_value_is_refused(page: Visitor, shop: LiveSite) -> None:
    def twice(members: dict[str, t.Any]) -> None:
        first, second = members["token-keys"][:2]
        second["value"] = first["value"]

    rewrite(shop, "/ticketminer/keys", twice)
    assert page.fails("await mine()").code == "key-mismatch"
    assert (page.open(), "POST /ticketminer/submit" in shop.requests) == (0, False)


BROKEN_KEYS: list[Callable[[dict[str, t.Any]], dict[str, t.Any]]] = [
    lambda entry: {"key-id": "00" * 32},
    lambda entry: {"token-key": entry["token-key"][:-8]},
    lambda entry: {"token-key": None},
    lambda entry: {"value": 3},
    lambda entry: {"value": True},
    lambda entry: {"not-before": entry["not-before"] + 1},
    lambda entry: {"issue-until": entry["not-before"]},
    lambda entry: {"redeem-until": entry["not-before"]},
    lambda entry: {"issuer-name": ""},
]


def test_a_directory_that_makes_no_sense_is_refused(page: Visitor, shop: LiveSite) -> None:
    for change in BROKEN_KEYS:

        def broken(members: dict[str, t.Any], change: t.Any = change) -> None:
            members["token-keys"][0].update(change(members["token-keys"][0]))

        rewrite(shop, "/ticketminer/keys", broken)
        assert page.fails("await client.keys()").code == "site-protocol"
    assert page("(await wallet.keys()).length") == 0


# Work


BROKEN_JOBS: list[Callable[[dict[str, t.Any]], dict[str, t.Any]]] = [
    lambda job: {"target": "f" * 64},
    lambda job: {"expected_hashes": job["expected_hashes"] * 2},
    lambda job: {
        "expected_hashes": job["expected_hashes"] * 2,
        "target": f"{2**256 // (job['expected_hashes'] * 2) - 1:064x}",
    },
    lambda job: {"nonce_offset": 80},
    lambda job: {"nonce_size": 1},
    lambda job: {"nonce_offset": 20},
    lambda job: {"blob": "ff" + job["blob"][2:]},
    lambda job: {"blob": job["blob"][:80] + "00" * 4 + job["blob"][88:]},
    lambda job: {"blob": job["blob"].upper()},
    lambda job: {"algorithm": "scrypt"},
    lambda job: {"value": 2},
    lambda job: {"key_id": "00" * 32},
    lambda job: {"key_id": None},
    lambda job: {"expires_in": 10**9},
    lambda job: {"expires_in": True},
    lambda job: {"job": None},
]


def test_work_that_is_not_what_was_announced_is_not_done(page: Visitor, shop: LiveSite) -> None:
    for change in BROKEN_JOBS:
        rewrite(shop, "/ticketminer/job", lambda job, change=change: {**job, **change(job)})
        assert page.fails("await client.job(['sha256d'], { value: 1 })").code == "site-protocol"
    rewrite(shop, "/ticketminer/job", lambda job: {**job, "key_id": "00" * 32})
    assert page.fails("await client.job(['sha256d'], { donate: true })").code == "site-protocol"


BROKEN_SIGNATURES: list[dict[str, t.Any]] = [
    {"token_response": b64url(bytes(256))},
    {"token_response": b64url(b"\1" * 256)},
    {"token_response": b64url(b"\xff" * 256)},
    {"token_response": None},
    {"token_response": "x"},
    {"accepted": 1},
]


def test_a_signature_that_does_not_verify_leaves_the_share_open(page: Visitor, shop: LiveSite) -> None:
    for change in BROKEN_SIGNATURES:
        rewrite(shop, "/ticketminer/submit", lambda members, change=change: {**members, **change})
        assert page.fails("await mine()").code == "site-protocol"
    assert (page.balance(), page.open()) == (0, len(BROKEN_SIGNATURES))
    assert page("(await client.recover()).pending") == len(BROKEN_SIGNATURES)
    shop.after = lambda response: response
    assert page("(await client.recover()).value") == len(BROKEN_SIGNATURES)


def test_a_share_that_is_worth_something_else_keeps_its_ticket(page: Visitor, shop: LiveSite) -> None:
    rewrite(shop, "/ticketminer/submit", lambda members: {**members, "value": 4})
    assert page.fails("await mine()").code == "site-protocol"
    assert (page.balance(), page.open()) == (1, 0)


@pytest.mark.parametrize(
    "change", [{"change": []}, {"change": [b64url(bytes(256))] * 2}, {"receipt": {"amount": "1"}}]
)
def test_change_that_is_none_leaves_the_payment_open(
    page: Visitor, shop: LiveSite, fund: Callable[..., None], change: dict[str, t.Any]
) -> None:
    fund(8)
    rewrite(shop, "/ticketminer/redeem", lambda members: {**members, **change})
    assert (
        page.fails("await client.pay(await client.challenge('/report'), '/report', 3)").code
        == "site-protocol"
    )
    assert (page.balance(), page.open()) == (0, 1)
    shop.after = lambda response: response
    assert (page("(await client.recover()).value"), page.balance()) == (5, 5)
