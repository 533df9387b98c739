"""``flask ticketminer pool test``: what an operator is told about each pool and node, and that nothing is disturbed by it."""

from __future__ import annotations

import asyncio
import json
import pathlib
import typing as t

import pytest
from click.testing import Result
from litecoin import PASSWORD, USER
from mines import COIN, coin, mining_app, pool_url, run
from scripted_pool import EthashWork, NicehashPool, Refusal, ScriptedPool, Talk
from test_bridge_market import notify
from test_bridge_node import node

from flask_ticketminer.cli import group
from flask_ticketminer.work.difficulty import nicehash_target
from miner.pow import ALGORITHMS

SECONDS = "2"


def pool(difficulty: float = 1) -> ScriptedPool:
    """Return a pool whose work pays 50 coins on a network of difficulty 1."""
    made = ScriptedPool()

    async def greet(talk: Talk) -> None:
        await talk.say("mining.set_difficulty", difficulty)
        await notify(talk, "job-1")

    made.greeting = greet
    return made


async def look(folder: pathlib.Path, entry: dict[str, t.Any], *arguments: str, **effort: int) -> Result:
    """Run the command for one coin, beside the event loop in which its pools live."""
    config = {"TICKETMINER_EFFORT": effort} if effort else {"TICKETMINER_EFFORT": {}}
    app = mining_app(folder, TICKETMINER_COINS={COIN: entry}, **config)
    runner = app.test_cli_runner()
    options = ["pool", "test", "--timeout", SECONDS, *arguments]
    return await asyncio.to_thread(lambda: runner.invoke(group, options))


def said(result: Result) -> str:
    """Return what was printed, without the breaks of lines."""
    return " ".join(result.output.split())


async def report(folder: pathlib.Path, entry: dict[str, t.Any]) -> dict[str, t.Any]:
    result = await look(folder, entry, "--json")
    (only,) = json.loads(result.stdout)["upstreams"]
    assert (result.exit_code == 0) == (only["trouble"] is None)
    return t.cast("dict[str, t.Any]", only)


def test_a_pool_that_works_is_described(tmp_path: pathlib.Path) -> None:
    async def test() -> None:
        async with pool(0.5) as good:
            result = await look(tmp_path, coin(pools=[pool_url(good.port)]))
        text = said(result)
        assert result.exit_code == 0
        for words in (
            f"{COIN} (TST, scrypt): a ticket takes 32,768 hashes.",
            f"stratum+tcp://127.0.0.1:{good.port} gives work",
            "worker accepted",
            "4 bytes the pool's, 4 bytes ours",
            "16 bits of the version to roll",
            "difficulty 0.5, 32,768 hashes: as many as a ticket",
            "difficulty 1 as explorers count, 4,295,032,833 hashes; pays 50 coins",
            "100 visitors 500,000 hashes a second in their pages: a share 15 times a second, a block every 2 hours",
            "1 of 1 pool or node gave work.",
        ):
            assert words in text
        assert "warning" not in text

    run(test)


def test_a_program_reads_the_same_as_json(tmp_path: pathlib.Path) -> None:
    async def test() -> None:
        async with pool(0.5) as good:
            found = await report(tmp_path, coin(pools=[pool_url(good.port)]))
        assert (found["coin"], found["reached"], found["worker_accepted"], found["trouble"]) == (
            COIN,
            True,
            True,
            None,
        )
        assert found["work"] == {
            "pool_bytes": 4,
            "extranonce2_size": 4,
            "version_bits": 16,
            "jobs": 256**4 * 601 << 16,
        }
        assert found["share"] == {"difficulty": "0.5", "hashes": 32768}
        assert found["block"]["reward"] == "50"

    run(test)


def test_work_that_the_bridge_does_not_take_is_none(tmp_path: pathlib.Path) -> None:
    async def test() -> None:
        async with pool() as good:
            result = await look(tmp_path, coin(pools=[pool_url(good.port)]), scrypt=1 << 30)
        assert result.exit_code == 1
        assert "lower TICKETMINER_EFFORT of scrypt" in said(result)

    run(test)


