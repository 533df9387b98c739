"""Numbers of a template and what visitors search: no two are the same, and the share that upstream is told of is the one hashed."""

from __future__ import annotations

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flask_ticketminer.work.extranonce import NTIME_AHEAD, capacity, cut, solution
from flask_ticketminer.work.stratum.header import build_header
from flask_ticketminer.work.stratum.jobs import EthashJob, HeaderJob

PARAMS = ("job", "00" * 32, "01" * 40, "02" * 40, ("11" * 32,), "20000000", "207fffff", "5f000000")
MASK = "1fffe000"


def header_job(size: int = 4, mask: str | None = None) -> HeaderJob:
    return HeaderJob("job", PARAMS, "f000000f", size, mask, True, 2**255)


def ethash_job(prefix: str) -> EthashJob:
    return EthashJob("job", b"h" * 32, b"s" * 32, prefix, 0, True, 2**255)


sizes = st.integers(1, 16)
masks = st.none() | st.integers(0, 0x1FFFE000).map(lambda bits: f"{bits & 0x1FFFE000:08x}")
prefixes = st.binary(max_size=4).map(bytes.hex)


@given(st.data(), sizes, masks, st.binary(min_size=4, max_size=4))
def test_upstream_rebuilds_the_header_that_was_hashed(
    data: st.DataObject, size: int, mask: str | None, nonce: bytes
) -> None:
    job = header_job(size, mask)
    number = data.draw(st.integers(0, capacity(job) - 1))
    piece = cut(job, number)
    share = piece.with_nonce(nonce)
    told = solution(job, number, share)
    assert share == build_header(
        PARAMS,
        extranonce1=job.extranonce1,
        extranonce2=told.extranonce2,
        ntime=told.ntime,
        nonce=told.nonce,
        version_bits=told.version_bits,
        version_mask=mask,
    )
    assert len(told.extranonce2) == 2 * size
    assert 0 <= int(told.ntime, 16) - int(PARAMS[7], 16) <= NTIME_AHEAD


@given(st.data(), sizes, masks)
def test_no_two_numbers_have_the_same_header(data: st.DataObject, size: int, mask: str | None) -> None:
    job = header_job(size, mask)
    numbers = data.draw(st.sets(st.integers(0, capacity(job) - 1), min_size=2, max_size=20))
    assert len({cut(job, number).blob for number in numbers}) == len(numbers)


def test_extranonce2_is_used_up_before_the_time_runs_ahead_and_versions_come_last() -> None:
    job = header_job(1, "00006000")
    assert capacity(job) == 256 * 601 * 4
    told = [solution(job, number, cut(job, number).blob) for number in (255, 256, 256 * 601 - 1, 256 * 601)]
    assert [(each.extranonce2, each.ntime, each.version_bits) for each in told] == [
        ("ff", "5f000000", None),
        ("00", "5f000001", None),
        ("ff", f"{0x5F000000 + 600:08x}", None),
        ("00", "5f000000", "00002000"),
    ]


def test_a_version_is_rolled_within_what_the_pool_allows() -> None:
    job = dataclasses.replace(header_job(1, "00006000"), params=(*PARAMS[:5], "20002000", *PARAMS[6:]))
    told = solution(job, 256 * 601, cut(job, 256 * 601).blob)
    assert told.version_bits == "00000000"


def test_the_time_does_not_run_over_its_four_bytes() -> None:
    job = dataclasses.replace(header_job(1), params=(*PARAMS[:7], "ffffff00"))
    assert capacity(job) == 256 * 256
    assert solution(job, capacity(job) - 1, cut(job, capacity(job) - 1).blob).ntime == "ffffffff"


@given(st.data(), prefixes)
def test_an_ethash_nonce_begins_with_what_the_pool_fixed(data: st.DataObject, prefix: str) -> None:
    job = ethash_job(prefix)
    number = data.draw(st.integers(0, capacity(job) - 1))
    piece = cut(job, number)
    nonce = data.draw(st.binary(min_size=piece.nonce_size, max_size=piece.nonce_size))
    told = solution(job, number, piece.with_nonce(nonce), b"m" * 32)
    assert len(told.nonce) == 16
    assert told.nonce.startswith(prefix)
    assert bytes.fromhex(told.nonce)[::-1][: piece.nonce_size] == nonce
    assert told.mix == (b"m" * 32).hex()


@pytest.mark.parametrize(
    ("prefix", "searched", "leased"),
    [("", 4, 2**32), ("aabb", 4, 2**16), ("aabbcc", 3, 2**16), ("aabbccdd", 2, 2**16)],
)
def test_an_ethash_nonce_leaves_room_for_many_jobs(prefix: str, searched: int, leased: int) -> None:
    assert (cut(ethash_job(prefix), 0).nonce_size, capacity(ethash_job(prefix))) == (searched, leased)


@given(st.data(), prefixes)
def test_no_two_numbers_have_the_same_nonces(data: st.DataObject, prefix: str) -> None:
    job = ethash_job(prefix)
    numbers = data.draw(st.sets(st.integers(0, capacity(job) - 1), min_size=2, max_size=20))
    assert len({cut(job, number).blob for number in numbers}) == len(numbers)
