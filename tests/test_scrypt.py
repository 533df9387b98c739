"""scrypt: every compiled path against hashlib's and the portable one."""

from __future__ import annotations

import hashlib
import json
import pathlib

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from miner.pow import ALGORITHMS, Scan, target_for

SCRYPT = ALGORITHMS["scrypt"]
PATHS = SCRYPT.implementations
BLOB = bytes(range(84))
CASES = json.loads((pathlib.Path(__file__).parent / "vectors" / "scrypt.json").read_text())["cases"]


@settings(deadline=None)
@given(st.binary(max_size=300))
@example(bytes(64))
@example(bytes(65))
@example(bytes(55))
@example(bytes(119))
def test_every_path_agrees_with_hashlib(data: bytes) -> None:
    digest = hashlib.scrypt(data, salt=data, n=1024, r=1, p=1, dklen=32)
    assert {SCRYPT.hash(data, implementation=path) for path in PATHS} == {digest}


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize(("size", "nonce_size"), [(80, 4), (84, 8)])
def test_every_path_hashes_each_nonce_of_a_scan_by_itself(path: str, size: int, nonce_size: int) -> None:
    start = 2 ** (8 * nonce_size) - 41
    found = SCRYPT.scan(
        BLOB[:size],
        target_for(1),
        start=start,
        count=41,
        nonce_offset=76,
        nonce_size=nonce_size,
        implementation=path,
    )
    assert found.hits == [
        (nonce, SCRYPT.hash(BLOB[:76] + nonce.to_bytes(nonce_size, "little"), implementation="reference"))
        for nonce in range(start, start + 41)
    ]


@settings(max_examples=20, deadline=None)
@given(blob=st.binary(min_size=84, max_size=84), start=st.integers(0, 2**64 - 37))
def test_every_path_finds_the_same_shares(blob: bytes, start: int) -> None:
    def scan(path: str) -> Scan:
        nonces = {"start": start, "count": 37, "nonce_offset": 76, "nonce_size": 8}
        return SCRYPT.scan(blob, target_for(4), implementation=path, **nonces)

    assert [scan(path) for path in PATHS] == [scan("reference")] * len(PATHS)


@pytest.mark.parametrize("path", PATHS)
def test_every_path_finds_the_nonce_of_a_genesis_block(path: str) -> None:
    told = next(case for case in CASES if case["id"] == "ltc-genesis")
    header = bytes.fromhex(told["header_hex"])
    nonce = int.from_bytes(header[76:], "little")
    found = SCRYPT.scan(
        header, 0xFFFF0 << 216, start=nonce - 40, count=60, nonce_offset=76, nonce_size=4, implementation=path
    )
    assert found.hits == [(nonce, bytes.fromhex(told["scrypt_hash_internal"]))]
