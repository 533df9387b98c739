"""The page's wallet in real browsers: what Python's wallet does, in tabs that race, die, and are refused their storage."""

from __future__ import annotations

import functools
import http.server
import json
import pathlib
import threading
import time
import typing as t
from collections.abc import Callable, Iterator

import pytest
from browsers import Browser, Profile, Tab
from fake_keys import DAY, NOW, private_key, sign, ticket_key

from miner.service import TicketKey

HERE = pathlib.Path(__file__).parent
MODULES = HERE.parent / "miner" / "browser"
DRIVER = HERE / "browser" / "wallet.js"
SEED = "ab" * 32
ONE, FOUR = ticket_key(1), ticket_key(4)

Row = dict[str, t.Any]


class Refusal(Exception):
    """What the wallet threw in the page."""

    def __init__(self, error: Row) -> None:
        super().__init__(f"{error['name']} {error['code']}: {error['detail']}")
        self.name, self.code = error["name"], error["code"]


def entry(key: TicketKey, **changes: t.Any) -> Row:
    """Return `key` as types.d.ts has it, with bytes in hex."""
    return {
        "keyId": key.key_id.hex(),
        "value": key.value,
        "notBefore": key.not_before,
        "issueUntil": key.issue_until,
        "redeemUntil": key.redeem_until,
        "issuerName": key.issuer_name,
        "spki": key.spki.hex(),
    } | changes


class Page:
    """A tab with `wallet`, whose clock stands at the fake world's date."""

    def __init__(self, profile: Profile, url: str, seed: str | None = SEED, path: str = "/") -> None:
        self.tab: Tab = profile.tab(url + path)
        self.tab.wait_for("typeof attempt === 'function'")
        self("clock.now = args[0]", NOW)
        if path == "/":
            self("await open(args[0])", seed)

    def __call__(self, expression: str, *args: t.Any) -> t.Any:
        """Return the value of an expression in the page; raises :class:`Refusal` for what it throws."""
        found = self.tab.evaluate("await attempt(args[0], args.slice(1))", expression, *args)
        if "error" in found:
            raise Refusal(found["error"])
        return found["value"]

    def fails(self, expression: str, *args: t.Any) -> Refusal:
        with pytest.raises(Refusal) as caught:
            self(expression, *args)
        return caught.value

    def pin(self, *keys: TicketKey | Row, now: int = NOW) -> None:
        entries = [entry(key) if isinstance(key, TicketKey) else key for key in keys]
        self("await wallet.pin(args[0].map(key), args[1])", entries, now)

    def ask(
        self, *keys: TicketKey, inputs: t.Sequence[Row] = (), options: Row | None = None, **about: t.Any
    ) -> Row:
        self.pin(*keys)
        nonces = [ticket["nonce"] for ticket in inputs]
        ids = [key.key_id.hex() for key in keys]
        return t.cast(Row, self("await ask(...args)", ids, nonces, about, options or {}))

    def settle(self, request: Row, **options: t.Any) -> list[Row]:
        return t.cast(
            list[Row],
            self(
                "await wallet.settle(await request(args[0]), args[1].map((text) => fromHex(text)), args[2])",
                request["id"],
                [signature(output) for output in request["outputs"]],
                options,
            ),
        )

    def release(self, request: Row, **known: list[str]) -> None:
        self("await wallet.release(await request(args[0]), 'refused', args[1])", request["id"], known)

    def deposit(self, value: int, count: int = 1) -> list[Row]:
        return self.settle(self.ask(*[ticket_key(value)] * count, kind="submit", label="mined"))

    def tickets(self) -> list[Row]:
        return t.cast(list[Row], self("await wallet.tickets()"))

    def balance(self) -> int:
        return int(self("await wallet.balance()"))

    def states(self) -> dict[str, str]:
        return {ticket["nonce"]: ticket["state"] for ticket in self.tickets()}

    def unanswered(self) -> list[Row]:
        return t.cast(list[Row], self("await wallet.unanswered()"))


def signature(output: Row) -> str:
    """Return what the site makes of an output of :func:`ticket_key`."""
    return sign(private_key(output["key"]["value"]), bytes.fromhex(output["blindedMessage"])).hex()


