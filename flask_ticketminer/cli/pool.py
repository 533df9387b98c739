"""``flask ticketminer pool test``: a look at each pool and node, before visitors compute for it."""

from __future__ import annotations

import asyncio
import shutil
import textwrap
import typing as t
from collections.abc import Sequence
from fractions import Fraction

import click
from flask.cli import with_appcontext

from flask_ticketminer.cli.coins import chosen_coins, coin_option
from flask_ticketminer.cli.group import json_option, print_json
from flask_ticketminer.site import current_site
from flask_ticketminer.wording import plural
from flask_ticketminer.work.bridge.market import work_of
from flask_ticketminer.work.coins import Coin
from flask_ticketminer.work.difficulty import expected_hashes, target_difficulty
from flask_ticketminer.work.extranonce import NTIME_AHEAD, capacity, effort_trouble, room_warning
from flask_ticketminer.work.market import coin_text, share_warning
from flask_ticketminer.work.probe import PAGE_RATES, Sight, seconds_to, share_hashes, upstreams_of
from flask_ticketminer.work.stratum.jobs import EthashJob, HeaderJob
from flask_ticketminer.work.template import epoch_of
from miner.pow import PowError

VISITORS = 100
_WIDTH = 14
_SPANS = ((365.25 * 86400, "year"), (86400, "day"), (3600, "hour"), (60, "minute"), (1, "second"))


@click.group("pool")
def pool() -> None:
    """Try mining pools and coin nodes out."""


@pool.command("test")
@coin_option
@click.option(
    "--timeout",
    type=click.FloatRange(1, 600),
    default=15.0,
    show_default=True,
    metavar="SECONDS",
    help="How long to wait for work.",
)
@json_option
@with_appcontext
def test_command(names: tuple[str, ...], timeout: float, as_json: bool) -> None:
    """Connect to each pool or node, get one job, and say what was seen.

    Nothing is mined, submitted or stored, and a bridge that runs is not disturbed. Exits with 0 only when each of them gives work.
    """
    site = current_site()
    coins = chosen_coins(site, names)
    sights = asyncio.run(_look(coins, timeout))
    reports = [
        _report(coin, sight, site.settings.effort[coin.algorithm])
        for coin, seen in zip(coins, sights, strict=True)
        for sight in seen
    ]
    if as_json:
        print_json({"visitors": VISITORS, "upstreams": reports})
    else:
        _print(coins, reports)
    if any(report["trouble"] is not None for report in reports):
        raise click.exceptions.Exit(1)


async def _look(coins: Sequence[Coin], seconds: float) -> list[list[Sight]]:
    """Look at all upstreams at once."""
    looks = [asyncio.gather(*upstreams_of(coin, seconds)) for coin in coins]
    return [list(await look) for look in looks]


def _report(coin: Coin, sight: Sight, effort: int) -> dict[str, t.Any]:
    """Return what a program reads; numbers that may have digits behind the point are text, rates and seconds are floats."""
    report: dict[str, t.Any] = {
        "coin": coin.name,
        "upstream": sight.upstream,
        "trouble": sight.trouble,
        "reached": sight.reached,
        "worker_accepted": sight.worker,
        "chain": sight.chain,
        "height": sight.height,
        "ticket_hashes": effort,
        "work": None,
        "share": None,
        "block": None,
        "expected": None,
        "warnings": [],
    }
    job = sight.job
    if job is None:
        return report
    try:
        report["work"] = _work(job, coin)
    except PowError as error:
        return report | {"trouble": f"Its work is of no epoch of {coin.epoch_length} blocks: {error}"}
    hashes = expected_hashes(job.target)
    counted = {"nicehash": "sha256d", "getwork": "ethash"}.get(coin.dialect, coin.algorithm)
    report["share"] = {"difficulty": f"{target_difficulty(counted, job.target):f}", "hashes": hashes}
    if coin.node is None:
        doubts = share_warning(coin, job.target, effort), room_warning(job)
        report["warnings"] = [doubt for doubt in doubts if doubt is not None]
    found = {"share_seconds": seconds_to(share_hashes(job, effort), coin.algorithm, VISITORS)}
    if isinstance(job, HeaderJob):
        work, needed = work_of(job), expected_hashes(job.block_target)
        report["block"] = {
            "difficulty": f"{target_difficulty('sha256d', job.block_target):f}",
            "hashes": needed,
            "reward": None if work is None else coin_text(work.reward),
        }
        found["block_seconds"] = seconds_to(needed, coin.algorithm, VISITORS)
    report["expected"] = {"hash_rate": PAGE_RATES[coin.algorithm] * VISITORS, **found}
    report["trouble"] = effort_trouble(job, coin.algorithm, effort)
    return report


def _work(job: HeaderJob | EthashJob, coin: Coin) -> dict[str, t.Any]:
    """Return how much of it is ours to divide among visitors."""
    if isinstance(job, EthashJob):
        return {
            "pool_bytes": len(job.prefix) // 2,
            "jobs": capacity(job),
            "epoch": epoch_of(job, coin.epoch_length),
        }
    return {
        "pool_bytes": len(job.extranonce1) // 2,
        "extranonce2_size": job.extranonce2_size,
        "version_bits": 0 if job.version_mask is None else int(job.version_mask, 16).bit_count(),
        "jobs": capacity(job),
    }


