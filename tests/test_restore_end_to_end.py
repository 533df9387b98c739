"""Words bring tickets back from a served site, through the library and through the command line."""

from __future__ import annotations

import pathlib
from collections.abc import Callable, Iterator

import pytest
from live import LiveSite, LiveSites, LossyProxy, Person, get, mine, visit

from flask_ticketminer.clock import ManualClock
from miner import Wallet
from miner.dialogue.restore import Restored

EPOCH = 7 * 86400

OpenWallet = Callable[..., Wallet]


@pytest.fixture
def serve(tmp_path: pathlib.Path, manual_clock: ManualClock) -> Iterator[LiveSites]:
    with LiveSites(tmp_path, manual_clock) as sites:
        yield sites


@pytest.fixture
def site(serve: LiveSites, database_url: str) -> LiveSite:
    """A site on each kind of database."""
    return serve(database_url)


@pytest.fixture
def open_wallet(tmp_path: pathlib.Path, manual_clock: ManualClock) -> Iterator[OpenWallet]:
    """Return a function that opens a wallet in a fresh folder, from words if there are any."""
    wallets: list[Wallet] = []

    def make(words: str | None = None, site: str | None = None) -> Wallet:
        path = tmp_path / f"folder-{len(wallets)}" / "wallet.sqlite"
        if words is None:
            wallets.append(Wallet.open(path, clock=manual_clock.now))
        else:
            wallets.append(Wallet.create_from_words(path, words, site, clock=manual_clock.now))
        return wallets[-1]

    yield make
    for wallet in wallets:
        wallet.close()


@pytest.fixture
def wallet(open_wallet: OpenWallet) -> Wallet:
    """A wallet that is going to be lost."""
    return open_wallet()


def restore(site: LiveSite, wallet: Wallet) -> Restored:
    with visit(site.url, wallet) as client:
        return client.restore()


def states(wallet: Wallet) -> set[tuple[bytes, str]]:
    return {(ticket.token, ticket.state) for ticket in wallet.tickets()}


def test_words_alone_bring_back_what_was_mined_and_it_can_be_spent(
    site: LiveSite, wallet: Wallet, open_wallet: OpenWallet
) -> None:
    with visit(site.url, wallet) as client:
        mine(client, tickets=8)
    again = open_wallet(wallet.words())
    assert restore(site, again).value == again.balance() == wallet.balance() == site.unspent()
    assert get(again, site.url + "/report") == (200, "the report")
    assert again.balance() == site.unspent() == wallet.balance() - 3


def test_spent_tickets_are_not_counted_and_change_is(
    site: LiveSite, wallet: Wallet, open_wallet: OpenWallet
) -> None:
    site.fill(wallet, 8)
    assert get(wallet, site.url + "/report")[0] == 200
    again = open_wallet(wallet.words())
    found = restore(site, again)
    assert (found.value, found.spent) == (5, 1)
    assert get(again, site.url + "/pictures/four") == (200, "four")
    assert (again.balance(), site.unspent()) == (1, 1)


def test_exchanged_tickets_come_back_in_their_new_form(
    site: LiveSite, wallet: Wallet, open_wallet: OpenWallet
) -> None:
    site.fill(wallet, 8)
    with visit(site.url, wallet) as client:
        client.exchange(wallet.tickets(), [1, 1, 2, 4])
    again = open_wallet(wallet.words())
    restore(site, again)
    assert sorted(t.value for t in again.tickets() if t.state == "available") == [1, 1, 2, 4]


def test_tickets_of_earlier_epochs_come_back_while_they_can_be_spent(
    site: LiveSite, wallet: Wallet, open_wallet: OpenWallet, manual_clock: ManualClock
) -> None:
    for tickets in (1, 2, 4, 8):
        manual_clock.advance(EPOCH)
        site.fill(wallet, tickets)
    again = open_wallet(wallet.words())
    # They can be spent for two weeks after the week of their making: the oldest has just expired.
    assert restore(site, again).value == again.balance() == wallet.balance() == 2 + 4 + 8
    assert get(again, site.url + "/ticketminer/donate?amount=14")[0] == 200
    assert again.balance() == 0


def test_a_second_restore_changes_nothing(site: LiveSite, wallet: Wallet, open_wallet: OpenWallet) -> None:
    site.fill(wallet, 8)
    get(wallet, site.url + "/report")
    again = open_wallet(wallet.words())
    restore(site, again)
    before = states(again)
    assert restore(site, again).tickets == 0
    assert states(again) == before


