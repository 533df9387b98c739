"""What is in a wallet, without a site."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from fake_keys import EPOCH, NOW, private_key, sign, ticket_key
from fake_site import Clock
from purses import SHOP, receive, reopen

from miner.errors import KeyMismatch, NotEnoughTickets, WalletError, WrongWords
from miner.tokens import Token, verify
from miner.wallet import Draft, Wallet
from miner.wallet.outputs import SCAN_GAP

ONE = ticket_key(1)
FOUR = ticket_key(4)


def ask(wallet: Wallet, *keys, tickets=()):
    return wallet.begin(
        Draft("exchange", SHOP, SHOP + "/ticketminer/redeem"),
        lambda _: (tickets, keys),
        lambda i, o: b"the body",
    )


def test_the_master_is_drawn_once(tmp_path):
    path = tmp_path / "w" / "wallet.sqlite"
    with Wallet.open(path, randomness=lambda size: b"a" * size) as first:
        words = first.words()
    with Wallet.open(path, randomness=lambda size: b"b" * size) as second:
        assert second.words() == words


def test_a_deposited_ticket_verifies(wallet):
    [ticket] = receive(wallet, 4)
    token = Token.from_bytes(ticket.token)
    assert verify(FOUR.public_key, token.signed_bytes, token.authenticator)
    assert wallet.balance() == wallet.balance(SHOP) == 4


def test_tickets_survive_reopening(wallet):
    receive(wallet, 1, 3)
    with reopen(wallet) as again:
        assert [ticket.value for ticket in again.tickets(SHOP)] == [1, 1, 1]


def test_expired_tickets_do_not_count(tmp_path):
    clock = Clock()
    with Wallet.open(tmp_path / "w" / "wallet.sqlite", clock=clock) as wallet:
        receive(wallet, 4)
        clock.now = FOUR.redeem_until
        assert wallet.balance() == 0
        assert [ticket.state for ticket in wallet.tickets()] == ["expired"]


def test_sites_show_balance_and_what_is_pending(wallet):
    tickets = receive(wallet, 4, 2)
    ask(wallet, tickets=tickets[:1])
    [site] = wallet.sites()
    assert (site.origin, site.balance, site.pending) == (SHOP, 4, 4)


def test_counters_are_never_used_twice(wallet):
    wallet.pin(SHOP, [ONE])
    outputs = [ask(wallet, ONE).outputs[0] for _ in range(3)]
    assert [output.counter for output in outputs] == [0, 1, 2]
    assert len({output.nonce for output in outputs}) == 3


def test_a_written_request_is_found_again_as_it_was(wallet):
    wallet.pin(SHOP, [ONE])
    tickets = receive(wallet, 4)
    written = ask(wallet, ONE, tickets=tickets)
    with reopen(wallet) as again:
        [found] = again.unanswered()
    assert (found.body, found.outputs, [t.nonce for t in found.inputs]) == (
        b"the body",
        written.outputs,
        [tickets[0].nonce],
    )


def test_tickets_in_a_request_cannot_be_used_in_another(wallet):
    tickets = receive(wallet, 4)
    ask(wallet, tickets=tickets)
    with pytest.raises(WalletError, match="being spent"):
        ask(wallet, tickets=tickets)


def test_a_failed_plan_leaves_nothing_behind(wallet):
    wallet.pin(SHOP, [ONE])
    receive(wallet, 4)

    def compose(inputs, outputs):
        raise RuntimeError("no body")

    with pytest.raises(RuntimeError, match="no body"):
        wallet.begin(Draft("exchange", SHOP, SHOP), lambda held: (held, [ONE]), compose)
    assert wallet.balance() == 4
    assert wallet.unanswered() == []
    assert ask(wallet, ONE).outputs[0].counter == 0


def test_settling_twice_changes_nothing_the_second_time(wallet):
    wallet.pin(SHOP, [ONE])
    request = ask(wallet, ONE)
    signed = [sign(private_key(1), request.outputs[0].blinded_message)]
    assert wallet.settle(request, signed) == wallet.settle(request, signed)
    assert wallet.balance() == 1
    assert len(wallet.history()) == 1


def test_releasing_after_settling_does_not_bring_tickets_back(wallet):
    request = ask(wallet, tickets=receive(wallet, 4))
    wallet.settle(request, [])
    wallet.release(request, "too-late")
    assert [ticket.state for ticket in wallet.tickets()] == ["spent"]


def test_many_refusals_do_not_open_a_gap_that_a_restore_cannot_cross(wallet):
    wallet.pin(SHOP, [ONE])
    counters = []
    for _ in range(3 * SCAN_GAP):
        request = ask(wallet, ONE)
        counters.append(request.outputs[0].counter)
        wallet.release(request, "stale-job")
    assert max(counters) < SCAN_GAP


def test_a_refused_output_asked_for_again_is_the_same(wallet):
    wallet.pin(SHOP, [ONE])
    first = ask(wallet, ONE)
    wallet.release(first, "stale-job")
    for _ in range(SCAN_GAP):
        last = ask(wallet, ONE)
        wallet.release(last, "stale-job")
    assert last.outputs == first.outputs


def test_a_burnt_output_is_not_asked_for_again(wallet):
    wallet.pin(SHOP, [ONE])
    request = ask(wallet, ONE)
    wallet.release(request, "output-already-signed", signed=[request.outputs[0].blinded_message])
    counters = set()
    for _ in range(SCAN_GAP):
        request = ask(wallet, ONE)
        counters.add(request.outputs[0].counter)
        wallet.release(request, "stale-job")
    assert 0 not in counters


def test_a_changed_entry_is_refused(wallet):
    wallet.pin(SHOP, [ONE])
    longer = ticket_key(1)
    object.__setattr__(longer, "redeem_until", longer.redeem_until + 1)
    with pytest.raises(KeyMismatch, match="has changed"):
        wallet.pin(SHOP, [longer])


def test_a_second_key_for_one_value_and_start_is_refused(wallet):
    wallet.pin(SHOP, [ONE])
    with pytest.raises(KeyMismatch, match="second key"):
        wallet.pin(SHOP, [ticket_key(1, variant=1)])
    assert wallet.keys(SHOP) == [ONE]


def test_another_site_may_have_its_own_keys(wallet):
    wallet.pin(SHOP, [ONE])
    wallet.pin("https://other.example", [ticket_key(1, variant=1)])
    assert wallet.keys(SHOP) == [ONE]


def test_sites_have_unrelated_seeds(wallet):
    wallet.pin(SHOP, [ONE])
    wallet.pin("https://other.example", [ticket_key(1, variant=1, name="other.example")])
    assert wallet.site_words(SHOP) != wallet.site_words("https://other.example")
    assert len(wallet.site_words(SHOP).split()) == 24


def test_words_of_an_unknown_site_are_not_made_up(wallet):
    with pytest.raises(WalletError, match="not known"):
        wallet.site_words(SHOP)


def test_a_wallet_made_from_words_has_these_words(wallet, tmp_path):
    with Wallet.create_from_words(tmp_path / "b" / "wallet.sqlite", wallet.words(), clock=Clock()) as copy:
        assert copy.words() == wallet.words()
        copy.pin(SHOP, [ONE])
        wallet.pin(SHOP, [ONE])
        assert ask(copy, ONE).outputs == ask(wallet, ONE).outputs


def test_a_wallet_in_use_does_not_take_other_words(wallet):
    receive(wallet, 1)
    words = wallet.words()
    with pytest.raises(WrongWords, match="in use with other words"):
        wallet.restore_words("legal winner thank year wave sausage worth useful legal winner thank yellow")
    assert wallet.words() == words


def test_site_words_make_the_same_outputs_elsewhere(wallet, tmp_path):
    wallet.pin(SHOP, [ONE])
    with Wallet.open(tmp_path / "b" / "wallet.sqlite", clock=Clock()) as other:
        other.restore_words(wallet.site_words(SHOP), SHOP)
        other.pin(SHOP, [ONE])
        assert ask(other, ONE).outputs == ask(wallet, ONE).outputs
        assert other.site_words(SHOP) == wallet.site_words(SHOP)
        assert other.words() != wallet.words()


def test_site_words_need_their_site(wallet):
    wallet.pin(SHOP, [ONE])
    with pytest.raises(WrongWords, match="--site"):
        wallet.restore_words(wallet.site_words(SHOP))


def test_sending_takes_exact_tickets_and_marks_them_given(wallet):
    receive(wallet, 1)
    receive(wallet, 4)
    text = wallet.send(SHOP, 5)
    assert text.startswith("ticketminer-tickets-1.")
    assert {ticket.state for ticket in wallet.tickets()} == {"given"}


def test_sending_what_does_not_fit_asks_for_the_site(wallet):
    receive(wallet, 4)
    with pytest.raises(NotEnoughTickets, match="split one first"):
        wallet.send(SHOP, 3)
    assert wallet.balance() == 4


def test_moving_a_site_moves_tickets_keys_and_seed(wallet):
    receive(wallet, 4)
    words = wallet.site_words(SHOP)
    assert wallet.move(SHOP, "http://shop.onion") == 4
    assert wallet.balance("http://shop.onion") == 4
    assert wallet.balance(SHOP) == 0
    assert wallet.site_words("http://shop.onion") == words
    assert [site.origin for site in wallet.sites()] == ["http://shop.onion"]


def test_a_site_with_other_keys_takes_over_no_tickets(wallet):
    receive(wallet, 1)
    wallet.pin("https://other.example", [ticket_key(1, variant=1)])
    with pytest.raises(KeyMismatch):
        wallet.move(SHOP, "https://other.example")
    assert wallet.balance(SHOP) == 1


def test_moving_waits_for_unanswered_requests(wallet):
    ask(wallet, tickets=receive(wallet, 4))
    with pytest.raises(WalletError, match="recover first"):
        wallet.move(SHOP, "https://new.example")


def test_forgetting_a_site_with_tickets_needs_force(wallet):
    receive(wallet, 4)
    with pytest.raises(WalletError, match="would be lost"):
        wallet.forget(SHOP)
    wallet.forget(SHOP, tickets_too=True)
    assert wallet.sites() == []


def test_counters_outlive_a_forgotten_site(wallet):
    receive(wallet, 1, 3)
    wallet.forget(SHOP, tickets_too=True)
    wallet.pin(SHOP, [ONE])
    assert ask(wallet, ONE).outputs[0].counter == 3


def test_only_origins_that_the_ticket_site_lists_may_be_paid_with_its_tickets(wallet):
    receive(wallet, 4)
    assert wallet.purses("http://shop.onion") == ["http://shop.onion"]
    with wallet._store.write() as connection:
        connection.execute("UPDATE sites SET origins = ? WHERE origin = ?", ('["http://shop.onion"]', SHOP))
    assert wallet.purses("http://shop.onion") == ["http://shop.onion", SHOP]


def test_the_backup_prompt_comes_at_eight_tickets_until_seen(wallet):
    receive(wallet, 1, 7)
    assert not wallet.needs_backup_prompt()
    receive(wallet, 1)
    assert wallet.needs_backup_prompt()
    wallet.backup_seen()
    assert not wallet.needs_backup_prompt()


def test_runs_are_listed_newest_first(wallet):
    first = wallet.start_run(SHOP, "scrypt")
    wallet.start_run(SHOP, "sha256d", donation=True)
    wallet.update_run(first, state="stopped", accepted=3, tickets=3)
    runs = wallet.jobs()
    assert [(run.algorithm, run.donation, run.state, run.accepted) for run in runs] == [
        ("sha256d", True, "running", 0),
        ("scrypt", False, "stopped", 3),
    ]


def test_settings_are_kept_and_removed(wallet):
    wallet.set_setting("threads", "2")
    assert wallet.settings() == {"threads": "2"}
    wallet.set_setting("threads", None)
    assert wallet.setting("threads") is None


def test_history_tells_what_happened(wallet):
    receive(wallet, 4)
    wallet.send(SHOP, 4)
    assert [(entry.kind, entry.amount, entry.at) for entry in wallet.history()] == [
        ("sent", 4, NOW),
        ("deposit", 4, NOW),
    ]


def test_tokens_do_not_show_in_a_traceback(wallet):
    [ticket] = receive(wallet, 4)
    assert repr(ticket.token) not in repr(ticket)


def test_no_flask_is_imported():
    code = (
        "import sys, miner, miner.client, miner.payment, miner.wallet; miner.Wallet, miner.TicketAuth, miner.SiteClient;"
        "sys.exit(any(name.split('.')[0] in ('flask', 'werkzeug', 'flask_ticketminer') for name in sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", code], timeout=60, env=dict(os.environ)).returncode == 0


def test_the_fake_epoch_is_current():
    assert EPOCH <= NOW < ONE.issue_until
