"""yespower 1.0: published vectors, and every compiled path against the portable one and readable Python."""

from __future__ import annotations

import json
import pathlib
import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from reference_yespower import salsa20_2, wrap
from reference_yespower import yespower as reference

from miner.pow import ALGORITHMS, PowError, Scan, target_for
from miner.pow.yespower import PERSONALISATION, yespower

CASES = json.loads((pathlib.Path(__file__).parent / "vectors" / "yespower.json").read_text())["cases"]
VECTORS = [
    pytest.param(
        bytes.fromhex(case["input_hex"]),
        {"N": case["N"], "r": case["r"], "pers": case["pers_utf8"].encode()},
        bytes.fromhex(case["hash_hex"]),
        id=case["id"],
    )
    for case in CASES
]
LOCAL = [vector for vector in VECTORS if str(vector.id).startswith("local")]
PATHS = ALGORITHMS["yespower"].implementations if "yespower" in ALGORITHMS else ()
BLOB = bytes(range(84))

compiled = pytest.mark.skipif(not PATHS, reason="the kernels were not compiled here")


@pytest.mark.parametrize(("data", "parameters", "digest"), [VECTORS[0], *LOCAL[:1]])
def test_the_reference_gives_the_published_digests(
    data: bytes, parameters: dict[str, object], digest: bytes
) -> None:
    assert reference(data, **parameters) == digest


@compiled
@pytest.mark.parametrize(("data", "parameters", "digest"), VECTORS)
def test_published_digests_of_every_parameter(
    data: bytes, parameters: dict[str, object], digest: bytes
) -> None:
    assert yespower(data, **parameters) == digest


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize(("data", "parameters", "digest"), LOCAL)
def test_every_path_gives_the_digests_of_local_work(
    path: str, data: bytes, parameters: dict[str, object], digest: bytes
) -> None:
    assert ALGORITHMS["yespower"].hash(data, implementation=path) == digest


@compiled
@settings(max_examples=2, deadline=None)
@given(data=st.binary(max_size=200), pers=st.binary(max_size=150))
def test_compiled_code_agrees_with_the_reference(data: bytes, pers: bytes) -> None:
    assert yespower(data, pers=pers) == reference(data, pers=pers)


@compiled
@settings(deadline=None)
@given(st.binary(max_size=300))
def test_every_path_agrees_with_the_one_of_any_parameters(data: bytes) -> None:
    assert {ALGORITHMS["yespower"].hash(data, implementation=path) for path in PATHS} == {yespower(data)}


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize(("size", "nonce_size"), [(80, 4), (84, 8)])
def test_every_path_hashes_each_nonce_of_a_scan_by_itself(path: str, size: int, nonce_size: int) -> None:
    algorithm, start = ALGORITHMS["yespower"], 2 ** (8 * nonce_size) - 11
    found = algorithm.scan(
        BLOB[:size],
        target_for(1),
        start=start,
        count=11,
        nonce_offset=76,
        nonce_size=nonce_size,
        implementation=path,
    )
    assert found.hits == [
        (nonce, algorithm.hash(BLOB[:76] + nonce.to_bytes(nonce_size, "little"), implementation="portable"))
        for nonce in range(start, start + 11)
    ]


@compiled
@settings(max_examples=10, deadline=None)
@given(blob=st.binary(min_size=84, max_size=84), start=st.integers(0, 2**64 - 9))
def test_every_path_finds_the_same_shares(blob: bytes, start: int) -> None:
    def scan(path: str) -> Scan:
        nonces = {"start": start, "count": 9, "nonce_offset": 76, "nonce_size": 8}
        return ALGORITHMS["yespower"].scan(blob, target_for(3), implementation=path, **nonces)

    assert [scan(path) for path in PATHS] == [scan("portable")] * len(PATHS)


@compiled
def test_the_personalisation_keeps_local_work_apart() -> None:
    assert len({yespower(BLOB), yespower(BLOB, pers=b""), yespower(BLOB, pers=PERSONALISATION + b" ")}) == 3


@compiled
@pytest.mark.parametrize(
    "wrong",
    [{"N": 1000}, {"N": 512}, {"N": 2**20}, {"N": -1024}, {"N": 2**70}, {"r": 7}, {"r": 33}, {"r": -8}],
)
def test_parameters_beyond_the_limits_are_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(PowError):
        yespower(BLOB, **wrong)


def test_an_index_is_wrapped_into_what_there_is() -> None:
    assert [wrap(x, 6) for x in range(6)] == [2, 3, 4, 5, 2, 3]


def test_salsa20_of_zeros_is_zeros() -> None:
    assert salsa20_2([0] * 8) == [0] * 8


def test_without_compiled_code_the_algorithm_is_not_offered() -> None:
    program = (
        "import sys; sys.modules['miner.pow._kernels'] = None; import miner.pow.yespower as y, miner.pow as pow\n"
        "print('yespower' in pow.ALGORITHMS)\n"
        "try: y.yespower(b'')\n"
        "except pow.NotCompiled as error: print(error)"
    )
    told = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    assert told.startswith("False\n")
    assert "C compiler" in told
