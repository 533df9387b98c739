"""Directories that are too large, that mark visitors, or that are another site's, against the visitor's wallet."""

from __future__ import annotations

import dataclasses

import pytest
from fake_keys import EPOCH, NOW, private_key, ticket_key
from fake_site import FakeSite, solve
from purses import SHOP, available

from miner.client import SiteClient
from miner.errors import KeyMismatch, SiteProtocolError
from miner.service import MAX_KEYS, TicketKey
from miner.wallet import Wallet
from miner.wallet.seed import seed_name

EVIL = "https://evil.example"


# Directories without measure


def test_epochs_that_overlap_are_refused(wallet, site, fund) -> None:
    fund(1)
    shifted = dataclasses.replace(
        ticket_key(1, variant=1), not_before=EPOCH + 86_400, issue_until=EPOCH + 8 * 86_400
    )
    site.add_key(shifted, private_key(1, 0, 1))
    with pytest.raises(KeyMismatch, match="second key"):
        SiteClient(SHOP, wallet, site.client()).keys(refresh=True)


def test_an_overlap_with_a_key_that_is_no_longer_shown_is_refused(wallet) -> None:
    wallet.pin(SHOP, [ticket_key(1)])
    shifted = dataclasses.replace(
        ticket_key(1, variant=1), not_before=EPOCH - 86_400, issue_until=EPOCH + 86_400
    )
    with pytest.raises(KeyMismatch, match="second key"):
        wallet.pin(SHOP, [shifted])


def test_an_epoch_of_an_odd_second_is_refused(wallet, site) -> None:
    odd = dataclasses.replace(ticket_key(1, variant=1), not_before=EPOCH + 7 * 86_400 + 1)
    site.add_key(dataclasses.replace(odd, issue_until=EPOCH + 14 * 86_400), private_key(1, 0, 1))
    with pytest.raises(SiteProtocolError, match="midnight"):
        SiteClient(SHOP, wallet, site.client()).keys()


def days_of_keys(first: int, count: int, redeem_until: int) -> list[TicketKey]:
    """Return a key a day from day number `first` after the epoch's; the wallet looks at their ids, not into them."""
    start = EPOCH + first * 86_400
    return [
        dataclasses.replace(
            ticket_key(1),
            key_id=day.to_bytes(32, "big"),
            not_before=start + day * 86_400,
            issue_until=start + (day + 1) * 86_400,
            redeem_until=redeem_until,
        )
        for day in range(count)
    ]


def test_a_site_may_have_so_many_keys_and_no_more(wallet) -> None:
    keys = days_of_keys(0, MAX_KEYS + 1, NOW + 10_000 * 86_400)
    wallet.pin(SHOP, keys[:MAX_KEYS])
    with pytest.raises(KeyMismatch, match="512"):
        wallet.pin(SHOP, keys)
    assert len(wallet.keys(SHOP)) == MAX_KEYS


def test_keys_that_have_expired_do_not_pile_up(wallet, clock) -> None:
    for _ in range(3):
        wallet.pin(SHOP, days_of_keys(-500, 400, clock.now + 1))
        clock.now += 31 * 86_400
        wallet.pin(SHOP, days_of_keys(-500, 400, clock.now))
    wallet.pin(SHOP, [dataclasses.replace(ticket_key(1), redeem_until=clock.now + 1)])
    assert len(wallet.keys(SHOP)) == 1


# A site that republishes another's directory and relays its answers


@pytest.fixture
def copycat(site):
    """EVIL, which shows SHOP's name and keys, and has SHOP sign and restore for it."""
    evil = FakeSite(EVIL, name=site.name)
    evil.keys, evil.signed, evil.spent = site.keys, site.signed, site.spent
    return evil


@pytest.fixture
def from_words(tmp_path, clock, wallet):
    """A new wallet with the words of one that has tickets of SHOP."""
    with Wallet.create_from_words(tmp_path / "n" / "wallet.sqlite", wallet.words(), clock=clock) as opened:
        yield opened


def test_words_bring_no_tickets_to_a_site_that_copies_another(copycat, site, fund, from_words) -> None:
    fund(4, 8)
    assert SiteClient(EVIL, from_words, copycat.client()).restore().tickets == 0
    assert SiteClient(SHOP, from_words, site.client()).restore().value == 12
    assert (from_words.balance(EVIL), from_words.balance(SHOP)) == (0, 12)


def test_a_copy_of_a_known_directory_is_refused(copycat, wallet, fund) -> None:
    fund(4)
    with pytest.raises(KeyMismatch, match=r"keys of https://shop\.example"):
        SiteClient(EVIL, wallet, copycat.client()).restore()
    assert (available(wallet), wallet.balance(EVIL)) == ([4], 0)


def test_a_copy_that_was_seen_first_does_not_keep_from_the_real_site(copycat, site, wallet) -> None:
    copy = SiteClient(EVIL, wallet, copycat.client())
    copy.keys()
    SiteClient(SHOP, wallet, site.client()).keys()
    with pytest.raises(KeyMismatch):
        copy.keys(refresh=True)


def test_work_for_a_copy_is_not_paid_with_ones_own_tickets(copycat, site, wallet, fund, from_words) -> None:
    fund(1)
    client = SiteClient(EVIL, from_words, copycat.client())
    job = client.job(["sha256d"])
    assert client.submit(job, solve(job)).accepted
    assert {ticket.token for ticket in from_words.tickets()}.isdisjoint(
        ticket.token for ticket in wallet.tickets()
    )


def test_the_words_of_a_copy_are_not_those_of_the_site(copycat, site, wallet) -> None:
    SiteClient(EVIL, wallet, copycat.client()).keys()
    SiteClient(SHOP, wallet, site.client()).keys()
    assert wallet.site_words(EVIL) != wallet.site_words(SHOP)


@pytest.mark.parametrize(
    "origin", ["http://shop.example", "https://shop.example:8443", "https://www.shop.example"]
)
def test_a_name_belongs_to_one_address(origin: str) -> None:
    assert seed_name(SHOP, "shop.example") == "shop.example"
    assert seed_name(origin, "shop.example") == origin


@pytest.mark.parametrize(
    ("origin", "name"),
    [("https://a.example:8443", "a.example:8443"), ("http://abc.onion", "abc.onion"), (SHOP, "Shop.Example")],
)
def test_a_host_and_its_port_are_a_name(origin: str, name: str) -> None:
    assert seed_name(origin, name) == name


def test_an_address_that_the_site_lists_shows_its_keys_too(copycat, site, wallet, fund) -> None:
    site.origins = [EVIL]
    SiteClient(SHOP, wallet, site.client()).service()
    fund(4)
    mirror = SiteClient(EVIL, wallet, copycat.client())
    job = mirror.job(["sha256d"])
    assert mirror.submit(job, solve(job)).accepted
    assert (wallet.balance(SHOP), wallet.balance(EVIL)) == (4, 1)


def test_the_visitor_may_say_that_two_addresses_are_one_site(copycat, site, fund, from_words) -> None:
    fund(4)
    mirror = SiteClient(EVIL, from_words, copycat.client())
    assert mirror.restore(earned_at=[SHOP + "/"]).value == from_words.balance(EVIL) == 4


def test_a_site_that_has_moved_mines_on_with_its_seed(copycat, site, wallet, fund, from_words) -> None:
    fund(4)
    wallet.move(SHOP, EVIL)
    moved = SiteClient(EVIL, wallet, copycat.client())
    job = moved.job(["sha256d"])
    moved.submit(job, solve(job))
    assert SiteClient(EVIL, from_words, copycat.client()).restore(earned_at=[SHOP]).value == 5
