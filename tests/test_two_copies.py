"""Two copies of one wallet file, as a restored backup makes them: they use the same counters, and lose no ticket."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
import typing as t
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
from fake_site import Clock, FakeSite, solve
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from miner.client import SiteClient
from miner.errors import AlreadyDelivered, MinerError, SiteUnreachable
from miner.payment import TicketAuth
from miner.wallet import Wallet

SHOP = "https://shop.example"


class Copies:
    """A site and two copies of one wallet with tickets of it, made when both had `values`.

    :ivar meanwhile: what happens elsewhere just before the next request that moves tickets arrives.
    """

    def __init__(self, folder: Path, *values: int) -> None:
        self.site = FakeSite(denominations=(1, 2, 4, 8))
        self.site.prices["/many"] = (5, None)
        self.meanwhile: Callable[[], object] | None = None
        first = folder / "first" / "wallet.sqlite"
        with Wallet.open(first, clock=Clock()) as wallet:
            SiteClient(SHOP, wallet, self.site.client()).keys()
            for value in values:
                wallet.deposit(SHOP, self.site.key(value), self.site.signer(value), 1)
        shutil.copytree(first.parent, folder / "second")
        self.wallets = [
            Wallet.open(folder / name / "wallet.sqlite", clock=Clock()) for name in ("first", "second")
        ]

    def close(self) -> None:
        for wallet in self.wallets:
            wallet.close()

    def http(self, auth: httpx.Auth | None = None) -> httpx.Client:
        return httpx.Client(transport=httpx.MockTransport(self._handle), auth=auth)

    def client(self, number: int) -> SiteClient:
        return SiteClient(SHOP, self.wallets[number], self.http())

    def get(self, number: int, path: str, headers: dict[str, str] | None = None) -> httpx.Response:
        auth = TicketAuth(self.wallets[number], 30, sleep=lambda _: None)
        return self.http(auth).get(SHOP + path, headers=headers)

    def mine(self, number: int, value: int = 1) -> None:
        client = self.client(number)
        job = client.job(["sha256d"], value=value)
        client.submit(job, solve(job, start=len(self.site.shares) << 20))

    def unspent(self) -> int:
        """Return the value of what the site has signed and not seen again."""
        values = {key_id: key.value for key_id, (key, _) in self.site.keys.items()}
        spent = sum(values[key_id] for key_id, _ in self.site.spent)
        return sum(values[key_id] for key_id in self.site.signed_under.values()) - spent

    def written_off(self) -> list[int]:
        """Return the values of good tickets that a wallet holds for spent."""
        return [
            ticket.value
            for wallet in self.wallets
            for ticket in wallet.tickets()
            if ticket.state == "spent" and (ticket.key_id, ticket.nonce) not in self.site.spent
        ]

    def known(self) -> int:
        """Return the value of the good tickets that the wallets have between them."""
        good = {
            (ticket.key_id, ticket.nonce): ticket.value
            for wallet in self.wallets
            for ticket in wallet.tickets()
            if ticket.state == "available" and (ticket.key_id, ticket.nonce) not in self.site.spent
        }
        return sum(good.values())

    def _handle(self, request: httpx.Request) -> httpx.Response:
        moves = (
            request.url.path in ("/ticketminer/redeem", "/ticketminer/submit")
            or "Authorization" in request.headers
        )
        if moves and self.meanwhile is not None:
            elsewhere, self.meanwhile = self.meanwhile, None
            elsewhere()
        return self.site.handle(request)


@pytest.fixture
def copies(tmp_path: Path) -> Iterator[Callable[..., Copies]]:
    made: list[Copies] = []

    def make(*values: int) -> Copies:
        made.append(Copies(tmp_path, *values))
        return made[-1]

    yield make
    for each in made:
        each.close()


def give_away_what_is_spent(pair: Copies, number: int) -> None:
    """Let a copy choose other tickets than those that the other one has spent."""
    wallet = pair.wallets[number]
    for ticket in wallet.tickets():
        if (ticket.key_id, ticket.nonce) in pair.site.spent:
            with wallet._store.write() as connection:
                connection.execute("UPDATE tickets SET state = 'given' WHERE nonce = ?", (ticket.nonce,))


@pytest.mark.parametrize(("path", "rest"), [("/report", 10), ("/many", 6)])
def test_an_output_signed_for_the_other_copy_is_skipped_and_the_page_paid_for(
    copies: Callable[..., Copies], path: str, rest: int
) -> None:
    pair = copies(8, 8)
    assert pair.get(0, path).status_code == 200
    give_away_what_is_spent(pair, 1)
    assert pair.get(1, path).status_code == 200
    assert pair.wallets[1].balance() == pair.unspent() == rest
    assert pair.written_off() == []


def test_a_page_redeemed_for_a_pass_is_paid_for_as_well(copies: Callable[..., Copies]) -> None:
    pair = copies(8, 8)
    own = {"Authorization": "Basic b3duOm93bg=="}
    assert pair.get(0, "/report", headers=own).status_code == 200
    give_away_what_is_spent(pair, 1)
    assert pair.get(1, "/report", headers=own).status_code == 200
    assert pair.wallets[1].balance() == pair.unspent() == 10
    assert pair.site.counted("/ticketminer/redeem") == 3


def test_an_exchange_whose_outputs_the_other_copy_has_is_made_with_others(
    copies: Callable[..., Copies],
) -> None:
    pair = copies(8, 8)
    pair.client(0).exchange(pair.wallets[0].tickets()[:1], [4, 4])
    second = pair.wallets[1].tickets()[1]
    assert sum(t.value for t in pair.client(1).exchange([second], [4, 4])) == 8
    assert pair.wallets[1].balance() == 8 + 8 + 8
    assert pair.written_off() == []


def test_a_lost_exchange_does_not_write_off_what_the_other_copy_did_not_spend(
    copies: Callable[..., Copies],
) -> None:
    pair = copies(8, 8)
    pair.site.vanish("/ticketminer/redeem")
    with pytest.raises(SiteUnreachable):
        pair.client(1).exchange(pair.wallets[1].tickets()[1:], [4, 4])
    pair.client(0).exchange(pair.wallets[0].tickets()[:1], [4, 4])
    pair.client(1).recover()
    assert pair.written_off() == []
    assert pair.known() == pair.unspent() == 16


def test_a_split_goes_on_with_other_tickets_when_the_other_copy_has_spent_its_choice(
    copies: Callable[..., Copies],
) -> None:
    pair = copies(8, 4)
    assert pair.get(0, "/report").status_code == 200
    pair.client(1).make_exact(3)
    assert (pair.wallets[1].balance(), pair.unspent(), pair.written_off()) == (9, 9, [])


def test_a_split_goes_on_with_other_tickets_when_another_program_takes_its_choice(
    copies: Callable[..., Copies],
) -> None:
    pair = copies(8, 4)
    paid: list[int] = []

    def handle(request: httpx.Request) -> httpx.Response:
        if request.url.path == "/ticketminer/" and not paid:
            paid.append(0)
            paid[0] = pair.get(0, "/report").status_code
        return pair.site.handle(request)

    client = SiteClient(SHOP, pair.wallets[0], httpx.Client(transport=httpx.MockTransport(handle)))
    client.make_exact(3)
    assert (paid, pair.wallets[0].balance(), pair.unspent()) == ([200], 9, 9)


def test_the_same_payment_by_both_copies_is_not_made_twice_in_silence(copies: Callable[..., Copies]) -> None:
    pair = copies(8)
    assert pair.get(0, "/report").status_code == 200
    with pytest.raises(AlreadyDelivered, match="another copy"):
        pair.get(1, "/report")
    assert pair.wallets[1].balance() == pair.unspent() == 5


def test_what_the_site_calls_spent_without_listing_it_is_kept_until_it_does(
    copies: Callable[..., Copies],
) -> None:
    pair = copies(8, 8)
    listed = dict(pair.site.spent)
    pair.get(0, "/many")
    spent, pair.site.list_of = pair.site.spent, listed
    assert pair.get(1, "/many").status_code == 200
    assert sorted(ticket.state for ticket in pair.wallets[1].tickets() if ticket.value == 8) == [
        "pending",
        "spent",
    ]
    pair.site.list_of = spent
    pair.client(1).recover()
    assert pair.written_off() == []
    assert pair.known() == pair.unspent()


# Anything, in any order

ACTIONS: dict[str, Callable[[Copies, int], object]] = {
    "mine": lambda pair, number: pair.mine(number),
    "mine 4": lambda pair, number: pair.mine(number, 4),
    "pay": lambda pair, number: pair.get(number, "/report"),
    "pay by redeem": lambda pair, number: pair.get(number, "/big"),
    "join": lambda pair, number: pair.client(number).join(),
    "split": lambda pair, number: pair.client(number).make_exact(3),
    "recover": lambda pair, number: pair.client(number).recover(),
}
PATHS = ("/ticketminer/redeem", "/ticketminer/submit", "/report", "/ticketminer/restore")
STEP = st.tuples(
    st.sampled_from(sorted(ACTIONS)),
    st.integers(0, 1),
    st.none() | st.sampled_from(sorted(ACTIONS)),
    st.none() | st.tuples(st.sampled_from(("drop", "vanish")), st.sampled_from(PATHS)),
)


def attempt(pair: Copies, name: str, number: int) -> None:
    with contextlib.suppress(MinerError, httpx.TransportError):
        ACTIONS[name](pair, number)


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(STEP, min_size=1, max_size=8))
def test_two_copies_in_turn_and_at_once_never_lose_a_ticket(steps: list[t.Any]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        pair = Copies(Path(folder), 8, 8, 4, 1)
        for name, number, elsewhere, fault in steps:
            if fault is not None:
                getattr(pair.site, fault[0])(fault[1])
            if elsewhere is not None:
                pair.meanwhile = lambda name=elsewhere, number=1 - number: attempt(pair, name, number)
            attempt(pair, name, number)
            pair.meanwhile = None
            pair.site.faults.clear()
            assert pair.written_off() == []
        for number in (0, 1):
            assert pair.client(number).recover().pending == 0
        assert pair.written_off() == []
        assert pair.known() == pair.unspent()
        for number in (0, 1):
            pair.client(number).restore()
            assert pair.wallets[number].balance() == pair.unspent()
        pair.close()
