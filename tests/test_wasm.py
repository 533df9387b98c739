"""The WebAssembly modules in Node: published vectors, Python's digests and Python's hits; and that their bytes are reproducible."""

from __future__ import annotations

import functools
import json
import random
import shutil
import subprocess
import sys
import typing as t
from pathlib import Path

import pytest
from conftest import missing

from miner.pow import ALGORITHMS, target_for
from miner.pow.yespower import yespower
from scripts import wasm

HERE = Path(__file__).parent
PERSONALISATION = "ticketminer local v1"
ETHASH = {"ethash"}  # it hashes with a cache; tests/test_ethash_wasm.py
MODULES = [(name, level) for name in wasm.ALGORITHMS if name not in ETHASH for level in wasm.LEVELS]
DIGESTS = {
    "sha256d": ("hash_internal_hex", "sha256d_internal_hex"),
    "scrypt": ("scrypt_hash_internal",),
    "neoscrypt": ("output_internal_hex",),
    "yespower": ("hash_hex",),
}
"""The members of a vector that hold the digest, in the order in which it is printed."""

every_module = pytest.mark.parametrize(("name", "level"), MODULES)
every_build = pytest.mark.parametrize("name", wasm.ALGORITHMS)

Answer = dict[str, t.Any]


@functools.cache
def node() -> str:
    program = shutil.which("node")
    if program is None:
        missing("needs Node: apt-get install nodejs")
    assert program is not None
    return program


def run(name: str, level: str, requests: list[dict[str, object]]) -> list[Answer]:
    """Return the answers of a module to `requests`, which tests/wasm_kernels.mjs describes."""
    answers = subprocess.run(
        [node(), HERE / "wasm_kernels.mjs", wasm.MODULES / f"{name}.{level}.wasm"],
        input="".join(json.dumps(request) + "\n" for request in requests),
        capture_output=True,
        text=True,
        check=True,
    )
    return [json.loads(line) for line in answers.stdout.splitlines()]


def hash_of(data: bytes) -> dict[str, object]:
    return {"op": "hash", "data": data.hex()}


class Slice(t.NamedTuple):
    """A search, for a module and for Python."""

    blob: bytes
    start: int
    tries: int
    expected: int
    offset: int = 76
    size: int = 8

    def request(self) -> dict[str, object]:
        return {
            "op": "scan",
            "blob": self.blob.hex(),
            "limit": target_for(self.expected).to_bytes(32, "little").hex(),
            "start": str(self.start),
            "count": self.tries,
            "nonce_at": self.offset,
            "nonce_len": self.size,
        }

    def answer(self, name: str) -> Answer:
        found = ALGORITHMS[hashed_by(name)].scan(
            self.blob,
            target_for(self.expected),
            start=self.start,
            count=self.tries,
            nonce_offset=self.offset,
            nonce_size=self.size,
        )
        return {"hits": [[str(nonce), digest.hex()] for nonce, digest in found.hits], "hashes": found.hashes}


def hashed_by(module: str) -> str:
    """Return the algorithm of a module: yespower-any is yespower with any parameters."""
    return module.partition("-")[0]


def published(name: str) -> list[tuple[bytes, str]]:
    """Return (message, digest) of every vector of the module `name`, of yespower those with the parameters of local work."""
    name = hashed_by(name)
    cases = json.loads((HERE / "vectors" / f"{name}.json").read_text())["cases"]
    if name == "yespower":
        mine = (1024, 8, PERSONALISATION)
        cases = [case for case in cases if (case.get("N"), case.get("r"), case.get("pers_utf8")) == mine]
    return [
        (bytes.fromhex(case.get("header_hex") or case["input_hex"]), case[member])
        for case in cases
        for member in DIGESTS[name]
        if member in case
    ]


@every_module
def test_published_vectors(name: str, level: str) -> None:
    vectors = published(name)
    assert vectors
    answers = run(name, level, [hash_of(data) for data, _ in vectors])
    assert answers == [{"digest": digest} for _, digest in vectors]


