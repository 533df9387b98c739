"""The ledger on every kind of database: each ticket once, each share once, nothing lost in between."""

from __future__ import annotations

import dataclasses
import hashlib
import os
import random
import threading
import typing as t
from concurrent.futures import ThreadPoolExecutor

import pytest
from mints import Mint

from flask_ticketminer.errors import (
    AmountMismatch,
    BadSignature,
    BlindedMessageRange,
    DuplicateShare,
    ExpiredKey,
    ForeignTicket,
    InProgress,
    KeyNotSigning,
    NotEnough,
    OutputAlreadySigned,
    OutputRepeated,
    PaymentReleased,
    Problem,
    TicketInUse,
    TicketRepeated,
    TicketSpent,
    TooManyOutputs,
    TooManyTickets,
    UnknownKey,
)
from flask_ticketminer.mint.ledger import Reservation, StoredPayment
from flask_ticketminer.mint.restore import find_signatures
from flask_ticketminer.mint.spent import SpentFiles
from flask_ticketminer.mint.statistics import fund_total, statistics


def reserve(mint: Mint, order: t.Any) -> Reservation:
    reservation = mint.ledger.reserve(order)
    assert isinstance(reservation, Reservation)
    return reservation


def blinded_hash(order: t.Any, position: int = 0) -> bytes:
    return hashlib.sha256(order.outputs[position][1]).digest()


def test_a_share_is_paid_with_a_signature_that_makes_a_ticket(mint: Mint) -> None:
    assert mint.ledger.verify([mint.ticket(4)]) is None


def test_the_same_share_and_request_get_the_same_signature(mint: Mint) -> None:
    key, blinded = mint.output(1)
    share, request = os.urandom(32), os.urandom(32)
    first = mint.ledger.accept_share(share, request, value=1, key=key, blinded=blinded)
    again = mint.ledger.accept_share(share, request, value=1, key=key, blinded=blinded)
    assert (again.signature, again.replayed) == (first.signature, True)
    assert statistics(mint.database, 0)["shares"]["accepted"] == 1


def test_a_share_with_another_request_is_a_duplicate(mint: Mint) -> None:
    share = os.urandom(32)
    for output, refused in ((mint.output(1), False), (mint.output(1), True)):
        arguments = {"value": 1, "key": output[0], "blinded": output[1]}
        if refused:
            with pytest.raises(DuplicateShare):
                mint.ledger.accept_share(share, os.urandom(32), **arguments)
        else:
            mint.ledger.accept_share(share, os.urandom(32), **arguments)


def test_an_output_signed_before_does_not_use_the_share_up(mint: Mint) -> None:
    key, blinded = mint.output(1)
    mint.ledger.accept_share(os.urandom(32), os.urandom(32), value=1, key=key, blinded=blinded)
    share, request = os.urandom(32), os.urandom(32)
    with pytest.raises(OutputAlreadySigned):
        mint.ledger.accept_share(share, request, value=1, key=key, blinded=blinded)
    assert mint.ledger.find_share(share, request) is None


def test_a_donated_share_credits_its_fund_and_signs_nothing(mint: Mint) -> None:
    result = mint.ledger.accept_share(os.urandom(32), os.urandom(32), value=8, fund="articles")
    assert result.signature is None
    assert fund_total(mint.database, "articles") == 8


def test_a_share_whose_output_is_out_of_range_is_not_used_up(memory_mint: Mint) -> None:
    share, request = os.urandom(32), os.urandom(32)
    with pytest.raises(BlindedMessageRange):
        memory_mint.ledger.accept_share(
            share, request, value=1, key=memory_mint.keys.current(1), blinded=b"\xff" * 256
        )
    assert memory_mint.ledger.find_share(share, request) is None


def test_a_settled_payment_answers_its_repeat_with_the_same_change(mint: Mint) -> None:
    order = mint.order([mint.ticket(8)], price=3)
    reservation = reserve(mint, order)
    settled = mint.ledger.settle(reservation)
    again = mint.ledger.reserve(order)
    assert settled is not None
    assert settled.change == reservation.signatures
    assert again == settled
    assert len(settled.change) == 2


def test_a_spent_ticket_is_refused_and_named(mint: Mint) -> None:
    ticket = mint.ticket()
    mint.ledger.pay_at_once(mint.order([ticket]))
    with pytest.raises(TicketSpent) as refused:
        mint.ledger.reserve(mint.order([mint.ticket(2), ticket]))
    assert refused.value.members["tickets"] == [1]


