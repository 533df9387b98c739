"""Shares of visitors on their way to a pool: every one has a fate, whatever the pool does."""

from __future__ import annotations

import pathlib
import typing as t

from mines import COIN, EASY, HARD, Mine, bridge_of, coin, mining, mining_app, pool_url, run
from scripted_pool import Refusal, ScriptedPool, Talk
from sqlalchemy import select

from flask_ticketminer.work.bridge import pool as bridge_pool
from flask_ticketminer.work.outbox import Forward
from flask_ticketminer.work.stratum.dialects import Solution


def easy_pool(nbits: str = HARD) -> ScriptedPool:
    pool = ScriptedPool(difficulty=EASY)

    async def greet(talk: Talk) -> None:
        await talk.say("mining.set_difficulty", pool.difficulty)
        await talk.notify(nbits=nbits)

    pool.greeting = greet
    return pool


def test_a_share_that_is_good_enough_reaches_the_pool(tmp_path: pathlib.Path) -> None:
    async def test() -> None:
        pool = easy_pool()
        async with mining(tmp_path, pool) as mine:
            job = await mine.job()
            assert (job["algorithm"], len(job["blob"]), job["nonce_offset"], job["nonce_size"]) == (
                "scrypt",
                160,
                76,
                4,
            )
            answer = await mine.share(job)
            assert answer["upstream"] == "pending"
            await mine.settled(accepted=1)
            (share,) = pool.shares
            assert share[:2] == ["site.1", "job-1"]

    run(test)


def test_a_job_brings_the_next_one_only_at_its_own_end(tmp_path: pathlib.Path) -> None:
    async def test() -> None:
        async with mining(tmp_path, easy_pool(), TICKETMINER_UPSTREAM_JOB_LIFE=24) as mine:
            assert (await mine.share(await mine.job()))["next"] is None

    run(test)


def refusing(code: int) -> t.Any:
    def answer(_: Talk, __: list[t.Any]) -> bool:
        raise Refusal(code, "no")

    return answer


def test_what_the_pool_refuses_is_still_paid(tmp_path: pathlib.Path) -> None:
    async def test() -> None:
        pool = easy_pool()
        pool.answers["mining.submit"] = refusing(23)
        async with mining(tmp_path, pool) as mine:
            assert (await mine.share(await mine.job()))["token_response"]
            await mine.settled(refused=1)

    run(test)


def test_what_the_pool_calls_stale_is_stale(tmp_path: pathlib.Path) -> None:
    async def test() -> None:
        pool = easy_pool()
        pool.answers["mining.submit"] = refusing(21)
        async with mining(tmp_path, pool) as mine:
            await mine.share(await mine.job())
            await mine.settled(stale=1)

    run(test)


def test_a_share_that_is_a_block_is_called_one(tmp_path: pathlib.Path) -> None:
    async def test() -> None:
        async with mining(tmp_path, easy_pool("207fffff")) as mine:
            await mine.share(await mine.job())
            await mine.settled(block=1)

    run(test)


def test_a_share_below_the_pools_difficulty_is_paid_and_stays_here(tmp_path: pathlib.Path) -> None:
    async def test() -> None:
        pool = easy_pool()
        pool.difficulty = 1
        async with mining(tmp_path, pool) as mine:
            job = await mine.job()
            answer = await mine.share(job, next(mine.visitor.nonces(job)))
            assert (answer["accepted"], answer["upstream"]) == (True, None)
            assert mine.fates() == {}

    run(test)


def test_work_that_upstream_has_voided_is_paid_for_a_grace_time_and_not_sent(tmp_path: pathlib.Path) -> None:
    async def test() -> None:
        pool = easy_pool()
        async with mining(tmp_path, pool) as mine:
            old = await mine.job()
            await pool.talk.notify("job-2", nbits=HARD)
            await mine.until(lambda: mine.site.source.tip("scrypt")["tip"] != old["tip"], "a new tip")
            assert (await mine.share(old))["upstream"] == "stale"
            assert (await mine.share(await mine.job()))["upstream"] == "pending"
            await mine.settled(stale=1, accepted=1)
            assert [share[1] for share in pool.shares] == ["job-2"]

    run(test)


def test_a_repeated_share_is_paid_and_sent_once(tmp_path: pathlib.Path) -> None:
    async def test() -> None:
        pool = easy_pool()
        async with mining(tmp_path, pool) as mine:
            body = await mine.ask(mine._share, await mine.job(), None)
            first = await mine.ask(mine.visitor.post, "/submit", body)
            await mine.settled(accepted=1)
            again = await mine.ask(mine.visitor.post, "/submit", body)
            assert again.json["token_response"] == first.json["token_response"]
            assert (first.json["upstream"], again.json["upstream"]) == ("pending", "accepted")
            assert len(pool.shares) == 1

    run(test)


def test_without_a_pool_there_is_no_work(tmp_path: pathlib.Path) -> None:
    async def test() -> None:
        pool = easy_pool()
        async with mining(tmp_path, pool) as mine:
            await mine.job()
            pool.answers.clear()
            pool.talk.hang_up()
            await mine.until(lambda: mine.site.templates.current(COIN) is None, "the end of the work")
            reply = await mine.ask(mine.visitor.post, "/job", mine.visitor.job_request())
            assert (reply.status_code, reply.json["cause"]) == (503, "no-work")
            assert int(reply.headers["Retry-After"]) > 0

    run(test)


def test_tickets_of_more_hashes_than_the_work_has_nonces_are_the_operators_trouble(
    tmp_path: pathlib.Path,
) -> None:
    async def test() -> None:
        async with mining(tmp_path, easy_pool(), TICKETMINER_EFFORT={"scrypt": 1 << 30}) as mine:
            detail = select(mine.tables.upstream.c.detail)
            await mine.until(
                lambda: (
                    "lower TICKETMINER_EFFORT"
                    in (mine.site.database.read(lambda c: c.execute(detail).scalar()) or "")
                )
            )
            assert mine.site.templates.current(COIN) is None

    run(test)


def test_old_fates_go_however_many_there_are(tmp_path: pathlib.Path) -> None:
    async def test() -> None:
        async with easy_pool() as pool:
            mine = Mine(mining_app(tmp_path, TICKETMINER_COINS={COIN: coin(pools=[pool_url(pool.port)])}))
            sent = Forward(COIN, "gone", bytes(16), Solution("00000000"), is_block=False, outdated=True)
            rows = [sent.row(number.to_bytes(32, "big"), now=1) for number in range(2000)]
            mine.site.database.transaction(
                lambda c: c.execute(mine.tables.upstream_share.insert(), rows) and None
            )
            async with bridge_of(mine):
                await mine.settled()

    run(test)


def test_jobs_are_known_for_as_long_as_their_shares_come(tmp_path: pathlib.Path) -> None:
    settings = Mine(mining_app(tmp_path)).site.settings
    assert settings.upstream_job_life < bridge_pool._KEPT_JOBS * bridge_pool._PAUSE
