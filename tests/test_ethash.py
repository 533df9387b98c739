"""Ethash: published vectors, and every compiled path against the portable one and readable Python."""

from __future__ import annotations

import json
import pathlib
import struct
import subprocess
import sys
from collections.abc import Iterator, Sequence

import pytest
import reference_ethash as reference
from hypothesis import given, settings
from hypothesis import strategies as st

from miner.pow import ALGORITHMS, BadLength, BadRange, PowError, UnknownImplementation, target_for

pytest.importorskip("miner.pow._kernels", reason="the kernels were not compiled here")

from miner.pow import _kernels, ethash
from miner.pow.ethash import dataset
from miner.pow.ethash.table import Table

CASES = json.loads((pathlib.Path(__file__).parent / "vectors" / "ethash.json").read_text())["cases"]
PATHS = ALGORITHMS["ethash"].implementations
HEADER = bytes(range(32))
PAGES = 509

headers = st.binary(min_size=32, max_size=32)
nonces = st.integers(0, 2**64 - 1)


def of_kind(kind: str) -> list[object]:
    return [pytest.param(case, id=case["id"]) for case in CASES if case["kind"] == kind]


def expected(case: dict[str, str]) -> tuple[bytes, bytes]:
    return bytes.fromhex(case["mix_hash_hex"]), bytes.fromhex(case["final_hash_hex"])


class Words(Sequence[list[int]]):
    """A cache as the reference reads it."""

    def __init__(self, rows: bytes | memoryview) -> None:
        self.rows = rows

    def __len__(self) -> int:
        return len(self.rows) // 64

    def __getitem__(self, number: int) -> list[int]:  # type: ignore[override]
        if number >= len(self):
            raise IndexError(number)
        return list(struct.unpack_from("<16I", self.rows, 64 * number))


def short_cache(rows: int = 61) -> bytearray:
    made = bytearray(64 * rows)
    _kernels.ethash_build_cache(bytes(32), made)
    return made


def short_dataset(pages: int = PAGES) -> bytearray:
    return Table(short_cache(), pages).items(0, 2 * pages)


@pytest.fixture(scope="module", autouse=True)
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[pathlib.Path]:
    """A folder for this module's caches, with that of epoch 0."""
    with pytest.MonkeyPatch.context() as patch:
        path = tmp_path_factory.mktemp("ethash")
        patch.setenv("TICKETMINER_ETHASH_DIR", str(path))
        ethash.prepare(0)
        yield path


@pytest.mark.parametrize("case", of_kind("keccak"))
@pytest.mark.parametrize("of", [reference, _kernels], ids=["reference", "compiled"])
def test_keccak_of_published_messages(of: object, case: dict[str, str]) -> None:
    data = bytes.fromhex(case["input_hex"])
    digests = of.keccak256(data).hex(), of.keccak512(data).hex()  # type: ignore[attr-defined]
    assert digests == (case["keccak256_hex"], case["keccak512_hex"])


@given(st.binary(max_size=400))
def test_keccak_agrees_with_the_reference(data: bytes) -> None:
    assert _kernels.keccak256(data) == reference.keccak256(data)
    assert _kernels.keccak512(data) == reference.keccak512(data)


@pytest.mark.parametrize("case", of_kind("epoch_seed"))
@pytest.mark.parametrize("of", [reference, ethash], ids=["reference", "compiled"])
def test_published_seeds(of: object, case: dict[str, object]) -> None:
    assert of.seed_hash(case["epoch"]).hex() == case["seed_hex"]  # type: ignore[attr-defined]


@pytest.mark.parametrize("case", of_kind("sizes"))
@pytest.mark.parametrize("of", [reference, ethash], ids=["reference", "compiled"])
def test_published_sizes(of: object, case: dict[str, int]) -> None:
    sizes = of.cache_size(case["epoch"]), of.dataset_size(case["epoch"])  # type: ignore[attr-defined]
    assert sizes == (case["cache_size"], case["dataset_size"])


def test_sizes_agree_with_the_reference_up_to_the_last_epoch() -> None:
    for epoch in (*range(0, 2048, 293), 2047):
        assert ethash.cache_size(epoch) == reference.cache_size(epoch)
        assert ethash.dataset_size(epoch) == reference.dataset_size(epoch)


