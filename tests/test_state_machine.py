"""Wallet and server together: no sequence of requests, losses and restarts makes a ticket or loses one.

``TICKETMINER_EXAMPLES=2000 python -m pytest tests/test_state_machine.py`` tries more of them.
"""

from __future__ import annotations

import os
import pathlib
import shutil
import tempfile
import typing as t

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    initialize,
    invariant,
    multiple,
    rule,
    run_state_machine_as_test,
)
from money_world import FAULTS, ORIGIN, Fault, Purse, World, quietly

from miner.tokens import b64url, decode_json, unb64url
from miner.wallet.transfer import decode_tickets

EXAMPLES = int(os.environ.get("TICKETMINER_EXAMPLES", "100"))
STEPS = 30
DAY = 86400

wallets = st.sampled_from((0, 1))
faults = st.sampled_from(FAULTS)


class Money(RuleBasedStateMachine):
    """Everything that visitors, the line and the operator can do."""

    template: t.ClassVar[pathlib.Path | None] = None
    gifts: Bundle[str] = Bundle("gifts")

    def __init__(self) -> None:
        super().__init__()
        fast = "/dev/shm" if pathlib.Path("/dev/shm").is_dir() else None
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="ticketminer-", dir=fast))
        self.world = World(self.folder, self.template)

    def teardown(self) -> None:
        for purse in self.world.purses:
            self.recover(self.world.purses.index(purse))
        self.world.check()
        self.world.audit()
        self.world.close()
        shutil.rmtree(self.folder)

    def purse(self, at: int, fault: Fault = "none") -> Purse:
        self.world.line.fault = fault
        self.world.line.broken = False
        return self.world.purses[at]

    def moved(self, *allowed: int) -> None:
        """Check that circulation has changed by one of `allowed`, or not at all where a request went astray."""
        self.world.line.fault = "none"
        change = self.world.circulating() - self.world.circulated
        assert change in allowed or (self.world.line.broken and change == 0), (change, allowed)

    @initialize(at=wallets)
    def begin(self, at: int) -> None:
        """Nobody starts with nothing: most rules need tickets."""
        for value in (8, 4, 1):
            self.world.mine(self.world.purses[at], value)

    @rule(at=wallets, value=st.sampled_from((1, 2, 4, 16)), fault=faults)
    def mine(self, at: int, value: int, fault: Fault) -> None:
        purse = self.purse(at, fault)
        refused = quietly(lambda: self.world.mine(purse, value))
        self.moved(value) if refused is None else self.moved(0, value)

    @rule(at=wallets, fault=faults)
    def mine_for_a_fund(self, at: int, fault: Fault) -> None:
        purse = self.purse(at, fault)
        quietly(lambda: self.world.mine(purse, 2, donate=True))
        self.moved(0)

    @rule(
        at=wallets,
        page=st.sampled_from(
            (("/once", 1), ("/report", 3), ("/pictures/four", 4), ("/moved", 1), ("/premium/a", 2))
        ),
        by_redeem=st.booleans(),
        fault=faults,
    )
    def pay(self, at: int, page: tuple[str, int], by_redeem: bool, fault: Fault) -> None:
        path, price = page
        purse = self.purse(at, fault)
        quietly(lambda: purse.get(path, by_redeem=by_redeem))
        # An earlier payment may be resumed, or its pass be used; and a lost one may be taken up on the way.
        self.moved(0, -price)

    @rule(at=wallets, path=st.sampled_from(("/broken/404", "/broken/500", "/raises")), fault=faults)
    def pay_for_a_view_that_fails(self, at: int, path: str, fault: Fault) -> None:
        purse = self.purse(at, fault)
        quietly(lambda: purse.get(path))
        # With too much change for a header it was paid by redeem, and the pass is left, or on its way.
        name = f"GET {path}"
        on_its_way = any(request.resource == name for request in purse.wallet.unanswered(kind="payment"))
        left = on_its_way or purse.wallet.find_pass(ORIGIN, name) is not None
        self.moved(0, -1) if left else self.moved(0)

    @rule(at=wallets, amount=st.integers(2, 6), fault=faults)
    def donate(self, at: int, amount: int, fault: Fault) -> None:
        purse = self.purse(at, fault)
        quietly(lambda: purse.get(f"/ticketminer/donate?amount={amount}&fund=articles"))
        self.moved(0, -amount)

    @rule(
        at=wallets, what=st.sampled_from(("join", "renew", "exact")), amount=st.integers(1, 7), fault=faults
    )
    def exchange(self, at: int, what: str, amount: int, fault: Fault) -> None:
        client = self.purse(at, fault).client
        quietly(
            {"join": client.join, "renew": client.renew, "exact": lambda: client.make_exact(amount)}[what]
        )
        self.moved(0)

    @rule(at=wallets, amount=st.integers(1, 5), target=gifts, fault=faults)
    def give(self, at: int, amount: int, fault: Fault) -> t.Any:
        purse = self.purse(at, fault)
        texts: list[str] = []
        quietly(lambda: texts.append(purse.client.send(amount)))
        self.world.given |= {token.nonce for text in texts for token in decode_tickets(text)[1]}
        self.moved(0)
        return multiple(*texts)

    @rule(at=wallets, gift=gifts, fault=faults)
    def receive(self, at: int, gift: str, fault: Fault) -> None:
        purse = self.purse(at, fault)
        nonces = {token.nonce for token in decode_tickets(gift)[1]}
        # A giver's wallet that was restored since has them already.
        nonces -= {ticket.nonce for ticket in purse.held("available")}
        before = purse.wallet.balance()
        refused = quietly(lambda: purse.client.receive(gift))
        self.moved(0)
        if refused is None:
            assert purse.wallet.balance() == before + sum(self.world.worth[nonce] for nonce in nonces)

    @rule(at=wallets, gift=gifts, fault=faults)
    def change_a_gift(self, at: int, gift: str, fault: Fault) -> None:
        """A ticket with a wrong byte is nobody's."""
        prefix, _, text = gift.partition(".")
        members = decode_json(unb64url(text))
        token = bytearray(unb64url(members["tickets"][0]))
        token[-1] ^= 1
        members["tickets"][0] = b64url(bytes(token))
        spoilt = f"{prefix}." + b64url(str(members).replace("'", '"').encode())
        purse = self.purse(at, fault)
        assert quietly(lambda: purse.client.receive(spoilt)) is not None
        self.moved(0)

    @rule(at=wallets)
    def recover(self, at: int) -> None:
        purse = self.purse(at)
        quietly(purse.client.recover)
        # What had not arrived may earn or pay now; the invariant says whether that adds up.
        self.world.recovered(purse)

    @rule(at=st.integers(0, 40))
    def repeat_a_request(self, at: int) -> None:
        """What was answered once changes nothing when it comes again."""
        if self.world.line.answered:
            self.purse(0)
            request = self.world.line.answered[-1 - at % len(self.world.line.answered)]
            self.world.line.deliver(request)
            self.moved(0)

    @rule(seconds=st.sampled_from((1, 31, 121, 601, 901, 7200, DAY + 1, 3 * DAY, 8 * DAY, 16 * DAY)))
    def wait(self, seconds: int) -> None:
        self.world.clock.advance(seconds)

    @rule()
    def prune(self) -> None:
        self.purse(0)
        self.world.prune()
        self.moved(0)

    @rule()
    def restart_the_site(self) -> None:
        self.purse(0)
        self.world.restart_site()
        self.moved(0)

    @rule(at=wallets)
    def restart_a_wallet(self, at: int) -> None:
        purse = self.world.purses[at]
        before = purse.wallet.tickets(), purse.wallet.unanswered()
        self.world.restart_wallet(purse)
        assert (purse.wallet.tickets(), purse.wallet.unanswered()) == before

    @rule(at=wallets)
    def lose_a_wallet_and_restore_it(self, at: int) -> None:
        """The words bring back all that can be spent, what was given away unclaimed and what was in flight included."""
        purse = self.purse(at)
        now = self.world.clock.now()
        self.world.look()
        own = {
            ticket.nonce
            for ticket in purse.held("available", "pending", "given")
            if ticket.redeem_until > now and ticket.nonce not in self.world.spent
        }
        back = self.world.restored(self.world.restore_wallet(at))
        # A gift on its way in is another wallet's until it is exchanged.
        assert own - self.world.spent - self.world.given <= back, "words lost a ticket"
        self.moved(0)

    @invariant()
    def value_is_neither_made_nor_lost(self) -> None:
        self.world.check()


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """A site's database with its first keys: making them takes longer than a whole example."""
    folder = tmp_path_factory.mktemp("template")
    world = World(folder)
    world.purses[0].client.keys()
    world.close()
    return folder / "site.sqlite"


def test_no_sequence_of_requests_makes_or_loses_a_ticket(template: pathlib.Path) -> None:
    class OnTemplate(Money):
        pass

    OnTemplate.template = template
    run_state_machine_as_test(
        OnTemplate,
        settings=settings(
            max_examples=EXAMPLES,
            stateful_step_count=STEPS,
            derandomize="TICKETMINER_EXAMPLES" not in os.environ,
            database=None,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