def test_a_refused_payment_leaves_its_other_tickets_alone(mint: Mint) -> None:
    ticket, other = mint.ticket(), mint.ticket(2)
    mint.ledger.pay_at_once(mint.order([ticket]))
    with pytest.raises(TicketSpent):
        mint.ledger.pay_at_once(mint.order([ticket, other]))
    assert mint.ledger.pay_at_once(mint.order([other])).price == 2


def test_a_reserved_ticket_is_in_use_for_others_and_in_progress_for_its_own_credential(mint: Mint) -> None:
    ticket = mint.ticket()
    order = mint.order([ticket])
    reserve(mint, order)
    with pytest.raises(TicketInUse) as busy:
        mint.ledger.reserve(mint.order([ticket]))
    with pytest.raises(InProgress):
        mint.ledger.reserve(order)
    assert busy.value.retry_after == mint.settings.lease


def test_released_tickets_can_be_spent_again_by_anyone(mint: Mint) -> None:
    ticket = mint.ticket()
    assert mint.ledger.release(reserve(mint, mint.order([ticket])))
    assert mint.ledger.pay_at_once(mint.order([ticket])).price == 1


def test_a_payment_that_failed_is_over_for_late_copies_of_its_request(mint: Mint) -> None:
    order = mint.order([mint.ticket(8)], price=3)
    mint.ledger.release(reserve(mint, order))
    with pytest.raises(PaymentReleased):
        mint.ledger.reserve(order)
    with pytest.raises(PaymentReleased):
        mint.ledger.pay_at_once(order)


def test_a_payment_that_failed_after_its_lease_is_over_as_well(mint: Mint) -> None:
    order = mint.order([mint.ticket(8)], price=3)
    slow = mint.give_up(order)
    assert mint.ledger.release(slow)
    with pytest.raises(PaymentReleased):
        mint.ledger.reserve(order)


def test_a_given_up_payment_is_reserved_again_with_a_higher_fence_and_the_same_outputs(mint: Mint) -> None:
    order = mint.order([mint.ticket(8)], price=3)
    first = mint.give_up(order)
    second = reserve(mint, order)
    assert (second.fence, second.signatures) == (first.fence + 1, first.signatures)
    assert mint.ledger.settle(second) is not None


def test_a_given_up_payment_whose_ticket_was_spent_elsewhere_is_refused(mint: Mint) -> None:
    ticket = mint.ticket()
    order = mint.order([ticket])
    mint.give_up(order)
    mint.ledger.pay_at_once(mint.order([ticket]))
    with pytest.raises(TicketSpent):
        mint.ledger.reserve(order)


def test_after_the_lease_the_same_credential_takes_over_and_the_zombie_cannot_settle(mint: Mint) -> None:
    order = mint.order([mint.ticket(8)], price=3)
    zombie = reserve(mint, order)
    mint.clock.advance(mint.settings.lease)
    heir = reserve(mint, order)
    assert (heir.taken_over, heir.fence, heir.signatures) == (True, 2, zombie.signatures)
    assert mint.ledger.settle(zombie) is None
    assert not mint.ledger.release(zombie)
    assert mint.ledger.settle(heir) is not None


def test_after_the_lease_another_credential_gets_the_tickets_and_the_zombie_cannot_settle(mint: Mint) -> None:
    ticket = mint.ticket()
    zombie = reserve(mint, mint.order([ticket]))
    mint.clock.advance(mint.settings.lease)
    assert mint.ledger.pay_at_once(mint.order([ticket])).price == 1
    assert mint.ledger.settle(zombie) is None


def test_settling_twice_tells_that_it_is_settled(mint: Mint) -> None:
    reservation = reserve(mint, mint.order([mint.ticket()]))
    first, second = mint.ledger.settle(reservation), mint.ledger.settle(reservation)
    assert first == second
    assert statistics(mint.database, 0)["payments"] == 1


def test_change_is_unknown_to_restore_until_the_payment_is_settled(mint: Mint) -> None:
    order = mint.order([mint.ticket(2)], price=1)
    wanted = (mint.database, order.outputs[0][0].key_id, [blinded_hash(order)])
    reservation = reserve(mint, order)
    assert find_signatures(*wanted) == [None]
    mint.ledger.settle(reservation)
    assert find_signatures(*wanted) == [*reservation.signatures]


def test_change_of_a_released_payment_is_unknown_to_restore(mint: Mint) -> None:
    order = mint.order([mint.ticket(2)], price=1)
    mint.ledger.release(reserve(mint, order))
    assert find_signatures(mint.database, order.outputs[0][0].key_id, [blinded_hash(order)]) == [None]


