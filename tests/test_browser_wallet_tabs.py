"""The page's wallet in tabs that race and die, and in browsers that refuse it storage."""

from __future__ import annotations

import functools
import time
import typing as t
from collections.abc import Callable, Iterator

import pytest
from browsers import Browser, Profile
from fake_keys import ticket_key
from wallet_page import Page, Row, serving, signature

ONE, FOUR = ticket_key(1), ticket_key(4)


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with serving() as origin:
        yield origin


Visit = Callable[..., Page]


@pytest.fixture
def visit(profile: Profile, url: str) -> Visit:
    """Open another tab of one profile."""
    return functools.partial(Page, profile, url)


@pytest.fixture
def page(visit: Visit) -> Page:
    return visit()


def race(*pages: Page, tickets: int, outputs: int) -> list[Row]:
    """Let the pages begin 50 requests each at the same time; return all that were written down."""
    for page in pages:
        page("void (globalThis.racing = race(...args))", ONE.key_id.hex(), 50, tickets, outputs)
    assert [page("await racing") for page in pages] == [[]] * len(pages)
    requests = pages[0].unanswered()
    assert len({request["id"] for request in requests}) == 50 * len(pages)
    return requests


def test_of_two_first_seeds_one_stands(page: Page) -> None:
    assert page("await firstSeeds()") == [["01" * 32]] * 3


def test_two_tabs_race_for_counters(page: Page, visit: Visit) -> None:
    page.pin(ONE)
    requests = race(page, visit(), tickets=0, outputs=1)
    # Nothing was refused, so nothing is asked for again.
    assert sorted(request["outputs"][0]["counter"] for request in requests) == list(range(100))


def test_two_tabs_race_for_tickets(page: Page, visit: Visit) -> None:
    held = {ticket["nonce"] for ticket in page.deposit(1, 100)}
    requests = race(page, visit(), tickets=1, outputs=0)
    assert {ticket["nonce"] for request in requests for ticket in request["inputs"]} == held
    assert page.balance() == 0


def test_of_two_tabs_with_the_same_tickets_one_gets_each(page: Page, visit: Visit) -> None:
    nonces = [ticket["nonce"] for ticket in page.deposit(1, 30)]
    other = visit()
    for tab in (page, other):
        tab("void (globalThis.racing = contest(args[0]))", nonces)
    assert page("await racing") + other("await racing") == ["tickets-taken"] * 30
    assert len(page.unanswered()) == 30


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
        victim("void race(args[0], 64, 1, 1)", ONE.key_id.hex())
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
    other("void race(args[0], 3, 0, 1)", FOUR.key_id.hex())
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
        page = Page(profile, url, path="/empty")
        session = t.cast(t.Any, page.tab).session
        # Chromium goes by what it knew of the quota for half a minute: it has to be small from the beginning.
        session.send("Storage.overrideQuotaForOrigin", origin=url, quotaSize=400_000)
        page("await open()")
        tickets = page.deposit(4)
        arguments = FOUR.key_id.hex(), tickets[0]["nonce"]
        fill = "wallet.setSetting(crypto.randomUUID(), crypto.getRandomValues(new Uint8Array(20000)))"
        ask = "ask([args[0]], [args[1]]).then((asked) => wallet.release(asked, 'there was room'))"
        full = f"await {fill}.then(() => {ask})"
        page.tab.until(lambda: _code(page, full, *arguments) == "storage-full", "no room", seconds=60)
        page.tab.until(
            lambda: _code(page, f"await {ask}", *arguments) == "storage-full", "no room to ask", seconds=60
        )
        counter = page("await wallet.counter(await wallet.seed(), await wallet.key(args[0]))", arguments[0])
        assert page.fails("await ask([args[0]], [args[1]])", *arguments).name == "StorageFull"
        assert (page.balance(), page.unanswered()) == (4, [])
        session.send("Storage.overrideQuotaForOrigin", origin=url)
        page.tab.until(lambda: _code(page, f"await {fill}") == "None", "room again", seconds=60)
        [output] = page.ask(FOUR, inputs=tickets)["outputs"]
        assert output["counter"] <= counter


def test_storage_taken_away_under_the_page_says_so(chromium: Browser, url: str) -> None:
    with chromium.profile() as profile:
        page = Page(profile, url)
        page.deposit(4)
        t.cast(t.Any, page.tab).session.send(
            "Storage.clearDataForOrigin", origin=url, storageTypes="indexeddb"
        )
        gone = ("storage-lost", "wallet-deleted")
        page.tab.until(lambda: _code(page, "await wallet.balance()") in gone, "a wallet that knows")


def _code(page: Page, expression: str, *args: t.Any) -> str:
    """Return how an expression fails."""
    found = page.tab.evaluate("await attempt(args[0], args.slice(1))", expression, *args)
    return str(found.get("error", {}).get("code"))