class Handler(http.server.SimpleHTTPRequestHandler):
    """The modules below /assets/x/, and empty pages; /sandbox is one of no origin, which browsers give no storage."""

    def translate_path(self, path: str) -> str:
        return str(DRIVER if path == "/wallet.js" else MODULES / path.removeprefix("/assets/x/"))

    def do_GET(self) -> None:
        if self.path.endswith(".js"):
            return super().do_GET()
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        if self.path == "/sandbox":
            self.send_header("Content-Security-Policy", "sandbox allow-scripts")
        self.end_headers()
        self.wfile.write(
            b'<!doctype html><title>Wallet</title><script type="module" src="wallet.js"></script>'
        )
        return None

    def end_headers(self) -> None:
        self.send_header("Access-Control-Allow-Origin", "*")
        super().end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


Visit = Callable[..., Page]


@pytest.fixture
def visit(profile: Profile, url: str) -> Visit:
    """Open another tab of one profile."""
    return functools.partial(Page, profile, url)


@pytest.fixture
def page(visit: Visit) -> Page:
    return visit()


def test_the_seed_is_drawn_once(page: Page, visit: Visit) -> None:
    assert page("await wallet.seed()") == SEED
    assert visit("cd" * 32)("await wallet.seeds()") == [SEED]


def test_tickets_are_there_after_a_reload(page: Page, visit: Visit) -> None:
    page.deposit(1, 3)
    page.deposit(4)
    page.tab.close()
    again = visit()
    assert [ticket["value"] for ticket in again.tickets()] == [1, 1, 1, 4]
    assert again.balance() == 7


def test_expired_tickets_do_not_count(page: Page) -> None:
    page.deposit(4)
    page("clock.now = args[0]", FOUR.redeem_until)
    assert page.balance() == 0
    assert [ticket["state"] for ticket in page.tickets()] == ["expired"]


def test_a_request_is_found_again_as_it_was_written(page: Page, visit: Visit) -> None:
    tickets = page.deposit(4)
    written = page.ask(
        ONE, FOUR, ONE, inputs=tickets, kind="payment", amount=3, resource="GET /a?b=1", label=""
    )
    assert [output["counter"] for output in written["outputs"]] == [0, 1, 1]
    page.tab.close()
    [found] = visit().unanswered()
    assert found == written
    assert found["body"] == b"1 for 3".hex()
    assert found["inputs"] == [tickets[0] | {"state": "pending", "request": written["id"]}]


def test_tickets_in_a_request_cannot_be_used_in_another(page: Page) -> None:
    tickets = page.deposit(4)
    page.ask(inputs=tickets)
    with pytest.raises(Refusal, match=r"TicketsTaken tickets-taken: .*being spent"):
        page.ask(inputs=tickets)


def test_a_ticket_cannot_be_in_a_request_twice(page: Page) -> None:
    with pytest.raises(Refusal, match="TicketsTaken"):
        page.ask(inputs=page.deposit(4) * 2)


def test_a_failed_plan_leaves_nothing_behind(page: Page) -> None:
    page.deposit(4)
    page("void (globalThis.four = await wallet.key(args[0]))", FOUR.key_id.hex())
    begin = "await wallet.begin({kind: 'exchange', path: '/', amount: 0}, (inputs) => (%s), () => %s)"
    assert page.fails(begin % ("missing.plan()", "new Uint8Array()")).name == "ReferenceError"
    assert page.fails(begin % ("{inputs, keys: [four]}", "missing.body()")).name == "ReferenceError"
    assert page.balance() == 4
    assert page.unanswered() == []
    assert page.ask(FOUR)["outputs"][0]["counter"] == 1


def test_settling_twice_files_once_and_tells_the_same(page: Page, visit: Visit) -> None:
    page.pin(ONE)
    request = page.ask(ONE, kind="submit", label="mined")
    page("globalThis.late = await request(args[0])", request["id"])
    filed = visit().settle(request)
    assert (
        page("await wallet.settle(late, args[0].map((x) => fromHex(x)))", [signature(request["outputs"][0])])
        == filed
    )
    assert (page.balance(), len(page("await wallet.history()"))) == (1, 1)
    assert filed[0] == page.tickets()[0]
    assert len(filed[0]["token"]) == 2 * 354


