"""SHA-256d in every compiled path: published vectors, hashlib and one another."""

from __future__ import annotations

import json
import pathlib
import typing as t
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from miner.pow import ALGORITHMS, target_for

SHA256D = ALGORITHMS["sha256d"]
CASES = json.loads((pathlib.Path(__file__).parent / "vectors" / "sha256d.json").read_text())["cases"]
HEADERS = [case for case in CASES if case["kind"] == "block_header"]

every_path = pytest.mark.parametrize("path", SHA256D.implementations)


@every_path
@pytest.mark.parametrize("case", CASES, ids=lambda case: t.cast(str, case["id"]))
def test_published_vectors(path: str, case: dict[str, str]) -> None:
    data = bytes.fromhex(case.get("header_hex") or case["input_hex"])
    digest = case.get("hash_internal_hex") or case["sha256d_internal_hex"]
    assert SHA256D.hash(data, implementation=path).hex() == digest


@every_path
@pytest.mark.parametrize("size", [0, 1, 55, 56, 63, 64, 65, 80, 84, 119, 120, 128, 1000])
def test_padding_around_the_block_boundaries(path: str, size: int) -> None:
    data = bytes(i % 251 for i in range(size))
    assert SHA256D.hash(data, implementation=path) == sha256(sha256(data).digest()).digest()


@every_path
@given(data=st.binary(max_size=300))
def test_random_messages(path: str, data: bytes) -> None:
    assert SHA256D.hash(data, implementation=path) == sha256(sha256(data).digest()).digest()


@every_path
@pytest.mark.parametrize(
    "case", [case for case in HEADERS if case["meets_nbits_target"]], ids=lambda case: t.cast(str, case["id"])
)
def test_the_nonce_of_a_block_is_found(path: str, case: dict[str, str]) -> None:
    header = bytes.fromhex(case["header_hex"])
    nonce = int.from_bytes(header[76:], "little")
    first = max(0, nonce - 100)
    found = SHA256D.scan(
        header,
        SHA256D.value(bytes.fromhex(case["hash_internal_hex"])),
        start=first,
        count=nonce - first + 40,
        nonce_offset=76,
        nonce_size=4,
        implementation=path,
    )
    assert [hit.hex() for number, hit in found.hits if number == nonce] == [case["hash_internal_hex"]]


def hits(path: str, blob: bytes, start: int, count: int, offset: int, size: int, expected: int) -> object:
    return SHA256D.scan(
        blob,
        target_for(expected),
        start=start,
        count=count,
        nonce_offset=offset,
        nonce_size=size,
        implementation=path,
    ).hits


@every_path
@given(
    blob=st.binary(min_size=84, max_size=128),
    size=st.integers(4, 8),
    distance=st.integers(0, 120),
    count=st.integers(0, 100),
    carry=st.booleans(),
    expected=st.integers(1, 40),
)
def test_a_prepared_search_finds_what_the_reference_finds(
    path: str, blob: bytes, size: int, distance: int, count: int, carry: bool, expected: int
) -> None:
    end = 2**32 if carry or size == 4 else 2 ** (8 * size)
    start = end - distance - (0 if carry and size > 4 else count)
    slice_ = (blob, max(0, start), count, 76, size, expected)
    assert hits(path, *slice_) == hits("reference", *slice_)


@every_path
@given(
    blob=st.binary(min_size=8, max_size=128),
    size=st.integers(1, 8),
    count=st.integers(0, 100),
    data=st.data(),
)
def test_a_nonce_anywhere_is_searched_too(
    path: str, blob: bytes, size: int, count: int, data: st.DataObject
) -> None:
    offset = data.draw(st.integers(0, len(blob) - size))
    slice_ = (blob, 2 ** (8 * size) - count, count, offset, size, 5)
    assert hits(path, *slice_) == hits("reference", *slice_)


@every_path
def test_more_hits_than_one_call_has_room_for_are_all_returned(path: str) -> None:
    slice_ = (bytes(range(84)), 2**32 - 300, 1000, 76, 8, 1)
    assert hits(path, *slice_) == hits("reference", *slice_)
