"""The hash registry and the search for shares, against published vectors and brute force."""

from __future__ import annotations

import json
import pathlib
import subprocess
import sys
import threading
import typing as t

import pytest
from hypothesis import given
from hypothesis import strategies as st

from miner.pow import (
    ALGORITHMS,
    BadRange,
    PowError,
    UnknownAlgorithm,
    UnknownImplementation,
    expected_hashes,
    target_for,
)

VECTORS = pathlib.Path(__file__).parent / "vectors"
BLOB = bytes(range(84))


def headers(name: str, digest: str) -> list[object]:
    cases = json.loads((VECTORS / f"{name}.json").read_text())["cases"]
    headers = [case for case in cases if case["kind"] == "block_header"]
    assert headers
    return [
        pytest.param(name, bytes.fromhex(case["header_hex"]), bytes.fromhex(case[digest]), id=case["id"])
        for case in headers
    ]


@pytest.mark.parametrize(
    ("name", "header", "digest"),
    headers("sha256d", "hash_internal_hex") + headers("scrypt", "scrypt_hash_internal"),
)
def test_every_implementation_hashes_published_headers(name: str, header: bytes, digest: bytes) -> None:
    algorithm = ALGORITHMS[name]
    assert [algorithm.hash(header, implementation=i) for i in algorithm.implementations] == [digest] * len(
        algorithm.implementations
    )


def test_sha256d_hashes_a_short_message() -> None:
    digest = "9595c9df90075148eb06860365df33584b75bff782a510c6cd4883a419833d50"
    assert ALGORITHMS["sha256d"].hash(b"hello").hex() == digest


@pytest.mark.parametrize("name", ["scrypt", "sha256d"])
@pytest.mark.parametrize("size", [0, 1, 84, 200])
def test_input_of_any_length_gives_32_bytes(name: str, size: int) -> None:
    assert len(ALGORITHMS[name].hash(bytes(size))) == 32


def test_scan_finds_the_nonce_of_the_genesis_block() -> None:
    case = json.loads((VECTORS / "sha256d.json").read_text())["cases"][0]
    header = bytes.fromhex(case["header_hex"])
    nonce = int.from_bytes(header[76:], "little")
    found = ALGORITHMS["sha256d"].scan(
        header, target_for(2**32), start=nonce - 50, count=100, nonce_offset=76, nonce_size=4
    )
    assert found.hits == [(nonce, bytes.fromhex(case["hash_internal_hex"]))]
    assert found.hashes == 100


@given(
    blob=st.binary(min_size=12, max_size=90),
    offset=st.integers(0, 4),
    size=st.integers(1, 8),
    start=st.integers(0, 100),
    count=st.integers(0, 120),
    expected=st.integers(1, 40),
)
def test_scan_returns_every_hit_of_the_slice_and_nothing_else(
    blob: bytes, offset: int, size: int, start: int, count: int, expected: int
) -> None:
    algorithm, target = ALGORITHMS["sha256d"], target_for(expected)

    def candidate(nonce: int) -> bytes:
        return blob[:offset] + nonce.to_bytes(size, "little") + blob[offset + size :]

    digests = [(nonce, algorithm.hash(candidate(nonce))) for nonce in range(start, start + count)]
    wanted = [(nonce, digest) for nonce, digest in digests if int.from_bytes(digest, "little") <= target]
    found = algorithm.scan(blob, target, start=start, count=count, nonce_offset=offset, nonce_size=size)
    assert found == (wanted, count)


def test_a_digest_equal_to_the_target_is_a_hit_and_one_above_is_not() -> None:
    algorithm = ALGORITHMS["sha256d"]
    value = algorithm.value(algorithm.hash(BLOB[:76] + bytes(8)))
    at, below = (
        algorithm.scan(BLOB, target, count=1, nonce_offset=76, nonce_size=8) for target in (value, value - 1)
    )
    assert (len(at.hits), len(below.hits)) == (1, 0)


def test_the_last_nonces_of_the_space_can_be_scanned() -> None:
    found = ALGORITHMS["sha256d"].scan(
        BLOB, target_for(1), start=2**64 - 3, count=3, nonce_offset=76, nonce_size=8
    )
    assert [nonce for nonce, _ in found.hits] == [2**64 - 3, 2**64 - 2, 2**64 - 1]


