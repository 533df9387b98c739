"""Arguments that the extension cannot take: an exception each, never a crash, and no buffer kept."""

from __future__ import annotations

import re
import subprocess
import sys
import typing as t

import pytest

pytest.importorskip("miner.pow._kernels", reason="the kernels were not compiled here")

from miner.pow import _kernels
from miner.pow.errors import PowError
from miner.pow.yespower import yespower


def described(wrong: object) -> str:
    """Name a case in the same way in each process."""
    return re.sub(" at 0x[0-9a-f]+", "", str(wrong))


REFUSED = (ValueError, TypeError, OverflowError, BufferError)
BLOB, LIMIT, HEADER = bytes(range(84)), b"\xff" * 32, bytes(range(32))
EVERY_OTHER = memoryview(bytearray(4096))[::2]
"""A buffer that is not in one piece."""


def scan(**changes: t.Any) -> t.Any:
    arguments = {
        "algorithm": "sha256d",
        "path": "portable",
        "blob": BLOB,
        "limit": LIMIT,
        "start": 0,
        "count": 1,
        "nonce_at": 76,
        "nonce_len": 8,
    }
    return _kernels.scan(*(arguments | changes).values())


@pytest.mark.parametrize(
    "wrong",
    [
        {"algorithm": "md5"},
        {"algorithm": "ethash"},
        {"algorithm": ""},
        {"algorithm": "sha256d\0"},
        {"algorithm": "\ud800"},
        {"algorithm": None},
        {"path": "vax"},
        {"path": "reference"},
        {"path": "simd128"},
        {"path": b"portable"},
        {"blob": bytes(129)},
        {"blob": b"", "nonce_at": 0},
        {"blob": bytes(7), "nonce_at": 0},
        {"blob": "text"},
        {"blob": bytearray(84)},
        {"blob": EVERY_OTHER},
        {"algorithm": "neoscrypt", "blob": bytes(63), "nonce_at": 0},
        {"limit": bytes(31)},
        {"limit": bytes(33)},
        {"limit": b""},
        {"start": 2**64 - 1, "count": 2},
        {"start": 2, "count": 2**64 - 1},
        {"start": 2**32, "nonce_len": 4},
        {"start": 2**32 - 1, "count": 2, "nonce_len": 4},
        {"start": 255, "count": 2, "nonce_len": 1},
        {"count": 257, "nonce_len": 1},
        {"nonce_len": 0},
        {"nonce_len": 9},
        {"nonce_len": -1},
        {"nonce_len": 2**63 - 1},
        {"nonce_len": -(2**63)},
        {"nonce_at": -1},
        {"nonce_at": 77},
        {"nonce_at": 84},
        {"nonce_at": 2**63 - 1},
        {"nonce_at": 2**63 - 8},
        {"nonce_at": -(2**63)},
        {"nonce_at": 2**63},
    ],
    ids=described,
)
def test_a_search_that_cannot_be_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(REFUSED):
        scan(**wrong)


@pytest.mark.parametrize("wrong", [-1, -(2**63), 2**64, 2**70, 1.5, "1", None], ids=str)
@pytest.mark.parametrize("argument", ["start", "count"])
def test_a_nonce_or_count_that_is_no_64_bit_number_is_refused(argument: str, wrong: object) -> None:
    with pytest.raises(REFUSED):
        scan(**{argument: wrong})


@pytest.mark.parametrize(
    ("nonce_len", "start", "count"),
    [
        (8, 2**63, 1),
        (8, 2**64 - 1, 1),
        (8, 2**64 - 1, 0),
        (4, 2**32 - 1, 1),
        (1, 255, 1),
        (1, 0, 256),
        (4, 2**40, 0),
    ],
)
def test_a_range_may_end_with_the_last_nonce(nonce_len: int, start: int, count: int) -> None:
    hits = scan(nonce_len=nonce_len, start=start, count=count)
    assert [nonce for nonce, _ in hits] == list(range(start, start + count))


@pytest.mark.parametrize(
    "kernel",
    [row[:2] for row in _kernels.kernels() if row[2] and row[0] in ("sha256d", "neoscrypt")],
    ids="/".join,
)
def test_more_hits_than_fit_at_once_are_all_returned(kernel: tuple[str, str]) -> None:
    hits = scan(algorithm=kernel[0], path=kernel[1], count=600)
    assert [nonce for nonce, _ in hits] == list(range(600))


@pytest.mark.parametrize(
    "wrong",
    [
        ("neoscrypt", "portable", bytes(63)),
        ("neoscrypt", "portable", bytes(257)),
        ("sha256d", "portable", "text"),
        ("sha256d", "portable", EVERY_OTHER),
        ("sha256d", "portable", None),
        ("sha256d", "portable"),
        ("sha256d", "vax", b""),
        ("ethash", "portable", bytes(40)),
        ("md5", "portable", b""),
    ],
)
def test_a_message_that_cannot_be_hashed_is_refused(wrong: t.Any) -> None:
    with pytest.raises(REFUSED):
        _kernels.hash(*wrong)


@pytest.mark.parametrize("function", [_kernels.keccak256, _kernels.keccak512])
@pytest.mark.parametrize("wrong", ["text", EVERY_OTHER, None, 5])
def test_keccak_takes_bytes_alone(function: t.Any, wrong: object) -> None:
    with pytest.raises(REFUSED):
        function(wrong)