@every_module
def test_messages_hash_as_in_python(name: str, level: str) -> None:
    chance = random.Random(name)
    messages = [chance.randbytes(size) for size in (64, 79, 80, 84, 119, 120, 128, 183, 255, 256)]
    answers = run(name, level, [hash_of(data) for data in messages])
    assert answers == [{"digest": ALGORITHMS[hashed_by(name)].hash(data).hex()} for data in messages]


@every_module
@pytest.mark.parametrize(
    "start", [0, 2**32 - 13, 2**40 + 5, 2**64 - 25], ids=["beginning", "carry", "beyond 32 bits", "end"]
)
def test_blobs_of_local_work_are_searched_as_in_python(name: str, level: str, start: int) -> None:
    slices = [
        Slice(random.Random(start + number).randbytes(84), start, 25, expected)
        for number, expected in enumerate([1, 5, 2**40])
    ]
    assert run(name, level, [s.request() for s in slices]) == [s.answer(name) for s in slices]


@every_module
@pytest.mark.parametrize("start", [0, 2**31 - 9, 2**32 - 21], ids=["beginning", "sign", "end"])
def test_headers_are_searched_as_in_python(name: str, level: str, start: int) -> None:
    slices = [Slice(random.Random(start + e).randbytes(80), start, 21, e, size=4) for e in (1, 5)]
    assert run(name, level, [s.request() for s in slices]) == [s.answer(name) for s in slices]


@every_module
def test_a_nonce_may_stand_anywhere(name: str, level: str) -> None:
    slices = [
        Slice(bytes(range(100)), 3, 9, 2, offset, size)
        for offset, size in ((0, 1), (13, 3), (70, 8), (76, 2), (92, 8))
    ]
    assert run(name, level, [s.request() for s in slices]) == [s.answer(name) for s in slices]


def parameters_of(n: int, r: int, personalisation: bytes) -> dict[str, object]:
    return {"op": "parameters", "n": n, "r": r, "personalisation": personalisation.hex()}


every_level = pytest.mark.parametrize("level", wasm.LEVELS)


@every_level
def test_yespower_takes_the_parameters_of_every_published_vector(level: str) -> None:
    cases = json.loads((HERE / "vectors" / "yespower.json").read_text())["cases"]
    requests = [
        request
        for case in cases
        for request in (
            parameters_of(case["N"], case["r"], case["pers_utf8"].encode()),
            hash_of(bytes.fromhex(case["input_hex"])),
        )
    ]
    answers = run("yespower-any", level, requests)
    assert answers == [answer for case in cases for answer in ({}, {"digest": case["hash_hex"]})]


@every_level
def test_yespower_with_other_parameters_is_that_of_python(level: str) -> None:
    chance, blob = random.Random(level), bytes(range(84))
    drawn = [(1024, 9, b""), (2048, 31, chance.randbytes(256)), (1024, 8, chance.randbytes(65))]
    for n, r, personalisation in drawn:
        slice_ = Slice(blob, 5, 3, 1)
        answers = run("yespower-any", level, [parameters_of(n, r, personalisation), slice_.request()])
        messages = [blob[:76] + nonce.to_bytes(8, "little") for nonce in range(5, 8)]
        digests = [yespower(message, N=n, r=r, pers=personalisation).hex() for message in messages]
        assert answers[1]["hits"] == [[str(5 + number), digest] for number, digest in enumerate(digests)]


@every_level
def test_parameters_that_are_none_leave_those_of_before(level: str) -> None:
    blob, other = bytes(84), parameters_of(1024, 8, b"other")
    none = [(1000, 8), (512, 8), (2**20, 8), (1024, 7), (1024, 33)]
    wrong = [parameters_of(n, r, b"") for n, r in none] + [parameters_of(1024, 8, bytes(257))]
    answers = run("yespower-any", level, [other, *wrong, hash_of(blob)])
    assert answers[1:-1] == [{"error": "no such parameters"}] * len(wrong)
    assert answers[-1] == {"digest": yespower(blob, pers=b"other").hex()}