def test_a_restored_wallet_mines_on_and_can_be_restored_again(
    site: LiveSite, wallet: Wallet, open_wallet: OpenWallet
) -> None:
    site.fill(wallet, 3)
    second = open_wallet(wallet.words())
    restore(site, second)
    with visit(site.url, second) as client:
        mine(client, tickets=2)
    third = open_wallet(wallet.words())
    restore(site, third)
    assert third.balance() == second.balance() == site.unspent() >= 5


def test_two_wallets_with_the_same_words_do_not_lose_a_ticket(
    site: LiveSite, wallet: Wallet, open_wallet: OpenWallet
) -> None:
    twin = open_wallet(wallet.words())
    for one in (wallet, twin, wallet):
        with visit(site.url, one) as client:
            mine(client, tickets=1)
            client.restore()
    restore(site, twin)
    assert twin.balance() == wallet.balance() == site.unspent() >= 3


def test_one_site_moves_to_another_wallet_by_its_own_words(
    site: LiveSite, serve: LiveSites, wallet: Wallet, open_wallet: OpenWallet
) -> None:
    other = serve(TICKETMINER_SITE_NAME="other.example")
    site.fill(wallet, 4)
    other.fill(wallet, 2)
    taker = open_wallet()
    other.fill(taker, 1)
    taker.restore_words(wallet.site_words(site.url), site.url)
    assert restore(site, taker).value == 4
    assert restore(other, taker).value == 0
    assert get(taker, site.url + "/report") == (200, "the report")
    assert (taker.balance(site.url), taker.balance(other.url)) == (1, 1)


# At the command line


@pytest.fixture
def open_site(tmp_path: pathlib.Path, database_url: str) -> Iterator[LiveSite]:
    """A site that goes by the time of day, as a terminal does."""
    with LiveSites(tmp_path) as sites:
        yield sites(database_url)


@pytest.fixture
def anna(tmp_path: pathlib.Path) -> Person:
    return Person(tmp_path / "anna")


@pytest.fixture
def ben(tmp_path: pathlib.Path) -> Person:
    return Person(tmp_path / "ben")


def test_the_words_that_were_printed_restore_the_wallet_at_another_computer(
    open_site: LiveSite, anna: Person, ben: Person
) -> None:
    assert anna.run("mine", open_site.url, "--tickets", 4, "--duty", 100, "--yes").exit_code == 0
    held = anna.balance()
    words = anna.run("wallet", "words").stdout
    restored = ben.run("wallet", "restore", open_site.url, stdin=words)
    assert f"{held} tickets came back" in restored.stdout
    assert ben.run("get", open_site.url + "/report", "-o", "-").stdout == "the report"
    assert ben.balance() == open_site.unspent() == held - 3


def test_restoring_again_at_the_same_computer_changes_nothing(open_site: LiveSite, anna: Person) -> None:
    with anna.wallet() as wallet:
        open_site.fill(wallet, 5)
    words = anna.run("wallet", "words").stdout
    for _ in range(2):
        assert "0 tickets came back, 5 in all" in anna.run("wallet", "restore", stdin=words).stdout


def test_the_words_of_one_site_bring_only_that_site(open_site: LiveSite, anna: Person, ben: Person) -> None:
    with anna.wallet() as wallet:
        open_site.fill(wallet, 4)
    words = anna.run("wallet", "words", "--site", open_site.url).stdout
    assert len(words.split()) == 24
    assert ben.run("wallet", "restore", stdin=words).exit_code == 6
    assert ben.run("wallet", "restore", "--site", open_site.url, stdin=words).exit_code == 0
    assert ben.balance() == 4
    assert ben.run("wallet", "words").stdout != anna.run("wallet", "words").stdout


def test_words_whose_tickets_are_all_spent_say_so(open_site: LiveSite, anna: Person, ben: Person) -> None:
    with anna.wallet() as wallet:
        open_site.fill(wallet, 2, 1)
    words = anna.run("wallet", "words").stdout
    assert anna.run("get", open_site.url + "/report", "-o", "-").exit_code == 0
    said = ben.run("wallet", "restore", open_site.url, stdin=words).stderr
    assert "has been spent" in said
    assert "Nothing was earned" not in said


