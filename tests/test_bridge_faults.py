"""A hostile pool: whatever it does, the bridge goes on, visitors keep their tickets, every share has a fate, and none is sent twice."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import json
import pathlib
import typing as t
from collections.abc import AsyncIterator

import pytest
from judging_pool import JudgingPool, hang_up
from mines import COIN, EASY, Mine, bridge_of, coin, mining, mining_app, pool_url, run
from postgres import free_port
from scripted_pool import Refusal, Talk
from sqlalchemy import func, select

from flask_ticketminer.errors import NoWork
from flask_ticketminer.work.outbox import FATES, PENDING, SENDING
from flask_ticketminer.work.stratum.connection import Patience

OPENING = ("mining.configure", "mining.subscribe", "mining.extranonce.subscribe", "mining.authorize")
BURST = 10_000


def pool_of(difficulty: float = EASY) -> JudgingPool:
    return JudgingPool(difficulty=difficulty)


@contextlib.asynccontextmanager
async def hostile(
    folder: pathlib.Path, *pools: JudgingPool, patience: Patience | None = None
) -> AsyncIterator[Mine]:
    """A site whose bridge talks to the first of `pools`, and in the end the books."""
    async with contextlib.AsyncExitStack() as stack:
        for pool in pools:
            await stack.enter_async_context(pool)
        entry = coin(pools=[pool_url(pool.port) for pool in pools])
        mine = Mine(mining_app(folder, TICKETMINER_COINS={COIN: entry}))
        async with bridge_of(mine, patience=patience):
            yield mine
            await ended(mine)
        check_books(mine, *pools)


async def bring(mine: Mine, pool: JudgingPool) -> None:
    """Bring shares until the pool has taken one more; each is paid."""
    before = len(pool.taken)
    while len(pool.taken) == before:
        assert (await mine.share(await mine.job()))["token_response"]
        await ended(mine)


async def ended(mine: Mine) -> None:
    """Wait until every share has a fate."""
    await mine.until(lambda: not {PENDING, SENDING} & mine.fates().keys(), "a fate for every share")


def check_books(mine: Mine, *pools: JudgingPool) -> None:
    table = mine.tables.coin_total
    sums = select(table.c.name, func.sum(table.c.total)).group_by(table.c.name)
    totals = {name: int(total) for name, total in mine.site.database.read(lambda c: c.execute(sums).all())}
    fates = mine.fates()
    assert totals["forwarded"] == sum(fates.values())
    assert {fate: n for fate in FATES if (n := totals.get(fate, 0))} == fates
    assert [pool.twice for pool in pools] == [[] for _ in pools]
    assert sum(len(pool.taken) for pool in pools) <= fates.get("accepted", 0) + fates.get("unknown", 0)
    assert mine.balanced()


def test_a_pool_may_hang_up_before_and_after_each_answer_of_the_opening(tmp_path: pathlib.Path) -> None:
    async def test() -> None:
        pool = pool_of()
        async with hostile(tmp_path, pool) as mine:
            await bring(mine, pool)
            moments = [(at, method) for at in (pool.before, pool.after) for method in OPENING]
            for at, method in [*moments, (pool.before, "greeting")]:
                at[method] = hang_up
                pool.talk.hang_up()
                await mine.until(lambda: method not in at, f"the end at {method}")  # noqa: B023
            await bring(mine, pool)

    run(test, 120)


async def half_an_answer(talk: Talk) -> None:
    await talk.send(b'{"id": %d, "resu' % talk.heard[-1]["id"])
    await hang_up(talk)


def answering(text: str) -> t.Any:
    async def answer(talk: Talk) -> None:
        await talk.send(text.replace("ID", str(talk.heard[-1]["id"])).encode() + b"\n")
        await asyncio.sleep(0.2)
        await hang_up(talk)

    return answer


@pytest.mark.parametrize(
    ("moment", "fate"),
    [
        (hang_up, "unknown"),
        (half_an_answer, "unknown"),
        (answering("garbage"), "unknown"),
        (answering('{"id": "ID", "result": true, "error": null}'), "unknown"),
        (answering('{"id": ID, "result": {"yes": 1}, "error": null}'), "refused"),
        (answering('{"id": ID, "result": null, "error": [[], {}, 7]}'), "refused"),
        (answering('{"id": ID, "result": true, "error": null}'), "accepted"),
    ],
    ids=["nothing", "half", "garbage", "id as text", "object", "odd error", "yes"],
)
def test_a_share_whose_answer_is_odd_or_missing_has_a_fate_and_is_not_sent_again(
    tmp_path: pathlib.Path, moment: t.Any, fate: str
) -> None:
    async def test() -> None:
        pool = pool_of()
        async with hostile(tmp_path, pool) as mine:
            job = await mine.job()
            pool.before["mining.submit"] = moment
            assert (await mine.share(job))["token_response"]
            await mine.settled(**{fate: 1})
            await bring(mine, pool)

    run(test)


def test_a_pool_may_hang_up_while_many_shares_are_on_their_way(tmp_path: pathlib.Path) -> None:
    async def test() -> None:
        pool = pool_of()
        async with hostile(tmp_path, pool) as mine:
            for end in (pool.before, pool.after):
                jobs = [await mine.job() for _ in range(6)]
                end["mining.submit"] = hang_up
                answers = await asyncio.gather(*(mine.share(job) for job in jobs))
                assert all(answer["token_response"] for answer in answers)
                await bring(mine, pool)

    run(test)


def test_nonsense_ends_a_session_at_most(tmp_path: pathlib.Path) -> None:
    lines = [
        b"garbage",
        b"\xff\xfe\x00",
        b"null",
        b"[" * 100_000,
        b'{"id": 1}',
        b'{"method": 5, "params": []}',
        b'{"method": "mining.notify", "params": {}}',
        b'{"method": "mining.notify", "params": ["x", 1, 2, 3, 4, 5, 6, 7, 8]}',
        b'{"method": "mining.set_difficulty", "params": ["1"]}',
        b'{"method": "mining.set_difficulty", "params": [-1]}',
        b'{"method": "mining.set_extranonce", "params": [7, []]}',
        b'{"method": "client.show_message", "params": [{"\\ud800": "\\u0000"}]}',
        b'{"method": "client.reconnect", "params": [[], {}, "x"]}',
        b"x" * 300_000,
    ]

    async def test() -> None:
        pool = pool_of()
        async with hostile(tmp_path, pool) as mine:
            await bring(mine, pool)
            for line in lines:
                known = pool.talk
                with contextlib.suppress(OSError):
                    await known.send(line + b"\n")
                    # What is no reason to hang up is followed by new work, whose tip is another.
                    await pool.work(known)
                tip = mine.site.templates.current(COIN)
                await mine.until(
                    lambda: pool.talk is not known or mine.site.templates.current(COIN) != tip,  # noqa: B023
                    f"the bridge going on after {line[:40]!r}",
                )
            await bring(mine, pool)

    run(test, 120)


def test_half_a_line_is_waited_for_and_then_forgotten(tmp_path: pathlib.Path) -> None:
    async def test() -> None:
        pool = pool_of()
        async with hostile(tmp_path, pool) as mine:
            await bring(mine, pool)
            text = json.dumps({"id": None, "method": "mining.notify", "params": pool.job()}).encode()
            await pool.talk.send(text[:50])
            await asyncio.sleep(0.2)
            await pool.talk.send(text[50:] + b"\n")
            await bring(mine, pool)
            await pool.talk.send(text[:50])
            pool.talk.hang_up()
            await bring(mine, pool)
            assert len(pool.talks) == 2

    run(test)


def test_ten_thousand_jobs_in_a_burst_become_few_templates_and_leave_nothing_behind(
    tmp_path: pathlib.Path,
) -> None:
    def burst(pool: JudgingPool) -> bytes:
        jobs = (pool.job() for _ in range(BURST))
        lines = (json.dumps({"id": None, "method": "mining.notify", "params": job}) for job in jobs)
        return "\n".join(lines).encode() + b"\n"

    async def test() -> None:
        pool = pool_of()
        async with hostile(tmp_path, pool) as mine:
            await bring(mine, pool)
            bursts = [burst(pool) for _ in range(2)]
            template = mine.tables.template
            rows = select(func.count()).select_from(template)
            used = []
            for number, data in enumerate(bursts, 1):
                await pool.talk.send(data)
                last = f"{number * BURST + 1:x}"
                await mine.until(
                    lambda: (one := mine.site.templates.current(COIN)) and one.job.job_id == last,  # type: ignore[union-attr]  # noqa: B023
                    "the last job",
                )
                gc.collect()
                used.append(len(gc.get_objects()))
            assert used[1] - used[0] < BURST // 4
            assert mine.site.database.read(lambda c: c.execute(rows).scalar_one()) < 2 * BURST // 50
            await bring(mine, pool)

    run(test, 180)


def test_a_share_goes_by_the_difficulty_of_its_own_template(tmp_path: pathlib.Path) -> None:
    async def test() -> None:
        pool = pool_of()
        async with hostile(tmp_path, pool) as mine:
            easy = await mine.job()
            await pool.retarget(16 * EASY)
            await mine.until(lambda: target(mine) < target(mine, easy), "a harder job")
            hard = await mine.job()
            for job, wanted in ((easy, "pending"), (hard, None)):
                between = await mine.ask(between_targets, mine, job, target(mine, easy), target(mine, hard))
                assert (await mine.share(job, between))["upstream"] == wanted
            assert (await mine.share(hard))["upstream"] == "pending"
            await pool.retarget(EASY / 2)
            await mine.until(lambda: target(mine) > target(mine, easy), "an easier job")
            assert (await mine.share(await mine.job()))["upstream"] == "pending"
            await mine.settled(accepted=3)

    run(test)


def target(mine: Mine, job: dict[str, t.Any] | None = None) -> int:
    """Return what upstream wants of the shares of a job, or of new ones."""
    if job is None:
        template = mine.site.templates.current(COIN)
    else:
        template, _ = mine.site.templates.standing(mine.origin(job).template_id)
    assert template is not None
    return template.job.target


def between_targets(mine: Mine, job: dict[str, t.Any], easy: int, hard: int) -> str:
    """Return a nonce that meets the easier target and not the harder."""
    harder = {**job, "target": f"{hard:064x}"}
    nonces = mine.visitor.nonces({**job, "target": f"{min(easy, int(job['target'], 16)):064x}"})
    return next(nonce for nonce in nonces if not mine.visitor.meets(harder, nonce))


def test_a_wish_for_another_port_of_the_same_host_is_followed(tmp_path: pathlib.Path) -> None:
    async def test() -> None:
        pool, other = pool_of(), pool_of()
        async with other, hostile(tmp_path, pool) as mine:
            await bring(mine, pool)
            await asyncio.sleep(0.1)
            await pool.talk.say("client.reconnect", "127.0.0.1", other.port, 0)
            await bring_to(mine, other)
            check_books(mine, pool, other)
            other.talk.hang_up()
            await bring_to(mine, pool)  # the list from its beginning
            assert other.twice == []

    run(test)


async def bring_to(mine: Mine, pool: JudgingPool) -> None:
    """Bring shares to `pool` as soon as the bridge talks to it."""
    before = len(pool.talks)
    await mine.until(lambda: pool.talks if before == 0 else pool.talks[-1].writer, "a talk")
    await bring(mine, pool)


def test_a_wish_for_another_host_leads_nowhere_else(tmp_path: pathlib.Path) -> None:
    async def test() -> None:
        pool = pool_of()
        async with hostile(tmp_path, pool) as mine:
            await bring(mine, pool)
            await pool.talk.say("client.reconnect", "other.invalid", pool.port, 0)
            await mine.until(lambda: len(pool.talks) == 2, "a talk with the same pool")
            await bring(mine, pool)

    run(test)


def test_a_dead_pool_and_one_that_refuses_the_worker_are_passed_over(tmp_path: pathlib.Path) -> None:
    def refuse(_: Talk, __: list[t.Any]) -> bool:
        raise Refusal(24, "unauthorized worker")

    async def test() -> None:
        refusing, good = pool_of(), pool_of()
        refusing.answers["mining.authorize"] = refuse
        async with refusing, good:
            ports = (free_port(), refusing.port, good.port)
            entry = coin(pools=[pool_url(port) for port in ports])
            async with mining(tmp_path, TICKETMINER_COINS={COIN: entry}) as mine:
                await bring(mine, good)
                assert refusing.talks
                assert not refusing.shares

    run(test)


def test_a_pool_that_answers_no_shares_is_left_for_the_next(tmp_path: pathlib.Path) -> None:
    async def test() -> None:
        mute, good = pool_of(), pool_of()
        del mute.answers["mining.submit"]
        patience = Patience(connect=5, answer=2, silence=60)
        async with hostile(tmp_path, mute, good, patience=patience) as mine:
            jobs = [await mine.job() for _ in range(4)]
            for job in jobs:
                assert (await mine.share(job))["token_response"]
            await bring(mine, good)
            assert mine.fates()["unknown"] == len(mute.heard("mining.submit"))

    run(test)


def test_a_silent_pool_is_left(tmp_path: pathlib.Path) -> None:
    async def test() -> None:
        pool = pool_of()
        async with hostile(tmp_path, pool, patience=Patience(connect=5, answer=5, silence=1)) as mine:
            await mine.until(lambda: len(pool.talks) > 2, "a third session")
            await bring(mine, pool)

    run(test)


def test_a_pool_that_never_reads_is_left(tmp_path: pathlib.Path) -> None:
    async def test() -> None:
        pool = pool_of()
        flood = json.dumps({"id": 1, "method": "client.get_version", "params": []}).encode() + b"\n"

        async def stop_reading(talk: Talk) -> None:
            with contextlib.suppress(OSError):
                while not talk.writer.is_closing():
                    await talk.send(1000 * flood)

        async with hostile(tmp_path, pool, patience=Patience(connect=5, answer=1, silence=60)) as mine:
            job = await mine.job()
            pool.before["mining.submit"] = stop_reading
            assert (await mine.share(job))["token_response"]
            await bring(mine, pool)

    run(test, 120)


def test_numbers_overflow_into_ntime_and_version_bits_and_then_there_is_no_work(
    tmp_path: pathlib.Path,
) -> None:
    async def test() -> None:
        pool = pool_of()
        pool.extranonce2_size, pool.ntime, pool.mask = 1, "fffffffd", "00006000"
        numbers = 256 * 3 * 4
        async with hostile(tmp_path, pool) as mine:
            blobs = set()
            for cut in (0, 256, numbers - 256 - 4):
                job = await mine.job()
                blobs.add(job["blob"])
                assert (await mine.share(job))["upstream"] == "pending"
                blobs |= await mine.ask(lambda: {blob(mine) for _ in range(cut)})  # noqa: B023
            await mine.settled(accepted=3)
            assert len(blobs) == numbers - 1
            last = await mine.job()
            assert (await mine.share(last))["upstream"] == "pending"
            await mine.settled(accepted=4)
            assert [len(share) for share in pool.shares] == [5, 5, 5, 6]
            with pytest.raises(NoWork):
                await mine.ask(blob, mine)
            reply = await mine.ask(mine.visitor.post, "/job", mine.visitor.job_request())
            assert (reply.status_code, reply.json["cause"]) == (503, "no-work")
            await pool.work()
            await bring(mine, pool)

    run(test)


def blob(mine: Mine) -> str:
    """Cut work for one more job, and return what is hashed."""
    origin = mine.site.source.cut(["scrypt"]).upstream
    assert origin is not None
    return origin.piece.blob.hex()


def test_another_extranonce_in_mid_session_holds_from_the_next_job_on(tmp_path: pathlib.Path) -> None:
    async def test() -> None:
        pool = pool_of()
        async with hostile(tmp_path, pool) as mine:
            old = await mine.job()
            pool.extranonce1, pool.extranonce2_size = "0badcafe", 2
            await pool.talk.say("mining.set_extranonce", pool.extranonce1, pool.extranonce2_size)
            await pool.work(clean=False)
            await mine.until(
                lambda: (one := mine.site.templates.current(COIN)) and one.job.job_id == "2",  # type: ignore[union-attr]
                "the second job",
            )
            await mine.share(await mine.job())
            await mine.share(old)
            await mine.settled(accepted=2)

    run(test)


def test_the_same_work_in_a_new_session_is_not_searched_twice(tmp_path: pathlib.Path) -> None:
    async def test() -> None:
        pool = pool_of()
        async with hostile(tmp_path, pool) as mine:
            blobs = [(await mine.job())["blob"]]
            for talks in (2, 3):
                pool.talk.hang_up()
                await mine.until(lambda: len(pool.talks) == talks and pool.terms, "a new session")  # noqa: B023
                await bring(mine, pool)
                blobs.append((await mine.job())["blob"])
            assert len(set(blobs)) == 3

    run(test)
