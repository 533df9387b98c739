"""What work is worth: by hand for published blocks, and by rule for any."""

from __future__ import annotations

import dataclasses
import json
import typing as t
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flask_ticketminer.work.coins import Coin, read_coins
from flask_ticketminer.work.difficulty import SPACE, nicehash_target, share_target
from flask_ticketminer.work.market import (
    BlockWork,
    coinbase_reward,
    hash_worth,
    market_effort,
    most_profitable,
    share_warning,
    suggested_difficulty,
)
from flask_ticketminer.work.node.coinbase import coinbase_halves
from flask_ticketminer.work.stratum.jobs import HeaderJob, header_job

JOBS = {
    case["id"]: case
    for case in json.loads((Path(__file__).parent / "vectors" / "stratum.json").read_text())["cases"]
}
NULL = "01000000" + "01" + "00" * 32 + "ffffffff"
BITCOIN_0 = bytes.fromhex(
    f"{NULL}4d04ffff001d0104455468652054696d65732030332f4a616e2f32303039204368616e63656c6c6f72206f6e206272696e6b206f66207365636f6e6420"
    "6261696c6f757420666f722062616e6b73ffffffff0100f2052a01000000434104678afdb0fe5548271967f1a67130b7105cd6a828e03909a67962e0ea1f61deb649"
    "f6bc3f4cef38c4f35504e51ec112de5c384df7ba0b8d578a4c702b6bf11d5fac00000000"
)
"""Of Bitcoin's block 0 (transaction 4a5e1e4b…afdeda33b), as every node and block explorer shows it."""
LITECOIN_0 = bytes.fromhex(
    f"{NULL}4804ffff001d0104404e592054696d65732030352f4f63742f32303131205374657665204a6f62732c204170706c65e280997320566973696f6e6172792c20"
    "44696573206174203536ffffffff0100f2052a010000004341040184710fa689ad5023690c80f3a49c8f13f8d45b8c857fbcbc8bc4a8e4d3eb4b10f4d4604fa08dce"
    "601aaf0f470216fe1b51850b4acf21b179c45070ac7b03a9ac00000000"
)
"""Of Litecoin's block 0 (transaction 97ddfbba…dd4ced9)."""
OUTPUTS = st.lists(st.tuples(st.integers(0, 2**40), st.binary(max_size=300)), min_size=1, max_size=300)
WHOLE = st.integers(1, 2**50)
EFFORT = {"scrypt": 2**15, "sha256d": 2**24, "neoscrypt": 2**13}


def coin(name: str = "litecoin", symbol: str = "LTC", **members: t.Any) -> Coin:
    entry = {"symbol": symbol, "algorithm": "scrypt", "pools": ["stratum+tcp://a@h:1"], "block_time": 150}
    return dataclasses.replace(read_coins({name: entry})[name], **members)


def job(case: str) -> HeaderJob:
    found = JOBS[case]
    return header_job(
        found["algo"],
        found["notify_params"],
        extranonce1=found["subscribe"]["extranonce1"],
        extranonce2_size=found["subscribe"]["extranonce2_size"],
        version_mask=None,
        difficulty=found["set_difficulty"],
    )


def worth_each(**worth: int) -> tuple[list[Coin], dict[str, BlockWork], dict[str, Decimal]]:
    """Return coins whose hashes are worth so much."""
    coins = [coin(name, name.upper()) for name in worth]
    work = BlockWork(10**8, SPACE - 1)  # a coin a hash
    return coins, dict.fromkeys(worth, work), {name.upper(): Decimal(price) for name, price in worth.items()}


def best(current: str | None = None, **worth: int) -> str | None:
    return most_profitable(*worth_each(**worth), EFFORT, current=current)


@pytest.mark.parametrize("coinbase", [BITCOIN_0, LITECOIN_0])
def test_the_first_blocks_paid_50_coins(coinbase: bytes) -> None:
    assert coinbase_reward(coinbase) == 50 * 10**8