def test_an_output_signed_for_something_else_spends_nothing(mint: Mint) -> None:
    ticket, other = mint.ticket(2), mint.ticket(2)
    order = mint.order([ticket], price=1)
    mint.ledger.pay_at_once(order)
    with pytest.raises(OutputAlreadySigned) as refused:
        mint.ledger.reserve(mint.order([other], price=1, outputs=order.outputs))
    assert refused.value.members["outputs"] == [0]
    assert mint.ledger.pay_at_once(mint.order([other])).price == 2


def test_an_exchange_keeps_the_value_and_repeats_its_answer(mint: Mint) -> None:
    order = mint.order([mint.ticket(4)], price=0, kind="exchange", outputs=[mint.output(1) for _ in range(4)])
    first, again = mint.ledger.pay_at_once(order), mint.ledger.pay_at_once(order)
    assert first.change == again.change
    assert (first.replayed, again.replayed) == (False, True)


def test_a_donation_credits_its_fund_once(mint: Mint) -> None:
    order = mint.order([mint.ticket(4)], price=3, kind="donation", fund="articles")
    for _ in range(2):
        mint.ledger.pay_at_once(order)
    assert fund_total(mint.database, "articles") == 3


def test_a_pass_is_used_once(mint: Mint) -> None:
    stored = mint.ledger.pay_at_once(mint.order([mint.ticket()], single_use=True))
    use = mint.ledger.begin_use(stored.payment_id)
    assert use is not None
    with pytest.raises(InProgress):
        mint.ledger.begin_use(stored.payment_id)
    assert mint.ledger.finish_use(use)
    assert mint.ledger.begin_use(stored.payment_id) is None


def test_an_abandoned_pass_can_be_used_again(mint: Mint) -> None:
    stored = mint.ledger.pay_at_once(mint.order([mint.ticket()], single_use=True))
    use = mint.ledger.begin_use(stored.payment_id)
    assert use is not None
    assert mint.ledger.abandon_use(use)
    assert mint.ledger.begin_use(stored.payment_id) is not None


def test_a_pass_use_that_crashed_is_taken_over_after_its_lease(mint: Mint) -> None:
    stored = mint.ledger.pay_at_once(mint.order([mint.ticket()], single_use=True))
    zombie = mint.ledger.begin_use(stored.payment_id)
    mint.clock.advance(mint.settings.lease)
    heir = mint.ledger.begin_use(stored.payment_id)
    assert zombie is not None
    assert heir is not None
    assert not mint.ledger.finish_use(zombie)
    assert mint.ledger.finish_use(heir)


def test_reserved_tickets_are_not_in_the_spent_file(mint: Mint) -> None:
    ticket = mint.ticket()
    files = SpentFiles(mint.database, mint.keys, kept=0, monotonic=lambda: 0.0)
    reservation = reserve(mint, mint.order([ticket]))
    assert files.document(ticket.key_id).body == b""
    mint.ledger.settle(reservation)
    assert len(files.document(ticket.key_id).body) == 8


@pytest.mark.parametrize(
    ("problem", "break_it"),
    [
        (TicketRepeated, lambda m, o: dataclasses.replace(o, tokens=[*o.tokens, *o.tokens])),
        (TooManyTickets, lambda m, o: dataclasses.replace(o, tokens=[*o.tokens] * 65)),
        (NotEnough, lambda m, o: dataclasses.replace(o, price=9)),
        (NotEnough, lambda m, o: dataclasses.replace(o, tokens=[])),
        (AmountMismatch, lambda m, o: dataclasses.replace(o, price=2)),
        (AmountMismatch, lambda m, o: dataclasses.replace(o, outputs=[])),
        (TooManyOutputs, lambda m, o: dataclasses.replace(o, outputs=[m.output(1)] * 33)),
        (OutputRepeated, lambda m, o: dataclasses.replace(o, price=0, outputs=[m.output(4)] * 2)),
        (UnknownKey, lambda m, o: replace_token(o, key_id=bytes(32))),
        (ForeignTicket, lambda m, o: replace_token(o, challenge_digest=bytes(32))),
        (BadSignature, lambda m, o: replace_token(o, nonce=bytes(32))),
        (BadSignature, lambda m, o: replace_token(o, authenticator=bytes(256))),
        (
            BlindedMessageRange,
            lambda m, o: dataclasses.replace(o, price=4, outputs=[(m.keys.current(4), b"\xff" * 256)]),
        ),
    ],
)
def test_a_wrong_order_has_its_own_cause_and_spends_nothing(
    memory_mint: Mint, problem: type[Problem], break_it: t.Callable[[Mint, t.Any], t.Any]
) -> None:
    order = memory_mint.order([memory_mint.ticket(8)], price=3)
    with pytest.raises(problem):
        memory_mint.ledger.reserve(break_it(memory_mint, order))
    assert memory_mint.ledger.find_payment(order.payment_id) is None
    assert not memory_mint.ledger.pay_at_once(order).replayed