@every_level
def test_the_parameters_of_local_work_return(level: str) -> None:
    blob, local = bytes(84), parameters_of(0, 0, b"")
    answers = run("yespower-any", level, [parameters_of(2048, 8, b""), local, hash_of(blob)])
    assert answers == [{}, {}, {"digest": yespower(blob).hex()}]


@every_level
def test_parameters_for_which_there_is_no_memory_are_refused(level: str) -> None:
    refused = {"error": "no such parameters"}
    ask = [{"op": "grow", "pages": 40_000}, parameters_of(512 * 1024, 32, b""), hash_of(bytes(84))]
    assert run("yespower-any", level, ask)[1:] == [refused, {"digest": yespower(bytes(84)).hex()}]


def test_more_hits_than_there_is_room_for_come_in_several_calls() -> None:
    slice_ = Slice(bytes(84), 2**32 - 100, 1000, 1)
    for level in wasm.LEVELS:
        assert run("sha256d", level, [slice_.request()]) == [slice_.answer("sha256d")]


@every_module
def test_a_range_that_wraps_ends_with_its_last_nonce(name: str, level: str) -> None:
    slices = [Slice(bytes(84), 2 ** (8 * size) - 3, 10, 1, 76, size) for size in (1, 4, 8)]
    slices += [Slice(bytes(84), 256, 10, 1, 76, 1)]
    answers = run(name, level, [s.request() for s in slices])
    assert [answer["hashes"] for answer in answers] == [3, 3, 3, 0]


@every_module
@pytest.mark.parametrize(
    "bad",
    [
        Slice(bytes(129), 0, 1, 1),
        Slice(bytes(84), 0, 1, 1, 77, 8),
        Slice(bytes(84), 0, 1, 1, 2**32 - 1, 8),
        Slice(bytes(84), 0, 1, 1, 76, 0),
        Slice(bytes(84), 0, 1, 1, 0, 9),
        Slice(b"", 0, 1, 1, 0, 1),
    ],
    ids=["long", "outside", "far outside", "no nonce", "long nonce", "empty"],
)
def test_what_is_no_job_is_refused_and_nothing_is_searched(name: str, level: str, bad: Slice) -> None:
    assert run(name, level, [bad.request()]) == [{"error": "no such job"}]


@every_module
def test_a_message_longer_than_the_room_for_it_is_refused(name: str, level: str) -> None:
    assert run(name, level, [hash_of(bytes(257))]) == [{"error": "no message of 257 bytes"}]


def the_toolchain() -> None:
    try:
        wasm.toolchain()
    except wasm.WrongToolchain as error:
        missing(str(error))


@every_build
def test_a_build_in_another_folder_gives_the_bytes_in_the_tree(name: str, tmp_path: Path) -> None:
    the_toolchain()
    elsewhere = tmp_path / "elsewhere" / "csrc"
    shutil.copytree(wasm.CSRC, elsewhere)
    for level in wasm.LEVELS:
        built = wasm.build(name, level, tmp_path, elsewhere)
        assert built.read_bytes() == (wasm.MODULES / built.name).read_bytes(), (
            f"make wasm, and commit {built.name}"
        )


def test_every_module_in_the_tree_is_one_that_is_built() -> None:
    files = {f"{name}.{level}.wasm" for name in wasm.ALGORITHMS for level in wasm.LEVELS}
    assert {file.name for file in wasm.MODULES.iterdir()} == files


@pytest.mark.parametrize("said", ["Debian clang version 15.0.6", ""], ids=["another version", "none"])
def test_another_toolchain_is_refused_with_what_to_install(
    said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if said:
        (tmp_path / "clang-14").write_text(f"#!/bin/sh\necho {said}\n")
        (tmp_path / "clang-14").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin" if said else str(tmp_path))
    refused = subprocess.run(
        [sys.executable, wasm.__file__, "--check"], capture_output=True, text=True, check=False
    )
    assert (refused.returncode, refused.stdout) == (1, "")
    assert refused.stderr.endswith("apt-get install clang-14 lld-14 (Debian 12 has that version)\n")
