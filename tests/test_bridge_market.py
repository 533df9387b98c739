"""Two coins and their prices: visitors are asked for what is worth most, and whatever they have begun is paid and sent."""

from __future__ import annotations

import contextlib
import pathlib
import typing as t
from collections.abc import AsyncIterator, Collection, Mapping
from decimal import Decimal

import pytest
from mines import HARD, Ahead, Mine, bridge_of, coin, mining_app, pool_url, run
from scripted_pool import JOB, ScriptedPool, Talk
from sqlalchemy import select, update

from flask_ticketminer.clock import Clock
from flask_ticketminer.work.bridge.service import Bridge
from flask_ticketminer.work.difficulty import expected_hashes, nbits_target
from flask_ticketminer.work.prices import Price
from flask_ticketminer.work.templates import CHOICE

SCRYPT, SHA256D = "litecoin", "bitcoin"
BOTH = ["scrypt", "sha256d"]
EFFORT = {"scrypt": 4, "sha256d": 8}
"""A ticket takes twice as many hashes of sha256d, so for equal worth its coin costs half."""
EASY = {"scrypt": 4 / (1 << 16), "sha256d": 4 / (1 << 32)}
"""Difficulties at which a pool's share takes four hashes."""
COINBASE1 = "01000000" + "01" + "00" * 32 + "ffffffff" + "08"
COINBASE2 = "ffffffff" + "01" + "00f2052a01000000" + "160014" + "22" * 20 + "00000000"
REWARD = 50
BLOCK_HASHES = expected_hashes(nbits_target(int(HARD, 16)))


class Prices:
    """A market that a test moves.

    :ivar asked: how often.
    """

    def __init__(self, **amounts: str) -> None:
        self.amounts = amounts
        self.asked = 0

    async def prices(self, symbols: Collection[str]) -> Mapping[str, Price]:
        self.asked += 1
        return {each: Price(Decimal(self.amounts[each])) for each in symbols if each in self.amounts}


async def notify(talk: Talk, job_id: str, *, clean: bool = True) -> None:
    """Send work whose coinbase pays 50 coins."""
    await talk.say("mining.notify", job_id, JOB[1], COINBASE1, COINBASE2, *JOB[4:6], HARD, JOB[7], clean)


def pool_of(algorithm: str) -> ScriptedPool:
    pool = ScriptedPool()

    async def greet(talk: Talk) -> None:
        await talk.say("mining.set_difficulty", EASY[algorithm])
        await notify(talk, f"{algorithm}-1")

    pool.greeting = greet
    return pool


@contextlib.asynccontextmanager
async def market(
    folder: pathlib.Path, prices: Prices | None, *, clock: Clock | None = None, **config: t.Any
) -> AsyncIterator[tuple[Mine, dict[str, ScriptedPool], Bridge]]:
    """A site with a pool for each of two coins, both with work."""
    pools = {algorithm: pool_of(algorithm) for algorithm in BOTH}
    async with contextlib.AsyncExitStack() as stack:
        for pool in pools.values():
            await stack.enter_async_context(pool)
        urls = {algorithm: [pool_url(pool.port)] for algorithm, pool in pools.items()}
        settings = {
            "TICKETMINER_COINS": {
                SCRYPT: coin(symbol="LTC", pools=urls["scrypt"]),
                SHA256D: coin(symbol="BTC", algorithm="sha256d", pools=urls["sha256d"]),
            },
            "TICKETMINER_COIN": "most-profitable",
            "TICKETMINER_EFFORT": EFFORT,
            "TICKETMINER_PRICES": prices,
        }
        mine = Mine(mining_app(folder, clock=clock, **{**settings, **config}))
        bridge = await stack.enter_async_context(bridge_of(mine))
        bridge.market.look = 0.02
        for name in (SCRYPT, SHA256D):
            await has_work(mine, name)
        yield mine, pools, bridge
        assert mine.balanced()


async def has_work(mine: Mine, name: str) -> None:
    await mine.until(lambda: mine.site.templates.current(name), f"work for {name}")