def test_a_release_after_settling_brings_nothing_back(page: Page, visit: Visit) -> None:
    request = page.ask(inputs=page.deposit(4))
    page("globalThis.late = await request(args[0])", request["id"])
    visit().settle(request)
    page("await wallet.release(late, 'too-late')")
    assert list(page.states().values()) == ["spent"]
    assert page.unanswered() == []


def test_a_wrong_signature_leaves_the_request_open(page: Page) -> None:
    tickets = page.deposit(4)
    request = page.ask(FOUR, inputs=tickets)
    settle = "await wallet.settle(await request(args[0]), args[1].map((x) => fromHex(x)))"
    assert page.fails(settle, request["id"], ["11" * 256]).name == "CodecError"
    assert page.fails(settle, request["id"], ["11" * 255]).name == "CodecError"
    assert page.fails(settle, request["id"], []).name == "CodecError"
    assert page.states() == {tickets[0]["nonce"]: "pending"}
    assert [ticket["value"] for ticket in page.settle(request)] == [4]


def test_a_refused_payment_frees_its_tickets_but_those_that_are_spent(page: Page) -> None:
    first, second = page.deposit(4, 2)
    page.release(page.ask(inputs=[first, second]), spent=[first["nonce"]])
    assert page.states() == {first["nonce"]: "spent", second["nonce"]: "available"}


def test_many_refusals_leave_no_gap_that_ends_a_restore(page: Page) -> None:
    page.pin(ONE)
    counters = page("await refuse(args[0], 192)", ONE.key_id.hex())
    assert max(counters) < 64
    assert len(page("await rows('outputs')")) < 64


def test_a_refused_output_asked_for_again_is_the_same(page: Page) -> None:
    page.pin(ONE)
    first = page.ask(ONE)
    page.release(first)
    page("await refuse(args[0], 47)", ONE.key_id.hex())
    assert page.ask(ONE)["outputs"] == first["outputs"]
    assert [output["counter"] for output in page.ask(ONE, ONE)["outputs"]] == [1, 2]


def test_a_burnt_output_is_not_asked_for_again(page: Page) -> None:
    page.pin(ONE)
    request = page.ask(ONE)
    page.release(request, signed=[request["outputs"][0]["blindedMessage"]])
    assert 0 not in page("await refuse(args[0], 64)", ONE.key_id.hex())


def test_a_changed_entry_is_refused(page: Page) -> None:
    page.pin(ONE)
    for change in (
        {"redeemUntil": ONE.redeem_until + DAY},
        {"issuerName": "x"},
        {"value": 2},
        {"spki": FOUR.spki.hex()},
    ):
        with pytest.raises(Refusal, match="KeyMismatch key-mismatch: This site has changed a ticket key"):
            page.pin(FOUR, entry(ONE, **change))
    assert page("await wallet.keys()") == [entry(ONE)]


def test_a_second_key_for_one_value_and_time_is_refused(page: Page) -> None:
    page.pin(ONE)
    other = ticket_key(1, variant=1)
    for shift in (0, 3 * DAY, -3 * DAY):
        with pytest.raises(Refusal, match=r"KeyMismatch key-mismatch: .*second key"):
            page.pin(entry(other, notBefore=ONE.not_before + shift, issueUntil=ONE.issue_until + shift))
    page.pin(entry(other, notBefore=ONE.issue_until, issueUntil=ONE.issue_until + DAY))
    assert len(page("await wallet.keys()")) == 2


def test_too_many_keys_are_refused(page: Page) -> None:
    keys = [
        entry(ONE, keyId=f"{i:064x}", notBefore=i * DAY, issueUntil=(i + 1) * DAY, redeemUntil=NOW + DAY)
        for i in range(513)
    ]
    with pytest.raises(Refusal, match=r"KeyMismatch key-mismatch: .*more than 512"):
        page.pin(*keys)
    page.pin(*keys[1:])
    assert len(page("await wallet.keys()")) == 512


def test_keys_go_30_days_after_their_end_unless_they_are_needed(page: Page) -> None:
    gone = ticket_key(2)
    [spent] = page.deposit(2)
    page.settle(page.ask(inputs=[spent]))
    page.deposit(4)
    page.pin(ONE)
    page.ask(ONE)
    later = ONE.redeem_until + 30 * DAY
    page.pin(now=later - 1)
    assert len(page("await wallet.keys()")) == 3
    page.pin(ticket_key(1, epoch=10), now=later)
    left = {key["keyId"] for key in page("await wallet.keys()")}
    assert gone.key_id.hex() not in left
    assert len(left) == 3
    assert spent["nonce"] not in page.states()


