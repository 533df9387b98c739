"""The page's wallet in real browsers, by the rules of Python's."""

from __future__ import annotations

import functools
import json
import pathlib
from collections.abc import Callable, Iterator

import pytest
from browsers import Profile
from fake_keys import DAY, NOW, ticket_key
from wallet_page import SEED, Page, Refusal, entry, serving, signature

HERE = pathlib.Path(__file__).parent
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


def test_signed_counters_need_no_old_ones(page: Page) -> None:
    refused = page.ask(ONE)
    page.deposit(1, 50)
    page.release(refused)
    assert [output["counter"] for output in page.ask(ONE, ONE)["outputs"]] == [51, 52]


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


def test_a_restore_files_what_is_new_and_changes_nothing_else(page: Page) -> None:
    first, second, third = page.deposit(4, 3)
    page.ask(inputs=[first])
    page.settle(page.ask(inputs=[second]))
    found = "new Map((await wallet.tickets()).map((ticket, i) => [i, ticket.token]))"
    restore = (
        f"await wallet.fileRestored(fromHex(args[0]), await wallet.key(args[1]), {found}, 9, () => false)"
    )
    assert page(restore, SEED, FOUR.key_id.hex()) == {"added": 0, "gone": 0}
    assert page.states() == {first["nonce"]: "pending", second["nonce"]: "spent", third["nonce"]: "available"}
    assert page.ask(FOUR)["outputs"][0]["counter"] == 9


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