async def chosen(mine: Mine, name: str) -> None:
    await mine.until(lambda: mine.site.templates.chosen() == name, f"the choice of {name!r}")


async def asked(mine: Mine, prices: Prices, times: int) -> None:
    before = prices.asked
    await mine.until(lambda: prices.asked >= before + times, "asking for prices")


def test_visitors_are_asked_for_the_coin_for_which_a_tickets_effort_is_worth_most(
    tmp_path: pathlib.Path,
) -> None:
    async def test() -> None:
        async with market(tmp_path, Prices(LTC="10", BTC="7")) as (mine, _, _):
            await chosen(mine, SHA256D)
            service = await mine.ask(mine.visitor.service)
            assert [offer["algorithm"] for offer in service["algorithms"]] == ["sha256d", "scrypt"]
            assert (await mine.job(algorithms=BOTH))["algorithm"] == "sha256d"

    run(test)


def test_a_visitor_who_computes_one_algorithm_gets_the_coin_of_that(tmp_path: pathlib.Path) -> None:
    async def test() -> None:
        async with market(tmp_path, Prices(LTC="1", BTC="1")) as (mine, _, _):
            await chosen(mine, SHA256D)
            assert (await mine.job(algorithms=["scrypt"]))["algorithm"] == "scrypt"

    run(test)


def test_when_prices_turn_the_next_job_is_of_the_other_coin_and_what_was_begun_is_paid_and_sent(
    tmp_path: pathlib.Path,
) -> None:
    async def test() -> None:
        prices = Prices(LTC="1000", BTC="1")
        async with market(tmp_path, prices) as (mine, pools, _):
            await chosen(mine, SCRYPT)
            old = await mine.job(algorithms=BOTH)
            prices.amounts = {"LTC": "1", "BTC": "1"}
            await chosen(mine, SHA256D)
            new = await mine.job(algorithms=BOTH)
            assert (old["algorithm"], new["algorithm"]) == ("scrypt", "sha256d")
            for job in (old, new):
                answer = await mine.share(job)
                assert (answer["accepted"], answer["upstream"]) == (True, "pending")
            await mine.settled(accepted=2)
            sent = {algorithm: [share[1] for share in pool.shares] for algorithm, pool in pools.items()}
            assert sent == {"scrypt": ["scrypt-1"], "sha256d": ["sha256d-1"]}

    run(test)


def test_a_job_that_ends_brings_no_next_one_of_a_coin_that_is_not_chosen_any_more(
    tmp_path: pathlib.Path,
) -> None:
    async def test() -> None:
        prices = Prices(LTC="1000", BTC="1")
        clock = Ahead()
        async with market(tmp_path, prices, clock=clock, TICKETMINER_BRIDGE_LEASE=600) as (mine, _, _):
            await chosen(mine, SCRYPT)
            first, second = await mine.job(algorithms=BOTH), await mine.job(algorithms=BOTH)
            clock.ahead += 280
            assert (await mine.share(first))["next"]["algorithm"] == "scrypt"
            prices.amounts = {"LTC": "1", "BTC": "1"}
            await chosen(mine, SHA256D)
            assert (await mine.share(second))["next"] is None
            await mine.settled(accepted=2)

    run(test)


def test_a_coin_that_is_better_by_less_than_the_margin_is_not_changed_to(tmp_path: pathlib.Path) -> None:
    async def test() -> None:
        prices = Prices(LTC="1000", BTC="1")
        async with market(tmp_path, prices, TICKETMINER_SWITCH_MARGIN="50") as (mine, _, _):
            await chosen(mine, SCRYPT)
            prices.amounts = {"LTC": "20", "BTC": "14"}
            await asked(mine, prices, 20)
            assert mine.site.templates.chosen() == SCRYPT
            prices.amounts = {"LTC": "20", "BTC": "16"}
            await chosen(mine, SHA256D)

    run(test)


def test_a_coin_that_loses_its_pool_is_left_and_its_price_does_not_count(tmp_path: pathlib.Path) -> None:
    async def test() -> None:
        async with market(tmp_path, Prices(LTC="1000", BTC="1")) as (mine, pools, _):
            await chosen(mine, SCRYPT)
            pools["scrypt"].answers.clear()
            pools["scrypt"].talk.hang_up()
            await chosen(mine, SHA256D)

    run(test)