def test_an_expired_entry_is_not_pinned(page: Page) -> None:
    page.pin(ONE, now=ONE.redeem_until)
    assert page("await wallet.keys()") == []
    assert page("await wallet.key(args[0])", ONE.key_id.hex()) is None


def test_giving_takes_exact_tickets(page: Page) -> None:
    page.deposit(1)
    page.deposit(4)
    assert page.fails("await wallet.give(3)").code == "not-enough-tickets"
    assert page.fails("await wallet.give(6)").code == "not-enough-tickets"
    given = page("await wallet.give(5)")
    assert given == [ticket["token"] for ticket in page.tickets()]
    assert set(page.states().values()) == {"given"}
    last = page("await wallet.history(1)")
    assert [(note["kind"], note["amount"]) for note in last] == [("sent", 5)]


def test_given_tickets_can_be_taken_back_and_strange_ones_adopted(page: Page) -> None:
    [own] = page.deposit(4)
    page("await wallet.give(4)")
    with pytest.raises(Refusal, match="TicketsTaken"):
        page.ask(inputs=[own])
    page.ask(inputs=[own], options={"adopt": True})
    adopt = (
        "await wallet.begin({kind: 'exchange', path: '/', amount: 0, resource: null, label: 'received'}, () => ({inputs:"
        " [{...args[0], token: fromHex(args[0].token), state: 'available', seedId: 'x'}], keys: []}),"
        " () => new Uint8Array(1), {adopt: args[1]})"
    )
    strange = own | {"nonce": "12" * 32}
    assert page.fails(adopt, strange, False).name == "TicketsTaken"
    [adopted] = page(adopt, strange, True)["inputs"]
    assert (adopted["state"], adopted["seedId"], adopted["token"]) == ("pending", None, own["token"])
    assert page.fails(adopt, strange, True).name == "TicketsTaken"


def test_another_seed_leaves_the_tickets_of_the_old_one(page: Page, visit: Visit) -> None:
    [old] = page.deposit(4)
    page("await wallet.useSeed(fromHex(args[0]))", "cd" * 32)
    [new] = page.deposit(4)
    assert page("await wallet.seeds()") == ["cd" * 32, SEED]
    assert old["seedId"] != new["seedId"]
    assert visit().balance() == 8
    page.settle(page.ask(FOUR, FOUR, inputs=[old, new]))
    page("await wallet.useSeed(fromHex(args[0]))", SEED)
    assert page.ask(FOUR)["outputs"][0]["counter"] == 1
    assert (
        page(
            "await wallet.counter(fromHex(args[0]), await wallet.key(args[1]))", "cd" * 32, FOUR.key_id.hex()
        )
        == 3
    )


def test_a_seed_that_was_never_used_is_forgotten(page: Page) -> None:
    page("await wallet.useSeed(fromHex(args[0]))", "cd" * 32)
    assert page("await wallet.seeds()") == ["cd" * 32]


def test_master_words_are_refused(page: Page) -> None:
    refused = page.fails("await wallet.useSeed(new Uint8Array(16))")
    assert (refused.name, refused.code) == ("WrongWords", "master-words")
    assert page("await wallet.seeds()") == [SEED]


