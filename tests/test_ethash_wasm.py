"""Ethash's WebAssembly modules in Node: published blocks, and what native code finds."""

from __future__ import annotations

import json
import shutil
import subprocess
import typing as t
from pathlib import Path

import pytest
from conftest import missing

pytest.importorskip("miner.pow._kernels", reason="the kernels were not compiled here")

from miner.pow import ALGORITHMS, ethash, target_for
from miner.pow.ethash import dataset
from miner.pow.ethash.files import HEADER_SIZE
from miner.pow.ethash.table import Table

HERE = Path(__file__).parent
MODULES = HERE.parent / "miner" / "pow" / "wasm"
CASES = json.loads((HERE / "vectors" / "ethash.json").read_text())["cases"]
BLOCKS = [case for case in CASES if case["kind"] == "hashimoto_light" and case["epoch"] == 0]
ROWS, PAGES = 61, 509
SHORT = {"op": "build", "seed": bytes(32).hex(), "rows": ROWS, "pages": PAGES}
BLOB = bytes(range(40))

Answer = dict[str, t.Any]
Run = t.Callable[..., list[Answer]]


@pytest.fixture(params=["simd", "scalar"])
def run(request: pytest.FixtureRequest) -> Run:
    """Return a function that gives a module's answers to requests, which test_ethash_wasm.mjs describes."""
    module, node = MODULES / f"ethash.{request.param}.wasm", shutil.which("node")
    if node is None:
        missing("needs Node: apt-get install nodejs")
    if not module.exists():
        missing(f"needs {module.name}: make wasm")

    def answers(*requests: dict[str, object]) -> list[Answer]:
        lines = "".join(json.dumps(request) + "\n" for request in requests)
        command = [t.cast(str, node), HERE / "test_ethash_wasm.mjs", module]
        said = subprocess.run(command, input=lines, capture_output=True, text=True, check=True).stdout
        return [json.loads(line) for line in said.splitlines()]

    return answers


@pytest.fixture
def short() -> Table:
    """The table of :data:`SHORT`, natively."""
    cache = bytearray(64 * ROWS)
    ethash.compiled().ethash_build_cache(bytes(32), cache)
    return Table(cache, PAGES)


def test_published_blocks_from_the_cache_of_the_page(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TICKETMINER_ETHASH_DIR", str(tmp_path))
    cache = {"op": "cache", "file": str(ethash.prepare(0)), "offset": HEADER_SIZE}
    cache |= {"rows": ethash.cache_size(0) // 64, "pages": ethash.dataset_size(0) // 128}
    hashes = [
        {"op": "hash", "data": case["header_hash_hex"] + bytes.fromhex(case["nonce_hex"])[::-1].hex()}
        for case in BLOCKS
    ]
    said = run(cache, *hashes)[1:]
    assert [(answer["mix"], answer["digest"]) for answer in said] == [
        (case["mix_hash_hex"], case["final_hash_hex"]) for case in BLOCKS
    ]


def test_a_cache_that_the_page_builds_is_the_native_one(run: Run, short: Table) -> None:
    assert run(SHORT) == [{"ok": 1, "rows": bytes(short.rows).hex()}]


@pytest.mark.parametrize(
    ("nonce_at", "nonce_len", "start", "count"),
    [
        (32, 8, 2**64 - 40, 40),
        (32, 4, 7, 100),
        (34, 2, 65500, 36),
        (39, 1, 0, 256),
        (32, 8, 5, 0),
        (33, 7, 2**56 - 1, 1),
    ],
)
def test_a_page_finds_what_native_code_finds(
    run: Run, short: Table, nonce_at: int, nonce_len: int, start: int, count: int
) -> None:
    scan = {"op": "scan", "blob": BLOB.hex(), "limit": target_for(3).to_bytes(32, "little").hex()}
    scan |= {"start": str(start), "count": count, "nonce_at": nonce_at, "nonce_len": nonce_len}
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(dataset._opened, (0, 30000), short)
        found = ALGORITHMS["ethash"].scan(
            BLOB,
            target_for(3),
            start=start,
            count=count,
            nonce_offset=nonce_at,
            nonce_size=nonce_len,
            epoch=0,
        )
    hits = [[str(nonce), digest.hex()] for nonce, digest in found.hits]
    assert run(SHORT, scan)[1] == {"ok": 1, "hits": hits, "hashes": count}


def test_a_search_ends_with_the_last_nonce_and_keeps_hits_that_do_not_fit_at_once(run: Run) -> None:
    scan = {"op": "scan", "blob": BLOB.hex(), "limit": "ff" * 32, "nonce_at": 32, "nonce_len": 1}
    said = run(SHORT, scan | {"start": "100", "count": 1000})[1]
    assert said["hashes"] == 156
    assert [int(nonce) for nonce, _ in said["hits"]] == list(range(100, 256))


@pytest.mark.parametrize(
    "wrong",
    [
        {"op": "table", "rows": 0, "pages": 5},
        {"op": "table", "rows": 5, "pages": 0},
        {"op": "table", "rows": 2**26, "pages": 5},
        {"op": "table", "rows": 5, "pages": 2**32 - 1},
        {"op": "hash", "data": bytes(39).hex()},
        {"op": "hash", "data": bytes(84).hex()},
    ],
)
def test_what_does_not_fit_is_refused(run: Run, wrong: dict[str, object]) -> None:
    assert run(SHORT, wrong)[1]["ok"] == 0


@pytest.mark.parametrize(
    ("nonce_at", "nonce_len"), [(31, 8), (33, 8), (32, 9), (32, 0), (40, 1), (2**32 - 1, 2)]
)
def test_a_nonce_outside_its_bytes_is_refused(run: Run, nonce_at: int, nonce_len: int) -> None:
    scan = {"op": "scan", "blob": BLOB.hex(), "limit": "ff" * 32, "start": "0", "count": 5}
    said = run(SHORT, scan | {"nonce_at": nonce_at, "nonce_len": nonce_len})[1]
    assert said == {"ok": 0, "hits": [], "hashes": 0}


def test_without_a_cache_nothing_is_hashed(run: Run) -> None:
    assert run({"op": "hash", "data": BLOB.hex()})[0]["ok"] == 0
