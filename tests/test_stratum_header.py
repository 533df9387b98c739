"""Headers and difficulties by the published vectors."""

from __future__ import annotations

import hashlib
import json
import pathlib
import typing as t
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flask_ticketminer.work.difficulty import (
    DIFFICULTY_1,
    SPACE,
    expected_hashes,
    nbits_target,
    nicehash_target,
    share_target,
    target_difficulty,
)
from flask_ticketminer.work.stratum import BadJob, build_header
from flask_ticketminer.work.stratum.header import merkle_root, sha256d

VECTORS = pathlib.Path(__file__).parent / "vectors"


def cases(name: str, **having: str) -> list[dict[str, t.Any]]:
    found = json.loads((VECTORS / f"{name}.json").read_text(), parse_float=Decimal)["cases"]
    return [case for case in found if all(case.get(key) == value for key, value in having.items())]


JOBS = [case for case in cases("stratum") if "notify_params" in case]


def header(case: dict[str, t.Any], **changes: t.Any) -> bytes:
    sent = case["submit"]
    given = {
        "extranonce1": case["subscribe"]["extranonce1"],
        "extranonce2": sent["extranonce2"],
        "ntime": sent["ntime"],
        "nonce": sent["nonce"],
        "version_bits": sent.get("version_bits"),
        "version_mask": case.get("version_mask"),
    }
    return build_header(case["notify_params"], **(given | changes))


@pytest.mark.parametrize("case", JOBS, ids=lambda case: case["id"])
def test_a_published_share_has_its_header_and_its_difficulty(case: dict[str, t.Any]) -> None:
    found = header(case)
    assert found.hex() == case["expected"]["header_hex"]
    digest = (
        sha256d(found)
        if case["algo"] == "sha256d"
        else hashlib.scrypt(found, salt=found, n=1024, r=1, p=1, dklen=32)
    )
    assert digest.hex() == case["expected"]["pow_hash_internal"]
    target = share_target(case["algo"], case["set_difficulty"])
    assert (int.from_bytes(digest, "little") <= target) == case["expected"]["meets_share_target"]


@pytest.mark.parametrize(
    "case", [c for c in cases("stratum") if "merkle_branch" in c], ids=lambda case: case["id"]
)
def test_a_published_branch_has_its_root(case: dict[str, t.Any]) -> None:
    branch = [bytes.fromhex(step) for step in case["merkle_branch"]]
    root = merkle_root(sha256d(bytes.fromhex(case["coinbase_hex"])), branch)
    assert root.hex() == case["expected"]["merkle_root_internal"]


def test_bits_outside_the_mask_are_not_rolled() -> None:
    job = JOBS[0]
    assert header(job, version_bits="ffffffff", version_mask="00002000")[:4] == (2 | 0x2000).to_bytes(
        4, "little"
    )
    assert header(job, version_bits="e0000002", version_mask="00000000") == header(job)


@pytest.mark.parametrize(
    "changes",
    [
        {"extranonce1": "0"},
        {"extranonce2": "zz"},
        {"ntime": "0"},
        {"nonce": "00000000 "},
        {"nonce": "0000000000"},
        {"version_bits": "20"},
    ],
    ids=str,
)
def test_parts_of_a_wrong_size_are_refused(changes: dict[str, str]) -> None:
    with pytest.raises(BadJob):
        header(JOBS[0], **changes)


@pytest.mark.parametrize(
    "case", cases("difficulty", kind="share_difficulty_to_target"), ids=lambda case: case["id"]
)
def test_a_share_difficulty_has_its_target(case: dict[str, t.Any]) -> None:
    asked = case["input"]
    assert share_target(asked["algo"], asked["difficulty"]) == int(case["expected"]["target_hex"], 16)


@pytest.mark.parametrize("case", cases("difficulty", kind="nbits_to_target"), ids=lambda case: case["id"])
def test_compact_bits_have_their_target(case: dict[str, t.Any]) -> None:
    assert nbits_target(int(case["input"]["nbits_hex"], 16)) == int(case["expected"]["target_hex"], 16)


@pytest.mark.parametrize(
    "case", cases("difficulty", kind="ethereumstratum_difficulty_to_target"), ids=lambda case: case["id"]
)
def test_nicehash_counts_from_difficulty_1_of_sha256d(case: dict[str, t.Any]) -> None:
    assert nicehash_target(case["input"]["difficulty"]) == int(case["expected"]["target_hex"], 16)


@pytest.mark.parametrize(
    "case",
    [
        c
        for c in cases("difficulty", kind="ethash_difficulty_to_boundary")
        if int(c["input"]["difficulty_hex"], 16)
    ],
    ids=lambda case: case["id"],
)
def test_an_ethash_difficulty_has_its_boundary(case: dict[str, t.Any]) -> None:
    assert share_target("ethash", int(case["input"]["difficulty_hex"], 16)) == int(
        case["expected"]["boundary_hex"], 16
    )


@pytest.mark.parametrize("nbits", [0, 0x1D800001, 0xFF7FFFFF, 0x1D000000, 0x00FFFFFF, 1 << 32, -1])
def test_bits_that_are_no_target_are_refused(nbits: int) -> None:
    with pytest.raises(ValueError, match="no compact target"):
        nbits_target(nbits)


@pytest.mark.parametrize(
    "wrong",
    [
        0,
        -1,
        Decimal(0),
        Decimal("NaN"),
        Decimal("Infinity"),
        Decimal("1e-999999"),
        Decimal("1e999999"),
        1.0,
        True,
        "1",
        None,
    ],
)
def test_what_is_no_difficulty_is_refused(wrong: t.Any) -> None:
    with pytest.raises(ValueError, match="difficulty"):
        share_target("sha256d", wrong)


def test_no_pool_counts_difficulty_for_our_local_work() -> None:
    with pytest.raises(ValueError, match="yespower"):
        share_target("yespower", 1)


@given(st.integers(1, 2**200), st.sampled_from(["sha256d", "scrypt", "neoscrypt", "ethash"]))
def test_a_target_is_the_exact_quotient(difficulty: int, algorithm: str) -> None:
    space = {"sha256d": DIFFICULTY_1, "ethash": SPACE}.get(algorithm, DIFFICULTY_1 << 16)
    assert share_target(algorithm, difficulty) == min(space // difficulty, SPACE - 1)


@given(st.integers(1, 2**255))
def test_work_and_difficulty_of_a_target_belong_together(target: int) -> None:
    assert expected_hashes(target) * (target + 1) <= SPACE
    assert abs(target_difficulty("sha256d", target) * target / DIFFICULTY_1 - 1) < Decimal("1e-8")