def test_an_epoch_of_etchash_has_the_seed_of_its_blocks_and_the_sizes_of_its_number() -> None:
    assert ethash.seed_hash(195, epoch_length=60000) == ethash.seed_hash(390)
    assert ethash.cache_size(195, epoch_length=60000) == ethash.cache_size(195)
    assert ethash.epoch_of_seed(ethash.seed_hash(390), epoch_length=60000) == 195


@pytest.mark.parametrize("case", of_kind("cache_digest"))
def test_the_published_digest_of_a_cache(case: dict[str, str]) -> None:
    assert _kernels.keccak256(bytes(ethash.load(0).rows)).hex() == case["keccak256_of_cache_hex"]


@pytest.mark.parametrize("case", of_kind("hashimoto_light"))
def test_every_path_hashes_published_blocks(case: dict[str, str]) -> None:
    epoch, header, nonce = (
        int(case["epoch"]),
        bytes.fromhex(case["header_hash_hex"]),
        int(case["nonce_hex"], 16),
    )
    assert ethash.hashimoto_light(epoch, header, nonce) == expected(case)
    for path in PATHS:
        assert ethash.load(epoch).hash(header, nonce, path=path) == expected(case)
        data = header + nonce.to_bytes(8, "little")
        assert ALGORITHMS["ethash"].hash(data, epoch=epoch, implementation=path) == expected(case)[1]


def test_the_reference_hashes_a_published_block() -> None:
    case = next(case for case in CASES if case["id"] == "ethash-block-0")
    header, nonce = bytes.fromhex(case["header_hash_hex"]), int(case["nonce_hex"], 16)
    pages = ethash.dataset_size(0) // 128
    assert reference.hashimoto_light(Words(ethash.load(0).rows), pages, header, nonce) == expected(case)


@settings(max_examples=10, deadline=None)
@given(seed=headers, rows=st.integers(1, 12))
def test_a_cache_agrees_with_the_reference(seed: bytes, rows: int) -> None:
    made = bytearray(64 * rows)
    _kernels.ethash_build_cache(seed, made)
    assert list(Words(made)) == reference.make_cache(seed, rows)


@settings(max_examples=25, deadline=None)
@given(rows=st.integers(1, 300), first=st.integers(0, 2**32 - 5))
def test_every_path_computes_the_items_of_the_reference(rows: int, first: int) -> None:
    cache = short_cache(rows)
    items = [
        reference.pack(reference.dataset_item(Words(cache), number)) for number in range(first, first + 3)
    ]
    for path in PATHS:
        assert Table(cache, 1).items(first, 3, path=path) == b"".join(items)


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("count", [0, 1, 15, 16, 17, 50])
def test_items_come_out_the_same_in_whatever_portions(path: str, count: int) -> None:
    light = Table(short_cache(), PAGES)
    one_by_one = b"".join(light.items(7 + i, 1, path="portable") for i in range(count))
    assert light.items(7, count, path=path) == one_by_one


@settings(max_examples=3, deadline=None)
@given(header=headers, nonce=nonces, pages=st.integers(1, 2**31))
def test_light_hashes_agree_with_the_reference(header: bytes, nonce: int, pages: int) -> None:
    cache = short_cache()
    wanted = reference.hashimoto_light(Words(cache), pages, header, nonce)
    assert [Table(cache, pages).hash(header, nonce, path=path) for path in PATHS] == [wanted] * len(PATHS)


@settings(max_examples=30, deadline=None)
@given(header=headers, nonce=nonces)
def test_full_hashes_agree_with_the_reference_and_with_light_ones(header: bytes, nonce: int) -> None:
    full = Table(short_dataset())
    wanted = reference.hashimoto_full(Words(bytes(full.rows)), header, nonce)
    assert [full.hash(header, nonce, path=path) for path in PATHS] == [wanted] * len(PATHS)
    assert Table(short_cache(), PAGES).hash(header, nonce) == wanted


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("count", [0, 1, 7, 8, 9, 37])
@pytest.mark.parametrize("full", [False, True], ids=["light", "full"])
def test_a_scan_hashes_each_nonce_by_itself(path: str, count: int, full: bool) -> None:
    table = Table(short_dataset()) if full else Table(short_cache(), PAGES)
    start = 2**64 - 40
    found = table.scan(HEADER, 2**256 - 1, start, count, path=path)
    assert found == [
        (nonce, table.hash(HEADER, nonce, path="portable")[1]) for nonce in range(start, start + count)
    ]