def table(rows: int = 5) -> bytearray:
    made = bytearray(64 * rows)
    _kernels.ethash_build_cache(bytes(32), made)
    return made


ETHASH: dict[str, dict[str, t.Any]] = {
    "ethash_build_cache": {"seed": bytes(32), "rows": bytearray(128)},
    "ethash_items": {"path": "portable", "cache": table(), "first": 0, "items": bytearray(128)},
    "ethash_hash": {"path": "portable", "rows": table(), "pages": 3, "header": HEADER, "nonce": 0},
    "ethash_scan": {
        "path": "portable",
        "rows": table(),
        "pages": 3,
        "header": HEADER,
        "fixed": 0,
        "shift": 0,
        "limit": LIMIT,
        "start": 0,
        "count": 1,
    },
    "ethash_final": {"header": HEADER, "nonce": 0, "mix": bytes(32)},
}
"""Arguments that are right."""

WRONG: dict[str, list[object]] = {
    "path": ["vax", "", None, b"portable", "simd128"],
    "seed": [b"", bytes(31), bytes(33), "text", None],
    "header": [b"", bytes(31), bytes(33), bytes(2**16), None],
    "mix": [b"", bytes(31), bytes(64), None],
    "limit": [b"", bytes(31), bytes(33), None],
    "rows": [b"", bytes(63), bytes(65), EVERY_OTHER, "text", None],
    "cache": [b"", bytes(63), bytes(65), EVERY_OTHER, "text", None],
    "items": [bytearray(63), bytearray(65), bytes(64), EVERY_OTHER, "text", None],
    "first": [-1, 2**32, 2**32 - 1, 2**63, 2**64, None],
    "pages": [-1, 2**31 + 1, 2**32, 2**63, 2**64 + 3, None],
    "nonce": [-1, 2**64, 2**64 + 1, 0.5, None],
    "fixed": [-1, 2**64, None],
    "shift": [-1, 64, 2**32, 2**63, 2**64, None],
    "start": [-1, 2**64, None],
    "count": [-1, 2**64, None],
}


@pytest.mark.parametrize("function", ETHASH)
def test_arguments_that_are_right_are_taken(function: str) -> None:
    getattr(_kernels, function)(*ETHASH[function].values())


@pytest.mark.parametrize(
    ("function", "argument", "wrong"),
    [
        (function, argument, wrong)
        for function, arguments in ETHASH.items()
        for argument in arguments
        for wrong in WRONG[argument]
    ],
    ids=described,
)
def test_arguments_of_ethash_that_do_not_fit_are_refused_and_no_buffer_is_kept(
    function: str, argument: str, wrong: object
) -> None:
    arguments = {
        name: bytearray(value) if isinstance(value, bytearray) else value
        for name, value in ETHASH[function].items()
    }
    with pytest.raises(REFUSED):
        getattr(_kernels, function)(*(arguments | {argument: wrong}).values())
    for value in arguments.values():
        if isinstance(value, bytearray):
            value.clear()  # which a buffer that somebody holds does not allow


def test_a_cache_is_built_into_writable_memory_alone() -> None:
    with pytest.raises(REFUSED):
        _kernels.ethash_build_cache(bytes(32), bytes(64))  # type: ignore[arg-type]


@pytest.mark.parametrize(("start", "count"), [(2**64 - 1, 2), (2, 2**64 - 1)])
def test_numbers_of_ethash_that_wrap_are_refused(start: int, count: int) -> None:
    with pytest.raises(ValueError, match="before they wrap"):
        _kernels.ethash_scan(*(ETHASH["ethash_scan"] | {"start": start, "count": count}).values())


def test_items_may_overwrite_the_cache_they_come_from() -> None:
    rows = table()
    _kernels.ethash_items("portable", rows, 0, rows)
    assert rows != table()


@pytest.mark.parametrize(
    "wrong",
    [
        {"N": 2**64 + 1024},
        {"N": -(2**64) + 1024},
        {"N": 0},
        {"N": 1023},
        {"N": 2**63},
        {"r": 2**64 + 8},
        {"r": 0},
        {"r": 2**32 + 8},
    ],
    ids=str,
)
def test_parameters_of_yespower_that_do_not_fit_are_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(PowError):
        yespower(BLOB, **wrong)


LITTLE_MEMORY = """
import resource
from miner.pow import ALGORITHMS, _kernels
from miner.pow.yespower import yespower
taken = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (taken + 2**20, taken + 2**20))
try:
    {call}
except MemoryError as error:
    print(error)
"""


@pytest.mark.parametrize(
    ("call", "remedy"),
    [
        ("ALGORITHMS['scrypt'].hash(bytes(84))", "use fewer threads"),
        (
            "ALGORITHMS['scrypt'].scan(bytes(84), 0, count=1, nonce_offset=76, nonce_size=8)",
            "use fewer threads",
        ),
        ("yespower(b'', N=2**19, r=32)", "take a smaller N or r"),
    ],
)
def test_no_memory_for_a_hash_is_an_error_with_the_remedy(call: str, remedy: str) -> None:
    program = LITTLE_MEMORY.format(call=call)
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert remedy in done.stdout
