"""Choosing tickets for an amount."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from miner.errors import NotEnoughTickets
from miner.tokens import DENOMINATIONS
from miner.wallet.selection import choose, make


@dataclass(frozen=True)
class Coin:
    value: int
    redeem_until: int = 0


coins = st.builds(Coin, st.sampled_from(DENOMINATIONS[:6]), st.integers(0, 5))
purses = st.lists(coins, max_size=9)


@st.composite
def payable(draw):
    """A purse and an amount that it covers."""
    purse = draw(purses)
    return purse, draw(st.integers(0, sum(coin.value for coin in purse)))


@st.composite
def exactly_payable(draw):
    """A purse and the value of some of its tickets."""
    purse = draw(purses)
    return purse, sum(coin.value for coin in purse if draw(st.booleans()))


@st.composite
def payable_with_change(draw):
    """A purse of even tickets and an odd amount below its value."""
    purse = draw(st.lists(coins.filter(lambda coin: coin.value > 1), min_size=1, max_size=9))
    return purse, 2 * draw(st.integers(0, sum(coin.value for coin in purse) // 2 - 1)) + 1


def subsets(purse: list[Coin]):
    return (subset for size in range(len(purse) + 1) for subset in itertools.combinations(purse, size))


@given(payable())
def test_inputs_equal_amount_and_change(case):
    purse, amount = case
    selection = choose(purse, amount)
    assert sum(coin.value for coin in selection.inputs) == amount + sum(selection.change)


@given(payable())
def test_no_ticket_is_used_twice(case):
    purse, amount = case
    left = list(purse)
    for coin in choose(purse, amount).inputs:
        left.remove(coin)


@given(exactly_payable())
def test_it_is_exact_and_fewest_whenever_something_is_exact(case):
    purse, amount = case
    exact = [len(s) for s in subsets(purse) if sum(coin.value for coin in s) == amount]
    selection = choose(purse, amount)
    assert selection.change == ()
    assert len(selection.inputs) == min(exact)


@given(payable_with_change())
def test_otherwise_it_is_fewest(case):
    purse, amount = case
    sums = [(len(s), sum(coin.value for coin in s)) for s in subsets(purse)]
    assert len(choose(purse, amount).inputs) == min(size for size, total in sums if total >= amount)


@given(payable())
def test_of_equal_tickets_those_that_end_first_go_first(case):
    purse, amount = case
    left = list(purse)
    inputs = choose(purse, amount).inputs
    for coin in inputs:
        left.remove(coin)
    assert all(
        taken.redeem_until <= kept.redeem_until
        for taken in inputs
        for kept in left
        if taken.value == kept.value
    )


@given(payable())
def test_change_is_the_fewest_tickets(case):
    purse, amount = case
    change = choose(purse, amount).change
    assert len(change) == (sum(change)).bit_count()


@given(st.integers(0, 575))
def test_more_than_64_tickets_are_never_taken(amount):
    purse = [Coin(1)] * 100 + [Coin(512)]
    assert len(choose(purse, amount).inputs) <= 64


def test_large_amounts_that_need_too_many_tickets_ask_for_a_join():
    with pytest.raises(NotEnoughTickets, match="join them"):
        choose([Coin(1)] * 100, 65)


def test_a_short_purse_says_how_much_is_missing():
    with pytest.raises(NotEnoughTickets, match="mine 3 more") as caught:
        choose([Coin(4)], 7)
    assert (caught.value.needed, caught.value.available) == (7, 4)


def test_change_only_uses_what_the_site_issues():
    assert make(13, (1, 2, 4)) == [1, 4, 4, 4]


def test_an_amount_below_the_smallest_denomination_cannot_be_made():
    with pytest.raises(NotEnoughTickets, match="choose another amount"):
        make(3, (2, 4))