@pytest.mark.parametrize(
    ("case", "reward", "hashes"),
    [
        ("slush-doc-bf", 5_000_000_000, 25_708_568_002),  # 50 coins; difficulty 5.99
        ("b3ba-7f8a", 0x0000_2105_9185_8600, 4_086_784_522_799),
        ("public-pool-recording", 36_986 + 2_428_731 + 0, 0),  # two are paid, and a witness commitment
    ],
)
def test_a_pools_job_tells_reward_and_network_difficulty(case: str, reward: int, hashes: int) -> None:
    work = BlockWork.of(job(case))
    assert work.reward == reward
    assert hashes in (0, int(work.hashes))


def test_block_0_of_bitcoin_took_as_many_hashes_as_its_chainwork_says() -> None:
    assert int(BlockWork(0, 0xFFFF << 208).hashes) == 0x1_0001_0001


def test_block_0_of_litecoin_by_hand() -> None:
    """50 coins less 1 % at 80: 3960 for 1,048,592.000244 hashes (nbits 1e0ffff0), so 123.7481 for 2^15 of them."""
    work = BlockWork(coinbase_reward(LITECOIN_0), 0xFFFF0 << 216)
    worth = hash_worth(work, Decimal(1), Decimal(80))
    assert worth == Fraction(3960 * ((0xFFFF0 << 216) + 1), 2**256)
    assert f"{float(worth * 2**15):.4f}" == "123.7481"


def test_a_bitcoin_block_of_2025_by_hand() -> None:
    """3.125 coins at 100,000 for 6.699093e23 hashes (nbits 1701cdfb): a ticket of 2^24 hashes is worth 7.83e-12."""
    work = BlockWork(312_500_000, 0x1CDFB << 160)
    assert f"{float(hash_worth(work, Decimal(0), Decimal(100_000)) * 2**24):.2e}" == "7.83e-12"


