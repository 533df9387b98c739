"""Work of ethash from a hostile pool, or where its caches cannot be kept: the pool is left, with the reason, and the bridge goes on."""

from __future__ import annotations

import pathlib

import pytest
from mines import COIN, Mine, bridge_of, coin, mining_app, pool_url, run
from scripted_pool import EthashWork, GetworkPool, NicehashPool, ScriptedPool
from sqlalchemy import select

from flask_ticketminer.work.difficulty import nicehash_target
from miner.pow import ALGORITHMS

pytestmark = pytest.mark.skipif("ethash" not in ALGORITHMS, reason="the kernels were not compiled")


@pytest.fixture
def folder(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> pathlib.Path:
    found = tmp_path / "ethash"
    monkeypatch.setenv("TICKETMINER_ETHASH_DIR", str(found))
    return found


def work(epoch: int = 0) -> EthashWork:
    return EthashWork(bytes(32), epoch, nicehash_target(1))


def mine_of(tmp_path: pathlib.Path, pool: ScriptedPool, dialect: str) -> Mine:
    entry = coin(algorithm="ethash", dialect=dialect, pools=[pool_url(pool.port)])
    return Mine(mining_app(tmp_path, TICKETMINER_COINS={COIN: entry}))


async def told(mine: Mine, words: str) -> None:
    """Wait until the bridge has told the operator so."""
    detail = select(mine.tables.upstream.c.detail)
    await mine.until(
        lambda: words in (mine.site.database.read(lambda c: c.execute(detail).scalar()) or ""), words
    )


def test_a_pool_whose_seed_is_not_its_blocks_is_left(tmp_path: pathlib.Path, folder: pathlib.Path) -> None:
    async def test() -> None:
        async with GetworkPool(work(), number=30_000) as pool:
            mine = mine_of(tmp_path, pool, "getwork")
            async with bridge_of(mine):
                await told(mine, "check epoch_length")

    run(test)


def test_a_pool_that_goes_from_epoch_to_epoch_does_not_fill_the_disk(
    tmp_path: pathlib.Path, folder: pathlib.Path
) -> None:
    async def test() -> None:
        async with NicehashPool(work(), 1, prefix="") as pool:
            mine = mine_of(tmp_path, pool, "nicehash")
            async with bridge_of(mine):
                for epoch in range(5):
                    pool.work = work(epoch)
                    await mine.until(lambda: pool.talks, "a session")
                    await pool.talk.say("mining.notify", *pool.job())
                    if epoch < 4:
                        await mine.until((folder / f"cache-30000-{epoch}").exists, "a cache")
                await told(mine, "epochs of ethash in a day")
            assert not (folder / "cache-30000-4").exists()

    run(test)


def test_a_cache_that_cannot_be_kept_is_the_operators_trouble_and_no_end(
    tmp_path: pathlib.Path, folder: pathlib.Path
) -> None:
    folder.write_text("no folder")

    async def test() -> None:
        async with NicehashPool(work(), 1, prefix="") as pool:
            mine = mine_of(tmp_path, pool, "nicehash")
            async with bridge_of(mine):
                await told(mine, "ethash")
                folder.unlink()
                seen = mine.site.templates
                await mine.until(lambda: seen.current(COIN), "work")

    run(test)
