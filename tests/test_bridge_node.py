"""Blocks that visitors find for a coin's own node: a real litecoind on a chain of its own."""

from __future__ import annotations

import asyncio
import contextlib
import pathlib
import shutil
from collections.abc import AsyncIterator, Callable

import pytest
from litecoin import PASSWORD, USER, Litecoind
from mines import COIN, Mine, bridge_of, coin, mining_app, run
from parts import missing

from flask_ticketminer.work.bridge.node import NodeTalk

BLOCKS = 50
MWEB_HEIGHT = 432


@contextlib.asynccontextmanager
async def node(folder: pathlib.Path, *, mweb: bool = False) -> AsyncIterator[Litecoind]:
    if shutil.which("litecoind") is None:
        missing("needs litecoind: apt-get install litecoind")
    found = await asyncio.to_thread(Litecoind, folder / "litecoind", mweb=mweb)
    try:
        yield found
    finally:
        await asyncio.to_thread(found.close)


def mine_of(folder: pathlib.Path, litecoind: Litecoind) -> Mine:
    url = litecoind.url.replace("//", f"//{USER}:{PASSWORD}@")
    entry = coin(node=url, address=litecoind.address, rules=["segwit", "mweb"])
    return Mine(mining_app(folder, TICKETMINER_COINS={COIN: entry}))


async def find_block(mine: Mine, then: Callable[[], None] = lambda: None) -> None:
    """Mine a block, do what is to be done `then`, and wait until there is work for the one after it."""
    before = sum(mine.blocks().values())
    job = await mine.job()
    answer = await mine.share(job)
    assert answer["upstream"] in ("pending", "stale")
    await mine.until(lambda: sum(mine.blocks().values()) > before or answer["upstream"] == "stale", "a block")
    await asyncio.to_thread(then)
    await mine.until(lambda: tip(mine) not in (None, job["tip"]), "work after the block")


def peg_in(litecoind: Litecoind) -> None:
    """Send a coin into MWEB, without which litecoind makes no template for the block that activates it."""
    if litecoind("getblockcount") == MWEB_HEIGHT - 1 and not litecoind("getmempoolinfo")["size"]:
        litecoind("sendtoaddress", litecoind("getnewaddress", "", "mweb"), 1)


def tip(mine: Mine) -> str | None:
    template = mine.site.templates.current(COIN)
    return None if template is None else template.tip


@pytest.mark.parametrize("mweb", [False, True], ids=["plain", "across MWEB"])
def test_the_node_takes_the_blocks_of_visitors_and_their_reward_is_in_its_wallet(
    tmp_path: pathlib.Path, mweb: bool
) -> None:
    async def test() -> None:
        async with node(tmp_path, mweb=mweb) as litecoind:
            start = MWEB_HEIGHT - BLOCKS // 2 if mweb else 1
            await asyncio.to_thread(litecoind, "generatetoaddress", start, litecoind.address)
            rewarded = litecoind("getbalances")["mine"]
            mine = mine_of(tmp_path, litecoind)
            async with bridge_of(mine):
                while sum(mine.blocks().values()) < BLOCKS:
                    await find_block(mine, lambda: peg_in(litecoind))
            assert litecoind("getblockcount") == start + BLOCKS
            assert mine.fates().get("block") == BLOCKS
            after = litecoind("getbalances")["mine"]
            assert after["immature"] + after["trusted"] > rewarded["immature"] + rewarded["trusted"]
            assert mine.balanced()

    run(test, 300)


def test_the_bridge_says_which_node_gives_work_and_on_which_block(
    tmp_path: pathlib.Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "flask_ticketminer.work")

    async def test() -> None:
        async with node(tmp_path) as litecoind:
            await asyncio.to_thread(litecoind, "generatetoaddress", 1, litecoind.address)
            mine = mine_of(tmp_path, litecoind)
            async with bridge_of(mine):
                await mine.job()
                await asyncio.to_thread(litecoind, "generatetoaddress", 1, litecoind.address)
                await mine.until(lambda: "block 3" in caplog.text, "work on the next block")
            assert f"connected to the node at {litecoind.url}; new work, on block 2." in caplog.text
            assert caplog.text.count("connected to") == 1

    run(test)


def test_refreshes_on_a_quiet_chain_leave_the_node_its_threads(tmp_path: pathlib.Path) -> None:
    async def test() -> None:
        async with node(tmp_path) as litecoind:
            await asyncio.to_thread(litecoind, "generatetoaddress", 1, litecoind.address)
            mine = mine_of(tmp_path, litecoind)
            async with bridge_of(mine) as bridge:
                (talk,) = bridge.talks
                assert isinstance(talk, NodeTalk)
                talk._refresh = 0.05
                await mine.until(lambda: len(talk._templates) == 8, "seven refreshes")
                active = (await asyncio.to_thread(litecoind, "getrpcinfo"))["active_commands"]
                assert sum(each["duration"] > 500_000 for each in active) == 1
                await find_block(mine)

    run(test)


def test_a_block_that_nobody_answered_is_sent_again(tmp_path: pathlib.Path) -> None:
    async def test() -> None:
        async with node(tmp_path) as litecoind:
            await asyncio.to_thread(litecoind, "generatetoaddress", 1, litecoind.address)
            mine = mine_of(tmp_path, litecoind)
            async with bridge_of(mine):
                job = await mine.job()
            await mine.share(job)
            outbox = mine.tables.upstream_share
            # What a bridge leaves that dies between sending a share and its answer.
            mine.site.database.transaction(
                lambda c: c.execute(outbox.update().values(state="sending", fence=1)) and None
            )
            async with bridge_of(mine):
                await mine.settled(block=1)
            assert litecoind("getblockcount") == 2

    run(test)
