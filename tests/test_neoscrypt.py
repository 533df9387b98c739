"""NeoScrypt: published vectors, and every compiled path against the portable one and readable Python."""

from __future__ import annotations

import json
import pathlib
import subprocess
import sys
from hashlib import blake2s

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from reference_neoscrypt import fastkdf, neoscrypt

from miner.pow import ALGORITHMS, BadLength, Scan, target_for

CASES = json.loads((pathlib.Path(__file__).parent / "vectors" / "neoscrypt.json").read_text())["cases"]
HASHES = [
    pytest.param(bytes.fromhex(case["input_hex"]), bytes.fromhex(case["output_internal_hex"]), id=case["id"])
    for case in CASES
    if "output_internal_hex" in case
]
PATHS = ALGORITHMS["neoscrypt"].implementations if "neoscrypt" in ALGORITHMS else ()
BLOB = bytes(range(84))

compiled = pytest.mark.skipif(not PATHS, reason="the kernels were not compiled here")


def case(name: str) -> dict[str, str]:
    return next(case for case in CASES if case["id"] == name)


@pytest.mark.parametrize(("data", "digest"), HASHES)
def test_the_reference_hashes_published_headers(data: bytes, digest: bytes) -> None:
    assert neoscrypt(data) == digest


def test_the_reference_derives_published_keys() -> None:
    told = case("fastkdf-80-256")
    password, salt = bytes.fromhex(told["password_hex"]), bytes.fromhex(told["salt_hex"])
    assert fastkdf(password, salt, int(told["output_len"])).hex() == told["output_hex"]


def test_blake2s_of_the_published_code_is_that_of_hashlib() -> None:
    told = case("blake2s-keyed")
    assert (
        blake2s(bytes.fromhex(told["input_hex"]), key=bytes.fromhex(told["key_hex"])).hexdigest()
        == told["output_hex"]
    )


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize(("data", "digest"), HASHES)
def test_every_path_hashes_published_headers(path: str, data: bytes, digest: bytes) -> None:
    assert ALGORITHMS["neoscrypt"].hash(data, implementation=path) == digest


@compiled
@settings(max_examples=5, deadline=None)
@given(st.binary(min_size=64, max_size=256))
def test_portable_c_agrees_with_the_reference(data: bytes) -> None:
    assert ALGORITHMS["neoscrypt"].hash(data, implementation="portable") == neoscrypt(data)


@compiled
@given(st.binary(min_size=64, max_size=256))
def test_every_path_agrees_with_portable_c(data: bytes) -> None:
    assert len({ALGORITHMS["neoscrypt"].hash(data, implementation=path) for path in PATHS}) == 1


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize(("size", "nonce_size"), [(80, 4), (84, 8)])
def test_every_path_hashes_each_nonce_of_a_scan_by_itself(path: str, size: int, nonce_size: int) -> None:
    algorithm, start = ALGORITHMS["neoscrypt"], 2 ** (8 * nonce_size) - 37
    found = algorithm.scan(
        BLOB[:size],
        target_for(1),
        start=start,
        count=37,
        nonce_offset=76,
        nonce_size=nonce_size,
        implementation=path,
    )
    nonces = range(start, start + 37)
    assert found.hits == [
        (nonce, algorithm.hash(BLOB[:76] + nonce.to_bytes(nonce_size, "little"), implementation="portable"))
        for nonce in nonces
    ]


@compiled
@settings(max_examples=20, deadline=None)
@given(blob=st.binary(min_size=84, max_size=84), start=st.integers(0, 2**64 - 33))
def test_every_path_finds_the_same_shares(blob: bytes, start: int) -> None:
    def scan(path: str) -> Scan:
        nonces = {"start": start, "count": 33, "nonce_offset": 76, "nonce_size": 8}
        return ALGORITHMS["neoscrypt"].scan(blob, target_for(4), implementation=path, **nonces)

    assert [scan(path) for path in PATHS] == [scan("portable")] * len(PATHS)


@pytest.mark.parametrize("path", PATHS)
def test_every_path_finds_the_nonce_of_a_genesis_block(path: str) -> None:
    told = case("gobyte-genesis")
    header = bytes.fromhex(told["input_hex"])
    nonce = int.from_bytes(header[76:], "little")
    found = ALGORITHMS["neoscrypt"].scan(
        header, 0xFFFF0 << 216, start=nonce - 20, count=40, nonce_offset=76, nonce_size=4, implementation=path
    )
    assert found.hits == [(nonce, bytes.fromhex(told["output_internal_hex"]))]


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("size", [0, 63, 257])
def test_a_length_that_has_no_agreed_digest_is_refused(path: str, size: int) -> None:
    with pytest.raises(BadLength, match=f"64 to 256 bytes, not {size}"):
        ALGORITHMS["neoscrypt"].hash(bytes(size), implementation=path)


def test_without_compiled_code_the_algorithm_is_not_offered() -> None:
    program = "import sys; sys.modules['miner.pow._kernels'] = None; import miner.pow; print(*sorted(miner.pow.ALGORITHMS))"
    offered = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    ).stdout.split()
    assert "sha256d" in offered
    assert "neoscrypt" not in offered