def test_notes_are_bounded_and_reset_keeps_the_tickets(page: Page) -> None:
    page.deposit(4)
    page("await wallet.setSetting('limits', {threads: 2})")
    assert page("await wallet.setting('limits')") == {"threads": 2}
    page("await Promise.all(Array.from({length: 505}, (_, i) => wallet.note({kind: 'x', amount: i})))")
    assert [note["amount"] for note in page("await wallet.history(2)")] == [504, 503]
    assert len(page("await wallet.history(1000)")) == 500
    run = "{algorithm: 'yespower', state: 'running', rates: [], hashes: 0}"
    ids = page(f"await Promise.all(Array.from({{length: 52}}, () => wallet.startRun({run})))")
    page(
        "await wallet.updateRun(args[0], {hashes: 7, rates: Array.from({length: 80}, (_, i) => i)})", ids[51]
    )
    page("await wallet.deleteRun(args[0])", ids[50])
    page("await wallet.updateRun(args[0], {hashes: 7})", ids[50])
    newest, *others = page("await wallet.runs()")
    assert (newest["id"], newest["hashes"], newest["updated"]) == (ids[51], 7, NOW)
    assert newest["rates"] == list(range(20, 80))
    assert [run["id"] for run in others] == [*ids[49:2:-1], ids[2]]
    page("await wallet.setSetting('other', 1)")
    page("await wallet.setSetting('other', null)")
    assert page("await wallet.setting('other')") is None
    page("await wallet.reset()")
    assert page("[await wallet.setting('limits'), await wallet.history(), await wallet.runs()]") == [
        None,
        [],
        [],
    ]
    assert (page.balance(), page("await wallet.seed()"), len(page("await wallet.keys()"))) == (4, SEED, 1)


def test_what_precedes_a_send_is_on_disk(page: Page) -> None:
    page.deposit(4)
    page(
        "void (() => { const { prototype } = IDBDatabase, { transaction } = prototype; globalThis.modes = [];"
        " prototype.transaction = function (names, mode, options) { const made = transaction.call(this, names, mode, options);"
        " if (mode === 'readwrite') modes.push(made.durability); return made; }; })()"
    )
    request = page.ask(FOUR)
    page.settle(request)
    page("await wallet.give(4)")
    page("await wallet.setSetting('a', 1)")
    # Pinning, a request, its tickets, a gift; a setting.
    assert page("modes") == ["strict"] * 4 + ["relaxed"]


def race(*pages: Page, times: int) -> list[list[str]]:
    """Let the pages begin requests at the same time; return what went wrong in each."""
    for page in pages:
        page("void (globalThis.racing = race(args[0], args[1]))", ONE.key_id.hex(), times)
    return [page("await racing") for page in pages]


def test_two_tabs_race_and_nothing_is_used_twice(page: Page, visit: Visit) -> None:
    page.deposit(1, 100)
    assert race(page, visit(), times=50) == [[], []]
    requests = page.unanswered()
    assert len({request["id"] for request in requests}) == 100
    assert len({request["inputs"][0]["nonce"] for request in requests}) == 100
    assert sorted(request["outputs"][0]["counter"] for request in requests) == list(range(100, 200))
    assert page.balance() == 0


def test_of_two_tabs_with_the_same_ticket_one_gets_it(page: Page, visit: Visit) -> None:
    page.deposit(1, 20)
    other = visit()
    late = sum(len(failed) for failed in race(page, other, times=20))
    assert late == 20
    assert len(page.unanswered()) == 20


def test_of_two_settlements_in_two_tabs_one_counts(page: Page, visit: Visit) -> None:
    page.pin(ONE)
    request = page.ask(*[ONE] * 5, inputs=page.deposit(4), label="exchanged")
    other = visit()
    for tab in (page, other):
        tab("void (globalThis.found = await request(args[0]))", request["id"])
    settle = "void (globalThis.racing = wallet.settle(found, args[0].map((x) => fromHex(x))))"
    for tab in (page, other):
        tab(settle, [signature(output) for output in request["outputs"]])
    assert page("await racing") == other("await racing")
    assert page.balance() == 5
    assert [note["kind"] for note in page("await wallet.history()")] == ["exchanged", "mined"]


def test_a_killed_tab_leaves_whole_requests(page: Page, visit: Visit) -> None:
    page.deposit(1, 64)
    for i in range(4 if page.tab.__class__.__name__ == "ChromiumTab" else 2):
        victim = visit()
        victim("void race(args[0], 64)", ONE.key_id.hex())
        time.sleep(0.05 * (i + 1))
        victim.tab.crash()
        page = visit()
        requests = page.unanswered()
        held = {
            ticket["nonce"]: ticket["request"] for ticket in page.tickets() if ticket["state"] == "pending"
        }
        assert held == {request["inputs"][0]["nonce"]: request["id"] for request in requests}
        counters = sorted(output["counter"] for request in requests for output in request["outputs"])
        assert counters == list(range(64, 64 + len(requests)))
        assert len(page("await rows('outputs')")) == len(requests)
        assert all(request["body"] == "01" for request in requests)