def test_a_share_that_is_too_easy_brings_a_warning_and_no_failure(tmp_path: pathlib.Path) -> None:
    async def test() -> None:
        async with pool(1 / 64) as easy:
            result = await look(tmp_path, coin(pools=[pool_url(easy.port)]))
        assert result.exit_code == 0
        assert "a ticket is 32 times that" in said(result)
        assert "97 % of their work earns nothing there" in said(result)

    run(test)


@pytest.mark.parametrize(
    ("size", "rolling", "scarce"), [(1, False, True), (1, True, False), (2, False, False)]
)
def test_a_pool_that_leaves_little_room_for_jobs_brings_a_warning_and_no_failure(
    tmp_path: pathlib.Path, size: int, rolling: bool, scarce: bool
) -> None:
    async def test() -> None:
        async with pool() as tight:
            tight.answers["mining.subscribe"] = lambda _, __: [[], "0102", size]
            if not rolling:
                tight.answers["mining.configure"] = lambda _, __: {"version-rolling": False}
            result = await look(tmp_path, coin(pools=[pool_url(tight.port)]))
        assert result.exit_code == 0
        assert ("warning" in result.output) == scarce
        assert ("leaves this site 1 byte of the extranonce: room for 153,856 jobs" in said(result)) == scarce

    run(test)


def test_neither_the_database_nor_a_share_is_written(tmp_path: pathlib.Path) -> None:
    async def test() -> None:
        async with pool() as good:
            await look(tmp_path, coin(pools=[pool_url(good.port)]))
            assert not good.heard("mining.submit")
        assert list(tmp_path.iterdir()) == []

    run(test)


def test_no_password_is_printed(tmp_path: pathlib.Path) -> None:
    async def test() -> None:
        async with pool() as good:
            url = f"stratum+tcp://hunter1:hunter2@127.0.0.1:{good.port}"
            for arguments in ([], ["--json"]):
                result = await look(tmp_path, coin(pools=[url]), *arguments)
                assert result.exit_code == 0
                assert "hunter" not in result.output

    run(test)


def refuses(made: ScriptedPool) -> None:
    def answer(_: Talk, __: list[t.Any]) -> bool:
        raise Refusal(24, "Unauthorized worker")

    made.answers["mining.authorize"] = answer


def gives_nothing(made: ScriptedPool) -> None:
    made.greeting = None


def is_silent(made: ScriptedPool) -> None:
    made.answers.clear()


def hangs_up(made: ScriptedPool) -> None:
    made.answers["mining.subscribe"] = lambda talk, _: talk.hang_up()


def babbles(made: ScriptedPool) -> None:
    made.answers["mining.subscribe"] = lambda _, __: ["what"]


@pytest.mark.parametrize(
    ("fault", "worker", "words"),
    [
        (refuses, False, "Unauthorized worker. Check the user name and the password"),
        (gives_nothing, True, "It took the worker, but gave no work"),
        (is_silent, None, "begin the URL with stratum+ssl://"),
        (hangs_up, None, "begin the URL with stratum+ssl://"),
        (babbles, None, "the coin's dialect right?"),
    ],
)
def test_a_pool_that_fails_is_named_with_what_to_check(
    tmp_path: pathlib.Path, fault: t.Callable[[ScriptedPool], None], worker: bool | None, words: str
) -> None:
    async def test() -> None:
        async with pool() as bad:
            fault(bad)
            found = await report(tmp_path, coin(pools=[pool_url(bad.port)]))
        assert (found["reached"], found["worker_accepted"]) == (True, worker)
        assert words in found["trouble"]

    run(test)


