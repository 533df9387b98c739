"""``flask ticketminer upstream`` and ``stats``: what an operator sees of the bridge's talks and of the two accounts."""

from __future__ import annotations

import json
import pathlib
import typing as t

import pytest
from click.testing import Result
from mines import COIN, Ahead, Mine, coin, mining, mining_app, pool_url, run
from scripted_pool import Refusal, Talk
from sqlalchemy import update
from test_bridge_pool import easy_pool

from flask_ticketminer.cli import group
from flask_ticketminer.work.blocks import Blocks
from flask_ticketminer.work.bridge.service import Bridge


async def command(mine: Mine, *arguments: str) -> Result:
    return await mine.ask(lambda: mine.app.test_cli_runner().invoke(group, arguments))


async def seen(mine: Mine) -> dict[str, t.Any]:
    result = await command(mine, "upstream", "--json")
    (only,) = json.loads(result.stdout)["coins"]
    assert (result.exit_code == 0) == (only["template_age"] is not None)
    return t.cast("dict[str, t.Any]", only)


def test_a_coin_with_work_is_shown_with_its_bridge_and_its_outbox(tmp_path: pathlib.Path) -> None:
    async def test() -> None:
        async with mining(tmp_path, pool := easy_pool()) as mine:
            await mine.share(await mine.job())
            await mine.settled(accepted=1)
            shown = await seen(mine)
            assert (shown["coin"], shown["state"]) == (COIN, "working")
            assert shown["detail"] == f"Work comes from stratum+tcp://127.0.0.1:{pool.port}."
            assert shown["holder"]
            assert shown["outbox"] == {
                "pending": 0,
                "sending": 0,
                "accepted": 1,
                "refused": 0,
                "stale": 0,
                "block": 0,
                "unknown": 0,
            }
            result = await command(mine, "upstream")
            assert result.exit_code == 0
            assert f"Visitors are asked to compute for {COIN}." in result.output

    run(test)


def test_why_a_pool_does_not_work_is_shown(tmp_path: pathlib.Path) -> None:
    def refuse(_: Talk, __: list[t.Any]) -> bool:
        raise Refusal(24, "Unauthorized worker")

    async def test() -> None:
        pool = easy_pool()
        pool.answers["mining.authorize"] = refuse
        async with mining(tmp_path, pool) as mine:
            await mine.until(lambda: "Unauthorized" in detail(mine), "a reason")
            assert (await seen(mine))["state"] == "connecting"
            result = await command(mine, "upstream")
            assert result.exit_code == 1
            assert f"{COIN}: stratum+tcp://127.0.0.1:{pool.port}: The pool refuses" in result.output
            assert "flask ticketminer pool test says more" in result.output

    run(test)


def detail(mine: Mine) -> str:
    rows = mine.site.database.read(lambda c: c.execute(mine.tables.upstream.select()).all())
    return "".join(row.detail for row in rows)


def test_without_a_bridge_it_is_said_how_to_start_one(tmp_path: pathlib.Path) -> None:
    async def test() -> None:
        async with mining(tmp_path, easy_pool()) as mine:
            await mine.job()
        assert (await seen(mine))["state"] == "no bridge"
        assert "flask ticketminer bridge" in (await command(mine, "upstream")).output

    run(test)


def test_a_bridge_that_died_is_none_once_its_lease_is_over(tmp_path: pathlib.Path) -> None:
    async def test() -> None:
        async with mining(tmp_path, easy_pool()) as mine:
            await mine.job()
            row = mine.tables.upstream
            dead = update(row).values(lease_until=1)
            mine.site.database.transaction(lambda connection: connection.execute(dead) and None)
            shown = await seen(mine)
            assert (shown["state"], "without giving its lease back" in shown["detail"]) == ("no bridge", True)

    run(test)