def test_a_wallet_deleted_in_another_tab_says_so(page: Page, visit: Visit) -> None:
    other = visit()
    other.deposit(4)
    other("void race(args[0], 3)", FOUR.key_id.hex())
    page("await wallet.wipe()")
    for expression in ("await wallet.balance()", "await wallet.wipe().then(() => wallet.keys())"):
        refused = other.fails(expression)
        assert (refused.name, refused.code) == ("StorageRefused", "wallet-deleted")
    assert page.fails("await wallet.balance()").code == "wallet-deleted"
    other("await open(args[0])", "cd" * 32)
    assert other.tickets() == []
    assert other("await wallet.seed()") == "cd" * 32
    other("wallet.close()")
    assert other.fails("await wallet.seed()").code == "wallet-closed"


def test_a_wallet_of_a_newer_page_is_left_alone(page: Page) -> None:
    newer = "await new Promise((resolve) => { const r = indexedDB.open('ticketminer:/ticketminer/', 2); r.onsuccess = () =>"
    page(f"{newer} {{ r.result.close(); resolve(); }}; }})")
    assert page.fails("await wallet.balance()").code == "wallet-newer"
    assert page.fails("await open()").code == "wallet-newer"


def test_a_page_without_origin_is_refused_with_a_sentence(visit: Visit) -> None:
    page = visit(path="/sandbox")
    refused = page.fails("await open()")
    assert (refused.name, refused.code) == ("StorageRefused", "storage-refused")
    assert "lets this site store nothing" in str(refused)


def test_a_browser_without_indexeddb_is_refused_with_a_sentence(page: Page) -> None:
    page("void (IDBFactory.prototype.open = () => { throw new DOMException('no', 'InvalidStateError'); })")
    assert page.fails("await open()").code == "storage-refused"
    page("void Object.defineProperty(globalThis, 'indexedDB', { value: undefined })")
    assert page.fails("await open()").code == "storage-refused"


def test_storage_that_does_not_answer_is_given_up(page: Page) -> None:
    page("void (globalThis.setTimeout = ((late) => (work) => late(work, 50))(setTimeout))")
    page("void (IDBFactory.prototype.open = () => ({}))")
    assert page.fails("await open()").code == "storage-held"


def test_a_full_quota_loses_nothing(chromium: Browser, url: str) -> None:
    with chromium.profile() as profile:
        page = Page(profile, url)
        tickets = page.deposit(4)
        limit = functools.partial(
            t.cast(t.Any, page.tab).session.send, "Storage.overrideQuotaForOrigin", origin=url
        )
        limit(quotaSize=1)
        fill = "await wallet.setSetting('filler', 'x'.repeat(1e6))"
        for expression in (fill, "await ask([args[0]], [args[1]])"):
            refused = page.fails(expression, FOUR.key_id.hex(), tickets[0]["nonce"])
            assert (refused.name, refused.code) == ("StorageFull", "storage-full")
        assert page.balance() == 4
        assert page.unanswered() == []
        limit()
        assert page.ask(FOUR, inputs=tickets)["outputs"][0]["counter"] == 1


def test_storage_taken_away_under_the_page_says_so(chromium: Browser, url: str) -> None:
    with chromium.profile() as profile:
        page = Page(profile, url)
        page.deposit(4)
        t.cast(t.Any, page.tab).session.send(
            "Storage.clearDataForOrigin", origin=url, storageTypes="indexeddb"
        )
        page.tab.until(lambda: _code(page) in ("storage-lost", "wallet-deleted"), "a wallet that knows")


def _code(page: Page) -> str:
    found = page.tab.evaluate("await attempt('await wallet.balance()', [])")
    return str(found.get("error", {}).get("code"))


def test_outputs_are_those_of_python(page: Page) -> None:
    vectors = json.loads((HERE / "vectors" / "wallet.json").read_text())
    for case in vectors["cases"]:
        for ticket in case["tickets"]:
            output = page(
                "await derive(fromHex(args[0]), key(args[1]), BigInt(args[2]))",
                case["site_seed"],
                entry(ONE, keyId=vectors["key_id"], spki=vectors["spki"], issuerName=case["issuer_name"]),
                ticket["counter"],
            )
            assert (output["nonce"], output["blindedMessage"]) == (ticket["nonce"], ticket["blinded_message"])
