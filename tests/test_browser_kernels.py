"""The page's kernels in Node: JavaScript and WebAssembly find what Python finds, and say why they are not the fastest."""

from __future__ import annotations

import functools
import json
import random
import shutil
import subprocess
import typing as t
from pathlib import Path

import pytest
from parts import missing

from miner.pow import ALGORITHMS, target_for
from miner.pow.ethash import cache_size, computed, dataset_size, with_table
from miner.pow.yespower import yespower

HERE = Path(__file__).parent
SCRIPT = HERE / "browser" / "kernels.mjs"
IN_JAVASCRIPT = ("yespower", "scrypt", "sha256d")
PERSONALISATION = "ticketminer local v1"
DIGESTS = {
    "sha256d": ("hash_internal_hex", "sha256d_internal_hex"),
    "scrypt": ("scrypt_hash_internal",),
    "yespower": ("hash_hex",),
}
BOTH = (*[(kind, name) for kind in ("simd", "scalar") for name in (*IN_JAVASCRIPT, "neoscrypt")],)
EVERY = (*BOTH, *[("javascript", name) for name in IN_JAVASCRIPT])

every_kernel = pytest.mark.parametrize(("kind", "name"), EVERY)
every_script = pytest.mark.parametrize("name", IN_JAVASCRIPT)

Answer = dict[str, t.Any]


@functools.cache
def node() -> str:
    return shutil.which("node") or missing("needs Node: apt-get install nodejs")


