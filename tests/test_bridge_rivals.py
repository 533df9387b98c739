"""Bridges that are killed or stopped while another waits, and a database that is away: one talks, and nothing is sent twice."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import pathlib
import signal
import sqlite3
import subprocess
import sys
import typing as t
from collections.abc import Iterator

import postgres
import pytest
import torture_bridge
from judging_pool import JudgingPool
from mines import COIN, EASY, Mine, bridge_of, coin, mining_app, pool_url, run
from parts import missing
from sqlalchemy import update
from test_bridge_faults import bring, check_books, ended

from flask_ticketminer.errors import DatabaseBusy, SchemaError
from flask_ticketminer.work.bridge.pool import PoolTalk
from flask_ticketminer.work.bridge.service import Bridge
from flask_ticketminer.work.bridge.talk import stored
from flask_ticketminer.work.upstreams import LeaseLost


class Rival:
    """``flask ticketminer bridge`` in a process of its own, with a lease of a second; `mine` is its site."""

    def __init__(self, folder: pathlib.Path, pool: JudgingPool) -> None:
        self.database = folder / "tickets.sqlite"
        members = {"folder": str(folder), "uri": f"sqlite:///{self.database}", "port": pool.port}
        (folder / "site.json").write_text(json.dumps(members))
        self.mine = Mine(torture_bridge.build(**members))
        tests = pathlib.Path(__file__).parent
        environment = {
            **os.environ,
            "TORTURE_BRIDGE": str(folder / "site.json"),
            "PYTHONPATH": os.pathsep.join((str(tests), str(tests.parent))),
        }
        command = [sys.executable, "-m", "flask", "--app", "torture_bridge:make_app", "ticketminer", "bridge"]
        self.process = subprocess.Popen([*command, "-q"], env=environment, cwd=tests.parent)

    def signal(self, number: int) -> None:
        self.process.send_signal(number)

    def stop(self) -> None:
        """Stop it between two transactions: in one, it would keep everybody else from writing for as long."""
        while True:
            self.signal(signal.SIGSTOP)
            with (
                contextlib.suppress(sqlite3.OperationalError),
                contextlib.closing(sqlite3.connect(self.database, timeout=2)) as connection,
            ):
                connection.execute("BEGIN IMMEDIATE")
                return
            self.signal(signal.SIGCONT)


@contextlib.contextmanager
def rival(folder: pathlib.Path, pool: JudgingPool) -> Iterator[Rival]:
    found = Rival(folder, pool)
    try:
        yield found
    finally:
        found.process.kill()
        found.process.wait()


def easy_pool() -> JudgingPool:
    return JudgingPool(algorithm=torture_bridge.ALGORITHM, difficulty=torture_bridge.EASY)


def test_of_two_bridges_one_talks_and_the_other_takes_over_when_it_is_killed(tmp_path: pathlib.Path) -> None:
    async def test() -> None:
        async with easy_pool() as pool:
            with rival(tmp_path, pool) as first:
                mine = first.mine
                await bring(mine, pool)
                async with bridge_of(mine):
                    await bring(mine, pool)
                    assert len(pool.talks) == 1
                    first.signal(signal.SIGKILL)
                    await mine.until(lambda: len(pool.talks) == 2, "the second bridge's talk")
                    await bring(mine, pool)
                check_books(mine, pool)

    run(test, 120)


def test_a_bridge_that_was_stopped_for_longer_than_its_lease_sends_nothing_more(
    tmp_path: pathlib.Path,
) -> None:
    async def test() -> None:
        async with easy_pool() as pool:
            with rival(tmp_path, pool) as first:
                mine = first.mine
                await bring(mine, pool)
                jobs = [await mine.job() for _ in range(8)]
                bringing = asyncio.gather(*(mine.share(job) for job in jobs))
                await mine.until(lambda: len(pool.seen) > 1, "a share on its way")
                await asyncio.to_thread(first.stop)
                await bringing
                async with bridge_of(mine):
                    await mine.until(lambda: len(pool.talks) == 2, "the second bridge's talk")
                    await bring(mine, pool)
                    await ended(mine)
                    old, _ = pool.talks
                    sent = len(old.heard)
                    first.signal(signal.SIGCONT)
                    await mine.until(old.reader.at_eof, "the end of the first bridge's talk")
                    await bring(mine, pool)
                    assert len(old.heard) == sent
                check_books(mine, pool)

    run(test, 120)


async def wait_again(mine: Mine, job: dict[str, t.Any]) -> str:
    """Bring a share when no bridge talks and let it wait all the same; return the session that it is for."""
    await mine.share(job)
    set_pending(mine)
    template, _ = mine.site.templates.standing(mine.origin(job).template_id)
    assert template is not None
    return template.session


def set_pending(mine: Mine) -> None:
    change = update(mine.tables.upstream_share).values(state="pending")
    mine.site.database.transaction(lambda connection: connection.execute(change) and None)


def test_the_audit_misses_a_share_whose_fate_is_not_what_was_counted(tmp_path: pathlib.Path) -> None:
    async def test() -> None:
        async with JudgingPool(difficulty=EASY) as pool:
            entry = coin(pools=[pool_url(pool.port)])
            mine = Mine(mining_app(tmp_path, TICKETMINER_COINS={COIN: entry}))
            async with bridge_of(mine):
                await bring(mine, pool)
            assert mine.balanced()
            set_pending(mine)
            assert not mine.balanced()

    run(test)


def lone_talk(mine: Mine) -> PoolTalk:
    (talk,) = Bridge(mine.site, list(mine.site.settings.coins.values())).talks
    assert isinstance(talk, PoolTalk)
    return talk


def test_what_a_stopped_bridge_had_in_hand_is_unknown_and_is_not_written(tmp_path: pathlib.Path) -> None:
    async def test() -> None:
        async with JudgingPool(difficulty=EASY) as pool:
            entry = coin(pools=[pool_url(pool.port)])
            config = {"TICKETMINER_COINS": {COIN: entry}, "TICKETMINER_BRIDGE_LEASE": 1}
            mine = Mine(mining_app(tmp_path, **config))
            async with bridge_of(mine):
                job = await mine.job()
            session = await wait_again(mine, job)
            first, second = lone_talk(mine), lone_talk(mine)
            assert await first._acquire()
            (parcel,) = first.outbox.take(session, first.upstream.fence, 9)
            while not await second._acquire():
                assert not mine.fates().get("unknown")
            assert not first.upstream.is_held
            await first._sent(parcel)
            await first._write_down(first.upstream.fence)
            assert mine.fates() == {"unknown": 1}
            for act in (
                lambda: first.outbox.end_others(""),
                lambda: first.outbox.recover(9, repeatable=True),
            ):
                set_pending(mine)
                with pytest.raises(LeaseLost):
                    act()
            with pytest.raises(LeaseLost):
                first.outbox.take(session, first.upstream.fence, 9)
            assert not pool.seen

    run(test)


def test_a_bridge_that_waits_says_for_whom_and_once(
    tmp_path: pathlib.Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def test() -> None:
        mine = Mine(mining_app(tmp_path, TICKETMINER_COINS={COIN: coin(pools=[pool_url(9)])}))
        first, second = lone_talk(mine), lone_talk(mine)
        assert await first._acquire()
        with caplog.at_level("INFO", "flask_ticketminer.work"):
            for _ in range(2):
                assert not await second._acquire()
        assert caplog.messages == [f"{COIN}: waiting, since {first.parts.holder} talks to the upstream."]

    run(test)


def test_a_database_that_stores_nothing_is_said_once_until_it_does_again(
    tmp_path: pathlib.Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_: object) -> t.NoReturn:
        raise DatabaseBusy("The disk is full.")

    async def test() -> None:
        talk = lone_talk(Mine(mining_app(tmp_path, TICKETMINER_COINS={COIN: coin(pools=[pool_url(9)])})))
        assert await talk._acquire()
        for said in (1, 2):
            with monkeypatch.context() as patched:
                patched.setattr(talk.outbox, "take", away)
                for _ in range(3):
                    assert await talk._take("session", 1, ()) == []
            assert await talk._take("session", 1, ()) == []
            assert caplog.text.count("it is tried again") == said

    run(test)


def test_a_commit_in_doubt_of_one_coin_puts_back_nothing_of_another(tmp_path: pathlib.Path) -> None:
    async def test() -> None:
        async with JudgingPool(difficulty=EASY) as pool:
            coins = {name: coin(pools=[pool_url(pool.port)]) for name in (COIN, "other")}
            mine = Mine(mining_app(tmp_path, TICKETMINER_COINS=coins, TICKETMINER_COIN=COIN))
            async with bridge_of(mine):
                job = await mine.job()
            session = await wait_again(mine, job)
            one, other = Bridge(mine.site, list(mine.site.settings.coins.values())).talks
            assert await one._acquire()
            assert await other._acquire()
            assert len(one.outbox.take(session, one.upstream.fence, 9)) == 1
            assert one.upstream.fence == other.upstream.fence
            other.outbox.take("", other.upstream.fence, 9, [])
            assert mine.fates() == {"sending": 1}

    run(test)


def test_a_bridge_whose_database_is_away_is_stopped_all_the_same() -> None:
    async def test() -> None:
        stopping, tried = asyncio.Event(), asyncio.Event()
        loop = asyncio.get_running_loop()

        def away() -> None:
            loop.call_soon_threadsafe(tried.set)
            raise DatabaseBusy("The database is away.")

        storing = asyncio.create_task(stored(away, stopping))
        await tried.wait()
        stopping.set()
        with pytest.raises(DatabaseBusy):
            await storing

    run(test)


def test_what_ends_a_bridge_is_raised_as_it_is(tmp_path: pathlib.Path) -> None:
    mine = Mine(mining_app(tmp_path, TICKETMINER_COINS={COIN: coin(pools=[pool_url(9)])}))
    assert mine.balanced()
    with contextlib.closing(sqlite3.connect(tmp_path / "tickets.sqlite")) as other:
        other.execute("UPDATE ticketminer_schema SET version = 99")
        other.commit()
    again = Mine(mining_app(tmp_path, TICKETMINER_COINS={COIN: coin(pools=[pool_url(9)])}))
    bridge = Bridge(again.site, list(again.site.settings.coins.values()))
    with pytest.raises(SchemaError):
        asyncio.run(bridge.run())


def test_a_database_that_is_away_for_seconds_loses_no_share(tmp_path: pathlib.Path) -> None:
    programs = postgres.programs()
    if programs is None:
        missing("needs PostgreSQL: apt-get install postgresql")
        return

    async def test() -> None:
        with postgres.running(programs) as server:
            pool, answer = JudgingPool(difficulty=EASY), asyncio.Event()

            async def wait(_: t.Any) -> None:
                await answer.wait()

            async with pool:
                config = {"TICKETMINER_COINS": {COIN: coin(pools=[pool_url(pool.port)])}}
                uri = server.new_database()
                mine = Mine(mining_app(tmp_path, TICKETMINER_DATABASE_URI=uri, **config))
                async with bridge_of(mine):
                    await bring(mine, pool)
                    pool.before["mining.submit"] = wait
                    await mine.share(await mine.job())
                    await mine.until(lambda: not pool.before, "a share on its way")
                    await asyncio.to_thread(server.stop)
                    answer.set()
                    await pool.work()
                    await asyncio.sleep(2)
                    await asyncio.to_thread(server.start)
                    await bring(mine, pool)
                    assert len(pool.talks) == 1
                    assert mine.fates().keys() <= {"accepted", "stale"}
                check_books(mine, pool)
                mine.site.database.dispose()

    run(test, 180)