def test_the_example_of_the_documentation_is_right() -> None:
    text = " ".join((Path(__file__).parent.parent / "docs" / "pools.md").read_text().split())
    hashes = 50_000_000 * 2**32
    worth = hash_worth(BlockWork(625_000_000, SPACE // hashes - 1), Decimal(1), Decimal(40))
    ticket = worth * 2**15
    joules = Fraction(66, 10) * 10
    electricity = joules / 3_600_000 * Fraction("0.30")
    assert f"= {hashes / 10**17:.3f} x 10^17" in text
    assert f"= {float(worth * 10**15):.3f} x 10^-15 EUR" in text
    assert f"| {float(ticket * 10**11):.3f} x 10^-11 EUR" in text
    assert f"| {float(ticket * 10**6):.6f} EUR" in text
    assert f"{float(joules / 3.6):.1f} kWh, {float(electricity * 10**6):.2f} EUR" in text
    assert f"one cent takes {float(1 / ticket / 10**8):.0f} million tickets" in text
    assert f"is {float(electricity / ticket / 1000):.0f},000 times" in text


@pytest.mark.parametrize(
    "change",
    [
        lambda whole: whole[:-1],
        lambda whole: whole + b"\x00",
        lambda whole: whole[:4] + b"\x02" + whole[5:],  # two inputs
        lambda whole: whole[:4] + b"\x00\x01" + whole[4:],  # with its witness's marker
        lambda whole: whole[:5] + b"\x01" + whole[6:],  # spends something
        lambda whole: whole[:41] + b"\xfd\x4d\x00" + whole[42:],  # a length not in its shortest form
        lambda whole: whole.replace(bytes.fromhex("0100f2052a"), bytes.fromhex("0000f2052a")),  # no output
        lambda whole: whole.replace(bytes.fromhex("00f2052a01000000"), b"\xff" * 8),
        lambda _: b"",
    ],
)
def test_what_is_no_coinbase(change: t.Callable[[bytes], bytes]) -> None:
    with pytest.raises(ValueError, match=r"coinbase"):
        coinbase_reward(change(BITCOIN_0))


@given(outputs=OUTPUTS)
def test_a_reward_is_the_sum_of_the_outputs(outputs: list[tuple[int, bytes]]) -> None:
    before, after = coinbase_halves(1000, outputs, extranonce_size=8)
    assert coinbase_reward(before + bytes(8) + after) == sum(amount for amount, _ in outputs)


@given(data=st.binary(max_size=200), cut=st.integers(0, 200), outputs=OUTPUTS)
def test_a_coinbase_with_a_hole_is_refused_or_read_but_never_more(
    data: bytes, cut: int, outputs: list[tuple[int, bytes]]
) -> None:
    before, after = coinbase_halves(1000, outputs, extranonce_size=8)
    whole = before + bytes(8) + after
    try:
        assert coinbase_reward(whole[:cut] + data + whole[cut + len(data) :]) < 2**63
    except ValueError:
        assert data


@given(reward=WHOLE, price=WHOLE, fee=st.decimals(0, 100, places=6), target=st.integers(0, SPACE - 1))
def test_all_hashes_of_a_block_are_worth_the_reward_less_the_fee(
    reward: int, price: int, fee: Decimal, target: int
) -> None:
    work = BlockWork(reward, target)
    whole = hash_worth(work, fee, Decimal(price)) * work.hashes
    assert whole * 10**8 * 10**8 == reward * price * (10**8 - int(fee * 10**6))


def test_a_pool_that_keeps_everything_leaves_nothing() -> None:
    assert hash_worth(BlockWork(10**8, 1 << 200), Decimal(100), Decimal(80)) == 0


def test_the_coin_whose_tickets_are_worth_most_is_mined() -> None:
    assert best(a=1, b=3, c=2) == "b"


def test_a_ticket_is_compared_and_not_a_hash() -> None:
    """A hash of neoscrypt is worth twice one of scrypt here, but a ticket has a quarter of them."""
    coins = [coin("a", "A"), coin("b", "B", algorithm="neoscrypt")]
    work = dict.fromkeys("ab", BlockWork(10**8, SPACE - 1))
    prices = {"A": Decimal(1), "B": Decimal(2)}
    assert most_profitable(coins, work, prices, EFFORT, current=None) == "a"


@pytest.mark.parametrize(("other", "chosen"), [(109, "a"), (110, "a"), (111, "b")])
def test_a_coin_is_left_only_for_one_that_is_better_by_more_than_ten_percent(other: int, chosen: str) -> None:
    assert best(current="a", a=100, b=other) == chosen


def test_the_margin_is_a_setting() -> None:
    coins, work, prices = worth_each(a=100, b=101)
    chosen = most_profitable(coins, work, prices, EFFORT, current="a", margin=Decimal("0.5"))
    assert chosen == "b"


def test_of_equals_the_first_is_taken() -> None:
    assert best(a=1, b=1) == "a"


def test_a_coin_without_work_or_price_is_left_out() -> None:
    coins, work, prices = worth_each(a=3, b=2, c=1)
    del work["a"], prices["B"]
    assert most_profitable(coins, work, prices, EFFORT, current="b") == "c"


def test_without_any_price_work_goes_on() -> None:
    coins, work, _ = worth_each(a=3, b=2, c=1)
    del work["a"]
    assert most_profitable(coins, work, {}, EFFORT, current="c") == "c"
    assert most_profitable(coins, work, {}, EFFORT, current="a") == "b"


def test_without_any_work_there_is_no_coin() -> None:
    coins, _, prices = worth_each(a=3)
    assert most_profitable(coins, {}, prices, EFFORT, current="a") is None


@given(
    st.dictionaries(st.sampled_from("abcdef"), st.integers(0, 10**6), min_size=1), st.sampled_from("abcdef")
)
def test_nothing_is_better_than_the_choice_by_more_than_the_margin(
    worth: dict[str, int], current: str
) -> None:
    chosen = best(current=current, **worth)
    assert chosen is not None
    assert max(worth.values()) * 10 <= worth[chosen] * 11
    assert best(current=chosen, **worth) == chosen


@pytest.mark.parametrize(
    ("ticket", "effort"),
    [
        (2**15, 2**15),
        (46_340, 2**15),  # 2^15 x sqrt(2) is 46,340.95
        (46_341, 2**16),
        (1, 2**11),
        (0, 2**11),
        (10**9, 2**19),
    ],
)
def test_effort_follows_the_market_to_the_nearest_power_of_two_within_a_factor_of_16(
    ticket: int, effort: int
) -> None:
    assert market_effort(Decimal(ticket), Fraction(1), 2**15) == effort


def test_effort_is_at_least_one_hash() -> None:
    assert market_effort(Decimal("0.01"), Fraction(1), 2) == 1


def test_worthless_hashes_need_the_most_effort() -> None:
    assert market_effort(Decimal(1), Fraction(0), 2**15) == 2**19


@pytest.mark.parametrize(
    ("ticket", "effort"), [(60_000, 2**15), (65_536, 2**16), (17_000, 2**15), (16_384, 2**14)]
)
def test_effort_stays_while_prices_swing_a_little(ticket: int, effort: int) -> None:
    assert market_effort(Decimal(ticket), Fraction(1), 2**15, current=2**15) == effort


def test_an_effort_outside_the_range_does_not_stay() -> None:
    assert market_effort(Decimal(2**20), Fraction(1), 2**15, current=2**20) == 2**19


@given(
    ticket=st.decimals("1e-12", "1e6", places=12),
    worth=st.fractions(Fraction(1, 10**20), 1000, max_denominator=10**20),
    table=st.integers(0, 40).map(lambda bits: 1 << bits),
)
def test_an_effort_is_a_power_of_two_near_the_exact_one(ticket: Decimal, worth: Fraction, table: int) -> None:
    effort, exact = market_effort(ticket, worth, table), Fraction(ticket) / worth
    assert effort & (effort - 1) == 0
    assert max(1, table // 16) <= effort <= 16 * table
    if max(1, table // 16) <= exact <= 16 * table:
        assert effort**2 <= 2 * exact**2
        assert exact**2 <= 2 * effort**2


@pytest.mark.parametrize(
    ("algorithm", "effort", "difficulty"),
    [
        ("scrypt", 2**16, "0.999984742"),
        ("sha256d", 2**32, "0.999984742"),
        ("neoscrypt", 2**13, "0.124998093"),
    ],
)
def test_the_difficulty_of_an_effort(algorithm: str, effort: int, difficulty: str) -> None:
    assert suggested_difficulty(coin(algorithm=algorithm), effort) == Decimal(difficulty)


@pytest.mark.parametrize(("dialect", "difficulty"), [("getwork", "4294967300"), ("nicehash", "0.999984742")])
def test_ethash_pools_count_difficulty_by_their_dialect(dialect: str, difficulty: str) -> None:
    found = suggested_difficulty(coin(algorithm="ethash", dialect=dialect), 2**32)
    assert found == Decimal(difficulty)


@given(
    algorithm=st.sampled_from(["scrypt", "sha256d", "neoscrypt"]),
    effort=st.integers(0, 40).map(lambda bits: 1 << bits),
)
def test_a_pool_that_does_as_suggested_is_not_warned_of(algorithm: str, effort: int) -> None:
    found = coin(algorithm=algorithm)
    target = share_target(algorithm, suggested_difficulty(found, effort))
    assert share_warning(found, target, effort) is None
    assert share_warning(found, target * 1000001 // 1000000, effort) is not None


def test_an_easy_pool_is_warned_of_with_the_remedy() -> None:
    sentence = share_warning(coin(), share_target("scrypt", Decimal("0.015625")), 2**15)
    assert sentence is not None
    assert "counts a share as 1,024 hashes, but visitors compute 32,768" in sentence
    assert "97 % of their work" in sentence
    assert "a difficulty of at least 0.5:" in sentence


def test_a_share_exactly_as_hard_as_a_ticket_is_fine() -> None:
    assert share_warning(coin(), 2**241 - 1, 2**15) is None
    assert share_warning(coin(), 2**241, 2**15) is not None


def test_a_job_of_a_node_is_read_like_a_pools() -> None:
    found = job("slush-doc-bf")
    halves = coinbase_halves(1, [(7, b""), (0, bytes(38))], extranonce_size=8)
    params = (*found.params[:2], halves[0].hex(), halves[1].hex(), *found.params[4:])
    node_job = dataclasses.replace(found, params=params, extranonce1="", extranonce2_size=8)
    assert BlockWork.of(node_job).reward == 7


def test_nicehash_pools_count_from_sha256ds_first_target() -> None:
    assert nicehash_target(1) == share_target("sha256d", 1)