def run(kind: str, name: str, *requests: Answer) -> tuple[Answer, list[Answer]]:
    """Return what the kernel is and its answers to `requests`, which browser/kernels.mjs describes."""
    said = subprocess.run(
        [node(), SCRIPT, kind, name],
        input="".join(json.dumps(request) + "\n" for request in requests),
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    about, *answers = [json.loads(line) for line in said.splitlines()]
    return about, answers


def scan(blob: bytes, start: int, count: int, expected: int, at: int = 76, size: int = 8) -> Answer:
    return {
        "op": "scan",
        "blob": blob.hex(),
        "target": f"{target_for(expected):064x}",
        "start": str(start),
        "count": count,
        "nonce_at": at,
        "nonce_len": size,
    }


def by_python(name: str, request: Answer) -> Answer:
    found = ALGORITHMS[name].scan(
        bytes.fromhex(request["blob"]),
        int(request["target"], 16),
        start=int(request["start"]),
        count=request["count"],
        nonce_offset=request["nonce_at"],
        nonce_size=request["nonce_len"],
    )
    hits = [str(nonce) for nonce, _ in found.hits]
    return {"hits": hits, "checked": [None] * len(hits), "hashes": request["count"]}


@every_script
def test_published_vectors(name: str) -> None:
    cases = json.loads((HERE / "vectors" / f"{name}.json").read_text())["cases"]
    if name == "yespower":
        local = (1024, 8, PERSONALISATION)
        cases = [case for case in cases if (case["N"], case["r"], case["pers_utf8"]) == local]
    vectors = [
        (case.get("header_hex") or case["input_hex"], case[member])
        for case in cases
        for member in DIGESTS[name]
        if member in case
    ]
    assert vectors
    _, answers = run("javascript", name, *({"op": "hash", "data": data} for data, _ in vectors))
    assert [answer["digest"] for answer in answers] == [digest for _, digest in vectors]


@every_script
def test_messages_of_every_length_around_a_block_hash_as_in_python(name: str) -> None:
    chance = random.Random(name)
    sizes = (0, 1, 55, 56, 63, 64, 65, 80, 84, 119, 120, 127, 128, 256) if name != "yespower" else (0, 64, 84)
    messages = [chance.randbytes(size) for size in sizes]
    _, answers = run("javascript", name, *({"op": "hash", "data": data.hex()} for data in messages))
    assert [answer["digest"] for answer in answers] == [
        ALGORITHMS[name].hash(data).hex() for data in messages
    ]


def test_a_hundred_random_messages_of_yespower_hash_as_in_python() -> None:
    chance = random.Random(0)
    messages = [chance.randbytes(84) for _ in range(100)]
    _, answers = run("javascript", "yespower", *({"op": "hash", "data": data.hex()} for data in messages))
    assert [answer["digest"] for answer in answers] == [yespower(data).hex() for data in messages]


@every_kernel
def test_local_work_is_searched_as_in_python(kind: str, name: str) -> None:
    starts = (0, 2**32 - 13, 2**40 + 5, 2**64 - 25)
    requests = [
        scan(random.Random(start + e).randbytes(84), start, 25, e) for start in starts for e in (1, 5, 2**40)
    ]
    _, answers = run(kind, name, *requests)
    assert answers == [by_python(name, request) for request in requests]
    assert len(answers[0]["hits"]) == 25


@every_kernel
def test_headers_are_searched_as_in_python(kind: str, name: str) -> None:
    starts = (0, 2**31 - 9, 2**32 - 21)
    requests = [
        scan(random.Random(start + e).randbytes(80), start, 21, e, size=4) for start in starts for e in (1, 4)
    ]
    _, answers = run(kind, name, *requests)
    assert answers == [by_python(name, request) for request in requests]


@every_kernel
def test_a_nonce_may_stand_anywhere(kind: str, name: str) -> None:
    places = ((0, 1), (13, 3), (58, 8), (70, 8), (76, 2), (92, 8))
    requests = [scan(bytes(range(100)), 3, 9, 2, at, size) for at, size in places]
    _, answers = run(kind, name, *requests)
    assert answers == [by_python(name, request) for request in requests]


@every_kernel
def test_a_nonce_that_misses_the_target_is_no_share(kind: str, name: str) -> None:
    request = scan(random.Random(name).randbytes(84), 0, 16, 3)
    _, [found] = run(kind, name, request)
    checks = [request | {"op": "check", "start": str(nonce)} for nonce in range(16)]
    _, answers = run(kind, name, *checks)
    holding = [str(nonce) for nonce, answer in enumerate(answers) if answer["checked"] is not False]
    assert holding == found["hits"]
    assert 0 < len(holding) < 16


@every_kernel
def test_what_is_no_work_is_refused(kind: str, name: str) -> None:
    long, outside = scan(bytes(129), 0, 1, 1), scan(bytes(84), 0, 1, 1, 77, 8)
    no_nonce, long_nonce = scan(bytes(84), 0, 1, 1, 76, 0), scan(bytes(84), 0, 1, 1, 0, 9)
    _, answers = run(kind, name, long, outside, no_nonce, long_nonce, scan(b"", 0, 1, 1, 0, 1))
    assert answers == [{"error": "bad-job"}] * 5


@pytest.mark.parametrize(
    ("kind", "used", "problem", "lanes"),
    [
        ("simd", "simd", None, 2),
        ("scalar", "scalar", "no-simd", 1),
        ("javascript", "javascript", "javascript-kernel", 1),
        ("forbidden", "javascript", "wasm-forbidden", 1),
    ],
)
def test_the_best_kernel_there_is_is_used_and_says_why_it_is_no_better(
    kind: str, used: str, problem: str | None, lanes: int
) -> None:
    about, [answer] = run(kind, "yespower", scan(bytes(84), 0, 3, 1))
    assert (about["kind"], about["problem"], about["lanes"]) == (used, problem, lanes)
    assert about["support"] == {"kind": used, "problem": problem}
    assert answer["hits"] == ["0", "1", "2"]


@pytest.mark.parametrize(
    ("kind", "name"),
    [("javascript", "neoscrypt"), ("forbidden", "ethash"), ("simd", "toString"), ("simd", "x")],
)
def test_without_a_kernel_there_is_a_plain_answer(kind: str, name: str) -> None:
    about, _ = run(kind, name)
    assert about["error"] == "no-kernel"


EPOCHS = (0, 1, 171, 1024, 2047)


def test_the_sizes_of_ethash_are_those_of_python() -> None:
    module = HERE.parent / "miner" / "browser" / "engine" / "ethash.js"
    script = f"import({str(module)!r}).then(({{ sizes }}) => console.log(JSON.stringify({list(EPOCHS)}.map(sizes))))"
    said = subprocess.run([node(), "-e", script], capture_output=True, text=True, check=True).stdout
    assert json.loads(said) == [[cache_size(e) // 64, dataset_size(e) // 128] for e in EPOCHS]


@pytest.mark.parametrize("kind", ["simd", "scalar"])
def test_ethash_builds_its_cache_and_gives_the_mix(kind: str) -> None:
    if not ALGORITHMS["ethash"].implementations:
        missing("needs the compiled kernels")
    table = computed(0)
    blob = bytes(range(40))
    request = scan(blob, 2**33, 40, 4, 32, 8) | {"seed": bytes(32).hex(), "epoch": 0}
    _, [answer, none] = run(kind, "ethash", request, request | {"op": "check", "start": "1"})
    found = with_table(table).scan(blob, target_for(4), start=2**33, count=40, nonce_offset=32, nonce_size=8)
    mixes = [table.hash(blob[:32], nonce) for nonce, _ in found.hits]
    assert answer["hits"] == [str(nonce) for nonce, _ in found.hits]
    assert answer["checked"] == [mix.hex() for mix, _ in mixes]
    digest = int.from_bytes(table.hash(blob[:32], 1)[1], "big")
    assert (none["checked"] is False) == (digest > target_for(4))


def test_ethash_without_its_epoch_is_refused() -> None:
    wrong = ({}, {"seed": "00" * 32}, {"seed": "00" * 32, "epoch": 2048}, {"seed": "00", "epoch": 0})
    _, answers = run("simd", "ethash", *(scan(bytes(40), 0, 1, 1, 32, 8) | bad for bad in wrong))
    assert answers == [{"error": "bad-job"}] * 4


@pytest.mark.parametrize("name", [*IN_JAVASCRIPT, "neoscrypt", "ethash"])
def test_without_memory_for_a_module_there_is_a_plain_answer(name: str) -> None:
    job = scan(bytes(40), 0, 1, 1, 32, 8) | {"seed": bytes(32).hex(), "epoch": 0}
    pages = {"sha256d": 1, "ethash": 100}.get(name, 2)
    command = [node(), f"--wasm-max-mem-pages={pages}", str(SCRIPT), "simd", name]
    said = subprocess.run(
        command, input=json.dumps(job) + "\n", capture_output=True, text=True, check=True
    ).stdout
    assert json.loads(said.splitlines()[-1])["error"] == "out-of-memory"


def test_without_address_space_for_a_module_there_is_a_plain_answer() -> None:
    """What WebAssembly's memory reserves is more than 4 GB."""
    command = ["/bin/sh", "-c", f'ulimit -v 4000000 && exec "{node()}" "{SCRIPT}" simd yespower </dev/null']
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert json.loads(said)["error"] == "out-of-memory"
