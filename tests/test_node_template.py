"""Blocks built from a node's template: parts by published rules, and whole ones that a real litecoind takes."""

from __future__ import annotations

import hashlib
import pathlib
import shutil
import typing as t
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st
from litecoin import Litecoind
from parts import missing

from flask_ticketminer.work.node.coinbase import coinbase_halves, height_push, var_int
from flask_ticketminer.work.node.template import BlockTemplate, merkle_branch, read_template
from flask_ticketminer.work.stratum.errors import BadJob
from flask_ticketminer.work.stratum.header import build_header, merkle_root, sha256d

TEMPLATE: dict[str, t.Any] = {
    "version": 0x20000000,
    "previousblockhash": "11" * 32,
    "transactions": [],
    "coinbasevalue": 5_000_000_000,
    "bits": "207fffff",
    "height": 7,
    "curtime": 1_600_000_000,
}
SCRIPT = bytes.fromhex("76a914" + "22" * 20 + "88ac")


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Litecoind]:
    if shutil.which("litecoind") is None:
        missing("needs litecoind: apt-get install litecoind")
    found = Litecoind(tmp_path_factory.mktemp("litecoind"))
    yield found
    found.close()


def mine(template: BlockTemplate, extranonce2: str = "00" * 8) -> str:
    """Return a block that completes `template`."""
    for nonce in range(10_000):
        header = build_header(
            template.job.params,
            extranonce1="",
            extranonce2=extranonce2,
            ntime=template.job.params[7],
            nonce=f"{nonce:08x}",
        )
        digest = hashlib.scrypt(header, salt=header, n=1024, r=1, p=1, dklen=32)
        if int.from_bytes(digest, "little") <= template.job.target:
            return template.block(header, extranonce2)
    raise AssertionError("no block")


def submit(node: Litecoind, extranonce2: str = "00" * 8) -> t.Any:
    return node("submitblock", mine(read_template(node.template(), node.script, job_id="t"), extranonce2))


@pytest.mark.parametrize(
    ("height", "script"),
    [
        (0, "00"),
        (1, "51"),
        (16, "60"),
        (17, "0111"),
        (127, "017f"),
        (128, "028000"),
        (227836, "03fc7903"),
        (2**31, "050000008000"),
    ],
)
def test_a_height_is_pushed_as_bip_34_wants(height: int, script: str) -> None:
    assert height_push(height).hex() == script


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (0, "00"),
        (0xFC, "fc"),
        (0xFD, "fdfd00"),
        (0xFFFF, "fdffff"),
        (0x10000, "fe00000100"),
        (2**32, "ff0000000001000000"),
    ],
)
def test_counts_have_bitcoins_sizes(number: int, text: str) -> None:
    assert var_int(number).hex() == text


@given(st.lists(st.binary(min_size=32, max_size=32), max_size=40), st.binary(min_size=32, max_size=32))
def test_a_branch_leads_to_the_root_of_all(txids: list[bytes], coinbase: bytes) -> None:
    row = [coinbase, *txids]
    while len(row) > 1:
        row += row[-1:] if len(row) % 2 else []
        row = [sha256d(row[at] + row[at + 1]) for at in range(0, len(row), 2)]
    assert merkle_root(coinbase, merkle_branch(txids)) == row[0]


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("version", None),
        ("previousblockhash", "11" * 31),
        ("transactions", {}),
        ("transactions", [{}]),
        ("transactions", [{"txid": "11" * 32, "data": "0"}]),
        ("coinbasevalue", -1),
        ("coinbasevalue", 1.5),
        ("coinbasevalue", True),
        ("bits", "ff7fffff"),
        ("height", 2**31),
        ("curtime", "now"),
        ("default_witness_commitment", 5),
        ("default_witness_commitment", "6a" * 10_001),
        ("mweb", "xyz"),
    ],
)
def test_a_template_that_cannot_be_is_refused(name: str, wrong: object) -> None:
    with pytest.raises(BadJob):
        read_template(TEMPLATE | {name: wrong}, SCRIPT, job_id="t")


def test_a_coinbase_script_has_at_most_100_bytes() -> None:
    coinbase_halves(7, [], extranonce_size=8, tag=bytes(91))
    with pytest.raises(ValueError, match="101 bytes"):
        coinbase_halves(7, [], extranonce_size=8, tag=bytes(92))


def test_a_real_node_takes_blocks_and_pays_their_reward(node: Litecoind) -> None:
    before = node("getblockcount")
    assert [submit(node) for _ in range(5)] == [None] * 5
    assert node("getblockcount") == before + 5
    assert node("getbalances")["mine"]["immature"] >= 5 * 50


def test_a_block_twice_is_known(node: Litecoind) -> None:
    block = mine(read_template(node.template(), node.script, job_id="t"))
    assert (node("submitblock", block), node("submitblock", block)) == (None, "duplicate")


def test_blocks_with_transactions_are_taken(node: Litecoind) -> None:
    node("generatetoaddress", 101, node.address)
    for amount in (0.1, 0.2, 0.3):
        node("sendtoaddress", node.address, amount)
    template = read_template(node.template(), node.script, job_id="t")
    assert len(template.transactions) == 3
    assert node("submitblock", mine(template, "0123456789abcdef")) is None
    assert node("getmempoolinfo")["size"] == 0


def test_blocks_are_taken_before_and_after_mweb(tmp_path: pathlib.Path) -> None:
    if shutil.which("litecoind") is None:
        missing("needs litecoind: apt-get install litecoind")
    node = Litecoind(tmp_path / "mweb", mweb=True)
    try:
        node("generatetoaddress", 430, node.address)
        assert submit(node) is None
        node("sendtoaddress", node("getnewaddress", "", "mweb"), 1)
        while node("getblockcount") < 436:
            assert submit(node) is None, node("getblockcount")
        assert read_template(node.template(), node.script, job_id="t").extension
    finally:
        node.close()
