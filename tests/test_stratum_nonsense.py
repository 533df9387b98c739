"""Whatever a pool or a node sends: it is taken in, or it is misbehaviour, and a job that was taken in can be hashed and submitted."""

from __future__ import annotations

import functools
import json
import typing as t
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scripted_pool import JOB

from flask_ticketminer.work.node.template import read_template
from flask_ticketminer.work.stratum.dialects import (
    BitcoinDialect,
    Dialect,
    GetworkDialect,
    NicehashDialect,
    Solution,
    Worker,
)
from flask_ticketminer.work.stratum.errors import Misbehaved
from flask_ticketminer.work.stratum.header import build_header
from flask_ticketminer.work.stratum.jobs import EthashJob, HeaderJob
from flask_ticketminer.work.stratum.messages import Call, decode

WORKER = Worker("site.1", "x")
DIALECTS: list[Callable[[], Dialect]] = [
    lambda: BitcoinDialect("scrypt", WORKER, "test/1"),
    lambda: NicehashDialect(WORKER, "test/1"),
    lambda: GetworkDialect(WORKER, "test/1"),
]
PURPOSES = ["configure", "subscribe", "extranonce", "authorize", "suggest", "work"]
METHODS = ["mining.notify", "mining.set_difficulty", "mining.set_extranonce", "mining.set_version_mask", "?"]
TEMPLATE: dict[str, t.Any] = {
    "version": 0x20000000,
    "previousblockhash": "11" * 32,
    "transactions": [{"txid": "22" * 32, "data": "00"}],
    "coinbasevalue": 5_000_000_000,
    "bits": "207fffff",
    "height": 7,
    "curtime": 1_600_000_000,
    "default_witness_commitment": "33" * 38,
    "mweb": "44",
    "longpollid": "5",
}

NEARLY_HEX = ["", "0x", "00", "zz", "00" * 32, "0x" + "00" * 32, "ff" * 32, "207fffff", "0x5f000000", "²" * 8]
NEARLY_HEX += [" 0 0 0 0", "00_00_00", "-0000001"]
leaves = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=40)
    | st.sampled_from(NEARLY_HEX)
)
values = st.recursive(
    leaves,
    lambda inner: (
        st.lists(inner, max_size=9)
        | st.dictionaries(
            st.sampled_from(
                ["id", "method", "params", "result", "error", "version-rolling.mask", "txid", "data"]
            ),
            inner,
        )
    ),
    max_leaves=20,
)
SHAPES: list[list[t.Any]] = [
    JOB,
    ["1", "00" * 32, "11" * 32, True],
    ["00" * 32, "11" * 32, "ff" * 32, "0x16"],
]


@st.composite
def spoilt(draw: st.DrawFn) -> list[t.Any]:
    """Parameters that a pool may send, of which up to two are something else."""
    params = list(draw(st.sampled_from(SHAPES)))
    for _ in range(draw(st.integers(0, 2))):
        params[draw(st.integers(0, len(params) - 1))] = draw(st.sampled_from(NEARLY_HEX) | values)
    return params


def tried(take: Callable[[], object]) -> None:
    try:
        take()
    except Misbehaved:
        return


@settings(max_examples=300, deadline=None)
@given(values)
def test_a_line_is_a_message_or_misbehaviour(value: object) -> None:
    for said in (
        value,
        {"method": value},
        {"id": 1, "result": 1, "error": value},
        {"method": "m", "params": value},
    ):
        tried(functools.partial(decode, json.dumps(said).encode()))


def say_to_all(said: object) -> None:
    """Let every dialect hear it in every place; what becomes a job must be fit to be hashed and submitted."""
    params = said if isinstance(said, list) else [said]
    for dialect in (make() for make in DIALECTS):
        dialect.answer("subscribe", [[], "f000", 4])
        for method in METHODS:
            tried(functools.partial(dialect.call, Call(None, method, params)))
        tried(functools.partial(dialect.pushed, said))
        for purpose in PURPOSES:
            tried(functools.partial(dialect.answer, purpose, said))
        job = dialect.job
        if isinstance(job, HeaderJob):
            solution = Solution("00000001", "00" * job.extranonce2_size, job.params[7])
            header = build_header(
                job.params,
                extranonce1=job.extranonce1,
                extranonce2=solution.extranonce2,
                ntime=solution.ntime,
                nonce=solution.nonce,
            )
            assert (len(header), job.block_target > 0) == (80, True)
            dialect.submission(job, solution)
        elif isinstance(job, EthashJob):
            assert (len(job.header_hash), len(job.seed_hash), job.target > 0) == (32, 32, True)
            dialect.submission(job, Solution(job.prefix.ljust(16, "0"), mix="00" * 32))


@settings(max_examples=500, deadline=None)
@given(spoilt() | values)
def test_no_dialect_falls_over_and_every_job_can_be_submitted(said: object) -> None:
    say_to_all(said)


@pytest.mark.parametrize("shape", SHAPES, ids=["header", "nicehash", "getwork"])
def test_no_part_of_a_job_may_be_what_only_looks_like_hex(shape: list[t.Any]) -> None:
    say_to_all(shape)
    for at in range(len(shape)):
        for wrong in NEARLY_HEX:
            say_to_all([*shape[:at], wrong, *shape[at + 1 :]])


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(sorted(TEMPLATE)), values)
def test_a_template_is_read_or_refused(name: str, value: object) -> None:
    tried(lambda: read_template(TEMPLATE | {name: value}, b"\x51", job_id="t"))
    tried(lambda: read_template(value, b"\x51", job_id="t"))