def replace_token(order: t.Any, **changes: bytes) -> t.Any:
    return dataclasses.replace(order, tokens=[dataclasses.replace(order.tokens[0], **changes)])


def test_an_expired_ticket_is_refused_but_its_old_payment_is_still_found(memory_mint: Mint) -> None:
    mint = memory_mint
    late, paid = mint.ticket(), mint.order([mint.ticket()])
    mint.ledger.pay_at_once(paid)
    mint.clock.advance(30 * 86400)
    mint.ledger.verify([late])
    with pytest.raises(ExpiredKey):
        mint.ledger.reserve(mint.order([late]))
    assert mint.ledger.find_payment(paid.payment_id) is not None


def test_an_output_of_a_key_that_ended_is_refused(memory_mint: Mint) -> None:
    order = memory_mint.order([memory_mint.ticket(2)], price=1)
    memory_mint.clock.advance(8 * 86400)
    with pytest.raises(KeyNotSigning):
        memory_mint.ledger.reserve(order)


def outcomes(calls: t.Sequence[t.Callable[[], t.Any]]) -> list[t.Any]:
    """Call all at the same moment from threads of their own; return results and problems."""
    start = threading.Barrier(len(calls))

    def run(call: t.Callable[[], t.Any]) -> t.Any:
        start.wait()
        try:
            return call()
        except Problem as problem:
            return problem

    with ThreadPoolExecutor(len(calls)) as pool:
        return list(pool.map(run, calls))


def test_one_ticket_in_32_threads_is_spent_once(mint: Mint) -> None:
    ticket = mint.ticket()
    orders = [mint.order([ticket]) for _ in range(32)]
    results = outcomes([lambda order=order: mint.ledger.pay_at_once(order) for order in orders])
    assert sum(isinstance(result, StoredPayment) for result in results) == 1
    assert sum(isinstance(result, TicketSpent) for result in results) == 31


def test_one_credential_in_32_threads_is_one_payment(mint: Mint) -> None:
    order = mint.order([mint.ticket(8)], price=3)
    results = outcomes([lambda: mint.ledger.pay_at_once(order)] * 32)
    assert len({result.change for result in results}) == 1
    assert sum(not result.replayed for result in results) == 1


def test_overlapping_sets_of_tickets_never_share_a_ticket(mint: Mint) -> None:
    tickets = [mint.ticket() for _ in range(12)]
    draw = random.Random(7)
    orders = [mint.order(draw.sample(tickets, 4)) for _ in range(24)]
    results = outcomes([lambda order=order: mint.ledger.pay_at_once(order) for order in orders])
    winners = [
        order for order, result in zip(orders, results, strict=True) if isinstance(result, StoredPayment)
    ]
    spent = [token.nonce for order in winners for token in order.tokens]
    assert winners
    assert len(spent) == len(set(spent))
    assert all(isinstance(result, StoredPayment | TicketSpent) for result in results)


def test_a_reservation_race_has_one_winner_and_the_others_are_told_to_wait(mint: Mint) -> None:
    ticket = mint.ticket()
    orders = [mint.order([ticket]) for _ in range(16)]
    results = outcomes([lambda order=order: mint.ledger.reserve(order) for order in orders])
    assert sum(isinstance(result, Reservation) for result in results) == 1
    assert sum(isinstance(result, TicketInUse) for result in results) == 15


def test_one_heir_takes_an_overdue_payment_over(mint: Mint) -> None:
    order = mint.order([mint.ticket()])
    reserve(mint, order)
    mint.clock.advance(mint.settings.lease)
    results = outcomes([lambda: mint.ledger.reserve(order)] * 16)
    assert sum(isinstance(result, Reservation) for result in results) == 1
    assert sum(isinstance(result, InProgress) for result in results) == 15


def test_one_share_in_16_threads_is_paid_once(mint: Mint) -> None:
    key, blinded = mint.output(1)
    share, request = os.urandom(32), os.urandom(32)
    results = outcomes(
        [lambda: mint.ledger.accept_share(share, request, value=1, key=key, blinded=blinded)] * 16
    )
    assert len({result.signature for result in results}) == 1
    assert statistics(mint.database, 0)["shares"]["accepted"] == 1
