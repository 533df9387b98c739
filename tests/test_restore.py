"""Tickets from words alone."""

from __future__ import annotations

import pytest
from fake_keys import DAY, NOW
from fake_site import Clock, FakeSite, solve

from miner.client import SiteClient
from miner.errors import SiteProtocolError, SiteUnreachable
from miner.wallet import Draft, Wallet
from miner.wallet.outputs import SCAN_GAP

SHOP = "https://shop.example"


@pytest.fixture
def site():
    return FakeSite()


@pytest.fixture
def wallet(tmp_path):
    with Wallet.open(tmp_path / "lost" / "wallet.sqlite", clock=Clock()) as opened:
        yield opened


@pytest.fixture
def revive(tmp_path, wallet):
    """Return a function that makes a new wallet from words."""
    made = []

    def make(words=None, site=None, clock=None):
        path = tmp_path / f"new{len(made)}" / "wallet.sqlite"
        made.append(Wallet.create_from_words(path, words or wallet.words(), site, clock=clock or Clock()))
        return made[-1]

    yield make
    for each in made:
        each.close()


def mine(wallet, site, value=1):
    client = SiteClient(SHOP, wallet, site.client())
    job = client.job(["sha256d"], value=value)
    return client.submit(job, solve(job))


def restore(wallet, site):
    return SiteClient(SHOP, wallet, site.client()).restore()


def deposit(wallet, site, value, count=1):
    return wallet.deposit(SHOP, site.key(value), site.signer(value), count)


def waste(wallet, site, value, count):
    """Use up counters without a signature, as lost requests do."""
    key = site.key(value)
    wallet.begin(Draft("exchange", SHOP, SHOP), lambda _: ((), (key,) * count), lambda i, o: b"")


def test_words_bring_the_balance_back(wallet, site, revive):
    deposit(wallet, site, 8)
    mine(wallet, site, 4)
    restored = restore(revive(), site)
    assert (restored.value, restored.tickets, restored.spent) == (12, 2, 0)


def test_restored_tickets_can_be_spent(wallet, site, revive):
    deposit(wallet, site, 8)
    new = revive()
    restore(new, site)
    client = SiteClient(SHOP, new, site.client())
    assert sum(t.value for t in client.exchange(new.tickets(), [4, 4])) == 8


def test_what_was_spent_does_not_count(wallet, site, revive):
    deposit(wallet, site, 8)
    deposit(wallet, site, 4)
    client = SiteClient(SHOP, wallet, site.client())
    client.exchange([t for t in wallet.tickets() if t.value == 8], [4, 4])
    new = revive()
    restored = restore(new, site)
    assert (restored.value, restored.spent, new.balance()) == (12, 1, 12)


def test_restoring_twice_finds_nothing_new(wallet, site, revive):
    deposit(wallet, site, 8)
    new = revive()
    restore(new, site)
    assert restore(new, site).value == 0
    assert new.balance() == 8


def test_gaps_below_the_limit_are_crossed(wallet, site, revive):
    deposit(wallet, site, 1)
    waste(wallet, site, 1, SCAN_GAP - 1)
    deposit(wallet, site, 1)
    assert restore(revive(), site).value == 2


def test_the_search_ends_after_64_misses_in_a_row(wallet, site, revive):
    deposit(wallet, site, 1)
    waste(wallet, site, 1, SCAN_GAP)
    deposit(wallet, site, 1)
    assert restore(revive(), site).value == 1


def test_counters_continue_above_what_was_found(wallet, site, revive):
    deposit(wallet, site, 1, 5)
    new = revive()
    restore(new, site)
    mine(new, site)
    assert new.balance() == 6
    assert site.issued == 6


def test_a_wallet_can_be_lost_and_restored_again_and_again(wallet, site, revive):
    deposit(wallet, site, 1)
    for earned in range(2, 5):
        new = revive()
        restore(new, site)
        mine(new, site)
        assert new.balance() == earned


def test_a_restore_before_the_first_ticket_does_not_hide_later_ones(wallet, site, revive):
    first = revive()
    for _ in range(3):
        restore(first, site)
    mine(first, site)
    assert restore(revive(), site).value == 1


def test_every_living_epoch_is_searched(wallet, site, revive):
    deposit(wallet, site, 1)
    site.add_epoch(1)
    site.now = NOW + 7 * DAY
    deposit(wallet, site, 2)
    assert restore(revive(clock=Clock(site.now)), site).value == 3


def test_one_site_is_restored_from_its_own_words(wallet, site, revive):
    deposit(wallet, site, 4)
    words = wallet.site_words(SHOP)
    with_site = revive("legal winner thank year wave sausage worth useful legal winner thank yellow")
    with_site.restore_words(words, SHOP)
    assert restore(with_site, site).value == 4


def test_a_wallet_made_from_site_words_mines_on_with_them(wallet, site, revive):
    deposit(wallet, site, 4)
    moved = revive(wallet.site_words(SHOP), SHOP)
    restore(moved, site)
    mine(moved, site)
    assert restore(revive(wallet.site_words(SHOP), SHOP), site).value == 5


def test_an_unanswered_share_that_was_signed_is_restored_once(wallet, site):
    client = SiteClient(SHOP, wallet, site.client())
    job = client.job(["sha256d"])
    site.drop("/ticketminer/submit")
    with pytest.raises(SiteUnreachable):
        client.submit(job, solve(job))
    assert client.restore().value == 1
    client.recover()
    assert wallet.balance() == 1


def test_a_restore_finds_out_that_held_tickets_were_spent_elsewhere(wallet, site, revive):
    deposit(wallet, site, 4)
    other = revive()
    restore(other, site)
    SiteClient(SHOP, other, site.client()).exchange(other.tickets(), [2, 2])
    restore(wallet, site)
    assert [(t.value, t.state) for t in wallet.tickets()] == [
        (2, "available"),
        (2, "available"),
        (4, "spent"),
    ]


def test_no_nonce_is_ever_sent_to_ask_about_it(wallet, site, revive):
    tickets = deposit(wallet, site, 4)
    new = revive()
    restore(new, site)
    assert not any(t.nonce.hex().encode() in body for t in tickets for body in site.bodies)


@pytest.mark.parametrize(
    "answer", [{"signatures": []}, {"signatures": ["A" * 342] * 64}, {}], ids=["few", "false", "none"]
)
def test_a_nonsensical_answer_to_a_restore_is_refused(wallet, site, answer):
    site.rewrite["/ticketminer/restore"] = lambda _: answer
    with pytest.raises(SiteProtocolError):
        restore(wallet, site)
    assert wallet.balance() == 0