def _print(coins: Sequence[Coin], reports: Sequence[dict[str, t.Any]]) -> None:
    for coin in coins:
        own = [report for report in reports if report["coin"] == coin.name]
        click.echo(
            f"{coin.name} ({coin.symbol}, {coin.algorithm}): a ticket takes {own[0]['ticket_hashes']:,} hashes."
        )
        for report in own:
            verdict = "gives work" if report["trouble"] is None else "gives no work"
            click.echo(f"\n  {report['upstream']} {verdict}")
            for name, text in _lines(report):
                click.echo(_wrapped(name, text))
        click.echo()
    good = sum(report["trouble"] is None for report in reports)
    click.echo(f"{good} of {plural(len(reports), 'pool or node', 'pools and nodes')} gave work.")


def _wrapped(name: str, text: str) -> str:
    """Return a line, or more where the terminal is narrow; addresses stay whole."""
    return textwrap.fill(
        text,
        min(110, shutil.get_terminal_size((110, 24)).columns),
        initial_indent=f"    {name:{_WIDTH}}",
        subsequent_indent=" " * (4 + _WIDTH),
        break_long_words=False,
        break_on_hyphens=False,
    )


def _lines(report: dict[str, t.Any]) -> t.Iterator[tuple[str, str]]:
    """Yield what was seen, in plain words."""
    worker, work, share, block = (report[name] for name in ("worker_accepted", "work", "share", "block"))
    if report["chain"]:
        height = "" if report["height"] is None else f", block {report['height']:,} is next"
        yield "chain", f"{report['chain']}{height}"
    if worker is not None:
        yield "worker", "accepted" if worker else "refused"
    if work is not None:
        yield from _room(work)
    if share is not None:
        yield "a share", f"difficulty {_number(share['difficulty'])}, {_compared(report)}"
    if block is not None:
        reward = "its reward cannot be read" if block["reward"] is None else f"pays {block['reward']} coins"
        yield (
            "a block",
            f"difficulty {_number(block['difficulty'])} as explorers count, {_count(block['hashes'])} hashes; {reward}",
        )
    if report["expected"] is not None:
        found = report["expected"]
        blocks = f", a block {_every(found['block_seconds'])}" if "block_seconds" in found else ""
        yield (
            f"{VISITORS} visitors",
            f"{_count(found['hash_rate'])} hashes a second in their pages: a share {_every(found['share_seconds'])}{blocks}",
        )
    for warning in report["warnings"]:
        yield "warning", warning
    if report["trouble"] is not None:
        yield "trouble", report["trouble"]


def _room(work: dict[str, t.Any]) -> t.Iterator[tuple[str, str]]:
    theirs = f"{plural(work['pool_bytes'], 'byte')} the pool's" if work["pool_bytes"] else "all of it ours"
    if "epoch" in work:
        yield "nonce", f"{theirs}; room for {_count(work['jobs'])} jobs"
        yield "epoch", f"{work['epoch']:,}; the bridge prepares its cache before work is handed out"
        return
    ours = f", {plural(work['extranonce2_size'], 'byte')} ours" if work["pool_bytes"] else ""
    size = "" if ours else f", {plural(work['extranonce2_size'], 'byte')}"
    yield "extranonce", f"{theirs}{ours}{size}"
    bits = work["version_bits"]
    rolled = f"and {plural(bits, 'bit')} of the version " if bits else "but no version bits "
    yield "room", f"{_count(work['jobs'])} jobs, with {NTIME_AHEAD} s of the time {rolled}to roll"


def _compared(report: dict[str, t.Any]) -> str:
    hashes, effort = report["share"]["hashes"], report["ticket_hashes"]
    ratio = Fraction(hashes, effort)
    if Fraction(99, 100) < ratio < Fraction(101, 100):
        times = "as many as a ticket"
    elif ratio > 1:
        times = f"{_count(round(ratio) if ratio >= 10 else float(ratio))} times a ticket"
    else:
        times = f"a ticket is {_count(round(1 / ratio) if ratio <= Fraction(1, 10) else float(1 / ratio))} times that"
    return f"{_count(hashes)} hashes: {times}"


def _count(number: float) -> str:
    """Return a number for people: whole, with one digit behind the point, or as a power of ten."""
    if number < 10 and number != int(number):
        return f"{number:.1f}"
    if number < 10**12:
        return f"{round(number):,}"
    digits, power = f"{number:.2e}".split("e")
    return f"{digits} x 10^{int(power)}"


def _number(text: str) -> str:
    """Return a difficulty as people write it, to five digits."""
    value = float(text)
    return f"{value:,.0f}" if value >= 1000 else f"{value:.5g}"


def _every(seconds: float) -> str:
    if seconds < 1:
        return f"{_count(1 / seconds)} times a second"
    for size, name in _SPANS:
        if seconds >= 1.5 * size or size == 1:
            return f"every {plural(round(seconds / size), name)}"
    raise AssertionError
