"""What is right and what is wrong, decided from records alone: pure functions, which ``test_torture.py`` feeds with lies."""

from __future__ import annotations

import typing as t
from collections import Counter, defaultdict
from dataclasses import dataclass, field

from torture_spenders import Answer
from torture_till import Blank, Coin
from torture_visitors import Holdings
from torture_world import Books

ALLOWED = frozenset(
    {
        "ticket-spent",
        "ticket-in-use",
        "in-progress",
        "already-delivered",
        "pass-invalid",
        "view-failed",
        "payment-released",
    }
)
"""The only causes for which a request may be refused while everybody spends the same tickets.

``already-delivered`` brings the receipt of one's own payment; ``pass-invalid`` is a pass for one use that was used before;
``view-failed`` is a view that fails on purpose, and ``payment-released`` what a late copy of that request is told.
"""
DECIDED = frozenset({"ticket-spent", "view-failed", "payment-released"})
"""Causes after which a credential need not have been granted."""
BUSY = frozenset({"database-busy"})
"""503 with ``Retry-After``: counted apart, and repeated until it is decided."""


@dataclass(frozen=True)
class Credential:
    """One payment or exchange as it was made out, whoever sent it and however often.

    :ivar price: 0 for an exchange.
    :ivar once: whether what it pays for is delivered once.
    :ivar effect: name of the effect that it buys.
    """

    coins: tuple[Coin, ...]
    price: int
    blanks: tuple[Blank, ...] = ()
    once: bool = True
    effect: str | None = None


@dataclass
class Verdict:
    """What a round showed.

    :ivar problems: sentences; none when everything held.
    :ivar lost, doubled: numbers of tickets or outputs that vanished, and that were paid out twice.
    :ivar winners: numbers of the credentials that took their tickets.
    :ivar received: tickets that came as change.
    """

    problems: list[str] = field(default_factory=list)
    lost: int = 0
    doubled: int = 0
    winners: list[int] = field(default_factory=list)
    received: list[Coin] = field(default_factory=list)
    causes: Counter[str] = field(default_factory=Counter)

    def lose(self, number: int, sentence: str) -> None:
        self.lost += number
        self.problems.append(sentence)

    def double(self, number: int, sentence: str) -> None:
        self.doubled += number
        self.problems.append(sentence)


def judge(
    credentials: t.Sequence[Credential],
    answers: t.Sequence[Answer],
    spent: t.Collection[tuple[bytes, bytes]],
    effects: t.Collection[tuple[str, str]] = (),
    *,
    orphans: bool = False,
) -> Verdict:
    """Judge one round by what its clients received, then compare that with what the ledger has as `spent`.

    :param effects: payment id and name of each effect of the round.
    :param orphans: leases ended while views ran, so a view may have run for a payment that was then lost to another.
    """
    verdict = Verdict()
    by_credential: dict[int, list[Answer]] = defaultdict(list)
    for answer in answers:
        by_credential[answer.credential].append(answer)
        if answer.cause:
            verdict.causes[answer.cause] += 1
            if answer.cause not in ALLOWED | BUSY:
                verdict.problems.append(
                    f"{answer.way}: refused with {answer.status} {answer.cause} {answer.text}"
                )
    for number, credential in enumerate(credentials):
        _judge_credential(verdict, number, credential, by_credential[number])
    taken = Counter(coin.name for number in verdict.winners for coin in credentials[number].coins)
    for name, times in taken.items():
        if times > 1:
            verdict.double(
                times - 1, f"ticket {name[1].hex()[:16]} was taken by {times} different credentials"
            )
    for name in set(spent) - taken.keys():
        verdict.lose(
            1, f"ticket {name[1].hex()[:16]} is spent in the ledger, and nobody received anything for it"
        )
    for name in taken.keys() - set(spent):
        verdict.double(1, f"ticket {name[1].hex()[:16]} was paid out, and the ledger has it as unspent")
    _judge_effects(verdict, credentials, by_credential, effects, orphans)
    return verdict