def test_a_scan_of_more_hits_than_fit_at_once_returns_them_all() -> None:
    found = Table(short_dataset()).scan(HEADER, 2**256 - 1, 0, 1000)
    assert [nonce for nonce, _ in found] == list(range(1000))


@settings(max_examples=20, deadline=None)
@given(
    blob=st.binary(min_size=40, max_size=40),
    offset=st.integers(32, 39),
    data=st.data(),
    expected=st.integers(1, 9),
)
def test_every_path_finds_the_shares_that_hashing_finds(
    blob: bytes, offset: int, data: st.DataObject, expected: int
) -> None:
    size = data.draw(st.integers(1, 40 - offset))
    start = data.draw(st.integers(0, 256**size - 20))
    algorithm, target, full = ALGORITHMS["ethash"], target_for(expected), Table(short_dataset())

    def digest(number: int) -> bytes:
        data = blob[:offset] + number.to_bytes(size, "little") + blob[offset + size :]
        return full.hash(data[:32], int.from_bytes(data[32:], "little"), path="portable")[1]

    digests = [(number, digest(number)) for number in range(start, start + 20)]
    wanted = [(number, digest) for number, digest in digests if int.from_bytes(digest, "big") <= target]
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(dataset._opened, (0, 30000), full)
        for path in PATHS:
            found = algorithm.scan(
                blob,
                target,
                start=start,
                count=20,
                nonce_offset=offset,
                nonce_size=size,
                epoch=0,
                implementation=path,
            )
            assert found == (wanted, 20)


def test_a_search_without_a_dataset_uses_the_cache() -> None:
    found = ALGORITHMS["ethash"].scan(
        HEADER + bytes(8), 2**256 - 1, count=3, nonce_offset=32, nonce_size=8, epoch=0
    )
    assert found.hits == [(nonce, ethash.hashimoto_light(0, HEADER, nonce)[1]) for nonce in range(3)]


def test_a_table_of_ones_own_is_searched_without_any_epoch() -> None:
    table = Table(short_cache(), PAGES)
    algorithm = ethash.with_table(table)
    found = algorithm.scan(HEADER + bytes(8), 2**256 - 1, count=3, nonce_offset=32, nonce_size=8)
    assert found.hits == [(nonce, table.hash(HEADER, nonce)[1]) for nonce in range(3)]
    assert algorithm.hash(HEADER + bytes(8)) == found.hits[0][1]


def test_a_cache_computed_in_memory_is_the_one_in_the_file() -> None:
    computed, loaded = ethash.computed(0), ethash.load(0)
    assert (computed.rows, computed.pages) == (loaded.rows, loaded.pages)


def test_a_hash_may_name_its_epoch_by_the_seed() -> None:
    data = HEADER + bytes(8)
    assert ALGORITHMS["ethash"].hash(data, seed=bytes(32)) == ALGORITHMS["ethash"].hash(data, epoch=0)


def test_a_share_holds_with_its_true_mix_and_up_to_its_target() -> None:
    mix, digest = ethash.hashimoto_light(0, HEADER, 5)
    value = int.from_bytes(digest, "big")
    assert ethash.check_share(0, HEADER, 5, mix, value) == digest
    assert ethash.check_share(0, HEADER, 5, mix, value - 1) is None


def test_a_false_mix_is_refused_even_where_its_digest_meets_the_target() -> None:
    assert ethash.check_share(0, HEADER, 5, bytes(32), 2**256 - 1) is None


def test_the_environment_chooses_the_path_that_checks_a_share_too(monkeypatch: pytest.MonkeyPatch) -> None:
    mix, _ = ethash.hashimoto_light(0, HEADER, 5)
    monkeypatch.setenv("TICKETMINER_KERNEL", "vax")
    with pytest.raises(UnknownImplementation, match="unset TICKETMINER_KERNEL"):
        ethash.check_share(0, HEADER, 5, mix, 2**256 - 1)


def test_garbage_is_refused_without_a_look_at_the_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TICKETMINER_ETHASH_DIR", "/nonexistent")
    assert ethash.check_share(0, HEADER, 5, bytes(32), target_for(2**40)) is None


@pytest.mark.parametrize("epoch", [-1, 2048, 10**30, True, "7", None])
@pytest.mark.parametrize(
    "of", [ethash.seed_hash, ethash.cache_size, ethash.dataset_size, ethash.prepare, ethash.load]
)
def test_an_epoch_that_does_not_exist_is_refused(of: object, epoch: object) -> None:
    with pytest.raises(ethash.BadEpoch, match=r"0 to 2047.*block number // epoch_length"):
        of(epoch)  # type: ignore[operator]


