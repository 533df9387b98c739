"""Whatever happens to the page's wallet happens to Python's: both hold the same after every step."""

from __future__ import annotations

import itertools
import os
import pathlib
import tempfile
import typing as t
from collections.abc import Callable

import pytest
from browsers import Browser
from fake_keys import private_key, sign, ticket_key
from fake_site import Clock
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test
from purses import SHOP
from wallet_page import SEED, Page, Refusal, Row, entry, serving, signature

from miner.errors import NotEnoughTickets, TicketsTaken
from miner.wallet import Draft, HeldTicket, PendingRequest, Wallet
from miner.wallet.outputs import SCAN_GAP, complete, derive
from miner.wallet.seed import to_words

KEYS = [ticket_key(1), ticket_key(4)]
SEEDS = [bytes.fromhex(SEED), b"\xcd" * 32]
EXAMPLES = int(os.environ.get("TICKETMINER_EXAMPLES", "12"))
STEPS = 25
numbers = itertools.count()

some_keys = st.lists(st.sampled_from(KEYS), max_size=4)
chances = st.randoms(use_true_random=False)
T = t.TypeVar("T")


class Twins(RuleBasedStateMachine):
    """`purse` is the wallet of Python, `page` that of the page; `late` are answered requests, in both forms."""

    page: Page

    @initialize()
    def begin_anew(self) -> None:
        self.folder = tempfile.TemporaryDirectory()
        self.purse = Wallet.open(pathlib.Path(self.folder.name) / "w" / "wallet.sqlite", clock=Clock())
        self.purse.restore_words(to_words(SEEDS[0]), SHOP)
        self.purse.pin(SHOP, KEYS)
        self.page("await open(args[0], args[1])", SEED, f"model {next(numbers)}")
        self.page.pin(*KEYS)
        self.late: list[tuple[PendingRequest, Row]] = []
        self.given: list[HeldTicket] = []

    @rule(keys=some_keys, chance=chances, label=st.sampled_from(["mined", "donated"]))
    def ask(self, keys: list[t.Any], chance: t.Any, label: str) -> None:
        """Take some free tickets, or now and then one that is not free."""
        wanted = "available" if chance.random() < 0.9 else "pending"
        inputs = _some(chance, [ticket for ticket in self.purse.tickets() if ticket.state == wanted])
        # A request without anything is a donated share.
        draft = Draft(
            "exchange", SHOP, SHOP + "/redeem", amount=0 if keys else 3, resource="GET /", label=label
        )
        self.both(
            lambda: self.purse.begin(
                draft, lambda _: (inputs, keys), lambda i, o: b"%d for %d" % (len(i), len(o))
            ),
            lambda: self.page.ask(
                *keys,
                nonces=[_hex(ticket.nonce) for ticket in inputs],
                amount=draft.amount,
                resource="GET /",
                label=label,
            ),
        )

    @rule(chance=chances)
    def settle(self, chance: t.Any) -> None:
        for mine, its in self.pick(chance):
            signed = [sign(private_key(output.key.value), output.blinded_message) for output in mine.outputs]
            filed = [_ticket(ticket) for ticket in self.purse.settle(mine, signed)]
            found = self.page(
                "await wallet.settle(revive(args[0]), args[1].map((text) => fromHex(text)))",
                its,
                [signature(output) for output in its["outputs"]],
            )
            assert sorted(filed) == sorted(map(_row, found))

    @rule(chance=chances)
    def refuse(self, chance: t.Any) -> None:
        for mine, its in self.pick(chance):
            spent = [ticket.nonce for ticket in _some(chance, mine.inputs)]
            signed = [output.blinded_message for output in _some(chance, mine.outputs)]
            self.purse.release(mine, "refused", spent=spent, signed=signed)
            known = {"spent": [*map(_hex, spent)], "signed": [*map(_hex, signed)]}
            self.page("await wallet.release(revive(args[0]), 'refused', args[1])", its, known)

    @rule(key=st.sampled_from(KEYS), chance=chances)
    def mark(self, key: t.Any, chance: t.Any) -> None:
        spent = {ticket.nonce for ticket in _some(chance, self.purse.tickets())}
        gone = self.page(
            "await wallet.markSpent(key(args[0]), (nonce) => args[1].includes(nonce))",
            entry(key),
            [*map(_hex, spent)],
        )
        assert gone == self.purse.mark_spent(SHOP, key, spent.__contains__)

    @rule(amount=st.integers(1, 9))
    def give(self, amount: int) -> None:
        before = {ticket.nonce for ticket in self.purse.tickets() if ticket.state == "given"}
        self.both(
            lambda: self.purse.send(SHOP, amount), lambda: self.page("await wallet.give(args[0])", amount)
        )
        now = [ticket for ticket in self.purse.tickets() if ticket.state == "given"]
        self.given = [ticket for ticket in now if ticket.nonce not in before]

    @rule(chance=chances)
    def take_back(self, chance: t.Any) -> None:
        inputs = _some(chance, self.given)
        draft = Draft("exchange", SHOP, SHOP + "/redeem", label="received")
        self.both(
            lambda: self.purse.begin(
                draft, lambda _: (inputs, []), lambda i, o: b"%d for %d" % (len(i), len(o)), adopt=True
            ),
            lambda: self.page.ask(
                nonces=[_hex(ticket.nonce) for ticket in inputs], label="received", options={"adopt": True}
            ),
        )

    @rule(
        key=st.sampled_from(KEYS),
        seed=st.sampled_from(SEEDS),
        skipped=st.integers(0, SCAN_GAP),
        chance=chances,
    )
    def restore(self, key: t.Any, seed: bytes, skipped: int, chance: t.Any) -> None:
        start = self.purse.counter(seed, key)
        found = {}
        for counter in _some(chance, range(max(0, start - 3), start + 1)):
            output = derive(seed, key, counter)
            found[counter] = complete(output, sign(private_key(key.value), output.blinded_message))
        spent = {token.nonce for token in _some(chance, [*found.values()])}
        new, gone = self.purse.file_restored(SHOP, seed, key, found, start + skipped, spent.__contains__)
        filed = self.page(
            "await wallet.fileRestored(fromHex(args[0]), key(args[1]),"
            " new Map(args[2].map(([n, token]) => [n, fromHex(token)])), args[3], (nonce) => args[4].includes(nonce))",
            seed.hex(),
            entry(key),
            [[counter, token.to_bytes().hex()] for counter, token in found.items()],
            start + skipped,
            [*map(_hex, spent)],
        )
        assert filed == {"added": new, "gone": gone}

    @rule(seed=st.sampled_from(SEEDS))
    def use_words(self, seed: bytes) -> None:
        self.purse.restore_words(to_words(seed), SHOP)
        self.page("await wallet.useSeed(fromHex(args[0]))", seed.hex())

    @invariant()
    def hold_the_same(self) -> None:
        if not hasattr(self, "purse"):
            return
        state = self.page(
            "({tickets: await wallet.tickets(), open: await wallet.unanswered(), history: await wallet.history(),"
            " counters: await Promise.all(args[0].flatMap((seed) => args[1].map(async (k) =>"
            " [seed, k, await wallet.counter(fromHex(seed), await wallet.key(k))]))), balance: await wallet.balance()})",
            [seed.hex() for seed in SEEDS],
            [_hex(key.key_id) for key in KEYS],
        )
        assert sorted(map(_row, state["tickets"])) == sorted(map(_ticket, self.purse.tickets()))
        assert [_facts(its) for its in state["open"]] == [_request(mine) for mine in self.purse.unanswered()]
        assert state["balance"] == self.purse.balance()
        assert [(note["kind"], note["amount"], note["detail"]) for note in state["history"]] == [
            (note.kind, note.amount, note.detail) for note in self.purse.history()
        ]
        for seed, key_id, counter in state["counters"]:
            [key] = [key for key in KEYS if _hex(key.key_id) == key_id]
            assert counter == self.purse.counter(bytes.fromhex(seed), key)

    def teardown(self) -> None:
        self.page("wallet.close()")
        self.purse.close()
        self.folder.cleanup()

    def pick(self, chance: t.Any) -> t.Iterator[tuple[PendingRequest, Row]]:
        """Yield an unanswered request as both wallets have it, or one that is answered, if there are any."""
        pairs = [*zip(self.purse.unanswered(), self.page.unanswered(), strict=True)]
        if self.late and chance.random() < 0.2:
            yield chance.choice(self.late)
        elif pairs:
            self.late.append(chance.choice(pairs))
            yield self.late[-1]

    def both(self, mine: Callable[[], object], its: Callable[[], object]) -> None:
        """Let both do it, or both refuse it."""
        try:
            mine()
        except (TicketsTaken, NotEnoughTickets) as error:
            with pytest.raises(Refusal, match=type(error).__name__):
                its()
        else:
            its()