def _judge_credential(
    verdict: Verdict, number: int, credential: Credential, answers: t.Sequence[Answer]
) -> None:
    granted = [answer for answer in answers if answer.granted]
    if answers and not granted and not any(answer.cause in DECIDED for answer in answers):
        verdict.problems.append(f"credential {number} was never decided: {answers[-1].cause}")
    deliveries = [answer for answer in answers if answer.delivered]
    if credential.once and len(deliveries) > 1:
        verdict.double(len(deliveries) - 1, f"credential {number} was delivered {len(deliveries)} times")
    if not granted:
        if deliveries:
            verdict.double(1, f"credential {number} was delivered without a receipt")
        return
    verdict.winners.append(number)
    if any(answer.cause == "payment-released" for answer in answers):
        verdict.lose(len(credential.coins), f"credential {number} was paid after it had been given back")
    if len({(answer.reference, answer.amount, answer.change) for answer in granted}) != 1:
        verdict.double(1, f"credential {number} got different receipts")
    receipt = granted[0]
    if receipt.amount != str(credential.price):
        verdict.problems.append(
            f"credential {number}: the receipt says {receipt.amount}, not {credential.price}"
        )
    for answer in deliveries:
        if answer.text != f"{receipt.reference} {credential.price}":
            verdict.problems.append(f"credential {number} was delivered as {answer.text!r}")
    if len(receipt.change) != len(credential.blanks):
        verdict.lose(1, f"credential {number} got {len(receipt.change)} of {len(credential.blanks)} outputs")
        return
    coins = [blank.finish(signed) for blank, signed in zip(credential.blanks, receipt.change, strict=True)]
    good = [coin for coin in coins if coin is not None]
    if len(good) != len(coins):
        verdict.lose(len(coins) - len(good), f"credential {number} got change that does not verify")
    verdict.received += good
    value = sum(coin.value for coin in credential.coins)
    if value != int(receipt.amount) + sum(coin.value for coin in good):
        verdict.lose(1, f"credential {number} gave {value} and received something else")


def _judge_effects(
    verdict: Verdict,
    credentials: t.Sequence[Credential],
    by_credential: t.Mapping[int, t.Sequence[Answer]],
    effects: t.Collection[tuple[str, str]],
    orphans: bool,
) -> None:
    done = {payment_id for payment_id, _ in effects}
    if len(done) != len(effects):
        verdict.double(1, "an effect was had twice for one payment")
    paid, opened = set(), set()
    for number in verdict.winners:
        if credentials[number].effect is None:
            continue
        reference = next(a.reference for a in by_credential[number] if a.granted)
        paid.add(reference)
        # A payment through redeem is a pass; the effect comes when that is used.
        if any(a.delivered or a.cause == "already-delivered" for a in by_credential[number]):
            opened.add(reference)
    if opened - done:
        verdict.lose(len(opened - done), f"{len(opened - done)} payments were delivered without their effect")
    if done - paid and not orphans:
        verdict.double(len(done - paid), f"{len(done - paid)} effects were had without payment")


def compare(
    books: Books,
    wallets: t.Sequence[Holdings],
    effects: t.Collection[tuple[str, str]],
    effect_price: int,
) -> Verdict:
    """Compare all wallets with the ledger, to the ticket, when nothing is under way any more.

    :param effect_price: the price that only payments with an effect have.
    """
    verdict = Verdict()
    held = [ticket for wallet in wallets for ticket in wallet.available]
    if len(set(held)) != len(held):
        verdict.double(len(held) - len(set(held)), "two wallets hold the same ticket")
    gone = [ticket for ticket in held if ticket in books.spent | books.held]
    if gone:
        verdict.lose(len(gone), f"{len(gone)} tickets in wallets are spent or held in the ledger")
    for number, wallet in enumerate(wallets):
        if wallet.unanswered or wallet.other:
            verdict.problems.append(
                f"wallet {number}: {wallet.unanswered} requests unanswered, {len(wallet.other)} tickets neither free nor spent"
            )
        unspent = set(wallet.spent) - books.spent
        if unspent:
            verdict.lose(len(unspent), f"wallet {number} believes {len(unspent)} tickets spent that are not")
    if books.held:
        verdict.problems.append(f"{len(books.held)} tickets are held by payments that never ended")
    spent = Counter(key_id for key_id, _ in books.spent)
    mine = Counter(key_id for key_id, _ in held)
    for key_id in books.issued.keys() | mine.keys():
        owed = books.issued.get(key_id, 0) - spent[key_id]
        name = key_id.hex()[:8]
        if owed > mine[key_id]:
            verdict.lose(
                owed - mine[key_id],
                f"key {name}: the ledger owes {owed} tickets, wallets hold {mine[key_id]}",
            )
        if owed < mine[key_id]:
            verdict.double(
                mine[key_id] - owed,
                f"key {name}: the ledger owes {owed} tickets, wallets hold {mine[key_id]}",
            )
    bindings = Counter(binding for _, _, binding in books.payments if binding is not None)
    twice = sum(times - 1 for times in bindings.values())
    if twice:
        verdict.double(twice, f"{twice} purchases were paid for twice")
    paid = {payment_id.hex() for payment_id, price, _ in books.payments if price == effect_price}
    done = {payment_id for payment_id, _ in effects}
    if paid - done:
        verdict.lose(len(paid - done), f"{len(paid - done)} payments have no effect")
    if done - paid:
        verdict.double(len(done - paid), f"{len(done - paid)} effects have no payment")
    return verdict