@pytest.mark.parametrize("as_callable", [True, False])
def test_stop_ends_a_scan_with_the_hits_of_what_was_tried(as_callable: bool) -> None:
    stop = threading.Event()
    calls: list[int] = []

    def progress(hashes: int) -> None:
        calls.append(hashes)
        if len(calls) == 3:
            stop.set()

    found = ALGORITHMS["sha256d"].scan(
        BLOB,
        target_for(1),
        count=2**40,
        nonce_offset=76,
        nonce_size=8,
        stop=stop.is_set if as_callable else stop,
        progress=progress,
    )
    assert len(calls) == 3
    assert found.hashes == sum(calls)
    assert [nonce for nonce, _ in found.hits] == list(range(found.hashes))


def test_a_scan_that_is_stopped_already_tries_nothing() -> None:
    found = ALGORITHMS["scrypt"].scan(
        BLOB, target_for(1), count=5, nonce_offset=76, nonce_size=8, stop=lambda: True
    )
    assert found == ([], 0)


def test_progress_adds_up_to_the_slice() -> None:
    calls: list[int] = []
    ALGORITHMS["scrypt"].scan(
        BLOB, target_for(2**20), count=37, nonce_offset=76, nonce_size=8, progress=calls.append
    )
    assert sum(calls) == 37


@pytest.mark.parametrize(
    ("fault", "remedy"),
    [
        ({"nonce_offset": 77}, "outside a blob of 84 bytes"),
        ({"nonce_offset": -1}, "outside a blob"),
        ({"nonce_size": 9}, "1 to 8 bytes"),
        ({"nonce_size": 0}, "1 to 8 bytes"),
        ({"nonce_size": 4, "start": 2**32 - 1, "count": 2}, "begin another at 0"),
        ({"start": -1}, "must not be negative"),
    ],
)
def test_a_slice_that_does_not_fit_is_refused_with_the_remedy(fault: dict[str, int], remedy: str) -> None:
    with pytest.raises(BadRange, match=remedy):
        ALGORITHMS["sha256d"].scan(BLOB, 0, **{"count": 1, "nonce_offset": 76, "nonce_size": 8} | fault)


@pytest.mark.parametrize("target", [-1, 2**256])
def test_a_target_of_more_than_256_bits_is_refused(target: int) -> None:
    with pytest.raises(PowError, match="target_for"):
        ALGORITHMS["sha256d"].scan(BLOB, target, count=1, nonce_offset=76, nonce_size=8)


def test_an_unknown_algorithm_is_refused_by_naming_those_that_exist() -> None:
    with pytest.raises(UnknownAlgorithm, match="scrypt, sha256d"):
        ALGORITHMS["md5"]


def test_an_unknown_implementation_is_refused_by_naming_those_that_exist() -> None:
    with pytest.raises(UnknownImplementation, match="reference"):
        ALGORITHMS["scrypt"].hash(b"", implementation="vax")


@given(st.integers(1, 2**64))
def test_a_target_and_its_expected_hashes_agree(expected: int) -> None:
    assert expected_hashes(target_for(expected)) == expected


@pytest.mark.parametrize("power", range(0, 60, 7))
def test_the_target_of_a_power_of_two_is_exact(power: int) -> None:
    assert target_for(2**power) == 2 ** (256 - power) - 1


def test_no_job_is_free() -> None:
    with pytest.raises(PowError, match="at least one hash"):
        target_for(0)


def test_importing_the_hashes_brings_nothing_else_along() -> None:
    program = (
        "import sys, miner.pow; "
        "print(*sorted(m for m in sys.modules if m.split('.')[0] in ('flask', 'httpx', 'gmpy2', 'click')"
        " or m.startswith('miner') and not m.startswith('miner.pow')))"
    )
    loaded = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert loaded.stdout.split() == ["miner"]


def test_a_number_is_no_data() -> None:
    with pytest.raises(TypeError):
        ALGORITHMS["sha256d"].hash(t.cast("t.Any", 5))


def test_a_target_with_a_fraction_is_refused() -> None:
    with pytest.raises(PowError, match="positive integer"):
        target_for(t.cast("t.Any", 1.5))
    with pytest.raises(PowError, match="A target is a number"):
        ALGORITHMS["sha256d"].scan(bytes(80), t.cast("t.Any", 1.5), count=1, nonce_offset=76, nonce_size=4)