def test_a_site_that_never_had_a_bridge_is_shown(tmp_path: pathlib.Path) -> None:
    async def test() -> None:
        entry = {
            "symbol": "TST",
            "algorithm": "scrypt",
            "block_time": 150,
            "pools": ["stratum+tcp://a@127.0.0.1:9"],
        }
        mine = Mine(mining_app(tmp_path, TICKETMINER_COINS={COIN: entry}))
        shown = await seen(mine)
        assert (shown["state"], shown["since"], shown["holder"]) == ("no bridge", None, "")

    run(test)


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        (COIN, f"asked to compute for {COIN}."),
        ("most-profitable", f"asked to compute for {COIN}."),
        (None, "TICKETMINER_COIN is None: visitors' work is local"),
    ],
)
def test_what_visitors_compute_for_is_said(tmp_path: pathlib.Path, asked: str | None, words: str) -> None:
    entry = coin(pools=[pool_url(9)])
    app = mining_app(tmp_path, TICKETMINER_COINS={COIN: entry}, TICKETMINER_COIN=asked)
    assert words in app.test_cli_runner().invoke(group, ["upstream"]).output


def test_as_long_as_no_coin_is_chosen_that_is_said(tmp_path: pathlib.Path) -> None:
    coins = {name: coin(pools=[pool_url(9)]) for name in (COIN, "other")}
    app = mining_app(tmp_path, TICKETMINER_COINS=coins, TICKETMINER_COIN="most-profitable")
    assert "No coin is chosen yet" in app.test_cli_runner().invoke(group, ["upstream"]).output


def test_the_time_of_a_state_is_that_of_its_beginning(tmp_path: pathlib.Path) -> None:
    async def test() -> None:
        pool = easy_pool()
        async with mining(tmp_path, pool) as mine:
            job = await mine.job()
            row = mine.tables.upstream
            early = update(row).where(row.c.coin == COIN).values(changed=row.c.changed - 3600)
            mine.site.database.transaction(lambda connection: connection.execute(early) and None)
            await pool.talk.notify("job-2")
            await mine.until(lambda: mine.site.source.tip("scrypt")["tip"] != job["tip"], "new work")
            assert (await seen(mine))["since"] >= 3600

    run(test)


@pytest.mark.parametrize("died", [False, True])
def test_how_long_there_is_no_bridge_is_told_from_its_end(tmp_path: pathlib.Path, died: bool) -> None:
    async def test() -> None:
        clock = Ahead()
        mine = Mine(mining_app(tmp_path, clock=clock, TICKETMINER_COINS={COIN: coin(pools=[pool_url(9)])}))
        upstream = Bridge(mine.site, list(mine.site.settings.coins.values())).talks[0].upstream
        assert upstream.acquire() is None
        clock.ahead += 3600
        upstream.renew()
        if not died:
            upstream.release()
        clock.ahead += 60
        shown = await seen(mine)
        assert (shown["state"], shown["since"] < 100) == ("no bridge", True)

    run(test)


def test_a_pool_that_asks_for_a_pause_is_one_that_is_waited_for_from_then_on(tmp_path: pathlib.Path) -> None:
    async def test() -> None:
        pool = easy_pool()
        async with mining(tmp_path, pool) as mine:
            await mine.job()
            row = mine.tables.upstream
            early = update(row).where(row.c.coin == COIN).values(changed=row.c.changed - 3600)
            mine.site.database.transaction(lambda connection: connection.execute(early) and None)
            await pool.talk.say("client.reconnect", "", pool.port, 600)
            await mine.until(lambda: mine.site.templates.current(COIN) is None, "the end of the work")
            shown = await seen(mine)
            assert (shown["state"], shown["detail"], shown["since"] < 3600) == ("connecting", "", True)

    run(test)


def test_the_two_accounts_are_printed_apart(tmp_path: pathlib.Path) -> None:
    async def test() -> None:
        async with mining(tmp_path, easy_pool()) as mine:
            await mine.share(await mine.job())
            await mine.settled(accepted=1)
            Blocks(mine.site.database, mine.site.clock, COIN).add(bytes(32), height=1, reward=625_000_000)
            output = (await command(mine, "stats")).output
            paid, taken = (
                output.index("What this site paid for work"),
                output.index("What upstream took of it"),
            )
            blocks = output.index("Blocks that nodes of this site took")
            assert paid < taken < blocks
            assert "6.25" in output[blocks:]

    run(test)