def test_the_words_of_one_site_ask_no_other_site(open_site: LiveSite, anna: Person, ben: Person) -> None:
    with anna.wallet() as wallet:
        open_site.fill(wallet, 4)
    words = anna.run("wallet", "words", "--site", open_site.url).stdout
    with ben.wallet() as wallet:
        wallet.restore_words(words, "http://127.0.0.1:9")
    restored = ben.run("wallet", "restore", "--site", open_site.url, stdin=words)
    assert (restored.exit_code, restored.stdout.count("\n")) == (0, 1)
    assert "127.0.0.1:9:" not in restored.stderr


def test_a_wallet_says_which_of_its_tickets_its_words_do_not_bring_back(
    open_site: LiveSite, anna: Person, ben: Person
) -> None:
    with anna.wallet() as wallet:
        open_site.fill(wallet, 4)
    words = anna.run("wallet", "words", "--site", open_site.url).stdout
    assert anna.run("wallet", "restore", "--site", open_site.url, stdin=words).exit_code == 0
    assert "the whole wallet" in anna.run("wallet", "words").stderr
    assert ben.run("wallet", "restore", "--site", open_site.url, stdin=words).exit_code == 0
    said = ben.run("wallet", "words").stderr
    assert "the whole wallet" not in said
    assert f"ticketminer wallet words --site {open_site.url}" in said
    assert ben.run("wallet", "words", "--site", open_site.url).stdout == words


def test_words_repair_a_damaged_wallet_in_its_place(open_site: LiveSite, anna: Person) -> None:
    with anna.wallet() as wallet:
        open_site.fill(wallet, 4)
        words = wallet.words()
    damage = b"scratched" * 1000
    anna.wallet_file.write_bytes(damage)
    restored = anna.run("wallet", "restore", open_site.url, stdin=words)
    assert restored.exit_code == 0
    assert anna.balance() == 4
    assert [file.read_bytes() for file in anna.wallet_file.parent.glob("*.damaged-*")] == [damage]


def test_an_unreachable_site_is_restored_later(open_site: LiveSite, anna: Person, ben: Person) -> None:
    with anna.wallet() as wallet:
        open_site.fill(wallet, 4)
    words = anna.run("wallet", "words").stdout
    restored = ben.run("wallet", "restore", "http://127.0.0.1:9", open_site.url, stdin=words)
    assert (restored.exit_code, ben.balance()) == (3, 4)


# A site that shows another's directory and passes everything on to it


@pytest.fixture
def copycat(open_site: LiveSite) -> Iterator[LossyProxy]:
    with LossyProxy(open_site) as proxy:
        yield proxy


@pytest.fixture
def words(open_site: LiveSite, anna: Person) -> str:
    """The words of somebody with 4 tickets of the site."""
    with anna.wallet() as wallet:
        open_site.fill(wallet, 4)
        return wallet.words()


@pytest.mark.parametrize("first", ["copy", "site"])
def test_a_copy_of_a_site_is_shown_none_of_its_tickets_in_either_order(
    open_site: LiveSite, copycat: LossyProxy, ben: Person, words: str, first: str
) -> None:
    urls = [copycat.url, open_site.url] if first == "copy" else [open_site.url, copycat.url]
    assert ben.run("wallet", "restore", *urls, stdin=words).exit_code == 0
    with ben.wallet() as wallet:
        assert (wallet.balance(copycat.url), wallet.balance(open_site.url)) == (0, 4)


def test_a_wallet_in_use_is_not_emptied_at_a_copy(
    open_site: LiveSite, copycat: LossyProxy, anna: Person, words: str
) -> None:
    assert anna.run("wallet", "restore", copycat.url, stdin=words).exit_code == 0
    assert anna.run("get", copycat.url + "/report", "-o", "-").exit_code == 4
    with anna.wallet() as wallet:
        assert (wallet.balance(copycat.url), wallet.balance(open_site.url)) == (0, 4)


def test_a_site_that_has_moved_gives_back_what_was_earned_at_its_old_address(
    open_site: LiveSite, copycat: LossyProxy, ben: Person, words: str
) -> None:
    nothing = ben.run("wallet", "restore", copycat.url, stdin=words)
    assert "--earned-at" in nothing.stderr
    ben.run("wallet", "restore", copycat.url, "--earned-at", open_site.url, stdin=words)
    assert ben.run("get", copycat.url + "/report", "-o", "-").stdout == "the report"
    assert ben.balance() == open_site.unspent() == 1


def test_an_old_address_needs_one_new_one(ben: Person) -> None:
    assert ben.run("wallet", "restore", "--earned-at", "https://old.example", stdin="").exit_code == 2