@pytest.mark.parametrize("epoch_length", [2048 * 30000, 90000, 0, -30000, 100, 45000, 10**12, None])
def test_an_epoch_of_another_length_is_refused(epoch_length: object) -> None:
    with pytest.raises(ethash.BadEpoch, match=r"30000 blocks \(Ethash\) or 60000 \(Etchash\)"):
        ethash.cache_size(0, epoch_length=epoch_length)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("arguments", "remedy"),
    [
        ({}, "give epoch"),
        ({"epoch": 1, "seed": bytes(32)}, "has another seed"),
        ({"seed": b"\1" * 32}, "check epoch_length"),
    ],
)
def test_a_hash_without_a_true_epoch_is_refused(arguments: dict[str, object], remedy: str) -> None:
    with pytest.raises(ethash.BadEpoch, match=remedy):
        ALGORITHMS["ethash"].hash(bytes(40), **arguments)  # type: ignore[arg-type]


@pytest.mark.parametrize("size", [0, 39, 41, 80])
def test_data_of_another_length_is_refused(size: int) -> None:
    with pytest.raises(BadLength, match=f"40 bytes in all, not {size}"):
        ALGORITHMS["ethash"].hash(bytes(size), epoch=0)


def test_a_nonce_inside_the_header_hash_is_refused() -> None:
    with pytest.raises(BadRange, match="bytes 32 to 39"):
        ALGORITHMS["ethash"].scan(bytes(40), 1, count=1, nonce_offset=31, nonce_size=8, epoch=0)


@pytest.mark.parametrize(
    ("header", "nonce", "mix"),
    [
        (bytes(31), 0, bytes(32)),
        (bytes(32), -1, bytes(32)),
        (bytes(32), 2**64, bytes(32)),
        (bytes(32), 0, b""),
    ],
)
def test_parts_of_a_share_of_another_size_are_refused(header: bytes, nonce: int, mix: bytes) -> None:
    with pytest.raises(BadLength):
        ethash.check_share(0, header, nonce, mix, 1)


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: Table(b"", 5).hash(HEADER, 0),
        lambda: Table(bytes(65), 5).hash(HEADER, 0),
        lambda: Table(bytes(64)).hash(HEADER, 0),
        lambda: Table(bytes(64), 2**31 + 1).hash(HEADER, 0),
        lambda: Table(bytes(64), 5).hash(bytes(31), 0),
        lambda: Table(bytes(64), 5).items_into(0, bytearray(63)),
        lambda: Table(bytes(64), 5).items(2**32 - 1, 2),
        lambda: Table(bytes(64), 5).scan(bytes(33), 1, 0, 1),
        lambda: Table(bytes(64), 5).scan(HEADER, 1, 0, 1, shift=64),
        lambda: Table(bytes(64), 5).hash(HEADER, 0, path="vax"),
        lambda: _kernels.ethash_build_cache(bytes(31), bytearray(64)),
        lambda: _kernels.ethash_hash("vax", bytes(64), 5, HEADER, 0),
    ],
)
def test_tables_and_arguments_that_do_not_fit_raise_an_error(wrong: object) -> None:
    with pytest.raises(ValueError, match=r"\w+"):
        wrong()  # type: ignore[operator]


def test_without_compiled_code_ethash_is_not_offered_and_says_why() -> None:
    program = (
        "import sys; sys.modules['miner.pow._kernels'] = None\n"
        "from miner.pow import ALGORITHMS, ethash\n"
        "print('ethash' in ALGORITHMS, ethash.cache_size(0))\n"
        "try: ethash.seed_hash(1)\n"
        "except ethash.NotCompiled as error: print(error)\n"
        "try: ethash.ETHASH.hash(bytes(40), epoch=0)\n"
        "except ethash.NotCompiled as error: print(error)\n"
    )
    said = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    assert said.startswith("False 16776896\n")
    assert said.count("install a C compiler") == 2


def test_every_error_of_ethash_is_one_of_hashing() -> None:
    for error in (ethash.BadEpoch, ethash.NotCompiled, ethash.TableMissing, ethash.TableBusy):
        assert issubclass(error, PowError)