def test_a_pool_that_is_not_there_is_not_reached(tmp_path: pathlib.Path) -> None:
    async def test() -> None:
        async with pool() as gone:
            url = pool_url(gone.port)
        found = await report(tmp_path, coin(pools=[url]))
        assert found["reached"] is False
        assert (
            found["trouble"]
            == f"{url.replace('site.1:x@', '')} cannot be reached: nothing listens there. Check its address and port."
        )

    run(test)


def test_a_pool_that_asks_for_another_port_is_followed(tmp_path: pathlib.Path) -> None:
    async def test() -> None:
        async with pool() as good, pool() as moved:

            async def greet(talk: Talk) -> None:
                await talk.say("client.reconnect", "pool.example", good.port, 0)

            moved.greeting = greet
            found = await report(tmp_path, coin(pools=[pool_url(moved.port)]))
        assert found["trouble"] is None

    run(test)


def test_of_several_pools_each_is_looked_at_and_one_failure_is_a_failure(tmp_path: pathlib.Path) -> None:
    async def test() -> None:
        async with pool() as good, pool() as bad:
            refuses(bad)
            result = await look(tmp_path, coin(pools=[pool_url(bad.port), pool_url(good.port)]))
        assert result.exit_code == 1
        assert "1 of 2 pools and nodes gave work." in said(result)

    run(test)


def test_coins_are_chosen_by_name(tmp_path: pathlib.Path) -> None:
    async def test() -> None:
        result = await look(tmp_path, coin(pools=[pool_url(9)]), "--coin", "dogecoin")
        assert (result.exit_code, "no such coin: dogecoin" in result.output) == (2, True)

    run(test)


def test_a_site_with_local_work_is_told_in_one_sentence(tmp_path: pathlib.Path) -> None:
    result = mining_app(tmp_path).test_cli_runner().invoke(group, ["pool", "test"])
    assert result.exit_code == 1
    assert result.output.count("\n") == 1
    assert "TICKETMINER_COINS" in result.output


@pytest.mark.skipif("ethash" not in ALGORITHMS, reason="the kernels were not compiled")
def test_ethash_work_has_an_epoch_and_no_block(tmp_path: pathlib.Path) -> None:
    async def test() -> None:
        work = EthashWork(bytes(32), 3, nicehash_target(1))
        async with NicehashPool(work, 1 / (1 << 21), prefix="abcd") as found:
            entry = coin(algorithm="ethash", pools=[pool_url(found.port)])
            seen = await report(tmp_path, entry)
            assert (seen["trouble"], seen["block"]) == (None, None)
            assert seen["work"] == {"pool_bytes": 2, "jobs": 65536, "epoch": 3}
            assert seen["share"]["hashes"] == 2048
            assert "nonce 2 bytes the pool's; room for 65,536 jobs" in said(await look(tmp_path, entry))

    run(test)


def test_a_real_node_is_described_and_its_troubles_are_named(tmp_path: pathlib.Path) -> None:
    async def test() -> None:
        async with node(tmp_path) as litecoind:
            await asyncio.to_thread(litecoind, "generatetoaddress", 1, litecoind.address)
            url = litecoind.url.replace("//", f"//{USER}:{PASSWORD}@")
            entry = coin(node=url, address=litecoind.address, rules=["segwit", "mweb"])
            text = said(await look(tmp_path, entry))
            for words in (
                "gives work",
                "chain regtest, block 2 is next",
                "pays 50 coins",
                "all of it ours, 8 bytes",
            ):
                assert words in text
            assert PASSWORD not in text
            wrong = {
                "refuses the user or the password": {"node": url.replace(PASSWORD, "other")},
                "set the address": {"address": "LhK2kQwiaAvhjWY799cZvMyYwnQAcxkarr"},
                "Check the coin's rules": {"rules": ["segwit"]},
            }
            for words, changes in wrong.items():
                found = await report(tmp_path, {**entry, **changes})
                assert found["reached"]
                assert words in found["trouble"]
        found = await report(tmp_path, entry)
        assert (found["reached"], "server=1" in found["trouble"]) == (False, True)

    run(test, 120)
