"""Numbers of a template: each is handed out once, whatever the extranonce's size, the processes, and the templates beside it."""

from __future__ import annotations

import pathlib
from collections.abc import Iterator

import pytest
from sqlalchemy import select, update
from torture_jobs import PROCESSES, Wish, Workshop, doubled, header_job
from visitor import Visitor, cause

from flask_ticketminer.work.extranonce import NTIME_AHEAD, capacity, cut
from flask_ticketminer.work.stratum.jobs import HeaderJob
from flask_ticketminer.work.templates import LEASE, SMALL_LEASE

LATE = 0xFFFF_FFFF - 1
"""An ntime that can run ahead by one second only."""
MASK = "0000c000"


@pytest.fixture
def shop(tmp_path: pathlib.Path, database_url: str) -> Iterator[Workshop]:
    """A site without work, on each kind of database."""
    found = Workshop(tmp_path, database_url)
    yield found
    found.close()


@pytest.mark.parametrize(
    ("size", "ntime", "left"),
    [(1, LATE, None), (2, LATE, 1000), (1, 0x5F000000, 1000)],
    ids=["1 byte", "2 bytes", "1 byte and 600 s"],
)
def test_eight_processes_hand_out_exactly_what_a_template_has(
    shop: Workshop, size: int, ntime: int, left: int | None
) -> None:
    job = header_job(extranonce2_size=size, ntime=ntime, version_mask=MASK)
    shop.publish(job)
    most = capacity(job)
    if left is not None:
        start_at(shop, most - left)
    cuts = shop.hand_out(Wish(most))
    assert (len(cuts), doubled(cuts)) == (left or most, 0)
    reply = (visitor := Visitor(shop.site.app)).post("/job", visitor.job_request(donate=True))
    assert cause(reply) == (503, "no-work")
    assert int(reply.headers["Retry-After"]) > 0


def start_at(shop: Workshop, number: int) -> None:
    """Let the numbers before `number` be used up."""
    table = shop.site.database.tables.template
    shop.site.database.transaction(
        lambda connection: connection.execute(update(table).values(next_counter=number)) and None
    )


def test_templates_of_one_session_with_equal_content_share_no_job(shop: Workshop) -> None:
    job = header_job()
    shop.publish(job)
    cuts = shop.hand_out(Wish(100, templates=2), meanwhile=lambda: shop.publish(job))
    assert len({cut.template_id for cut in cuts}) == 2
    assert len(cuts) >= 100 * PROCESSES
    assert doubled(cuts) == 0


@pytest.mark.parametrize(("size", "leased"), [(1, SMALL_LEASE), (2, SMALL_LEASE), (3, LEASE), (4, LEASE)])
def test_a_process_leases_few_numbers_of_a_small_extranonce(shop: Workshop, size: int, leased: int) -> None:
    shop.publish(header_job(extranonce2_size=size))
    visitor, table = Visitor(shop.site.app), shop.site.database.tables.template
    for _ in range(2):
        visitor.job(donate=True)
    read = shop.site.database.read
    assert read(lambda connection: connection.execute(select(table.c.next_counter)).scalar()) == leased


@pytest.mark.parametrize("size", [1, 2])
def test_an_extranonce_overflows_into_seconds_and_then_into_version_bits(size: int) -> None:
    job = header_job(extranonce2_size=size, version_mask=MASK)
    numbers = 256**size
    assert capacity(job) == numbers * (NTIME_AHEAD + 1) * 4
    version, ntime = int(job.params[5], 16), int(job.params[7], 16)
    assert split(job, numbers - 1) == (version, ntime)
    assert split(job, numbers) == (version, ntime + 1)
    assert split(job, numbers * (NTIME_AHEAD + 1) - 1) == (version, ntime + NTIME_AHEAD)
    changed = {split(job, numbers * (NTIME_AHEAD + 1) * bits) for bits in range(4)}
    assert changed == {(version ^ bits << 14, ntime) for bits in range(4)}
    assert split(job, capacity(job) - 1)[1] == ntime + NTIME_AHEAD


def split(job: HeaderJob, number: int) -> tuple[int, int]:
    """Return version and ntime of the header of `number`."""
    header = cut(job, number).blob
    return int.from_bytes(header[:4], "little"), int.from_bytes(header[68:72], "little")


def test_no_two_numbers_are_the_same_work() -> None:
    job = header_job(extranonce2_size=1, ntime=LATE, version_mask=MASK)
    assert len({cut(job, number).blob for number in range(capacity(job))}) == capacity(job) == 256 * 2 * 4