def test_without_prices_any_coin_with_work_will_do(tmp_path: pathlib.Path) -> None:
    async def test() -> None:
        async with market(tmp_path, None) as (mine, _, _):
            await mine.until(lambda: mine.site.templates.chosen() in (SCRYPT, SHA256D), "a choice")

    run(test)


def test_a_coin_without_a_price_is_warned_of_once(
    tmp_path: pathlib.Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def test() -> None:
        prices = Prices(LTC="1")
        async with market(tmp_path, prices) as (mine, _, _):
            await asked(mine, prices, 3)
        assert caplog.text.count("has no price of BTC now") == 1

    run(test)


def test_of_two_bridges_one_chooses_and_the_other_takes_over(tmp_path: pathlib.Path) -> None:
    async def test() -> None:
        async with market(tmp_path, Prices(LTC="1000", BTC="1")) as (mine, _, first):
            await chosen(mine, SCRYPT)
            async with bridge_of(mine) as second:
                second.market.look = 0.02
                assert fence(mine) == 1
                first.market.stopping.set()
                await mine.until(lambda: fence(mine) == 2, "the second bridge's choice")
                await chosen(mine, SCRYPT)

    run(test)


def fence(mine: Mine) -> int:
    row = mine.tables.upstream
    found = mine.site.database.read(
        lambda connection: connection.execute(select(row.c.fence).where(row.c.coin == CHOICE)).scalar_one()
    )
    return int(found)


def test_the_choice_of_a_bridge_that_is_gone_counts_no_more(tmp_path: pathlib.Path) -> None:
    async def test() -> None:
        async with market(tmp_path, Prices(LTC="1", BTC="1")) as (mine, _, _):
            await chosen(mine, SHA256D)
        row = mine.tables.upstream
        died = update(row).where(row.c.coin == CHOICE).values(detail=SHA256D, lease_until=1)
        mine.site.database.transaction(lambda connection: connection.execute(died) and None)
        await chosen(mine, "")

    run(test)


def test_where_tickets_have_a_worth_their_effort_follows_the_price_and_jobs_keep_theirs(
    tmp_path: pathlib.Path,
) -> None:
    async def test() -> None:
        prices, ticket = Prices(LTC="1"), Decimal(64 * REWARD) / BLOCK_HASHES
        config = {
            "TICKETMINER_COIN": SCRYPT,
            "TICKETMINER_EFFORT": {"scrypt": 64},
            "TICKETMINER_TICKET_WORTH": f"{ticket:.18f}",
        }
        async with market(tmp_path, prices, **config) as (mine, pools, _):

            async def job(effort: int) -> dict[str, t.Any]:
                """Return a job of a ticket's `effort`, of new work that voids none."""
                talk = pools["scrypt"].talk
                await asked(mine, prices, 2)
                await notify(talk, f"job-{effort}", clean=False)
                return await mine.until(
                    lambda: found if (found := mine.visitor.job())["expected_hashes"] == effort else None,
                    f"an effort of {effort}",
                )

            old = await job(64)
            prices.amounts = {"LTC": "8"}
            new = await job(8)
            prices.amounts = {}
            await job(64)
            for each in (old, new):
                answer = await mine.share(each, next(mine.visitor.nonces(each)))
                assert answer["accepted"]

    run(test)


def test_the_market_asks_for_no_more_than_the_works_nonces_hold(tmp_path: pathlib.Path) -> None:
    async def test() -> None:
        config = {
            "TICKETMINER_COIN": SCRYPT,
            "TICKETMINER_EFFORT": {"scrypt": 1 << 28},
            "TICKETMINER_TICKET_WORTH": "1000000",
        }
        prices = Prices(LTC="0.000001")
        async with market(tmp_path, prices, **config) as (mine, pools, _):
            await asked(mine, prices, 2)
            await notify(pools["scrypt"].talk, "job-2")
            await mine.until(lambda: mine.visitor.job()["expected_hashes"] == 1 << 29)

    run(test)