def _some(chance: t.Any, items: t.Sequence[T]) -> list[T]:
    return t.cast(list[T], chance.sample(list(items), chance.randint(0, min(3, len(items)))))


def _hex(data: bytes) -> str:
    return data.hex()


def _ticket(ticket: HeldTicket) -> tuple[object, ...]:
    return _hex(ticket.nonce), _hex(ticket.key_id), ticket.value, ticket.state, _hex(ticket.token)


def _row(row: Row) -> tuple[object, ...]:
    return tuple(row[name] for name in ("nonce", "keyId", "value", "state", "token"))


def _request(mine: PendingRequest) -> list[object]:
    inputs = sorted(_hex(ticket.nonce) for ticket in mine.inputs)
    outputs = [
        [_hex(o.key.key_id), o.counter, _hex(o.blinded_message), _hex(o.nonce), f"{o.inverse:0512x}"]
        for o in mine.outputs
    ]
    return [mine.kind, mine.amount, mine.resource, mine.label, _hex(mine.body), inputs, outputs]


def _facts(its: Row) -> list[object]:
    inputs = sorted(ticket["nonce"] for ticket in its["inputs"])
    outputs = [
        [o["key"]["keyId"], *(o[name] for name in ("counter", "blindedMessage", "nonce", "inverse"))]
        for o in its["outputs"]
    ]
    return [its["kind"], its["amount"], its["resource"], its["label"], its["body"], inputs, outputs]


def test_both_wallets_hold_the_same_after_every_step(chromium: Browser) -> None:
    with serving() as url, chromium.profile() as profile:
        page = Page(profile, url)

        class InThePage(Twins):
            pass

        InThePage.page = page
        run_state_machine_as_test(
            InThePage,
            settings=settings(
                max_examples=EXAMPLES,
                stateful_step_count=STEPS,
                derandomize="TICKETMINER_EXAMPLES" not in os.environ,
                database=None,
                deadline=None,
                suppress_health_check=list(HealthCheck),
            ),
        )
